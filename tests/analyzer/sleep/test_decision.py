"""Decisions: every reason once, worked out by hand from what the documentation promises."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from analyzer.sleep.activity import HeldBy, PodActivity, judge
from analyzer.sleep.annotations import read_memory, write_memory
from analyzer.sleep.busy import BusyRules, defer
from analyzer.sleep.decision import decide
from analyzer.sleep.manual import Order, keep_awake, scale_down, scale_up
from analyzer.sleep.model import Busy, Decided, Hold, Leave, Memory, Sleep, Target, Wake
from analyzer.sleep.until import BadTime, parse_until
from analyzer.sleep.wake import Waking, admit, lead_of, parameters, plan
from tests.analyzer.sleep.cases import (
    ALICE,
    ARGO,
    BY_ALICE,
    DAY,
    HOUR,
    MEMORY,
    MORNING,
    NIGHT,
    RULES,
    case,
    row,
    target,
    told,
)

LATE = "2026-11-30T00:00:00Z"


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (target(labels={"environment": "production"}), "environment"),
        (target(labels={"environment": "production"}, setting=0, memory=MEMORY), "environment"),
        (target(labels={}), "environment"),
        (target(labels={"environment": "staging"}), "environment"),
        (target(name="chat-production"), "environment"),
        (target(annotations={"awake": "Mon-Foo"}), "bad-annotation"),
        (target(annotations={"exclude": "perhaps"}), "bad-annotation"),
        (target(annotations={"exclude-until": "tomorrow"}), "bad-annotation"),
        (target(annotations={"sleep-replicas": "many"}), "bad-annotation"),
        (target(annotations={"sleep-replicas": "1"}, autoscaler="HPA x"), "bad-annotation"),
        (target(annotations={"sleep-replicas": "4"}), "already-at-zero"),
        (target(gpus=0.0), "no-gpus"),
        (target(0), "already-at-zero"),
        (target(0, annotations={"replicas": "lots"}), "memory-lost"),
        (target(held_by="owned by RayService chat"), "held-by"),
        (target(annotations={"exclude": "true"}), "excluded"),
        (target(annotations={"exclude-until": LATE}), "excluded"),
        (target(annotations={"keep-awake-until": LATE}), "kept-awake"),
        (target(created_at=NIGHT - timedelta(minutes=14)), "grace"),
        (target(0, memory=MEMORY), "already-asleep"),
        (target(0, memory=BY_ALICE), "put-to-sleep-by-person"),
        (target(2, memory=MEMORY), "person-changed"),
        (target(4, memory=MEMORY, gitops=ARGO, changed_by="kubectl-scale"), "person-changed"),
    ],
)
def test_what_is_left_at_night(one: Target, reason: str) -> None:
    decision = told(one)
    assert isinstance(decision, Leave)
    assert decision.reason == reason
    assert decision.evidence


def test_what_is_put_to_sleep() -> None:
    decision = told(target())
    assert decision == Sleep("outside-window", "outside Mon-Fri 08:00-20:00", MEMORY)
    partly = told(target(annotations={"sleep-replicas": "1"}))
    assert partly.memory.slept_to == 1
    flag = told(target(None, stop=True, counts=False))
    assert (flag.memory.before, flag.memory.slept_to) == (None, True)
    reverted = told(target(4, memory=MEMORY, gitops=ARGO), row=row(reverts=1))
    assert (reverted.reason, reverted.memory) == ("reverted", MEMORY)
    contested = told(target(4, memory=MEMORY, gitops=ARGO), row=row(reverts=2))
    assert contested.reason == "contested"
    held = Hold("u1", NIGHT + HOUR, "reverted")
    assert told(target(), hold=held).reason == "contested"
    assert told(target(), hold=replace(held, reason="person")).reason == "holding"
    assert told(target(), hold=replace(held, until=NIGHT)).reason == "outside-window"
    assert told(target(), rules=replace(RULES, may_sleep=False)).reason == "disabled"
    # The namespace's word counts where the workload has none.
    assert told(target(), namespace={"gpu-thrift.io/awake": "always"}).reason == "awake"
    own = target(annotations={"awake": "never"})
    assert told(own, DAY, namespace={"gpu-thrift.io/awake": "always"}).reason == "outside-window"


def test_the_day() -> None:
    assert told(target(), DAY).reason == "awake"
    soon = MORNING - timedelta(minutes=5)
    assert told(target(), soon, lead=timedelta(minutes=10)).reason == "wakes-soon"
    assert told(target(), soon, lead=timedelta(minutes=1)).reason == "outside-window"


@pytest.mark.parametrize(
    ("one", "now", "reason"),
    [
        (target(0, memory=MEMORY), MORNING, "window"),
        (target(0, memory=MEMORY), MORNING - timedelta(minutes=9), "lead"),
        (target(0, memory=BY_ALICE), MORNING, "due"),
        (target(0, memory=MEMORY, annotations={"exclude": "true"}), NIGHT, "excluded"),
        (target(0, memory=MEMORY, annotations={"keep-awake-until": LATE}), NIGHT, "keep-awake"),
        (target(0, memory=BY_ALICE, annotations={"keep-awake-until": LATE}), NIGHT, "keep-awake"),
        (target(0, memory=MEMORY, annotations={"awake": "?"}), MORNING, "bad-annotation"),
        (target(0, memory=MEMORY, labels={"environment": "staging"}), NIGHT, "excluded"),
        (target(0, memory=MEMORY, held_by="owned by X"), MORNING, "window"),
    ],
)
def test_what_is_woken(one: Target, now: datetime, reason: str) -> None:
    decision = told(one, now, lead=timedelta(minutes=10))
    assert isinstance(decision, Wake)
    assert (decision.reason, decision.memory.before) == (reason, 4)


def test_a_person_is_not_overruled_by_a_lead_time() -> None:
    before = MORNING - timedelta(minutes=5)
    decision = told(target(0, memory=BY_ALICE), before, lead=timedelta(minutes=20))
    assert decision.reason == "put-to-sleep-by-person"


def test_the_ledger_copy_restores_what_was_stripped() -> None:
    assert told(target(0), MORNING, row=row()) == Wake(
        "window", "inside Mon-Fri 08:00-20:00", MEMORY
    )
    assert told(target(0), NIGHT, row=row()).reason == "already-asleep"
    # The object's own count comes first.
    own = told(target(0, memory=replace(MEMORY, before=7)), MORNING, row=row())
    assert own.memory.before == 7
    # An intent that was never carried out is no sleep.
    assert told(target(4), row=row(pending=True)).reason == "outside-window"
    assert told(target(0), MORNING, row=row(pending=True)).reason == "window"
    ours, theirs = (target(0, changed_by=client) for client in ("gpu-thrift", "kubectl-scale"))
    assert told(ours, MORNING, row=row(pending=True)).reason == "window"
    assert told(theirs, MORNING, row=row(pending=True)).reason == "already-at-zero"


def test_a_persons_change_stands_until_the_next_window_ends() -> None:
    decision = told(target(2, memory=MEMORY))
    assert decision.forget.keep_awake == MORNING.replace(hour=20)
    assert told(target(4), MORNING, row=row()).reason == "awake"


def test_what_a_person_asks_for() -> None:
    down = scale_down(case(target(), DAY), RULES, ALICE).decision
    assert isinstance(down, Sleep)
    assert (down.memory.by, down.memory.wake_at) == ("person alice", MORNING)
    until = Order("alice", DAY + HOUR)
    assert scale_down(case(target(), DAY), RULES, until).decision.memory.wake_at == DAY + HOUR
    asleep = case(target(0, memory=MEMORY))
    assert scale_down(asleep, RULES, ALICE).decision.reason == "already-asleep"
    later = scale_down(asleep, RULES, Order("alice", MORNING + HOUR)).decision
    assert (later.memory.before, later.memory.wake_at) == (4, MORNING + HOUR)
    for labels in ({"environment": "production"}, {}, {"environment": "staging"}):
        for ask in (scale_down, scale_up, keep_awake):
            decision = ask(case(target(labels=labels)), RULES, ALICE).decision
            assert decision.reason == "environment"
            assert decision.forget is None
    up = scale_up(asleep, RULES, ALICE).decision
    assert (up.memory.before, up.keep_awake) == (4, MORNING.replace(hour=20))
    assert scale_up(case(target()), RULES, ALICE).decision.reason == "not-asleep"
    assert scale_up(case(target(0)), RULES, ALICE).decision.reason == "already-at-zero"
    kept = keep_awake(case(target()), RULES, Order("alice", MORNING)).decision
    assert kept.forget.keep_awake == MORNING
    excluded = target(annotations={"exclude": "true"})
    assert scale_down(case(excluded), RULES, ALICE).decision.reason == "excluded"
    wanted = target(annotations={"keep-awake-until": LATE})
    assert scale_down(case(wanted), RULES, ALICE).decision.reason == "person"


@pytest.mark.parametrize(
    ("before", "stop", "counts"),
    [(4, 0, True), (None, 0, True), (False, True, False), (None, True, False), ("3", "0", False)],
)
def test_a_memory_reads_back_as_it_was_written(before: Any, stop: Any, counts: bool) -> None:
    memory = Memory(before, NIGHT, "person bob", None, stop)
    written = {k: v for k, v in write_memory(memory, counts).items() if v is not None}
    one = target(stop, stop=stop, counts=counts)
    found = read_memory(written, one, Memory(None, DAY, "schedule", None, 9))
    assert found is not None
    assert (found.memory, found.has_wake_at) == (memory, True)


@pytest.mark.parametrize("text", ["", "-1", "0", "four", "1_000", "４", "99999999999", "4.0"])
def test_a_count_that_is_none_is_not_believed(text: str) -> None:
    assert read_memory({"gpu-thrift.io/replicas": text}, target(0), MEMORY) is None


BUSY = BusyRules(2 * HOUR, sleep_when_still_busy=False, sleep_when_missing=False)


@pytest.mark.parametrize(
    ("activity", "hour", "rules", "reason"),
    [
        ("idle", 21, BUSY, "outside-window"),
        ("busy", 21, BUSY, "busy"),
        ("busy", 23, BUSY, "busy"),
        ("busy", 21, replace(BUSY, sleep_when_still_busy=True), "busy"),
        ("busy", 22, replace(BUSY, sleep_when_still_busy=True), "outside-window"),
        ("unknown", 21, BUSY, "metrics-missing"),
        ("unknown", 21, replace(BUSY, sleep_when_missing=True), "outside-window"),
    ],
)
def test_work_defers_sleep(activity: Any, hour: int, rules: BusyRules, reason: str) -> None:
    now = NIGHT.replace(hour=hour)
    asked = case(target(), now)
    decided: Decided = decide(asked, RULES)
    decision = defer(decided, Busy(activity, "told"), rules, asked).decision
    assert decision.reason == reason


def test_a_deferral_begins_when_the_last_reason_to_be_awake_ended() -> None:
    kept = target(annotations={"keep-awake-until": NIGHT.isoformat()})
    for hours, reason in ((1.5, "busy"), (2, "outside-window")):
        asked = case(kept, NIGHT + hours * HOUR)
        decided = decide(asked, RULES)
        rules = replace(BUSY, sleep_when_still_busy=True)
        assert defer(decided, Busy("busy", "told"), rules, asked).decision.reason == reason


POD, OTHER = ("ml", "a"), ("ml", "b")
QUIET = PodActivity(requests=0.0, requests_fresh=True)


@pytest.mark.parametrize(
    ("activity", "expected"),
    [
        ({POD: QUIET, OTHER: QUIET}, "idle"),
        ({POD: QUIET, OTHER: replace(QUIET, requests=1.0)}, "busy"),
        ({POD: QUIET, OTHER: replace(QUIET, served=3.0)}, "busy"),
        ({POD: QUIET, OTHER: replace(QUIET, utilisation=0.2)}, "busy"),
        ({POD: QUIET, OTHER: replace(QUIET, utilisation=0.02)}, "idle"),
        ({POD: QUIET}, "unknown"),
        ({POD: QUIET, OTHER: replace(QUIET, requests_fresh=False)}, "unknown"),
        ({POD: QUIET, OTHER: PodActivity(utilisation=0.0, devices=2)}, "idle"),
        ({POD: QUIET, OTHER: PodActivity(utilisation=0.0, devices=1)}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_one_replica_never_speaks_for_the_others(activity: Any, expected: str) -> None:
    assert judge([HeldBy(POD, 2), HeldBy(OTHER, 2)], activity, 0.05).activity == expected


def test_lead_times() -> None:
    minutes = timedelta(minutes=1)
    named = target(name="llama-2-13b")
    assert lead_of(named, [60.0] * 9 + [600.0]).time == minutes
    assert lead_of(named, [60.0, 120.0, 600.0]).time == 10 * minutes
    assert lead_of(named, [60.0, 60.0]).time == 15 * minutes
    assert lead_of(named, [9e9] * 3).time == 120 * minutes
    assert lead_of(replace(named, startup=7 * minutes), []).time == 7 * minutes
    assert lead_of(replace(named, model="meta-llama/Llama-3-8B"), []).time == 10 * minutes
    assert lead_of(target(name="llama-70b"), []).time == 20 * minutes
    assert lead_of(target(name="mixtral-8x7b"), []).time == 20 * minutes
    assert lead_of(target(name="chat"), []).time == 20 * minutes
    names = {"Qwen2.5-0.5B": 0.5, "8x7B": 56, "opt-125m": 0.125, "b7-chat": None, "gpt": None}
    assert {name: parameters(name) for name in names} == names


def test_waves() -> None:
    def waking(name: str, gpus: float, priority: int = 0, lead: int = 10) -> Waking:
        return Waking(name, MORNING, gpus, timedelta(minutes=lead), priority, name)

    def at(minutes: int) -> datetime:
        return MORNING - timedelta(minutes=minutes)

    three = [waking("a", 8), waking("b", 8), waking("first", 8, 5)]
    assert plan(three, 16) == {"a": at(10), "b": at(10), "first": at(20)}
    assert plan(three, 0) == {"a": at(10), "b": at(10), "first": at(10)}
    mixed = [waking("big", 99), waking("slow", 1, 1, 30)]
    assert plan(mixed, 16) == {"big": at(10), "slow": at(40)}
    assert admit(three, 0, 16) == {"first", "a"}
    assert admit(three, 10, 16) == set()
    # A large one is not overtaken for ever by those that still fit, unless they come first.
    assert admit([waking("big", 12, 1), waking("small", 4)], 8, 16) == set()
    assert admit([waking("big", 12), waking("small", 4, 1)], 8, 16) == {"small"}
    assert admit([waking("big", 99)], 0, 16) == {"big"}
    assert admit([waking("big", 99)], 1, 16) == set()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("23:00", "2026-11-24T23:00+01:00"),
        ("08:00", "2026-11-25T08:00+01:00"),
        ("tomorrow 08:00", "2026-11-25T08:00+01:00"),
        ("Mon 08:00", "2026-11-30T08:00+01:00"),
        ("tue 08:00", "2026-12-01T08:00+01:00"),
        ("3h", "2026-11-25T00:00Z"),
        ("2026-12-24T18:00", "2026-12-24T18:00+01:00"),
        ("2026-12-24T18:00-05:00", "2026-12-24T23:00Z"),
        ("2027-03-28 02:30", "2027-03-28T03:30+02:00"),
    ],
)
def test_times_as_people_type_them(text: str, expected: str) -> None:
    from zoneinfo import ZoneInfo

    found = parse_until(text, NIGHT, ZoneInfo("Europe/Berlin"))
    assert found == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    "text", ["", "soon", "25:00", "today 08:00", "2026-01-01", "xyz 08:00", "9999d"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(BadTime) as refused:
        parse_until(text, NIGHT, UTC)
    assert str(refused.value).isprintable()
