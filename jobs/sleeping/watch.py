"""After the change: was it done, does it hold, is what woke ready?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from analyzer.environment import NO_SIGN
from analyzer.errors import SourceError
from analyzer.sleep import wake
from analyzer.sleep.annotations import ASLEEP_SINCE, has_memory
from analyzer.sleep.case import Case, may_be_ours
from analyzer.sleep.model import (
    STOPPED,
    UNTOLD,
    Decided,
    Forget,
    Leave,
    Memory,
    Row,
    Sleep,
    Target,
    Wake,
)
from jobs.ledger.errors import LedgerError
from jobs.ledger.model import Change, Outcome, Waited
from jobs.sleeping.pods import causes, read_pods
from jobs.sleeping.trail import Trail
from jobs.sleeping.view import View

SETTLED_AFTER = timedelta(minutes=2)
"""An intent without an outcome that is younger may be another process at work right now."""

WATCHING = timedelta(minutes=5)
"""Runs that are further apart do not tell how long a workload took to become ready."""


def settle(view: View) -> None:
    """Finds out what became of changes that a process began and did not live to finish."""
    old = [one for one in view.state.unfinished if view.now - one.at > SETTLED_AFTER]
    if not old or view.ledger is None or view.site.dry_run:
        return
    trail = Trail(view.ledger, "", view.site.run_id, view.site.clock)
    outcomes = []
    for change in old:
        target = view.fleet.targets.get(change.uid)
        if target is None and not is_read(view, change.key.kind, change.key.namespace):
            continue
        done = target is not None and change.memory is not None and was_done(change, target)
        outcomes.append(
            Outcome(change.id, view.site.clock(), "done" if done else "skipped", "settled later")
        )
        if done and target is not None:
            trail.resume(change)
            kind = view.fleet.kind_of(target)
            trail.api_version = lambda _, kind=kind: kind.resource.api_version  # type: ignore[misc]
            trail.tell(view.site.api, _decided(change, target), change.at)
    try:
        view.ledger.finish(outcomes)
    except LedgerError:
        return  # the next tick finds them again


def was_done(change: Change, target: Target) -> bool:
    """Whether the object is as an unfinished change wanted it."""
    annotations, memory = target.workload.annotations, change.memory
    if change.action == "wake" and memory is not None and target.setting == memory.slept_to:
        # Without its annotations a sleeper looks like one that was woken.
        return False
    if change.action != "sleep" or memory is None:
        return not has_memory(annotations)
    since = annotations.get(ASLEEP_SINCE)
    if since is None:
        return may_be_ours(target, memory)
    told = memory.since.isoformat(timespec="seconds")
    return target.setting == memory.slept_to and since == told


def _decided(change: Change, target: Target) -> Decided:
    reason, _, evidence = change.why.partition(": ")
    memory = change.memory or Memory(None, change.at, change.who, None, None)
    decision: Sleep | Wake | Leave
    if change.action == "sleep":
        decision = Sleep(reason, evidence, memory)  # type: ignore[arg-type]
    elif change.action == "wake":
        decision = Wake(reason, evidence, memory)  # type: ignore[arg-type]
    else:
        decision = Leave(reason, evidence, Forget(memory))  # type: ignore[arg-type]
    return Decided(target, NO_SIGN, decision)


def is_read(view: View, kind_name: str, namespace: str) -> bool:
    """Whether the list that an object of this kind would be on was read whole."""
    for kind in view.site.kinds:
        if kind.name == kind_name:
            paths = (kind.list_path(""), kind.list_path(namespace))
            return any(path in view.fleet.scopes for path in paths)
    return False


@dataclass(frozen=True, slots=True)
class Followed:
    """What a look around after the run found: workloads that are not ready past their deadline,
    each with its cause, and those that a deleted autoscaler left asleep."""

    late: tuple[tuple[str, str], ...] = ()
    orphans: tuple[str, ...] = ()


def follow_up(view: View, cases: Mapping[str, Case], changed: Collection[str]) -> Followed:
    """Looks after what was woken and what ended without us, and writes it down.

    ``cases`` are by uid, ``changed`` the uids that this run changed.
    """
    late, waited = readiness(view)
    left = orphans(view)
    found = Followed(late, tuple(left.values()))
    if view.ledger is None or view.site.dry_run:
        return found
    try:
        if waited:
            view.ledger.waited(waited)
        gone = [uid for uid, row in view.state.open.items() if _is_gone(view, row)]
        gone = [uid for uid in gone if uid not in left]
        if gone:
            view.ledger.close_sleeps(gone, "gone", view.now)
        awake = [uid for uid in view.state.open if _is_over(cases.get(uid))]
        awake = [uid for uid in awake if uid not in changed]
        if awake:
            view.ledger.close_sleeps(awake, "left-awake", view.now)
    except LedgerError:
        pass  # nothing of this is lost: the next tick learns it again
    return found


def _is_gone(view: View, row: Row) -> bool:
    deleted = row.uid not in view.fleet.targets
    return deleted and is_read(view, row.key.kind, row.key.namespace)


def _is_over(case: Case | None) -> bool:
    """Whether a workload bears no sign of the sleep that the ledger still has open."""
    row = case.known.row if case else None
    return case is not None and case.memory is None and row is not None and not row.pending


def orphans(view: View) -> dict[str, str]:
    """What a deleted autoscaler left at zero, by uid of the autoscaler, in words."""
    gone = [row for row in view.state.open.values() if row.scales and _is_gone(view, row)]
    if not gone:
        return {}
    stopped = {
        (target.key.namespace, f"{target.key.kind}/{target.key.name}")
        for target in view.fleet.targets.values()
        if target.is_stopped and not target.held_by
    }
    found = {}
    for row in gone:
        left = [one for one in row.scales if (row.key.namespace, one) in stopped]
        if left:
            names = ", ".join(left)
            found[row.uid] = (
                f"{row.key}: deleted while it slept, and {names} is at 0 still: "
                "give it its replicas by hand"
            )
    return found


Late = tuple[tuple[str, str], ...]


def readiness(view: View) -> tuple[Late, list[Waited]]:
    """Workloads that are late, with their causes, and what waiting brought."""
    now, config = view.now, view.site.config
    looked = view.state.looked_at
    # Somebody who was away does not know when it happened.
    watching = looked is not None and now - looked <= WATCHING
    found: list[Waited] = []
    overdue: list[Row] = []
    for row in view.state.waiting:
        target = view.fleet.targets.get(row.uid)
        lasted = now - row.woken_at if row.woken_at else timedelta(0)
        if target is None or target.is_stopped:
            if is_read(view, row.key.kind, row.key.namespace):
                found.append(Waited(row.uid, until=now, cause=STOPPED))
        elif target.is_ready:
            found.append(Waited(row.uid, ready_at=now if watching else None, until=now))
        elif lasted > config.ready_deadline:
            over = now if lasted > max(wake.LONGEST, config.ready_deadline) else None
            if target.is_ready is None:
                found.append(Waited(row.uid, until=now, cause=UNTOLD))
            elif not row.cause:
                overdue.append(row)
            elif over:
                found.append(Waited(row.uid, until=over))
    told = _causes(view, overdue)
    found += [Waited(row.uid, cause=told[row.uid]) for row in overdue]
    return tuple((str(row.key), told[row.uid]) for row in overdue), found


def _causes(view: View, rows: Iterable[Row]) -> dict[str, str]:
    targets = [view.fleet.targets[row.uid] for row in rows]
    if not targets:
        return {}
    try:
        pods = read_pods(view.site.api, view.fleet, targets)
    except SourceError as error:
        return {target.uid: f"not ready; its pods cannot be read: {error}" for target in targets}
    return {
        target.uid: causes(pods[target.uid]) if pods.get(target.uid) else "it has no pods yet"
        for target in targets
    }
