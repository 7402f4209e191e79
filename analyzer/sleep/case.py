"""One workload to decide on: the object, what is known beside it, and whose sleep it is in."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from analyzer.environment import Rules as Signs
from analyzer.environment import Sign, classify_all
from analyzer.model import WorkloadKey
from analyzer.sleep.annotations import Defaults, Wishes, has_memory, read_memory
from analyzer.sleep.model import FIELD_MANAGER, SCHEDULE, Hold, Memory, Row, Target
from analyzer.sleep.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration says. ``may_sleep`` is False where the schedule only wakes,
    ``carries_out`` also where it only says what it would put to sleep."""

    signs: Signs
    environments: frozenset[str]
    defaults: Defaults
    gpus_only: bool = True
    grace: timedelta = timedelta(0)
    may_sleep: bool = True
    carries_out: bool = True


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
    def key(self) -> WorkloadKey:
        return self.target.key

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
    copy = _copy(target, known.row)
    sign = classify_all((target.workload, *target.members), rules.signs)
    return Case(target, known, sign, _own(target, known, copy, now) or copy, now=now)


def _copy(target: Target, row: Row | None) -> Memory | None:
    """The ledger's memory, None where it does not speak of what the object is in now."""
    if row is None:
        return None
    if has_memory(target.workload.annotations) and not row.pending:
        return row.memory
    if target.setting != row.memory.slept_to:
        # Awake: an unfinished sleep was never done, a finished one was undone by somebody.
        return None if row.pending else row.memory
    return row.memory if may_be_ours(target, row.memory) else None


def _own(target: Target, known: Known, copy: Memory | None, now: datetime) -> Memory | None:
    """The object's own memory; what it lacks comes from the ledger's, else from the wishes."""
    slept_to = known.wishes.sleep_replicas if target.counts else target.stop
    stand_in = copy or Memory(None, now, SCHEDULE, None, slept_to)
    found = read_memory(target.workload.annotations, target, stand_in)
    if found is None or found.has_wake_at:
        return found.memory if found else None
    memory, schedule = found.memory, known.wishes.schedule
    if copy is not None:
        return replace(memory, wake_at=copy.wake_at)
    # Without its time it is due when it would have been: at the window after it fell asleep.
    due = now if memory.since == now and schedule.awake(now) else schedule.next_awake(memory.since)
    return replace(memory, wake_at=due)


def may_be_ours(target: Target, memory: Memory) -> bool:
    """Whether a workload that carries no memory may be where our sleep put it. Who set it tells;
    where the server does not say, rather wake a person's zero than lose our own."""
    client = target.changed_by
    return target.setting == memory.slept_to and client in ("", FIELD_MANAGER)
