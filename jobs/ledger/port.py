"""What callers may ask of a ledger. Every method raises ``LedgerError`` and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from analyzer.model import WorkloadKey
from analyzer.sleep.limits import Census
from analyzer.sleep.model import Hold
from jobs.ledger.model import Change, Outcome, Slept, TickState


class Ledger(Protocol):
    """What was done, by whom and why, and the second copy of every memory."""

    def begin(self, changes: Sequence[Change]) -> list[int]:
        """Writes intents, and the memory of each sleep, in one transaction. Returns their ids.

        A memory that is there already stays, unless its change replaces it.
        """

    def finish(self, outcomes: Iterable[Outcome]) -> None:
        """Writes outcomes in one transaction. Doing it twice changes nothing."""

    def tick_state(self, cluster: str, now: datetime) -> TickState:
        """All that a run has to know, read in one transaction."""

    def mark_ready(self, cluster: str, ready: Mapping[str, datetime]) -> None:
        """Woken workloads that are ready, by uid."""

    def give_up_waiting(self, cluster: str, causes: Mapping[str, str], now: datetime) -> None:
        """Woken workloads that nobody waits for any more, by uid with the cause."""

    def mark_gone(self, cluster: str, uids: Iterable[str], now: datetime) -> None:
        """Workloads that were deleted while they slept."""

    def count_reverts(self, cluster: str, uids: Iterable[str]) -> None:
        """One more revert of the open sleep of each."""

    def set_holds(self, cluster: str, holds: Iterable[Hold]) -> None:
        """Holds in place of earlier ones of the same workloads; one that is past ends it."""

    def set_baseline(self, cluster: str, census: Mapping[str, Census], now: datetime) -> None:
        """What was listed, to compare the next run with."""

    def slept(self, cluster: str, since: datetime) -> list[Slept]:
        """Sleeps that lasted at some time after ``since``, the latest first."""

    def history(
        self, cluster: str, key: WorkloadKey | None = None, limit: int = 100
    ) -> list[Change]:
        """The latest changes, the last first."""

    def prune(self, before: datetime) -> None:
        """Deletes what ended before then."""

    def close(self) -> None:
        """Lets go of every connection."""
