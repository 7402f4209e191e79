"""All use is inside the advised windows, in any zone and on days on which the clock is changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.advice import Refusal
from analyzer.model import STEP_S
from analyzer.sizing.case import Case
from analyzer.sizing.halfhours import folding, span_of
from analyzer.sizing.quiet import used
from analyzer.sleep.schedule import parse_schedule
from tests.analyzer.sizing.cases import case
from tests.analyzer.sizing.test_sleep_overnight import BERLIN, asked, on
from tests.builders import window


def test_a_step_that_lies_in_two_half_hours_keeps_both_awake() -> None:
    span = window()
    steps = np.zeros(span.steps, dtype=bool)
    steps[5] = True  # From 00:25 to 00:30 UTC.
    odd = timezone(timedelta(minutes=2))
    assert np.flatnonzero(folding(span, odd).any(steps)).tolist() == [0, 1]
    assert np.flatnonzero(folding(span, UTC).any(steps)).tolist() == [0]


ZONES = ("UTC", BERLIN, "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Cairo")
ENDS = st.integers(0, 365 * 288).map(
    lambda n: datetime(2026, 1, 1, tzinfo=UTC) + n * timedelta(minutes=5)
)


@st.composite
def weeks(draw: st.DrawFn) -> tuple[Case, str, timedelta]:
    """Use in a few windows of the week and at a few odd moments, on GPUs that come and go."""
    zone = draw(st.sampled_from(ZONES))
    span = window(draw(st.sampled_from([168, 240, 336])), draw(ENDS))
    days = draw(st.sampled_from(["Mon-Fri", "Tue", "Sat", "Mon-Sun", "Fri", "Sun-Thu"]))
    start = draw(st.integers(0, 23))
    length = draw(st.integers(1, 14))
    text = (
        f"{start:02}:{draw(st.sampled_from([0, 10, 30]))}0"[:5],
        f"{(start + length) % 24:02}:20",
    )
    work = on(zone, days, text[0], text[1], span)
    for at in draw(st.lists(st.integers(0, span.steps - 1), max_size=3)):
        work[at] = 1
    held = np.full(span.steps, 2.0)
    for at in draw(st.lists(st.integers(1, span.steps - 2), max_size=3)):
        held[at : at + draw(st.integers(1, 60))] = 0
    seen = held.copy()
    for at in draw(st.lists(st.integers(0, span.steps - 1), max_size=3)):
        seen[at] = np.nan
    margin = timedelta(minutes=draw(st.sampled_from([0, 10, 30, 60])))
    return case(span=span, allocated=held, observed=seen, work=work), zone, margin


@settings(max_examples=300, deadline=None)
@given(weeks())
def test_all_use_is_inside_the_windows_and_what_is_freed_outside(
    drawn: tuple[Case, str, timedelta],
) -> None:
    one, zone, margin = drawn
    found = asked(one, zone, margin=margin)
    if isinstance(found, Refusal):
        assert found.code in ("no-night", "never-used", "short-history", "few-weekdays")
        return
    # The default zone is another, so that the text has to name its own.
    schedule = parse_schedule(str(found.after), "Pacific/Auckland")
    at = [one.window.start + timedelta(seconds=STEP_S * i) for i in range(one.window.steps)]
    awake = np.array(
        [schedule.awake(a) and schedule.awake(a + timedelta(seconds=STEP_S - 1)) for a in at]
    )
    in_use = used(one.use, one.serving)
    assert not (in_use & ~awake).any()
    held = np.nan_to_num(one.use[0].allocated)
    first, last = np.flatnonzero(held)[[0, -1]]
    freed = found.saving.gpu_hours_per_week
    assert 0 < freed <= one.gpu_hours_per_week + 1e-6
    if one.window.hours == 336:
        # Of two whole weeks the mean of half hours is the sum.
        outside = float((held * ~awake).sum()) / 12 * 168 / ((last - first + 1) / 12)
        assert freed == pytest.approx(outside, rel=0.02)


@settings(max_examples=300, deadline=None)
@given(st.sets(st.integers(0, 47), min_size=1))
def test_no_smaller_span_holds_all_use(halves: set[int]) -> None:
    used_halves = np.isin(np.arange(48), sorted(halves))
    found = span_of(used_halves)
    assert halves <= {(found.start + n) % 48 for n in range(found.length)}
    for start in range(48):
        assert not halves <= {(start + n) % 48 for n in range(found.length - 1)}
