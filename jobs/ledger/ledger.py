"""The ledger on SQLAlchemy: SQLite or Postgres."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, delete, desc, insert, select, tuple_, update

from analyzer.model import WorkloadKey
from analyzer.sleep.limits import Census
from analyzer.sleep.model import Hold, NotDone, Slept
from jobs.ledger import rows, sleeps
from jobs.ledger.database import Database, open_database
from jobs.ledger.model import Change, Ended, Outcome, TickState, Waited
from jobs.ledger.tables import BASELINES, CHANGES, HOLDS, READY, SLEEPS

KEPT_WAITING = timedelta(days=2)
"""Nobody waits longer for a woken workload, even if its row was never closed."""


def open_ledger(url: str) -> SqlLedger:
    """The ledger at ``sqlite:///path`` or ``postgresql://…``, its tables made or brought up to
    date. Raises ``LedgerError``."""
    return SqlLedger(open_database(url))


class SqlLedger:
    """Safe to use from several threads; connections are made anew after the database was away."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reading = database.reading
        self._writing = database.writing

    def __repr__(self) -> str:
        return f"<SqlLedger {self._database.name}>"

    @property
    def is_damaged(self) -> bool:
        return self._database.is_damaged

    def close(self) -> None:
        self._database.close()

    def begin(self, changes: Sequence[Change]) -> list[int]:
        if not changes:
            return []
        with self._writing() as connection:
            found = connection.execute(
                insert(CHANGES).returning(CHANGES.c.id, sort_by_parameter_order=True),
                [rows.of_change(change) for change in changes],
            )
            ids = [int(one.id) for one in found]
            slept = [
                (change, id_)
                for change, id_ in zip(changes, ids, strict=True)
                if change.action == "sleep" and change.memory is not None
            ]
            if slept:
                sleeps.begin(connection, slept)
            _set_holds(connection, changes)
            return ids

    def finish(self, outcomes: Iterable[Outcome]) -> None:
        finished = {one.change_id: one for one in outcomes}
        if not finished:
            return
        with self._writing() as connection:
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
                sleeps.end(connection, change, one)
            slept = [
                change
                for change in begun
                if change.action == "sleep" and finished[change.id].result == "done"
            ]
            if slept:
                sleeps.confirm(connection, slept)

    def scopes(self) -> frozenset[str]:
        with self._reading() as connection:
            looked = connection.execute(select(BASELINES.c.cluster).distinct())
            asleep = select(SLEEPS.c.cluster).where(SLEEPS.c.closed_at.is_(None)).distinct()
            return frozenset(one.cluster for one in (*looked, *connection.execute(asleep)))

    def tick_state(self, cluster: str, now: datetime) -> TickState:
        with self._reading() as connection:
            mine = SLEEPS.c.cluster == cluster
            open_ = connection.execute(select(SLEEPS).where(mine, SLEEPS.c.closed_at.is_(None)))
            waiting = connection.execute(
                select(SLEEPS)
                .where(
                    mine,
                    SLEEPS.c.closed_at > now - KEPT_WAITING,
                    SLEEPS.c.outcome == "woken",
                    SLEEPS.c.waited_until.is_(None),
                )
                .order_by(SLEEPS.c.id)
            )
            holds = connection.execute(
                select(HOLDS).where(HOLDS.c.cluster == cluster, HOLDS.c.until > now)
            )
            unfinished = connection.execute(
                select(CHANGES).where(CHANGES.c.cluster == cluster, CHANGES.c.outcome.is_(None))
            )
            baseline = connection.execute(
                select(BASELINES).where(BASELINES.c.cluster == cluster)
            ).all()
            return TickState(
                open={one.uid: rows.to_row(one) for one in open_},
                waiting=list({one.uid: rows.to_row(one) for one in waiting}.values()),
                holds={one.uid: Hold(one.uid, one.until, one.reason) for one in holds},
                unfinished=[rows.to_change(one) for one in unfinished],
                baseline={one.scope: Census(one.workloads, one.production) for one in baseline},
                looked_at=max((one.seen_at for one in baseline), default=None),
                ready_times=sleeps.ready_times(connection, cluster),
            )

    def waited(self, cluster: str, found: Iterable[Waited]) -> None:
        with self._writing() as connection:
            sleeps.waited(connection, cluster, found)

    def close_sleeps(
        self, cluster: str, uids: Iterable[str], outcome: Ended, now: datetime
    ) -> None:
        with self._writing() as connection:
            ended = update(SLEEPS).where(sleeps.is_open(cluster, uids))
            connection.execute(ended.values(closed_at=now, outcome=outcome))

    def set_baseline(self, cluster: str, census: Mapping[str, Census], now: datetime) -> None:
        with self._writing() as connection:
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
        with self._reading() as connection:
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

    def not_done(self, cluster: str, since: datetime, until: datetime) -> list[NotDone]:
        wanted = (
            CHANGES.c.cluster == cluster,
            CHANGES.c.at >= since,
            CHANGES.c.at < until,
            CHANGES.c.outcome.in_(("failed", "skipped")),
        )
        with self._reading() as connection:
            found = connection.execute(select(CHANGES).where(*wanted).order_by(CHANGES.c.id))
            return [rows.to_not_done(one) for one in found]

    def history(
        self, cluster: str, key: WorkloadKey | None = None, limit: int = 100
    ) -> list[Change]:
        wanted = [CHANGES.c.cluster == cluster]
        if key is not None:
            names = (CHANGES.c.namespace, CHANGES.c.kind, CHANGES.c.name)
            wanted.append(tuple_(*names) == tuple_(key.namespace, key.kind, key.name))
        with self._reading() as connection:
            found = connection.execute(
                select(CHANGES).where(and_(*wanted)).order_by(desc(CHANGES.c.id)).limit(limit)
            )
            return [rows.to_change(one) for one in found]

    def prune(self, cluster: str, before: datetime) -> None:
        with self._writing() as connection:
            connection.execute(
                delete(SLEEPS).where(SLEEPS.c.cluster == cluster, SLEEPS.c.closed_at < before)
            )
            old = (CHANGES.c.cluster == cluster, CHANGES.c.at < before)
            connection.execute(delete(CHANGES).where(*old, CHANGES.c.outcome.is_not(None)))
            connection.execute(
                delete(HOLDS).where(HOLDS.c.cluster == cluster, HOLDS.c.until < before)
            )
            connection.execute(
                delete(READY).where(READY.c.cluster == cluster, READY.c.seen_at < before)
            )


def _set_holds(connection: Connection, changes: Sequence[Change]) -> None:
    new = {(one.key.cluster, one.uid): one.hold for one in changes if one.hold is not None}
    for cluster in {cluster for cluster, _ in new}:
        uids = [uid for of, uid in new if of == cluster]
        connection.execute(delete(HOLDS).where(HOLDS.c.cluster == cluster, HOLDS.c.uid.in_(uids)))
    values = [
        {"cluster": cluster, "uid": uid, "until": hold.until, "reason": hold.reason}
        for (cluster, uid), hold in new.items()
    ]
    if values:
        connection.execute(insert(HOLDS), values)
