"""Should this workload be asleep now? One workload, what is known of it, one moment: a decision.

It is asked anew at every tick, so nothing depends on a tick having happened at some time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from analyzer.environment import Rules as Signs
from analyzer.environment import Sign, classify_all
from analyzer.sleep.annotations import Defaults, Wishes, has_memory, read_memory
from analyzer.sleep.model import (
    FIELD_MANAGER,
    SCHEDULE,
    Decided,
    Decision,
    Forget,
    Hold,
    Leave,
    Memory,
    Row,
    Sleep,
    Target,
    Wake,
)
from analyzer.sleep.schedule import Schedule

MAX_REVERTS = 3
"""How often a sleep is repeated after a GitOps tool undid it."""

NO_WINDOW_HOLD = timedelta(hours=24)
"""How long a person's change holds where no window follows whose end could be waited for."""

PEOPLES_CLIENTS = ("kubectl", "k9s", "lens", "headlamp", "dashboard", "oc", "freelens")
"""Clients that people use by hand, by the start of their field manager's name."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration says. ``may_sleep`` is False where the schedule only wakes."""

    signs: Signs
    environments: frozenset[str]
    defaults: Defaults
    gpus_only: bool = True
    grace: timedelta = timedelta(0)
    may_sleep: bool = True


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a workload beside the object: the ledger's open row and hold, and how
    long before its window it has to be woken."""

    wishes: Wishes
    row: Row | None = None
    hold: Hold | None = None
    lead: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Case:
    """One workload to decide on."""

    target: Target
    known: Known
    sign: Sign
    memory: Memory | None
    """The object's own, else the ledger's."""
    now: datetime = field(kw_only=True)

    @property
    def asleep(self) -> bool:
        """Whether it is where our sleep put it."""
        return self.memory is not None and self.target.setting == self.memory.slept_to

    @property
    def schedule(self) -> Schedule:
        return self.known.wishes.schedule

    @property
    def traces(self) -> bool:
        """Whether any memory, readable or not, is on the object."""
        return has_memory(self.target.workload.annotations)


def case_of(target: Target, known: Known, rules: Rules, now: datetime) -> Case:
    """Everything that deciding needs, in one place. ``now`` is aware UTC."""
    copy = known.row.memory if known.row else None
    if known.row and known.row.pending and not may_be_ours(target, known.row.memory):
        copy = None
    memory = read_memory(target.workload.annotations, target.stop, target.counts, copy, now)
    sign = classify_all((target.workload, *target.members), rules.signs)
    return Case(target, known, sign, memory or copy, now=now)


def may_be_ours(target: Target, memory: Memory) -> bool:
    """Whether a workload that carries no memory may be where an unfinished sleep put it. Who set
    it tells; where the server does not say, rather wake a person's zero than lose our own."""
    client = target.changed_by
    return target.setting == memory.slept_to and client in ("", FIELD_MANAGER)


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


def _while_asleep(case: Case, rules: Rules) -> Decision:
    memory, now = case.memory, case.now
    assert memory is not None  # noqa: S101 - what asleep means
    due = memory.wake_at is not None and now >= memory.wake_at
    wishes = case.known.wishes
    if wishes.bad:
        if due:
            return Wake("bad-annotation", "; ".join(wishes.bad), memory)
        return Leave("bad-annotation", "; ".join(wishes.bad))
    unwanted = _kept_awake(case)
    if unwanted:
        excluded = unwanted.reason == "excluded"
        return Wake("excluded" if excluded else "keep-awake", unwanted.evidence, memory)
    if case.sign.environment not in rules.environments:
        return Wake("excluded", f"{case.sign.environment} may not sleep any more", memory)
    if memory.by_person:
        if due:
            return Wake("due", f"put to sleep by {memory.by} until {shown(memory.wake_at)}", memory)
        return Leave("put-to-sleep-by-person", f"by {memory.by}, {_until(memory.wake_at)}")
    return _by_schedule(case, memory)


def _by_schedule(case: Case, memory: Memory) -> Decision:
    now = case.now
    if case.schedule.awake(now):
        return Wake("window", f"inside {case.schedule.text}", memory)
    following = case.schedule.next_awake(now)
    if following is not None and following - case.known.lead <= now:
        minutes = case.known.lead.total_seconds() / 60
        return Wake("lead", f"{minutes:.0f} min before {shown(following)}", memory)
    return Leave("already-asleep", _until(following))


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
    until = hold_end(case.schedule, case.now)
    evidence = (
        f"changed from {_setting(memory.slept_to)} to {_setting(case.target.setting)} while "
        f"asleep; that stands until {shown(until)}"
    )
    return Leave("person-changed", evidence, Forget(memory, keep_awake=until))


def _was_reverted(case: Case, memory: Memory) -> bool:
    """Whether a GitOps tool, not a person, undid the sleep."""
    owner, client = case.target.gitops, case.target.changed_by.lower()
    if owner is None or case.target.setting != memory.before:
        return False
    return not client.startswith(PEOPLES_CLIENTS)


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
    leave = cannot_sleep(case, rules) or _kept_awake(case)
    if leave:
        return leave
    if case.schedule.awake(now):
        return Leave("awake", _until_end(case.schedule, now))
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


def _kept_awake(case: Case) -> Leave | None:
    wishes, hold, now = case.known.wishes, case.known.hold, case.now
    if wishes.excluded:
        return Leave("excluded", wishes.excluded)
    if wishes.exclude_until is not None and now < wishes.exclude_until:
        return Leave("excluded", f"until {shown(wishes.exclude_until)}")
    if wishes.keep_awake_until is not None and now < wishes.keep_awake_until:
        return Leave("kept-awake", f"until {shown(wishes.keep_awake_until)}")
    if hold is not None and now < hold.until:
        contested = hold.reason == "reverted"
        until = f"{hold.reason}, until {shown(hold.until)}"
        return Leave("contested" if contested else "holding", until)
    return None


def hold_end(schedule: Schedule, now: datetime) -> datetime:
    """Until when a person's change stands: the end of the window that is, or comes next."""
    begin = now if schedule.awake(now) else schedule.next_awake(now)
    end = schedule.awake_until(begin) if begin is not None else None
    return end or _second(now) + NO_WINDOW_HOLD


def shown(at: datetime | None) -> str:
    """A time in evidence: UTC, to the minute."""
    return at.strftime("%Y-%m-%d %H:%M UTC") if at else "no time"


def _until(at: datetime | None) -> str:
    return f"until {shown(at)}" if at else "until it is woken by hand"


def _until_end(schedule: Schedule, now: datetime) -> str:
    return _until(schedule.awake_until(now)) if schedule.awake_until(now) else "always"


def _setting(setting: object) -> str:
    return "unset" if setting is None else str(setting)


def _second(at: datetime) -> datetime:
    """Annotations hold whole seconds; the ledger's copy is to be the same."""
    return at.replace(microsecond=0)
