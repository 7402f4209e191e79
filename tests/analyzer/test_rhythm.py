"""When GPUs work, on the clock of people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from analyzer.model import Window
from analyzer.rhythm import by_workload, hourly, rhythm, sleeps_of
from analyzer.sleep.model import Slept
from tests.builders import gpu_use, key, node_class, snapshot, steps, window

HOUR = timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")
KEYS = {key()}


def local_week(year: int, month: int, day: int, zone: str) -> Window:
    begin = datetime(year, month, day, tzinfo=ZoneInfo(zone))
    end = begin + timedelta(days=7)  # on the clock of the zone
    return Window(begin.astimezone(UTC), end.astimezone(UTC))


def slept(since: datetime, until: datetime | None) -> Slept:
    return Slept(key(), "u", since, until, 1.0, None, (), "schedule")


def test_use_is_work_over_what_was_measured() -> None:
    span = window(2)
    # In the first hour 2 of 8 work, in the second 6 of 4 + 4, of which one half was not measured.
    first = np.repeat([True, False], 12)
    one = gpu_use(allocated=8.0, observed=8.0, work=np.where(first, 2.0, 4.0), span=span)
    two = gpu_use(
        allocated=np.where(first, 0.0, 8.0),
        observed=0.0,
        work=0.0,
        node=node_class("L4"),
        span=span,
    )
    other = gpu_use(key("other"), allocated=80.0, work=80.0, span=span)
    found = rhythm(snapshot(span, use=(one, two, other)), KEYS, UTC)
    # The window is Sunday, 22:00 to 24:00.
    assert found.use[6][22:] == (0.25, 0.5)
    assert sum(hour is not None for day in found.use for hour in day) == 2
    # 16 GPU-hours of 16 + 8.
    assert found.coverage == pytest.approx(2 / 3)


def test_nothing_measured_is_no_zero() -> None:
    span = window(24)
    found = rhythm(snapshot(span, use=(gpu_use(observed=0.0, work=0.0, span=span),)), KEYS, UTC)
    assert {hour for day in found.use for hour in day} == {None}
    assert found.coverage == 0.0
    assert rhythm(snapshot(span), KEYS, UTC).coverage is None
    idle = rhythm(snapshot(span, use=(gpu_use(work=0.0, span=span),)), KEYS, UTC)
    assert idle.use[6][12] == 0.0


@pytest.mark.parametrize(
    ("zone", "hour"),
    [
        ("Asia/Kolkata", 17),  # 12:00 UTC is 17:30
        ("Asia/Kathmandu", 17),  # and 17:45
        ("America/St_Johns", 8),  # and 08:30
    ],
)
def test_zones_with_half_hours_have_hours_of_their_own(zone: str, hour: int) -> None:
    span = local_week(2026, 11, 16, zone)
    found = rhythm(snapshot(span, use=(gpu_use(span=span),)), KEYS, ZoneInfo(zone))
    # Each of the 168 hours of the local week has its twelve steps.
    assert {value for day in found.use for value in day} == {0.5}
    at = np.array([span.start + n * timedelta(minutes=5) for n in range(span.steps)])
    noon = datetime(2026, 11, 18, 12, tzinfo=UTC)
    # Work in the one step that begins at noon UTC, on Wednesday.
    work = np.where(at == noon, 8.0, 0.0)
    found = rhythm(snapshot(span, use=(gpu_use(work=work, span=span),)), KEYS, ZoneInfo(zone))
    assert found.use[2][hour] == pytest.approx(1 / 12)
    assert sum(value or 0 for day in found.use for value in day) == pytest.approx(1 / 12)


def test_an_hour_that_a_clock_shows_twice_is_one_and_a_skipped_one_has_nothing() -> None:
    back = local_week(2026, 10, 19, "Europe/Berlin")
    assert back.hours == 169
    # Sunday, 25 October: 02:00 to 03:00 comes at 00:00 and at 01:00 UTC; only the second works.
    second = round((datetime(2026, 10, 25, 1, tzinfo=UTC) - back.start) / HOUR) * 12
    work = np.zeros(back.steps)
    work[second : second + 12] = 8.0
    found = rhythm(snapshot(back, use=(gpu_use(work=work, span=back),)), KEYS, BERLIN)
    assert found.use[6][1:4] == (0.0, 0.5, 0.0)
    ahead = local_week(2027, 3, 22, "Europe/Berlin")
    assert ahead.hours == 167
    found = rhythm(snapshot(ahead, use=(gpu_use(span=ahead),)), KEYS, BERLIN)
    assert found.use[6][1:4] == (0.5, None, 0.5)


def test_missing_steps_spoil_nothing() -> None:
    span = window(1)
    work = np.full(12, 4.0)
    work[3] = np.nan
    use = gpu_use(allocated=8.0, observed=np.where(np.isnan(work), 0, 8.0), work=work, span=span)
    assert rhythm(snapshot(span, use=(use,)), KEYS, UTC).use[6][23] == 0.5
    assert hourly(span, 8.0, [use], ()).use == (0.5,)


def test_hours_of_one_workload_tell_use_and_replicas() -> None:
    span = window(2.5)
    allocated = np.array([8.0] * 12 + [8.0] * 6 + [4.0] * 6 + [4.0] * 6)
    observed = np.array([8.0] * 12 + [0.0] * 18)
    found = hourly(
        span,
        4.0,
        [gpu_use(allocated=allocated, observed=observed, work=observed / 4, span=span)],
        (),
    )
    assert found.begin == span.start
    assert found.use == (0.25, None, None)
    # Two replicas, one and a half in the mean, and one in the half hour at the end.
    assert found.replicas == (2.0, 1.5, 1.0)


@pytest.mark.parametrize("each", [None, 0.0, float("nan"), -1.0])
def test_replicas_are_not_known_where_nothing_tells_their_size(each: float | None) -> None:
    assert hourly(window(2), each, [gpu_use(span=window(2))], ()).replicas == (None, None)


def test_a_workload_without_use_has_none() -> None:
    found = hourly(window(2), 2.0, [], ())
    assert (found.use, found.replicas) == ((None, None), (0.0, 0.0))


def test_use_is_never_more_than_all() -> None:
    span = window(1)
    one = gpu_use(allocated=1.0, observed=steps(1.0, span), work=1.5, span=span)
    assert hourly(span, 1.0, [one], ()).use == (1.0,)
    assert rhythm(snapshot(span, use=(one,)), KEYS, UTC).use[6][23] == 1.0


def test_sleeps_are_shown_as_far_as_they_are_in_the_window() -> None:
    span = window(24)
    given = [
        slept(span.start + 20 * HOUR, None),
        slept(span.start - 5 * HOUR, span.start + 2.5 * HOUR),
        slept(span.start + 3 * HOUR, span.start + 3 * HOUR),
        slept(span.start - 9 * HOUR, span.start),
        slept(span.end, None),
        slept(span.end - HOUR, span.end + 9 * HOUR),
    ]
    assert hourly(span, 1.0, [], given).asleep == ((0.0, 2.5), (20.0, 24.0), (23.0, 24.0))


def test_grouping_keeps_every_one() -> None:
    span = window(1)
    use = (gpu_use(span=span), gpu_use(key("b"), span=span), gpu_use(span=span))
    found = by_workload(snapshot(span, use=use))
    assert {of: len(some) for of, some in found.items()} == {key(): 2, key("b"): 1}
    sleeps = [slept(span.start, None), slept(span.end, None)]
    assert sleeps_of(sleeps) == {key(): sleeps}
