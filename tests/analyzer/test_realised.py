"""What a followed change brought, from recorded hours.

Eight replicas of four H100s at $6.88 an hour are 32 GPUs: 32 × 168 = 5,376 GPU-hours and
$36,986.88 a week. Four replicas are half of it: $18,493.44 a week less, × 730 ÷ 168 = $80,358.40
a month.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from analyzer.advice import Advice
from analyzer.followed import Accepted, Followed, follow
from analyzer.history import UsedBy, UsedHour
from analyzer.realised import realise, spans
from tests.builders import H100, NOW, analysis, key, recommendation, workload_use

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
SEEN = NOW + DAY
OVER = NOW + 9 * DAY
"""A day after the change was seen, and the week after that."""


def used(gpus: float, *, name: str = "chat-70b", usd: float | None = 6.88, **more: Any) -> UsedBy:
    cost = None if usd is None else gpus * usd
    usual = UsedBy(key(name), "production", None, None, H100, gpus, gpus, gpus / 2, cost, None)
    return replace(usual, **more)


def hours(begin: datetime, count: int, *uses: UsedBy, cluster: str = "main") -> list[UsedHour]:
    return [UsedHour(cluster, begin + n * HOUR, uses) for n in range(count)]


def accepted(last: datetime = NOW, at: datetime = SEEN, **changes: Any) -> Followed:
    """Advice that was given at ``last`` and had been followed at ``at``."""
    use = workload_use(replicas=8, advice=Advice((recommendation(**changes),)))
    [given] = follow((), analysis(use), last).entries
    return replace(given, state="accepted", state_since=at, accepted=Accepted(at))


BEFORE = hours(NOW - WEEK, 168, used(32), used(500, name="other"))
BETWEEN = hours(NOW, 48, used(1000))
AFTER = hours(NOW + 2 * DAY, 168, used(16), used(500, name="other"))
LATER = hours(OVER, 48, used(1000))
EARLIER = hours(NOW - 2 * WEEK, 168, used(1000))


def brought(entry: Followed, recorded: list[UsedHour], now: datetime = OVER) -> Accepted:
    found = realise(entry, recorded, now).accepted
    assert found is not None
    return found


def test_a_week_after_it_is_what_the_week_before_used_more() -> None:
    found = brought(accepted(), EARLIER + BEFORE + BETWEEN + AFTER + LATER)
    assert found.baseline_gpu_hours_per_week == pytest.approx(5376)
    assert found.baseline_usd_per_week == pytest.approx(36986.88)
    assert found.gpu_hours_per_week == pytest.approx(2688)
    assert found.usd_per_month == pytest.approx(80358.4)
    assert (found.note, found.settled, found.at) == ("", True, SEEN)


def test_more_use_afterwards_is_a_negative_saving() -> None:
    found = brought(accepted(), BEFORE + hours(NOW + 2 * DAY, 168, used(40)))
    assert found.gpu_hours_per_week == pytest.approx(-1344)
    assert found.usd_per_month == pytest.approx(-8 * 6.88 * 730)


def test_until_the_week_is_over_the_baseline_is_known_and_when_the_rest_will_be() -> None:
    early = realise(accepted(), BEFORE + BETWEEN, SEEN)
    assert early.accepted == Accepted(
        SEEN,
        pytest.approx(5376),
        pytest.approx(36986.88),
        note="not yet: the week after it ends at 2026-12-02 00:00 UTC",
    )
    assert spans(early, OVER - HOUR) == ()
    assert brought(early, AFTER, OVER - HOUR).gpu_hours_per_week is None
    assert spans(early, OVER) == ((NOW + 2 * DAY, OVER),)
    assert brought(early, AFTER).gpu_hours_per_week == pytest.approx(2688)


def test_looks_between_full_hours_use_full_hours() -> None:
    entry = accepted(NOW + timedelta(minutes=3), SEEN + timedelta(minutes=3))
    assert spans(entry, OVER + HOUR) == (
        (NOW - WEEK, NOW),
        (NOW + 2 * DAY + HOUR, OVER + HOUR),
    )
    assert spans(entry, OVER) == ((NOW - WEEK, NOW),)


@pytest.mark.parametrize(("missing", "known"), [(16, True), (17, False)])
def test_nine_tenths_of_both_weeks_have_to_be_recorded(missing: int, known: bool) -> None:
    for before, after in ((missing, 0), (0, missing)):
        found = brought(accepted(), BEFORE[before:] + AFTER[: 168 - after])
        assert found.settled == known
        if known:
            assert found.baseline_gpu_hours_per_week == pytest.approx(5376)
            assert found.gpu_hours_per_week == pytest.approx(2688)
        else:
            which = "before" if before else "after"
            assert found.note == (
                f"not yet: 151 of the 168 hours of the week {which} it are recorded, 152 are needed"
            )


def test_hours_that_never_come_are_given_up() -> None:
    late = OVER + timedelta(days=60)
    waiting = realise(accepted(), BEFORE, late - HOUR)
    assert waiting.accepted is not None
    assert not waiting.accepted.settled
    found = brought(waiting, [], late)
    assert found.note == (
        "never: 0 of the 168 hours of the week after it are recorded, 152 are needed"
    )
    assert found.baseline_gpu_hours_per_week == pytest.approx(5376)
    assert found.settled
    assert spans(replace(waiting, accepted=found), late) == ()
    assert realise(replace(waiting, accepted=found), AFTER, late).accepted == found
    both = brought(accepted(), [], late).note
    assert both.startswith("never: 0 of the 168 hours of the week before it are recorded")
    assert "; 0 of the 168 hours of the week after" in both


def test_a_removed_workload_uses_nothing_in_hours_that_are_recorded() -> None:
    entry = accepted(action="remove", after=0)
    found = brought(entry, BEFORE + hours(NOW + 2 * DAY, 168, used(500, name="other")))
    assert found.gpu_hours_per_week == pytest.approx(5376)
    assert found.usd_per_month == pytest.approx(2 * 80358.4)
    # Hours of another cluster are none of this one's.
    elsewhere = hours(NOW + 2 * DAY, 168, cluster="b")
    assert not brought(entry, BEFORE + elsewhere).settled


def test_without_a_price_there_are_hours_and_no_dollars() -> None:
    for recorded in (
        hours(NOW - WEEK, 168, used(32, usd=None)) + AFTER,
        BEFORE + AFTER[1:] + hours(NOW + 2 * DAY, 1, used(16, usd=None)),
    ):
        found = brought(accepted(), recorded)
        assert found.gpu_hours_per_week == pytest.approx(2688)
        assert (found.usd_per_month, found.settled) == (None, True)
        assert found.note == "some GPU of these weeks has no price"


def test_a_new_gpu_is_seen_days_late_and_the_week_before_ends_when_it_came() -> None:
    """The H100s were replaced three days before the advice was given for the last time."""
    entry = accepted(action="smaller-gpu", before=H100, after="L4")
    came = NOW - 3 * DAY
    l4 = used(32, usd=0.805, gpu_model="L4")
    recorded = (
        hours(came - WEEK, 168, used(32)) + hours(came, 72, l4) + hours(NOW + 2 * DAY, 168, l4)
    )
    found = brought(entry, recorded)
    assert found.baseline_usd_per_week == pytest.approx(36986.88)
    assert found.gpu_hours_per_week == pytest.approx(0)
    assert found.usd_per_month == pytest.approx(32 * (6.88 - 0.805) * 730)
    assert spans(entry, NOW) == ((NOW - 2 * WEEK, NOW),)


def test_what_was_not_followed_brings_nothing() -> None:
    entry = replace(accepted(), state="open", accepted=None)
    assert realise(entry, BEFORE + AFTER, OVER) == entry
    assert spans(entry, OVER) == ()
