"""What changes mean for the sleeps of the ledger: opened, ended, waited for, measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, desc, insert, select, tuple_, update

from analyzer.model import WorkloadKey
from jobs.ledger import rows
from jobs.ledger.model import Change, Outcome, Waited
from jobs.ledger.tables import CHANGES, READY, SLEEPS

READY_TIMES = 20
"""How many of a workload's latest times to ready are looked at."""


def is_open(cluster: str, uids: Iterable[str]) -> ColumnElement[bool]:
    """The open sleeps of these workloads."""
    mine = (SLEEPS.c.cluster == cluster, SLEEPS.c.uid.in_(list(uids)))
    return and_(*mine, SLEEPS.c.closed_at.is_(None))


def begin(connection: Connection, changes: Sequence[tuple[Change, int]]) -> None:
    """One open row for each: a new one, or the one that is there with what may change of it."""
    by_cluster: dict[str, list[str]] = {}
    for change, _ in changes:
        by_cluster.setdefault(change.key.cluster, []).append(change.uid)
    present = {
        (one.cluster, one.uid)
        for cluster, uids in by_cluster.items()
        for one in connection.execute(
            select(SLEEPS.c.cluster, SLEEPS.c.uid).where(is_open(cluster, uids))
        )
    }
    new = []
    for change, id_ in changes:
        if (change.key.cluster, change.uid) not in present:
            new.append(rows.of_sleep(change, id_))
            continue
        connection.execute(
            update(SLEEPS)
            .where(is_open(change.key.cluster, [change.uid]))
            .values(**(rows.of_sleep(change, id_) if change.replace_memory else rows.later(change)))
        )
    if new:
        connection.execute(insert(SLEEPS), new)


def end(connection: Connection, change: Any, outcome: Outcome) -> None:
    """What the outcome of a change (a row of ``changes``) means for the open sleep."""
    mine = is_open(change.cluster, [change.uid])
    if change.action == "sleep":
        if outcome.result in ("failed", "skipped"):
            # Only the row that this very change made: an earlier sleep goes on.
            _close(connection, and_(mine, SLEEPS.c.begun_by == change.id), outcome, "never-slept")
    elif outcome.result == "done":
        ended = {"wake": "woken", "forget": "left-awake"}.get(change.action)
        if ended:
            _close(connection, mine, outcome, ended)


def _close(connection: Connection, which: ColumnElement[bool], outcome: Outcome, how: str) -> None:
    connection.execute(update(SLEEPS).where(which).values(closed_at=outcome.at, outcome=how))


def confirm(connection: Connection, done: Sequence[Any]) -> None:
    """Makes the memory of sleeps that were done (rows of ``changes``) the open one.

    Two processes may intend to put the same workload to sleep: the row is that of the one that
    wrote last, the object that of the one whose patch went through.
    """
    opened = {
        (one.cluster, one.uid): one
        for cluster in {change.cluster for change in done}
        for one in connection.execute(
            select(SLEEPS.c.cluster, SLEEPS.c.uid, SLEEPS.c.begun_by, CHANGES.c.outcome)
            .select_from(SLEEPS)
            .join(CHANGES, CHANGES.c.id == SLEEPS.c.begun_by, isouter=True)
            .where(is_open(cluster, [change.uid for change in done if change.cluster == cluster]))
        )
    }
    for change in done:
        row = opened.get((change.cluster, change.uid))
        if row is None:
            _reopen(connection, change)
        elif row.begun_by != change.id and row.outcome != "done":
            connection.execute(
                update(SLEEPS)
                .where(is_open(change.cluster, [change.uid]))
                .values(**rows.remembered(change))
            )


def _reopen(connection: Connection, change: Any) -> None:
    """The sleep of a change whose row another process closed as never slept."""
    mine = (CHANGES.c.cluster == change.cluster, CHANGES.c.uid == change.uid)
    since = select(CHANGES.c.id).where(
        *mine,
        CHANGES.c.id > change.id,
        CHANGES.c.action.in_(("wake", "forget")),
        CHANGES.c.outcome == "done",
    )
    if connection.execute(since.limit(1)).first() is not None:
        return
    closed = connection.execute(
        select(SLEEPS.c.id)
        .where(
            SLEEPS.c.cluster == change.cluster,
            SLEEPS.c.uid == change.uid,
            SLEEPS.c.outcome == "never-slept",
        )
        .order_by(desc(SLEEPS.c.id))
        .limit(1)
    ).first()
    if closed is not None:
        again = {"closed_at": None, "outcome": "", **rows.remembered(change)}
        connection.execute(update(SLEEPS).where(SLEEPS.c.id == closed.id).values(**again))


def waited(connection: Connection, cluster: str, found: Iterable[Waited]) -> None:
    """Writes down what waiting brought, on the latest sleep of each; older ones are over."""
    for one in found:
        waiting = and_(
            SLEEPS.c.cluster == cluster,
            SLEEPS.c.uid == one.uid,
            SLEEPS.c.outcome == "woken",
            SLEEPS.c.waited_until.is_(None),
        )
        latest = connection.execute(
            select(SLEEPS).where(waiting).order_by(desc(SLEEPS.c.id)).limit(1)
        ).first()
        if latest is None:
            continue
        values: dict[str, Any] = {}
        values |= {"ready_at": one.ready_at} if one.ready_at else {}
        values |= {"waited_until": one.until} if one.until else {}
        values |= {"cause": one.cause[:2000]} if one.cause else {}
        connection.execute(update(SLEEPS).where(SLEEPS.c.id == latest.id).values(**values))
        if one.until:
            connection.execute(update(SLEEPS).where(waiting).values(waited_until=one.until))
        if one.ready_at:
            _measured(connection, latest, one.ready_at)


def _measured(connection: Connection, sleep: Any, ready_at: datetime) -> None:
    columns = (READY.c.cluster, READY.c.namespace, READY.c.kind, READY.c.name)
    mine = tuple_(*columns) == tuple_(sleep.cluster, sleep.namespace, sleep.kind, sleep.name)
    before = connection.execute(select(READY.c.seconds).where(mine)).scalar() or []
    seconds = [(ready_at - sleep.closed_at).total_seconds(), *before][:READY_TIMES]
    values = {column.name: getattr(sleep, column.name) for column in columns}
    values |= {"seconds": seconds, "seen_at": ready_at}
    connection.execute(delete(READY).where(mine))
    connection.execute(insert(READY).values(**values))


def ready_times(connection: Connection, cluster: str) -> Mapping[WorkloadKey, Sequence[float]]:
    """Seconds from waking to ready, the latest few of each workload."""
    found = connection.execute(select(READY).where(READY.c.cluster == cluster))
    return {rows.key_of(one): one.seconds for one in found}
