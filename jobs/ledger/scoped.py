"""The part of a ledger that is one cluster's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from analyzer.model import WorkloadKey
from analyzer.sleep.limits import Census
from analyzer.sleep.model import NotDone, Row, Slept
from jobs.ledger.model import Change, Ended, Outcome, TickState, Waited
from jobs.ledger.port import Ledger


@dataclass(frozen=True, slots=True)
class ClusterLedger:
    """``name`` is what the cluster is called, ``scope`` what the ledger calls it."""

    ledger: Ledger
    name: str
    scope: str

    @classmethod
    def of(cls, ledger: Ledger, name: str, identity: str) -> ClusterLedger:
        """``identity`` tells the cluster from another that was called so at some time (a
        kubeconfig's context is switched easily). Empty for who may not ask: then it is the only
        cluster that the ledger knows by this name. Raises ``LedgerError``."""
        if identity:
            return cls(ledger, name, f"{name}#{identity}")
        known = [scope for scope in ledger.scopes() if scope.startswith(f"{name}#")]
        return cls(ledger, name, known[0] if len(known) == 1 else name)

    def _named(self, key: WorkloadKey) -> WorkloadKey:
        return replace(key, cluster=self.name)

    def _row(self, row: Row) -> Row:
        return replace(row, key=self._named(row.key))

    def _change(self, change: Change) -> Change:
        return replace(change, key=self._named(change.key))

    def begin(self, changes: Sequence[Change]) -> list[int]:
        scope = self.scope
        return self.ledger.begin(
            [replace(one, key=replace(one.key, cluster=scope)) for one in changes]
        )

    def finish(self, outcomes: Iterable[Outcome]) -> None:
        self.ledger.finish(outcomes)

    def tick_state(self, now: datetime) -> TickState:
        state = self.ledger.tick_state(self.scope, now)
        return replace(
            state,
            open={uid: self._row(row) for uid, row in state.open.items()},
            waiting=[self._row(row) for row in state.waiting],
            unfinished=[self._change(change) for change in state.unfinished],
            ready_times={self._named(key): times for key, times in state.ready_times.items()},
        )

    def waited(self, found: Iterable[Waited]) -> None:
        self.ledger.waited(self.scope, found)

    def close_sleeps(self, uids: Iterable[str], outcome: Ended, now: datetime) -> None:
        self.ledger.close_sleeps(self.scope, uids, outcome, now)

    def prune(self, before: datetime) -> None:
        self.ledger.prune(self.scope, before)

    def set_baseline(self, census: Mapping[str, Census], now: datetime) -> None:
        self.ledger.set_baseline(self.scope, census, now)

    def slept(self, since: datetime) -> list[Slept]:
        found = self.ledger.slept(self.scope, since)
        return [replace(one, key=self._named(one.key)) for one in found]

    def not_done(self, since: datetime, until: datetime) -> list[NotDone]:
        found = self.ledger.not_done(self.scope, since, until)
        return [replace(one, key=self._named(one.key)) for one in found]
