"""After the change: was it done, does it hold, is what woke ready?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from analyzer.environment import NO_SIGN
from analyzer.errors import SourceError
from analyzer.sleep.annotations import ASLEEP_SINCE, has_memory
from analyzer.sleep.case import Case, may_be_ours
from analyzer.sleep.model import Decided, Forget, Hold, Leave, Memory, Row, Sleep, Target, Wake
from jobs.actuator import Result
from jobs.ledger.errors import LedgerError
from jobs.ledger.model import Change, Outcome
from jobs.sleeping.act import run_id
from jobs.sleeping.pods import causes, read_pods
from jobs.sleeping.trail import Trail
from jobs.sleeping.view import View

SETTLED_AFTER = timedelta(minutes=2)
"""An intent without an outcome that is younger may be another process at work right now."""

CONTESTED = timedelta(days=7)
"""How long a workload is left alone after a GitOps tool undid its sleep too often."""


def settle(view: View) -> None:
    """Finds out what became of changes that a process began and did not live to finish."""
    old = [one for one in view.state.unfinished if view.now - one.at > SETTLED_AFTER]
    if not old or view.ledger is None:
        return
    trail = Trail(view.ledger, "", run_id(), view.site.clock)
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
            trail.who = change.who
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


def follow_up(
    view: View, results: Sequence[Result], cases: Mapping[str, Case]
) -> tuple[tuple[str, str], ...]:
    """Writes down what the run learnt. Returns the workloads that are not ready past their
    deadline, each with its cause."""
    late, ready, given_up = _readiness(view)
    if view.ledger is None or view.site.dry_run:
        return late
    try:
        remember_results(view, results, cases)
        if ready:
            view.ledger.mark_ready(ready)
        if given_up:
            view.ledger.give_up_waiting(given_up, view.now)
        gone = [
            uid
            for uid, row in view.state.open.items()
            if uid not in view.fleet.targets and is_read(view, row.key.kind, row.key.namespace)
        ]
        if gone:
            view.ledger.mark_gone(gone, view.now)
    except LedgerError:
        pass  # nothing of this is lost: the next tick learns it again
    return late


Late = tuple[tuple[str, str], ...]


def _readiness(view: View) -> tuple[Late, dict[str, datetime], dict[str, str]]:
    """Late ones with causes; by uid, those ready now, and those given up with the cause."""
    ready: dict[str, datetime] = {}
    overdue: list[Row] = []
    given_up: dict[str, str] = {}
    deadline = view.now - view.site.config.ready_deadline
    for row in view.state.waiting:
        target = view.fleet.targets.get(row.uid)
        if target is None or target.is_stopped:
            if is_read(view, row.key.kind, row.key.namespace):
                given_up[row.uid] = "stopped or deleted before it was ready"
        elif target.is_ready:
            ready[row.uid] = view.now
        elif row.woken_at is not None and row.woken_at < deadline:
            if target.is_ready is None:
                given_up[row.uid] = "nothing tells whether it is ready"
            else:
                overdue.append(row)
    told = _causes(view, overdue)
    given_up |= told
    return tuple((str(row.key), told[row.uid]) for row in overdue), ready, given_up


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


def remember_results(view: View, results: Sequence[Result], cases: Mapping[str, Case]) -> None:
    """Holds and reverts that follow from what was done. Raises ``LedgerError``."""
    if view.ledger is None:
        return
    holds, reverted = [], []
    for result in results:
        if result.outcome != "done":
            continue
        uid, decision = result.decided.target.uid, result.decided.decision
        hold = _hold(uid, decision, cases.get(uid), view.now)
        if hold is not None:
            holds.append(hold)
        if isinstance(decision, Sleep) and decision.reason == "reverted":
            reverted.append(uid)
    if reverted:
        view.ledger.count_reverts(reverted)
    if holds:
        view.ledger.set_holds(holds)


def _hold(
    uid: str, decision: Sleep | Wake | Leave, case: Case | None, now: datetime
) -> Hold | None:
    if isinstance(decision, Sleep):
        # A person's word ends what held before.
        return Hold(uid, now, "person") if decision.reason == "person" else None
    if isinstance(decision, Leave):
        forget = decision.forget
        if forget is not None and forget.contested:
            return Hold(uid, now + CONTESTED, "reverted")
        until = forget.keep_awake if forget else None
        return Hold(uid, until, "person") if until else None
    if decision.keep_awake is not None:
        return Hold(uid, decision.keep_awake, "person")
    begin = case.schedule.next_awake(now) if case and decision.reason == "lead" else None
    return Hold(uid, begin, "woken-early") if begin else None
