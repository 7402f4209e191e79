"""What callers may ask of a ledger. Every method raises ``LedgerError`` and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from analyzer.model import WorkloadKey
from analyzer.sleep.limits import Census
from analyzer.sleep.model import NotDone, Slept
from jobs.ledger.model import Change, Ended, Outcome, TickState, Waited


class Ledger(Protocol):
    """What was done, by whom and why, and the second copy of every memory."""

    @property
    def is_damaged(self) -> bool:
        """Whether its file turned out damaged, so that it has to be opened anew."""

    def begin(self, changes: Sequence[Change]) -> list[int]:
        """Writes intents, the memory of each sleep, its tries and holds, in one transaction.
        Returns their ids.

        A memory that is there already stays, unless its change replaces it. A hold takes the
        place of an earlier one of the same workload; one that is past ends it.
        """

    def finish(self, outcomes: Iterable[Outcome]) -> None:
        """Writes outcomes in one transaction. Doing it twice changes nothing.

        The memory of a sleep that was done is the open one from then on, whatever another
        process intended meanwhile.
        """

    def tick_state(self, cluster: str, now: datetime) -> TickState:
        """All that a run has to know, read in one transaction."""

    def scopes(self) -> frozenset[str]:
        """The clusters that anything is known of."""

    def waited(self, cluster: str, found: Iterable[Waited]) -> None:
        """What waiting for woken workloads brought."""

    def close_sleeps(
        self, cluster: str, uids: Iterable[str], outcome: Ended, now: datetime
    ) -> None:
        """Sleeps that ended without us."""

    def set_baseline(self, cluster: str, census: Mapping[str, Census], now: datetime) -> None:
        """What was listed, to compare the next run with."""

    def slept(self, cluster: str, since: datetime) -> list[Slept]:
        """Sleeps that lasted at some time after ``since``, the latest first."""

    def not_done(self, cluster: str, since: datetime, until: datetime) -> list[NotDone]:
        """Changes that were begun in that time and failed or were skipped, in order."""

    def history(
        self, cluster: str, key: WorkloadKey | None = None, limit: int = 100
    ) -> list[Change]:
        """The latest changes, the last first."""

    def prune(self, cluster: str, before: datetime) -> None:
        """Deletes what ended before then."""

    def close(self) -> None:
        """Lets go of every connection."""
