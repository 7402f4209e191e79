"""What is wrong with a morning, and what is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from analyzer.sleep.model import STOPPED, UNTOLD, Memory, NotDone, Row, Slept
from analyzer.sleep.morning import Attention, Morning, Night, Span, Undone, Unready, morning
from tests.builders import key

END = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
SPAN = Span(END - DAY, END, END)
NIGHT = END.replace(hour=0, minute=0) - 4 * HOUR
"""20:00 of the day before."""

WOKEN = END.replace(hour=7, minute=40)
CHAT = key("chat")


def slept(name: str = "chat", **more: Any) -> Slept:
    """Put to sleep at 20:00, woken at 07:40."""
    made = Slept(key(name), name, NIGHT, WOKEN, 4.0, 8.0, (), "schedule", ended="woken")
    return replace(made, **more)


def row(name: str = "chat", wake_at: datetime | None = None, **more: Any) -> Row:
    return Row(key(name), name, Memory(4, NIGHT, "schedule", wake_at, 0), **more)


def failed(minutes: int, action: str = "wake", detail: str = "no") -> NotDone:
    return NotDone(CHAT, WOKEN + minutes * MINUTE, action, "failed", detail)


def of(night: Night, attention: Attention | None = None, span: Span = SPAN) -> Morning:
    return morning([night], span, 30 * MINUTE, attention)


def test_what_slept_and_woke_is_counted_and_nothing_else_is_said() -> None:
    found = of(
        Night(
            slept=[
                slept(),
                slept("deleted", ended="gone"),
                slept("long", since=NIGHT - 3 * DAY),
                slept("before", since=NIGHT - DAY, until=END - DAY - MINUTE),
                slept("asleep", until=None, ended=""),
            ],
            open=[row("asleep", END + HOUR)],
        )
    )
    assert (found.slept, found.woken) == (3, 2)
    assert found.is_well


def test_a_span_has_its_beginning_and_not_its_end() -> None:
    edges = [slept("a", since=END - DAY), slept("b", since=END, until=None, ended="")]
    assert of(Night(slept=edges)).slept == 1


@pytest.mark.parametrize(
    ("ago", "seconds", "is_wrong"),
    [
        # No times were measured: the deadline of 30 minutes.
        (30, [], False),
        (31, [], True),
        (31, [300.0, 300.0], True),
        # The p90 of three is the longest of them, 50 minutes.
        (49, [300.0, 600.0, 3000.0], False),
        (51, [300.0, 600.0, 3000.0], True),
        # Five minutes were enough each time.
        (6, [300.0, 300.0, 300.0], True),
    ],
)
def test_not_ready_is_wrong_after_the_usual_time(
    ago: int, seconds: list[float], is_wrong: bool
) -> None:
    waiting = row(woken_at=END - ago * MINUTE, cause="Unschedulable")
    found = of(Night(waiting=[waiting], ready_times={CHAT: seconds}))
    expected = (Unready(CHAT, END - ago * MINUTE, "Unschedulable"),) if is_wrong else ()
    assert found.unready == expected
    assert found.is_well is not is_wrong


def test_who_was_given_up_is_not_ready_unless_nothing_was_wrong() -> None:
    over = {"until": WOKEN - HOUR, "waited_until": WOKEN + HOUR}
    found = of(
        Night(
            slept=[
                slept("crashed", cause="CrashLoopBackOff", **over),
                slept("stopped", cause=STOPPED, **over),
                slept("untold", cause=UNTOLD, **over),
                slept("ready", **over),
                slept("told", cause="OOMKilled", waited_until=END - DAY - MINUTE),
                slept("again", cause="OOMKilled", since=NIGHT - HOUR, **over),
                slept("again"),
            ]
        )
    )
    assert found.unready == (
        Unready(key("crashed"), WOKEN - HOUR, "CrashLoopBackOff", watched=False),
    )


def test_ready_late_is_told_on_the_morning_after_it_became_ready() -> None:
    late = slept("late", cause="ImagePullBackOff", ready_at=WOKEN + HOUR)
    # Woken just before the last check, ready just after it.
    between = slept("next", until=END - DAY - HOUR, cause="slow", ready_at=END - DAY + HOUR)
    before = slept("before", until=END - DAY - HOUR, cause="slow", ready_at=END - DAY - MINUTE)
    in_time = slept("ready", ready_at=WOKEN + MINUTE)
    found = of(Night(slept=[between, late, before, in_time]))
    assert found.late == (late, between)
    assert found.unready == ()


def test_who_is_due_for_long_sleeps_too_long() -> None:
    overdue = row("overdue", END - 16 * MINUTE)
    about = row("about", END - 15 * MINUTE)
    by_hand = row("by-hand", None)
    changed = row("changed", END - HOUR)
    night = Night(open=[overdue, about, by_hand, changed])
    told = Attention(rightly=frozenset({changed.key}))
    assert of(night, told).overslept == (overdue,)
    # Another process knows what the schedule says by now.
    assert of(night).overslept == (changed, overdue)
    later = replace(SPAN, now=END + MINUTE)
    assert of(night, told, later).overslept == (about, overdue)


def test_a_change_that_was_never_made_is_told_once_with_its_last_reason() -> None:
    found = of(Night(not_done=[failed(0), failed(1), failed(30, detail="denied")]))
    assert found.undone == (
        Undone(CHAT, "wake", "failed", "denied", 3, WOKEN, WOKEN + 30 * MINUTE),
    )


@pytest.mark.parametrize(("after", "is_wrong"), [(5, False), (15, False), (16, True)])
def test_a_change_that_was_made_soon_after_is_not_wrong(after: int, is_wrong: bool) -> None:
    made = WOKEN + after * MINUTE
    woken = of(Night(slept=[slept(until=made)], not_done=[failed(0), failed(4)]))
    asleep = slept(since=made, until=None, ended="")
    put = of(Night(slept=[asleep], not_done=[failed(0, "sleep"), failed(4, "sleep")]))
    for found in (woken, put):
        assert [one.made_at for one in found.undone] == ([made] if is_wrong else [])
        assert found.is_well is not is_wrong


def test_a_failure_after_the_workload_woke_is_of_another_time() -> None:
    found = of(Night(slept=[slept(until=WOKEN)], not_done=[failed(1)]))
    assert [one.made_at for one in found.undone] == [None]


def test_what_needs_a_look_is_wrong_and_what_is_not_known_is_not() -> None:
    assert of(Night(), Attention(("b", "a"))).attention == ("a", "b")
    assert not of(Night(), Attention(("a",))).is_well
    unknown = morning([], SPAN, HOUR, None, ["main: two of this name"])
    assert unknown.is_well
    assert unknown.unknown == ("main: two of this name",)
