"""The ledger on SQLAlchemy: SQLite or Postgres."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, and_, delete, desc, insert, select, tuple_, update

from analyzer.model import WorkloadKey
from analyzer.sleep.limits import Census
from analyzer.sleep.model import Hold
from jobs.ledger import rows
from jobs.ledger.engine import name_of, open_engine, told
from jobs.ledger.migrations import migrate
from jobs.ledger.model import Change, Outcome, Slept, TickState
from jobs.ledger.tables import BASELINES, CHANGES, HOLDS, SLEEPS

READY_TIMES = 20
"""How many of a workload's latest times to ready are looked at."""

KEPT_WAITING = timedelta(days=1)
"""Nobody waits longer for a woken workload, even if its row was never closed."""


def open_ledger(url: str) -> SqlLedger:
    """The ledger at ``sqlite:///path`` or ``postgresql://…``, its tables made or brought up to
    date. Raises ``LedgerError``."""
    engine = open_engine(url)
    with told(engine):
        migrate(engine)
    return SqlLedger(engine)


class SqlLedger:
    """Safe to use from several threads; connections are made anew after the database was away."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __repr__(self) -> str:
        return f"<SqlLedger {name_of(self._engine)}>"

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with told(self._engine), self._engine.begin() as connection:
            yield connection

    def close(self) -> None:
        self._engine.dispose()

    def begin(self, changes: Sequence[Change]) -> list[int]:
        if not changes:
            return []
        with self._transaction() as connection:
            found = connection.execute(
                insert(CHANGES).returning(CHANGES.c.id, sort_by_parameter_order=True),
                [rows.of_change(change) for change in changes],
            )
            ids = [int(one.id) for one in found]
            sleeps = [
                (change, id_)
                for change, id_ in zip(changes, ids, strict=True)
                if change.action == "sleep" and change.memory is not None
            ]
            if sleeps:
                _open_sleeps(connection, sleeps)
            return ids

    def finish(self, outcomes: Iterable[Outcome]) -> None:
        finished = {one.change_id: one for one in outcomes}
        if not finished:
            return
        with self._transaction() as connection:
            begun = connection.execute(
                select(CHANGES).where(CHANGES.c.id.in_(finished), CHANGES.c.outcome.is_(None))
            ).all()
            for change in begun:
                one = finished[change.id]
                connection.execute(
                    update(CHANGES)
                    .where(CHANGES.c.id == change.id)
                    .values(outcome=one.result, detail=one.detail[:2000], finished_at=one.at)
                )
                close = _closes(change, one)
                if close is not None:
                    connection.execute(close)

    def tick_state(self, cluster: str, now: datetime) -> TickState:
        with self._transaction() as connection:
            mine = SLEEPS.c.cluster == cluster
            open_ = connection.execute(select(SLEEPS).where(mine, SLEEPS.c.closed_at.is_(None)))
            waiting = connection.execute(
                select(SLEEPS).where(
                    mine,
                    SLEEPS.c.closed_at > now - KEPT_WAITING,
                    SLEEPS.c.outcome == "woken",
                    SLEEPS.c.waited_until.is_(None),
                )
            )
            holds = connection.execute(
                select(HOLDS).where(HOLDS.c.cluster == cluster, HOLDS.c.until > now)
            )
            unfinished = connection.execute(
                select(CHANGES).where(CHANGES.c.cluster == cluster, CHANGES.c.outcome.is_(None))
            )
            baseline = connection.execute(select(BASELINES).where(BASELINES.c.cluster == cluster))
            return TickState(
                open={one.uid: rows.to_row(one) for one in open_},
                waiting=[rows.to_row(one) for one in waiting],
                holds={one.uid: Hold(one.uid, one.until, one.reason) for one in holds},
                unfinished=[rows.to_change(one) for one in unfinished],
                baseline={one.scope: Census(one.workloads, one.production) for one in baseline},
                ready_times=_ready_times(connection, cluster, now),
            )

    def mark_ready(self, cluster: str, ready: Mapping[str, datetime]) -> None:
        self._waited(
            cluster, {uid: {"ready_at": at, "waited_until": at} for uid, at in ready.items()}
        )

    def give_up_waiting(self, cluster: str, causes: Mapping[str, str], now: datetime) -> None:
        self._waited(
            cluster,
            {uid: {"waited_until": now, "cause": why[:2000]} for uid, why in causes.items()},
        )

    def _waited(self, cluster: str, values: Mapping[str, Mapping[str, Any]]) -> None:
        with self._transaction() as connection:
            for uid, of_one in values.items():
                connection.execute(
                    update(SLEEPS)
                    .where(
                        SLEEPS.c.cluster == cluster,
                        SLEEPS.c.uid == uid,
                        SLEEPS.c.outcome == "woken",
                        SLEEPS.c.waited_until.is_(None),
                    )
                    .values(**of_one)
                )

    def mark_gone(self, cluster: str, uids: Iterable[str], now: datetime) -> None:
        self._update_open(cluster, uids, closed_at=now, outcome="gone")

    def count_reverts(self, cluster: str, uids: Iterable[str]) -> None:
        self._update_open(cluster, uids, reverts=SLEEPS.c.reverts + 1)

    def _update_open(self, cluster: str, uids: Iterable[str], **values: Any) -> None:
        with self._transaction() as connection:
            connection.execute(
                update(SLEEPS)
                .where(
                    SLEEPS.c.cluster == cluster,
                    SLEEPS.c.uid.in_(list(uids)),
                    SLEEPS.c.closed_at.is_(None),
                )
                .values(**values)
            )

    def set_holds(self, cluster: str, holds: Iterable[Hold]) -> None:
        new = {one.uid: one for one in holds}
        with self._transaction() as connection:
            connection.execute(
                delete(HOLDS).where(HOLDS.c.cluster == cluster, HOLDS.c.uid.in_(list(new)))
            )
            values = [
                {"cluster": cluster, "uid": one.uid, "until": one.until, "reason": one.reason}
                for one in new.values()
            ]
            if values:
                connection.execute(insert(HOLDS), values)

    def set_baseline(self, cluster: str, census: Mapping[str, Census], now: datetime) -> None:
        with self._transaction() as connection:
            connection.execute(
                delete(BASELINES).where(
                    BASELINES.c.cluster == cluster, BASELINES.c.scope.in_(list(census))
                )
            )
            values = [
                {
                    "cluster": cluster,
                    "scope": scope,
                    "workloads": one.workloads,
                    "production": one.production,
                    "seen_at": now,
                }
                for scope, one in census.items()
            ]
            if values:
                connection.execute(insert(BASELINES), values)

    def slept(self, cluster: str, since: datetime) -> list[Slept]:
        with self._transaction() as connection:
            found = connection.execute(
                select(SLEEPS)
                .where(
                    SLEEPS.c.cluster == cluster,
                    SLEEPS.c.outcome != "never-slept",
                    SLEEPS.c.closed_at.is_(None) | (SLEEPS.c.closed_at > since),
                )
                .order_by(desc(SLEEPS.c.since))
            )
            return [rows.to_slept(one) for one in found]

    def history(
        self, cluster: str, key: WorkloadKey | None = None, limit: int = 100
    ) -> list[Change]:
        wanted = [CHANGES.c.cluster == cluster]
        if key is not None:
            names = (CHANGES.c.namespace, CHANGES.c.kind, CHANGES.c.name)
            wanted.append(tuple_(*names) == tuple_(key.namespace, key.kind, key.name))
        with self._transaction() as connection:
            found = connection.execute(
                select(CHANGES).where(and_(*wanted)).order_by(desc(CHANGES.c.id)).limit(limit)
            )
            return [rows.to_change(one) for one in found]

    def prune(self, before: datetime) -> None:
        with self._transaction() as connection:
            connection.execute(delete(SLEEPS).where(SLEEPS.c.closed_at < before))
            connection.execute(
                delete(CHANGES).where(CHANGES.c.at < before, CHANGES.c.outcome.is_not(None))
            )
            connection.execute(delete(HOLDS).where(HOLDS.c.until < before))


def _open_sleeps(connection: Connection, sleeps: Sequence[tuple[Change, int]]) -> None:
    """One open row for each: a new one, or the one that is there with what may change of it."""
    by_cluster: dict[str, list[str]] = {}
    for change, _ in sleeps:
        by_cluster.setdefault(change.key.cluster, []).append(change.uid)
    present = {
        (one.cluster, one.uid)
        for cluster, uids in by_cluster.items()
        for one in connection.execute(
            select(SLEEPS.c.cluster, SLEEPS.c.uid).where(
                SLEEPS.c.cluster == cluster,
                SLEEPS.c.uid.in_(uids),
                SLEEPS.c.closed_at.is_(None),
            )
        )
    }
    new = []
    for change, id_ in sleeps:
        if (change.key.cluster, change.uid) not in present:
            new.append(rows.of_sleep(change, id_))
            continue
        connection.execute(
            update(SLEEPS)
            .where(
                SLEEPS.c.cluster == change.key.cluster,
                SLEEPS.c.uid == change.uid,
                SLEEPS.c.closed_at.is_(None),
            )
            .values(**(rows.of_sleep(change, id_) if change.replace_memory else rows.later(change)))
        )
    if new:
        connection.execute(insert(SLEEPS), new)


def _closes(change: Any, outcome: Outcome) -> Any:
    """What the outcome of a change means for the open sleep, None when nothing."""
    mine = update(SLEEPS).where(
        SLEEPS.c.cluster == change.cluster,
        SLEEPS.c.uid == change.uid,
        SLEEPS.c.closed_at.is_(None),
    )
    if change.action == "sleep" and outcome.result in ("failed", "skipped"):
        # Only the row that this very change made: an earlier sleep goes on.
        ended = mine.where(SLEEPS.c.begun_by == change.id)
        return ended.values(closed_at=outcome.at, outcome="never-slept")
    if outcome.result == "done" and change.action == "wake":
        return mine.values(closed_at=outcome.at, outcome="woken")
    if outcome.result == "done" and change.action == "forget":
        return mine.values(closed_at=outcome.at, outcome="left-awake")
    return None


def _ready_times(
    connection: Connection, cluster: str, now: datetime
) -> dict[WorkloadKey, list[float]]:
    found = connection.execute(
        select(SLEEPS)
        .where(
            SLEEPS.c.cluster == cluster,
            SLEEPS.c.closed_at > now - timedelta(days=90),
            SLEEPS.c.ready_at.is_not(None),
        )
        .order_by(desc(SLEEPS.c.closed_at))
    )
    times: dict[WorkloadKey, list[float]] = {}
    for one in found:
        of_one = times.setdefault(rows.key_of(one), [])
        if len(of_one) < READY_TIMES:
            of_one.append((one.ready_at - one.closed_at).total_seconds())
    return times
