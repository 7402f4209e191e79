"""Should this workload be asleep now? One workload, what is known of it, one moment: a decision.

It is asked anew at every tick, so nothing depends on a tick having happened at some time.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from analyzer.sleep.case import Case, Rules
from analyzer.sleep.forbidden import cannot_sleep, hands_off, kept_awake, kept_awake_since
from analyzer.sleep.gitops import is_reverter
from analyzer.sleep.model import (
    SCHEDULE,
    Decided,
    Decision,
    Forget,
    Leave,
    Memory,
    Sleep,
    Wake,
)
from analyzer.sleep.schedule import Schedule
from analyzer.sleep.words import shown, until, until_end

MAX_REVERTS = 3
"""How often a sleep is repeated after a GitOps tool undid it."""

NO_WINDOW_HOLD = timedelta(hours=24)
"""How long a person's change holds where no window follows whose end could be waited for."""


def decide(case: Case, rules: Rules) -> Decided:
    """What the schedule makes of a workload now."""
    return Decided(case.target, case.sign, _decision(case, rules))


def _decision(case: Case, rules: Rules) -> Decision:
    forbidden = hands_off(case, rules)
    if forbidden:
        return forbidden
    if case.asleep:
        return _while_asleep(case, rules)
    if case.memory is not None:
        return _changed_meanwhile(case, case.memory, rules)
    return _while_awake(case, rules)


def _while_asleep(case: Case, rules: Rules) -> Decision:
    memory = case.memory
    assert memory is not None  # noqa: S101 - what asleep means
    wishes = case.known.wishes
    if wishes.bad:
        told = "; ".join(wishes.bad)
        lead = timedelta(0) if memory.by_person else case.known.lead
        due = _is_due(memory, case.now + lead)
        return Wake("bad-annotation", told, memory) if due else Leave("bad-annotation", told)
    unwanted = kept_awake_since(case) if memory.by_person else kept_awake(case)
    if unwanted:
        excluded = unwanted.reason == "excluded"
        return Wake("excluded" if excluded else "keep-awake", unwanted.evidence, memory)
    if case.sign.environment not in rules.environments:
        return Wake("excluded", f"{case.sign.environment} may not sleep any more", memory)
    if memory.by_person:
        return _by_person(case, memory, rules)
    return _by_schedule(case, memory)


def _is_due(memory: Memory, at: datetime) -> bool:
    return memory.wake_at is not None and at >= memory.wake_at


def _by_person(case: Case, memory: Memory, rules: Rules) -> Decision:
    if not _is_due(memory, case.now):
        return Leave("put-to-sleep-by-person", f"by {memory.by}, {until(memory.wake_at)}")
    if rules.carries_out and kept_awake(case) is None:
        # Loading a model for a schedule that puts it to sleep a minute later helps nobody.
        return _by_schedule(case, memory)
    return Wake("due", f"put to sleep by {memory.by} until {shown(memory.wake_at)}", memory)


def _by_schedule(case: Case, memory: Memory) -> Decision:
    now = case.now
    if case.schedule.awake(now):
        if memory.by_person:
            told = f"put to sleep by {memory.by} until {shown(memory.wake_at)}"
            return Wake("due", told, memory)
        return Wake("window", f"inside {case.schedule.text}", memory)
    following = case.schedule.next_awake(now)
    if following is not None and following - case.known.lead <= now:
        minutes = case.known.lead.total_seconds() / 60
        told = f"{minutes:.0f} min before {shown(following)}"
        return Wake("lead", told, memory, early_until=following)
    return Leave("already-asleep", until(following))


def _changed_meanwhile(case: Case, memory: Memory, rules: Rules) -> Decision:
    """It carries a memory, but is not where sleep put it."""
    would = _while_asleep(case, rules)
    ended = isinstance(would, Wake)
    if ended and case.target.setting == memory.before:
        return Leave("awake", "is as it was before", Forget(memory, on_object=case.traces))
    if ended:
        evidence = f"changed from {_setting(memory.slept_to)} to {_setting(case.target.setting)}"
        return Leave("person-changed", evidence, Forget(memory, on_object=case.traces))
    if _was_reverted(case, memory):
        return _after_revert(case, memory, rules)
    stands = hold_end(case.schedule, case.now)
    evidence = (
        f"changed from {_setting(memory.slept_to)} to {_setting(case.target.setting)} while "
        f"asleep; that stands until {shown(stands)}"
    )
    return Leave("person-changed", evidence, Forget(memory, keep_awake=stands))


def _was_reverted(case: Case, memory: Memory) -> bool:
    """Whether a GitOps tool, not a person, undid the sleep."""
    target = case.target
    if target.gitops is None or target.setting != memory.before:
        return False
    return is_reverter(target.gitops, target.changed_by)


def _after_revert(case: Case, memory: Memory, rules: Rules) -> Decision:
    owner = case.target.gitops
    assert owner is not None  # noqa: S101 - what reverted means
    reverts = case.known.row.reverts if case.known.row else 0
    told = f"{owner.tool} ({owner.name}) undid it {reverts + 1} times"
    if reverts + 1 >= MAX_REVERTS:
        forget = Forget(memory, contested=True)
        return Leave("contested", f"{told}; left alone, see gpu-thrift doctor", forget)
    if not rules.may_sleep:
        return Leave("disabled", "sleep.enabled is false", Forget(memory))
    return Sleep("reverted", told, memory)


def _while_awake(case: Case, rules: Rules) -> Decision:
    target, wishes, now = case.target, case.known.wishes, case.now
    leave = cannot_sleep(case, rules) or kept_awake(case)
    if leave:
        return leave
    if case.schedule.awake(now):
        return Leave("awake", until_end(case.schedule, now))
    following = case.schedule.next_awake(now)
    if following is not None and following - case.known.lead <= now:
        return Leave("wakes-soon", f"awake at {shown(following)}")
    # A server whose clock is ahead makes objects of the future.
    age = max(now - target.created_at, timedelta(0)) if target.created_at else rules.grace
    if age < rules.grace:
        return Leave("grace", f"created at {shown(target.created_at)}")
    if not rules.may_sleep:
        return Leave("disabled", "sleep.enabled is false")
    to = wishes.sleep_replicas if target.counts else target.stop
    memory = Memory(target.setting, _second(now), SCHEDULE, following, to)
    return Sleep("outside-window", f"outside {case.schedule.text}", memory)


def hold_end(schedule: Schedule, now: datetime) -> datetime:
    """Until when a person's change stands: the end of the window that is, or comes next."""
    begin = now if schedule.awake(now) else schedule.next_awake(now)
    end = schedule.awake_until(begin) if begin is not None else None
    return end or _second(now) + NO_WINDOW_HOLD


def _setting(setting: object) -> str:
    return "unset" if setting is None else str(setting)


def _second(at: datetime) -> datetime:
    """Annotations hold whole seconds; the ledger's copy is to be the same."""
    return at.replace(microsecond=0)
