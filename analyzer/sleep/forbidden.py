"""Why a workload may not be touched, cannot sleep, or is to stay awake for now."""

from __future__ import annotations

from analyzer.sleep.annotations import KEEP_AWAKE_UNTIL
from analyzer.sleep.case import Case, Rules
from analyzer.sleep.model import Leave, Target
from analyzer.sleep.words import shown


def hands_off(case: Case, rules: Rules) -> Leave | None:
    """Why nothing at all may be written to a workload, None when something may.

    What was put to sleep before it left the list of environments may still be woken, unless it
    is production or unknown by now.
    """
    environment = case.sign.environment
    if environment in rules.environments and environment in ("development", "staging"):
        return None
    if case.memory is not None and environment in ("development", "staging"):
        return None
    if case.asleep:
        return Leave(
            "environment",
            f"asleep, but {environment} by now ({case.sign.reason}), which is never touched: "
            "wake it by hand",
        )
    return Leave("environment", f"{environment}: {case.sign.reason}")


def cannot_sleep(case: Case, rules: Rules) -> Leave | None:
    """Why an awake workload cannot be put to sleep by anybody, None when it can."""
    target, wishes = case.target, case.known.wishes
    if wishes.bad:
        return Leave("bad-annotation", "; ".join(wishes.bad))
    if rules.gpus_only and not target.workload.gpus_per_replica:
        return Leave("no-gpus", "asks for no GPUs")
    if target.is_stopped:
        if case.traces:
            return Leave(
                "memory-lost", "asleep, but what it was before is unreadable: wake it by hand"
            )
        return Leave("already-at-zero", "stopped by someone else")
    if not target.counts and target.workload.replicas == 0:
        return Leave("already-at-zero", f"what {target.key.kind} {target.key.name} scales is at 0")
    if target.held_by:
        return Leave("held-by", target.held_by)
    if wishes.sleep_replicas:
        return _partial_sleep_problem(target, wishes.sleep_replicas)
    return None


def _partial_sleep_problem(target: Target, replicas: int) -> Leave | None:
    if not target.counts:
        return Leave("bad-annotation", f"sleep-replicas: a {target.key.kind} stops as a whole")
    if target.autoscaler:
        return Leave(
            "bad-annotation", f"sleep-replicas: {target.autoscaler} would scale it back up"
        )
    now = 1 if target.setting is None else target.setting
    if isinstance(now, int) and now <= replicas:
        return Leave("already-at-zero", f"at {now} replicas, no more than its sleep-replicas")
    return None


def kept_awake(case: Case) -> Leave | None:
    """Why a workload is to be awake now although no window says so, None when it need not be."""
    leave = excluded(case)
    if leave:
        return leave
    until, hold = case.known.wishes.keep_awake_until, case.known.hold
    if until is not None and case.now < until:
        return Leave("kept-awake", f"until {shown(until)}")
    if hold is not None and case.now < hold.until:
        told = f"{hold.reason}, until {shown(hold.until)}"
        return Leave("contested" if hold.reason == "reverted" else "holding", told)
    return None


def excluded(case: Case) -> Leave | None:
    """Why the schedule has no say over a workload, None when it has."""
    wishes = case.known.wishes
    if wishes.excluded:
        return Leave("excluded", f"by {wishes.excluded}")
    if wishes.exclude_until is not None and case.now < wishes.exclude_until:
        return Leave("excluded", f"until {shown(wishes.exclude_until)}")
    return None


def kept_awake_since(case: Case) -> Leave | None:
    """The same for what a person put to sleep: only what was said of this very workload after
    that. Their command took its own annotation away; a namespace's, or what the ledger holds, may
    be older, and they overruled it."""
    leave = excluded(case)
    if leave or KEEP_AWAKE_UNTIL not in case.target.workload.annotations:
        return leave
    until = case.known.wishes.keep_awake_until
    if until is not None and case.now < until:
        return Leave("kept-awake", f"until {shown(until)}")
    return None
