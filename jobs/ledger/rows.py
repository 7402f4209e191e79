"""Between the values of the ledger and the rows of its tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from analyzer.model import WorkloadKey
from analyzer.sleep.model import Memory, NotDone, Row, Slept
from jobs.ledger.model import Change
from jobs.ledger.tables import SLEEPS


def _clean(text: str) -> str:
    """Postgres keeps no NUL in a text."""
    return text.replace("\x00", "�")


def _names(change: Change) -> dict[str, Any]:
    return {
        "cluster": change.key.cluster,
        "namespace": change.key.namespace,
        "kind": change.key.kind,
        "name": change.key.name,
        "uid": change.uid,
    }


def key_of(found: Any) -> WorkloadKey:
    """The workload of a row of any table that has one."""
    return WorkloadKey(found.cluster, found.namespace, found.kind, found.name)


def of_change(change: Change) -> dict[str, Any]:
    """A row of ``changes``."""
    return {
        **_names(change),
        "at": change.at,
        "action": change.action,
        "who": _clean(change.who),
        "why": _clean(change.why)[:2000],
        "from": change.from_,
        "to": change.to,
        "memory": _of_memory(change.memory),
        "run_id": change.run_id,
    }


def to_change(found: Any) -> Change:
    """The change of a row."""
    values = found._mapping
    return Change(
        key=key_of(found),
        uid=found.uid,
        action=found.action,
        who=found.who,
        why=found.why,
        from_=values["from"],
        to=values["to"],
        at=found.at,
        run_id=found.run_id,
        memory=_to_memory(found.memory),
        id=found.id,
        outcome=found.outcome or "",
        detail=found.detail,
        finished_at=found.finished_at,
    )


def _of_memory(memory: Memory | None) -> dict[str, Any] | None:
    if memory is None:
        return None
    return {
        "before": memory.before,
        "since": memory.since.isoformat(),
        "by": memory.by,
        "wake_at": memory.wake_at.isoformat() if memory.wake_at else None,
        "slept_to": memory.slept_to,
    }


def _to_memory(found: dict[str, Any] | None) -> Memory | None:
    if found is None:
        return None
    return Memory(
        found["before"],
        datetime.fromisoformat(found["since"]),
        found["by"],
        datetime.fromisoformat(found["wake_at"]) if found["wake_at"] else None,
        found["slept_to"],
    )


def of_sleep(change: Change, id_: int) -> dict[str, Any]:
    """A row of ``sleeps`` that a change opens."""
    memory = change.memory
    assert memory is not None  # noqa: S101 - a sleep has one
    return {
        **_names(change),
        "before": memory.before,
        "slept_to": memory.slept_to,
        "since": memory.since,
        "by": _clean(memory.by),
        "wake_at": memory.wake_at,
        "gpus": change.gpus,
        "usd_per_hour": change.usd_per_hour,
        "nodes": list(change.nodes),
        "scales": list(change.scales),
        "reverts": int(change.reverted),
        "begun_by": id_,
    }


def remembered(found: Any) -> dict[str, Any]:
    """The part of a row of ``sleeps`` that the memory of a row of ``changes`` tells."""
    memory = _to_memory(found.memory)
    assert memory is not None  # noqa: S101 - a sleep has one
    return {
        "before": memory.before,
        "slept_to": memory.slept_to,
        "since": memory.since,
        "by": memory.by,
        "wake_at": memory.wake_at,
        "begun_by": found.id,
    }


def later(change: Change) -> dict[str, Any]:
    """What a second sleep of a sleeping workload may change: who asked, until when, and how often
    it was tried."""
    memory = change.memory
    assert memory is not None  # noqa: S101 - a sleep has one
    values: dict[str, Any] = {"by": _clean(memory.by), "wake_at": memory.wake_at}
    return values | ({"reverts": SLEEPS.c.reverts + 1} if change.reverted else {})


def to_row(found: Any) -> Row:
    """The sleep of a row, as decisions see it."""
    memory = Memory(found.before, found.since, found.by, found.wake_at, found.slept_to)
    return Row(
        key=key_of(found),
        uid=found.uid,
        memory=memory,
        gpus=found.gpus,
        usd_per_hour=found.usd_per_hour,
        reverts=found.reverts,
        woken_at=found.closed_at if found.outcome == "woken" else None,
        ready_at=found.ready_at,
        nodes=tuple(found.nodes or ()),
        scales=tuple(found.scales or ()),
        cause=found.cause,
    )


def to_slept(found: Any) -> Slept:
    """The sleep of a row, as savings see it."""
    return Slept(
        key=key_of(found),
        uid=found.uid,
        since=found.since,
        until=found.closed_at,
        gpus=found.gpus,
        usd_per_hour=found.usd_per_hour,
        nodes=tuple(found.nodes or ()),
        by=found.by,
        ready_at=found.ready_at,
        cause=found.cause,
        ended=found.outcome,
        waited_until=found.waited_until,
    )


def to_not_done(found: Any) -> NotDone:
    """The change of a row that came to nothing."""
    return NotDone(key_of(found), found.at, found.action, found.outcome, found.detail)
