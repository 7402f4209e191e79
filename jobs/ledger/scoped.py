"""The part of a ledger that is one cluster's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from analyzer.model import WorkloadKey
from analyzer.sleep.limits import Census
from analyzer.sleep.model import Hold, Row
from jobs.ledger.model import Change, Outcome, Slept, TickState
from jobs.ledger.port import Ledger


@dataclass(frozen=True, slots=True)
class ClusterLedger:
    """``name`` is what the cluster is called, ``identity`` what tells it from another that was
    called so at some time (a kubeconfig's context is switched easily); empty when unknown."""

    ledger: Ledger
    name: str
    identity: str = ""

    @property
    def _scope(self) -> str:
        return f"{self.name}#{self.identity}" if self.identity else self.name

    def _named(self, key: WorkloadKey) -> WorkloadKey:
        return replace(key, cluster=self.name)

    def _row(self, row: Row) -> Row:
        return replace(row, key=self._named(row.key))

    def _change(self, change: Change) -> Change:
        return replace(change, key=self._named(change.key))

    def begin(self, changes: Sequence[Change]) -> list[int]:
        scope = self._scope
        return self.ledger.begin(
            [replace(one, key=replace(one.key, cluster=scope)) for one in changes]
        )

    def finish(self, outcomes: Iterable[Outcome]) -> None:
        self.ledger.finish(outcomes)

    def tick_state(self, now: datetime) -> TickState:
        state = self.ledger.tick_state(self._scope, now)
        return replace(
            state,
            open={uid: self._row(row) for uid, row in state.open.items()},
            waiting=[self._row(row) for row in state.waiting],
            unfinished=[self._change(change) for change in state.unfinished],
            ready_times={self._named(key): times for key, times in state.ready_times.items()},
        )

    def mark_ready(self, ready: Mapping[str, datetime]) -> None:
        self.ledger.mark_ready(self._scope, ready)

    def give_up_waiting(self, causes: Mapping[str, str], now: datetime) -> None:
        self.ledger.give_up_waiting(self._scope, causes, now)

    def mark_gone(self, uids: Iterable[str], now: datetime) -> None:
        self.ledger.mark_gone(self._scope, uids, now)

    def count_reverts(self, uids: Iterable[str]) -> None:
        self.ledger.count_reverts(self._scope, uids)

    def set_holds(self, holds: Iterable[Hold]) -> None:
        self.ledger.set_holds(self._scope, holds)

    def set_baseline(self, census: Mapping[str, Census], now: datetime) -> None:
        self.ledger.set_baseline(self._scope, census, now)

    def slept(self, since: datetime) -> list[Slept]:
        found = self.ledger.slept(self._scope, since)
        return [replace(one, key=self._named(one.key)) for one in found]
