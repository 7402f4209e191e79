"""What becomes of recommendations: one row for each until well after it is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, insert, select

from analyzer.advice import Saving
from analyzer.followed import Accepted, Followed
from analyzer.model import WorkloadKey
from jobs.ledger.database import Database
from jobs.ledger.rows import key_of
from jobs.ledger.runs import Run, check_held
from jobs.ledger.tables import ADVICE


class SqlAdvice:
    """Every method raises ``LedgerError`` and nothing else."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def entries(self) -> list[Followed]:
        """Every entry, as of the last time; by workload, action and age."""
        with self._database.reading() as connection:
            found = [_entry(one) for one in connection.execute(select(ADVICE))]
        return sorted(found, key=lambda one: one.identity)

    def entries_of(self, key: WorkloadKey) -> list[Followed]:
        """The entries of one workload, by action and age."""
        where = and_(
            ADVICE.c.cluster == key.cluster,
            ADVICE.c.namespace == key.namespace,
            ADVICE.c.kind == key.kind,
            ADVICE.c.name == key.name,
        )
        with self._database.reading() as connection:
            found = [_entry(one) for one in connection.execute(select(ADVICE).where(where))]
        return sorted(found, key=lambda one: one.identity)

    def set_entries(self, entries: Sequence[Followed], run: Run | None = None) -> None:
        """The entries from now on, in one transaction. ``run`` is the try that found them; raises
        ``Superseded`` when it was taken over."""
        with self._database.writing() as connection:
            if run is not None:
                check_held(connection, run)
            connection.execute(delete(ADVICE))
            if entries:
                connection.execute(insert(ADVICE), [_row(one) for one in entries])

    def prune(self, before: datetime) -> None:
        """Deletes what was not given, and did not change its state, since then."""
        old = and_(ADVICE.c.last_seen < before, ADVICE.c.state_since < before)
        with self._database.writing() as connection:
            connection.execute(delete(ADVICE).where(old))


def _row(one: Followed) -> dict[str, Any]:
    key, predicted, accepted = one.key, one.predicted, one.accepted
    return {
        "cluster": key.cluster,
        "namespace": key.namespace,
        "kind": key.kind,
        "name": key.name,
        "action": one.action,
        "first_seen": one.first_seen,
        "before": one.before.replace("\x00", "\ufffd"),
        "after": one.after.replace("\x00", "\ufffd"),
        "last_seen": one.last_seen,
        "state": one.state,
        "state_since": one.state_since,
        "snoozed_until": one.snoozed_until,
        "plan": one.plan,
        "predicted_gpu_hours": predicted.gpu_hours_per_week,
        "predicted_worth_usd": predicted.worth_usd_per_month,
        "predicted_usd": predicted.usd_per_month,
        "predicted_nodes": predicted.nodes_freed,
        "accepted_at": accepted.at if accepted else None,
        "baseline_gpu_hours": accepted.baseline_gpu_hours_per_week if accepted else None,
        "baseline_usd": accepted.baseline_usd_per_week if accepted else None,
        "realised_gpu_hours": accepted.gpu_hours_per_week if accepted else None,
        "realised_usd": accepted.usd_per_month if accepted else None,
        "note": accepted.note if accepted else "",
        "settled": accepted.settled if accepted else False,
    }


def _entry(found: Any) -> Followed:
    accepted = None
    if found.accepted_at is not None:
        accepted = Accepted(
            at=found.accepted_at,
            baseline_gpu_hours_per_week=found.baseline_gpu_hours,
            baseline_usd_per_week=found.baseline_usd,
            gpu_hours_per_week=found.realised_gpu_hours,
            usd_per_month=found.realised_usd,
            note=found.note,
            settled=found.settled,
        )
    return Followed(
        key=key_of(found),
        action=found.action,
        before=found.before,
        after=found.after,
        first_seen=found.first_seen,
        last_seen=found.last_seen,
        state=found.state,
        state_since=found.state_since,
        predicted=Saving(
            found.predicted_gpu_hours,
            found.predicted_worth_usd,
            found.predicted_usd,
            found.predicted_nodes,
        ),
        plan=found.plan,
        snoozed_until=found.snoozed_until,
        accepted=accepted,
    )
