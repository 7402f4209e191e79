"""The first figures, each with what it has to be read with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from analyzer.model import Window
from analyzer.nights import Nights
from analyzer.weeks import Spend, Week
from reports.headline import about, headline, history, slept, title
from tests.builders import analysis, node_class, pool_use, totals
from tests.reports.bare_weeks import digest, week

FREE = {"unallocated_gpu_hours": 1344.0, "unallocated_cost_usd": 9246.72}


def figures(made: Any) -> dict[str, tuple[str, str]]:
    return {one.key: (one.value, one.note) for one in headline(made)}


def of_totals(**changes: Any) -> Any:
    return digest(analysis=analysis(totals=totals(**changes)))


def test_the_title_names_the_week_and_the_teams() -> None:
    assert title(digest()) == "GPU report 2026-W47"
    assert title(digest(teams=("a", "b"))) == "GPU report 2026-W47 of a, b"


@pytest.mark.parametrize(
    ("clusters", "failed", "of"),
    [
        (("main",), {}, "cluster main"),
        (("main", "west"), {}, "2 clusters"),
        (("main", "west"), {"west": "no answer"}, "cluster main"),
        (("main",), {"main": "no answer"}, "0 clusters"),
    ],
)
def test_the_span_is_told_with_its_clock_and_clusters(
    clusters: tuple[str, ...], failed: dict[str, str], of: str
) -> None:
    made = digest(analysis=analysis(clusters=clusters, failed=failed))
    assert about(made) == f"2026-11-16 00:00 to 2026-11-23 00:00 UTC (168 h), {of}"


def test_a_week_of_169_hours_is_from_midnight_to_midnight() -> None:
    span = Window(datetime(2026, 10, 18, 22, tzinfo=UTC), datetime(2026, 10, 25, 23, tzinfo=UTC))
    made = digest(analysis=analysis(window=span, timezone="Europe/Berlin"))
    assert about(made).startswith("2026-10-19 00:00 to 2026-10-26 00:00 Europe/Berlin (169 h)")


def test_figures_are_to_the_cent_with_their_coverage() -> None:
    made = of_totals(**FREE, coverage=0.6)
    assert figures(made) == {
        "totals.cost_usd": ("$9,246.72", ""),
        "totals.idle_cost_usd": ("$6,380.24", "of the 60% that was measured"),
        "totals.unallocated_cost_usd": ("$9,246.72", "1,344 GPU-h that no workload asked for"),
        "week.nights.usd": ("?", "no ledger could tell"),
        "totals.coverage": ("60%", "of 1,344 GPU-h of 1 workload"),
    }


@pytest.mark.parametrize(
    ("coverage", "note"),
    [
        (None, ""),
        (1.0, ""),
        (0.995, ""),
        (0.99, "of the 99% that was measured"),
        (0.0, "of the 0% that was measured"),
    ],
)
def test_idle_is_of_what_was_measured(coverage: float | None, note: str) -> None:
    assert figures(of_totals(coverage=coverage))["totals.idle_cost_usd"][1] == note


def test_gpu_hours_without_a_price_stand_beside_the_sum() -> None:
    note = figures(of_totals(unpriced_gpu_hours=12.0))["totals.cost_usd"][1]
    assert note == "12 GPU-h more have no price"


@pytest.mark.parametrize(
    ("free", "usd", "shown"),
    [
        (None, None, ("?", "nothing told how many GPUs the nodes have")),
        (0.0, None, ("$0.00", "0 GPU-h that no workload asked for")),
        (5.0, None, ("?", "5.0 GPU-h that no workload asked for")),
    ],
)
def test_what_nobody_told_of_free_gpus_is_no_zero(
    free: float | None, usd: float | None, shown: tuple[str, str]
) -> None:
    found = figures(of_totals(unallocated_gpu_hours=free, unallocated_cost_usd=usd))
    assert found["totals.unallocated_cost_usd"] == shown


def test_free_gpus_without_a_price_stand_beside_those_that_have_one() -> None:
    free = (pool_use(), pool_use(node=node_class("odd"), unallocated=30.0, cost=None))
    made = digest(
        analysis=analysis(
            pools=free,
            totals=totals(unallocated_gpu_hours=1374.0, unallocated_cost_usd=9246.72),
        ),
        unallocated=free,
    )
    assert figures(made)["totals.unallocated_cost_usd"] == (
        "$9,246.72",
        "1,374 GPU-h that no workload asked for, 30 of them without a price",
    )


def test_a_team_is_not_told_of_gpus_that_are_nobodys() -> None:
    assert "totals.unallocated_cost_usd" not in figures(digest(teams=("a",)))


@pytest.mark.parametrize(
    ("hours", "unpriced", "note"),
    [
        (100.0, 0.0, "100 GPU-h"),
        (100.0, 40.0, "100 GPU-h, 40 of them without a price"),
        (0.0, 0.0, "0 GPU-h"),
    ],
)
def test_what_sleep_did_not_hold(hours: float, unpriced: float, note: str) -> None:
    found = Nights(1, 1, 0, 0, 1, hours, 55.5, unpriced)
    assert slept(found) == note
    assert figures(digest(nights=found))["week.nights.usd"] == ("$55.50", note)


def spent(name: str, cost: float, idle: float, hours: float = 168.0) -> Week:
    return week(0, hours, name=name, environments={"production": Spend(1.0, cost, idle)})


@pytest.mark.parametrize(
    ("before", "cost", "idle"),
    [
        (
            [spent("a", 1000.0, 100.0)],
            "20% more than the week before ($1,000.00)",
            "50% less than the week before ($100.00)",
        ),
        (
            [spent("a", 1100.0, 60.0), spent("b", 1300.0, 40.0)],
            "as the mean of 2 weeks before ($1,200.00)",
            "as the mean of 2 weeks before ($50.00)",
        ),
        ([spent("a", 0.0, 0.0)], "the week before: $0.00", "the week before: $0.00"),
        ([spent("a", 1000.0, 100.0, 20.0)], "", ""),
    ],
)
def test_growth_is_told_with_what_it_is_measured_by(
    before: list[Week], cost: str, idle: str
) -> None:
    found = figures(digest(spent("c", 1200.0, 50.0), *before))
    assert found["totals.cost_usd"][1] == cost
    # The analysis has 99 % measured.
    part = "of the 99% that was measured"
    assert found["totals.idle_cost_usd"][1] == (f"{part}; {idle}" if idle else part)


@pytest.mark.parametrize(
    ("this", "before", "said"),
    [
        (week(), [], "no whole week before to compare with"),
        (week(), [week(2), week(1)], ""),
        (
            week(),
            [week(2), week(1, 20.0)],
            "weeks left out of the comparison: 2026-W46: 20 of 168 h are known",
        ),
        (
            week(),
            [week(2, 0.0), week(1, 20.5)],
            "no whole week before to compare with (2026-W46: 20.5 of 168 h are known)",
        ),
        (
            week(hours=84.0),
            [week(1)],
            "not compared with other weeks: 2026-W47: 84 of 168 h are known",
        ),
        # Of weeks before anything was recorded there is nothing to tell.
        (week(), [week(2, 0.0), week(1)], ""),
    ],
)
def test_why_weeks_are_not_compared(this: Week, before: list[Week], said: str) -> None:
    assert history(digest(this, *before)) == said
