"""What a person asks for by name: the same safety, but their word goes before the schedule."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from analyzer.sleep.case import Case, Rules
from analyzer.sleep.decision import hold_end
from analyzer.sleep.forbidden import cannot_sleep, excluded, hands_off
from analyzer.sleep.model import PERSON, Decided, Decision, Forget, Leave, Memory, Sleep, Wake
from analyzer.sleep.words import shown


@dataclass(frozen=True, slots=True)
class Order:
    """Who asks, and until when; without a time, the schedule's next window decides."""

    who: str
    until: datetime | None = None

    @property
    def by(self) -> str:
        return f"{PERSON} {self.who}"


def scale_down(case: Case, rules: Rules, order: Order) -> Decided:
    """A person puts a workload to sleep. It stays so until ``order.until``, else until its next
    awake window begins."""
    return Decided(case.target, case.sign, _down(case, rules, order))


def _down(case: Case, rules: Rules, order: Order) -> Decision:
    forbidden = hands_off(case, rules)
    if forbidden:
        return forbidden
    if case.sign.environment not in rules.environments:
        return Leave("environment", f"{case.sign.environment}: {case.sign.reason}")
    if case.asleep and case.memory is not None:
        return _already(case.memory, order)
    # A person's word overrules what keeps a workload awake for a time, not its exclusion.
    leave = cannot_sleep(case, rules) or excluded(case)
    if leave:
        return leave
    target = case.target
    to = case.known.wishes.sleep_replicas if target.counts else target.stop
    wake_at = order.until or case.schedule.next_awake(case.now)
    memory = Memory(target.setting, case.now.replace(microsecond=0), order.by, wake_at, to)
    return Sleep("person", f"asked for by {order.who}", memory)


def _already(memory: Memory, order: Order) -> Decision:
    """What it was before stays remembered; only until when changes, if that was asked for."""
    if order.until is None or memory.wake_at == order.until:
        return Leave("already-asleep", f"since {shown(memory.since)} by {memory.by}")
    later = replace(memory, by=order.by, wake_at=order.until)
    return Sleep("person", f"asleep already; now until {shown(order.until)}", later)


def scale_up(case: Case, rules: Rules, order: Order) -> Decided:
    """A person wakes what sleeps; that holds until ``order.until``, else until the end of the
    window that is or comes next."""
    return Decided(case.target, case.sign, _up(case, rules, order))


def _up(case: Case, rules: Rules, order: Order) -> Decision:
    forbidden = hands_off(case, rules)
    if forbidden:
        return forbidden
    if case.asleep and case.memory is not None:
        until = order.until or hold_end(case.schedule, case.now)
        return Wake("person", f"asked for by {order.who}", case.memory, keep_awake=until)
    if case.target.is_stopped:
        if case.traces:
            return Leave("memory-lost", "what it was before is unreadable: wake it by hand")
        return Leave("already-at-zero", "stopped by someone else: it is theirs to start")
    return Leave("not-asleep", "is awake")


def keep_awake(case: Case, rules: Rules, order: Order) -> Decided:
    """A person keeps a workload awake until ``order.until``, else until the end of the window that
    is or comes next; asleep, it is woken."""
    decided = scale_up(case, rules, order)
    if isinstance(decided.decision, Wake) or decided.decision.reason != "not-asleep":
        return decided
    until = order.until or hold_end(case.schedule, case.now)
    forget = Forget(case.memory, keep_awake=until)
    leave = Leave("kept-awake", f"asked for by {order.who} until {shown(until)}", forget)
    return Decided(case.target, case.sign, leave)
