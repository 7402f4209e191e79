"""Posts what waits in the ledger: each message once, also where an answer was lost.

A message is marked before it is sent. Whoever finds the mark of a try whose end nobody knows waits
until that try must be over, and then asks whether the message is there before sending it again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from analyzer.errors import PartlyDone, SourceError, Unreachable
from jobs.daemon.leadership import NotLeader
from jobs.ledger.errors import Superseded
from jobs.ledger.notices import Notice, SqlNotices

log = logging.getLogger("gpu_thrift.posting")

SETTLED_AFTER = timedelta(minutes=2)
"""How long after its try began a message must be there if it ever will: longer than any timeout
that may be configured for one answer."""

FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)

GIVEN_UP_AFTER = timedelta(days=3)
"""What could not be told for so long is no news any more."""


class Unsure(Unreachable):
    """Nobody knows whether the message was accepted."""


class Limited(SourceError):
    """Not accepted: too many messages. ``retry_after_s`` is how long to wait, in seconds."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Poster(Protocol):
    """The other side. Both raise ``SourceError``; ``Unsure`` when a message may have arrived."""

    def post(self, notice: Notice) -> str:
        """Posts it and returns the other side's name for it."""

    def find(self, notice: Notice, since: datetime) -> str | None:
        """The other side's name for the message, if it is there since then."""


def post_waiting(
    notices: SqlNotices, poster: Poster, guard: Callable[[], float], now: datetime
) -> int:
    """Posts every message that is due. Returns how many arrived.

    ``guard`` raises where this process may not act any more. Raises ``PartlyDone`` that names
    what did not arrive; it stays in the ledger and is tried again.
    """
    arrived, failures = 0, []
    for notice in notices.waiting(now):
        guard()
        if notice.made_at is not None and now - notice.made_at > GIVEN_UP_AFTER:
            notices.drop(notice.key, "could not be posted for too long")
            days = GIVEN_UP_AFTER.days
            log.error("%s: given up: it could not be posted for %d days", notice.key, days)
            continue
        if notice.sending_at is not None and now - notice.sending_at < SETTLED_AFTER:
            # Whoever began it may be waiting for its answer still.
            _set_aside(notice, notices, notice.sending_at + SETTLED_AFTER)
            continue
        try:
            arrived += _posted(notice, notices, poster, guard, now)
        except NotLeader:
            raise
        except Superseded as error:
            log.info("%s", error)
        except SourceError as error:
            failures.append(f"{notice.key}: {error}")
    if failures:
        raise PartlyDone(f"not everything was posted: {'; '.join(failures)}")
    return arrived


def _posted(
    notice: Notice, notices: SqlNotices, poster: Poster, guard: Callable[[], float], now: datetime
) -> bool:
    """Makes sure that it is there. Returns whether it is; raises why it is not."""
    if notice.sending_at is not None:
        try:
            receipt = poster.find(notice, notice.made_at or notice.sending_at)
        except SourceError as error:
            # The try before is as unknown as it was.
            _later(notice, error, notices, now, unsure=True)
            raise
        if receipt is not None:
            notices.sent(notice.key, receipt, now)
            return True
    notices.sending(notice, now)
    guard()
    try:
        receipt = poster.post(notice)
    except SourceError as error:
        _later(notice, error, notices, now, unsure=isinstance(error, Unsure))
        raise
    notices.sent(notice.key, receipt, now)
    return True


def _later(
    notice: Notice, error: SourceError, notices: SqlNotices, now: datetime, *, unsure: bool
) -> None:
    wait: timedelta = min(FIRST_WAIT * 2 ** min(notice.attempts, 20), LONGEST_WAIT)
    if isinstance(error, Limited):
        wait = max(timedelta(seconds=error.retry_after_s), FIRST_WAIT)
    if unsure:
        wait = max(wait, SETTLED_AFTER)
    notices.failed(notice.key, str(error), now + wait, unsure=unsure)


def _set_aside(notice: Notice, notices: SqlNotices, until: datetime) -> None:
    notices.failed(notice.key, "is being sent, or was", until, unsure=True)
