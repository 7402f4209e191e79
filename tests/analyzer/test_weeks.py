"""Weeks are compared by what is known of them, whatever their length."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from analyzer.history import Unused, UsedBy, UsedHour
from analyzer.model import Window
from analyzer.weeks import Spend, Week, compared, recorded_week, week_of
from tests.builders import NOW, analysis, key, totals, workload_use

HOUR = timedelta(hours=1)
WINDOW = Window(NOW - 168 * HOUR, NOW)


def used(name: str = "chat", cost: float | None = 20.0, **changes: object) -> UsedBy:
    """Four GPUs for an hour, all of it measured, half of it work."""
    fields: dict[str, object] = {
        "environment": "production",
        "team": "chat",
        "model": None,
        "gpu_model": "L4",
        "gpu_hours": 4.0,
        "observed_gpu_hours": 4.0,
        "work": 2.0,
        "cost_usd": cost,
        "idle_cost_usd": None if cost is None else cost / 2,
    }
    return UsedBy(key(name), **(fields | changes))  # type: ignore[arg-type]


def recorded(count: int, *workloads: UsedBy, cluster: str = "main") -> list[UsedHour]:
    return [UsedHour(cluster, WINDOW.start + n * HOUR, workloads) for n in range(count)]


def week(name: str, cost: float, hours: float = 168.0, of: float = 168.0) -> Week:
    """A quarter of it idle."""
    return Week(name, WINDOW, hours, of, {"production": Spend(100.0, cost, cost / 4)})


def test_a_week_of_an_analysis_sums_by_environment_and_keeps_what_has_no_price_apart() -> None:
    found = week_of(
        "2026-W47",
        analysis(
            workload_use("a", cost_usd=100.0, idle_cost_usd=40.0, gpu_hours=10.0),
            workload_use("b", cost_usd=50.0, idle_cost_usd=None, gpu_hours=5.0),
            workload_use("c", cost_usd=None, idle_cost_usd=None, gpu_hours=7.0),
            workload_use("d", environment="staging", cost_usd=1.0, idle_cost_usd=1.0, gpu_hours=2),
            totals=totals(unallocated_gpu_hours=9.0, unallocated_cost_usd=None, coverage=0.5),
        ),
    )
    # 10 + 5 + 7 GPU-hours; $100 + $50; $40; 7 without a price.
    assert found.environments == {
        "production": Spend(22.0, 150.0, 40.0, 7.0),
        "staging": Spend(2.0, 1.0, 1.0, 0.0),
    }
    assert found.total == Spend(24.0, 151.0, 41.0, 7.0)
    assert (found.unallocated_gpu_hours, found.unallocated_cost_usd, found.coverage) == (
        9.0,
        None,
        0.5,
    )
    assert (found.hours, found.of_hours, found.recorded, found.is_whole) == (168, 168, 1.0, True)


@pytest.mark.parametrize("named", [("main", "west"), ("main",)])
def test_hours_of_a_cluster_that_failed_are_missing(named: tuple[str, ...]) -> None:
    # Those that failed may stand among the clusters or not.
    found = week_of("w", analysis(clusters=named, failed={"west": "no answer"}))
    assert (found.hours, found.of_hours, found.recorded) == (168.0, 336.0, 0.5)
    assert not found.is_whole


def test_a_week_without_any_cluster_is_not_known() -> None:
    for failed in ({}, {"main": "no answer"}):
        found = week_of("w", analysis(clusters=("main",) if failed else (), failed=failed))
        assert (found.hours, found.recorded, found.is_whole) == (0.0, 0.0, False)
        assert compared(found, [week("before", 10.0)]) is None


def test_a_recorded_week_adds_up_its_hours() -> None:
    hours = recorded(100, used(), used("dear", None, observed_gpu_hours=1.0))
    hours[0] = UsedHour("main", WINDOW.start, hours[0].workloads, (Unused("L4", 9.0, 3.0, 6.0),))
    hours[1] = UsedHour("main", WINDOW.start + HOUR, (), (Unused("H100", 8.0, 5.0, None),))
    found = recorded_week("2026-W46", WINDOW, hours, 1)
    # 99 hours of 4 + 4 GPU-hours, of which the second four have no price.
    assert found.total == Spend(792.0, 1980.0, 990.0, 396.0)
    assert (found.unallocated_gpu_hours, found.unallocated_cost_usd) == (8.0, 6.0)
    # 99 × (4 + 1) of 99 × 8.
    assert found.coverage == pytest.approx(0.625)
    assert (found.hours, found.of_hours) == (100.0, 168.0)


def test_what_was_never_recorded_is_not_known() -> None:
    found = recorded_week("2026-W46", WINDOW, [], 2)
    assert (found.hours, found.of_hours, found.environments) == (0.0, 336.0, {})
    assert found.unallocated_gpu_hours is found.unallocated_cost_usd is found.coverage is None
    # An hour in which nothing ran was free.
    assert recorded_week("w", WINDOW, recorded(1), 1).hours == 1.0


def test_teams_have_their_own_workloads_and_no_pools() -> None:
    hours = [
        UsedHour(
            "main",
            WINDOW.start,
            (used(team="chat"), used("b", team="Chat"), used("c", team=None), used("d", team="x")),
            (Unused("L4", 9.0, 3.0, 6.0),),
        )
    ]
    found = recorded_week("w", WINDOW, hours, 1, ("chat", "x"))
    assert found.total.cost_usd == 40.0
    assert (found.unallocated_gpu_hours, found.unallocated_cost_usd) == (None, None)
    # The hour is known even where none of theirs ran in it.
    nobody = recorded_week("w", WINDOW, hours, 1, ("nobody",))
    assert (nobody.hours, nobody.environments, nobody.coverage) == (1.0, {}, None)


@pytest.mark.parametrize(("hours", "whole"), [(151.0, False), (152.0, True), (200.0, True)])
def test_nine_tenths_of_its_hours_make_a_week_whole(hours: float, whole: bool) -> None:
    assert week("w", 1.0, hours).is_whole is whole
    assert week("w", 1.0, hours).recorded <= 1.0
    assert not Week("w", WINDOW, 0.0, 0.0).is_whole


def test_a_week_is_compared_with_the_mean_of_the_whole_ones() -> None:
    # 160 hours of $800 are $840 of a week: with $1,160 in the other one $1,000 in the mean.
    before = [week("a", 800.0, 160.0), week("b", 9.0, 100.0), week("c", 1160.0), week("d", 0.0, 0)]
    found = compared(week("e", 1250.0), before)
    assert found is not None
    assert found.weeks == 2
    assert found.mean_cost_usd == pytest.approx(1000.0)
    assert found.mean_idle_cost_usd == pytest.approx(250.0)
    assert found.change == pytest.approx(0.25)
    assert found.idle_change == pytest.approx(0.25)


def test_nothing_is_compared_without_whole_weeks() -> None:
    assert compared(week("b", 1.0), []) is None
    assert compared(week("b", 1.0), [week("a", 1.0, 151.0)]) is None
    assert compared(week("b", 1.0, 151.0), [week("a", 1.0)]) is None


def test_growth_from_nothing_has_no_figure() -> None:
    found = compared(week("b", 10.0), [week("a", 0.0)])
    assert found is not None
    assert (found.mean_cost_usd, found.change, found.idle_change) == (0.0, None, None)


@pytest.mark.parametrize(
    ("begin", "hours"),
    [(datetime(2026, 10, 19), 169), (datetime(2027, 3, 22), 167)],
)
def test_an_hour_more_or_less_is_no_change_of_use(begin: datetime, hours: int) -> None:
    zone = ZoneInfo("Europe/Berlin")
    start, end = (
        at.replace(tzinfo=zone).astimezone(UTC) for at in (begin, begin + timedelta(days=7))
    )
    window = Window(start, end)
    found = recorded_week("b", window, recorded(hours, used()), 1)
    assert (found.of_hours, found.recorded) == (hours, 1.0)
    # Both at $20 an hour.
    comparison = compared(found, [recorded_week("a", WINDOW, recorded(168, used()), 1)])
    assert comparison is not None
    assert comparison.mean_cost_usd == pytest.approx(20.0 * hours)
    assert comparison.change == pytest.approx(0.0)


def test_the_mean_is_of_the_clusters_that_this_week_has() -> None:
    """Nine of ten clusters were read, each at $100 a week as ever: nothing changed, and the mean
    that stands beside $900 is $900."""
    found = compared(week("b", 900.0, 9 * 168.0, 10 * 168.0), [week("a", 900.0, 9 * 168, 9 * 168)])
    assert found is not None
    assert found.mean_cost_usd == pytest.approx(900.0)
    assert found.mean_idle_cost_usd == pytest.approx(225.0)
    assert found.change == pytest.approx(0.0)
    assert found.idle_change == pytest.approx(0.0)


def test_what_was_heard_of_a_week_is_what_is_known_of_it() -> None:
    whole = analysis(workload_use(), clusters=("a", "b"))
    assert (week_of("w", whole).hours, week_of("w", whole).of_hours) == (336, 336)
    half = replace(whole, heard_hours={"a": 84.0})
    assert (week_of("w", half).hours, week_of("w", half).of_hours) == (252, 336)
    assert not week_of("w", half).is_whole
    none = replace(whole, heard_hours={"a": 0.0, "b": 0.0})
    assert week_of("w", none).hours == 0


def test_idle_is_compared_among_weeks_that_were_measured() -> None:
    def of(coverage: float | None, idle: float) -> Week:
        spent = {"production": Spend(1.0, 100.0, idle)}
        return Week("w", WINDOW, 168, 168, spent, coverage=coverage)

    found = compared(of(1.0, 30.0), (of(0.5, 10.0), of(0.9, 20.0)))
    assert found is not None
    assert (found.mean_cost_usd, found.change) == (pytest.approx(100), pytest.approx(0))
    assert found.mean_idle_cost_usd == pytest.approx(20)
    assert found.idle_change == pytest.approx(0.5)
    for this, before in ((of(0.5, 30.0), of(1.0, 20.0)), (of(1.0, 30.0), of(0.5, 20.0))):
        found = compared(this, (before,))
        assert found is not None
        assert (found.mean_idle_cost_usd, found.idle_change) == (None, None)
