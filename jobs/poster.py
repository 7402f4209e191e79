"""Whoever delivers messages, and what may come of a try."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from analyzer.errors import SourceError, Unreachable
from jobs.ledger.notices import Notice


class Unsure(Unreachable):
    """Nobody knows whether the message was accepted."""


class Limited(SourceError):
    """Not accepted: too many messages. ``retry_after_s`` is how long to wait, in seconds."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Lost(Unreachable):
    """The message may have arrived, and nobody can find out."""


class Futile(SourceError):
    """There is no place for such a message, and nothing to mend."""


class Poster(Protocol):
    """The other side. All raise ``SourceError``, and ``ConfigError`` before anything is sent."""

    def upload(self, notice: Notice) -> Mapping[str, str]:
        """Uploads its pictures, unseen. The other side's names for those that it took."""

    def post(self, notice: Notice, files: Mapping[str, str]) -> str:
        """Posts it with ``files`` for its pictures, and returns the other side's name for it.
        Raises ``Unsure``, or ``Lost``, when it may have arrived; ``Futile`` when it never can."""

    def find(self, notice: Notice, since: datetime) -> str | None:
        """The other side's name for a message of its mark, if one is there since then. Raises
        ``Lost`` where there is no way to look."""
