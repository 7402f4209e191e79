"""The picture of what weeks cost."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from matplotlib.colors import to_hex

from analyzer.model import Window
from analyzer.weeks import Spend
from reports import draw_spend
from tests.builders import analysis
from tests.reports.bare_weeks import digest, week
from tests.reports.paintings import (
    bars,
    below,
    drawn,
    frames,
    words,
)
from tests.reports.pictured import (
    free,
    gone,
)

BERLIN = ZoneInfo("Europe/Berlin")


def test_a_bar_is_each_environment_at_work_and_idle_then_what_nobody_asked_for():
    figure = drawn(draw_spend.sketch(digest(week(), week(1, unallocated_cost_usd=None))))
    assert bars(figure, 1) == pytest.approx([600, 400, 200, 300, 250])
    assert bars(figure, 0) == pytest.approx([600, 400, 200, 300])
    assert below(figure) == ["W46", "W47"]
    assert frames(figure) == []


def test_waste_is_hatched_and_nothing_else_is():
    blocks = drawn(draw_spend.sketch(digest())).axes[0].patches
    hatches = [p.get_hatch() for p in sorted(blocks, key=lambda p: p.get_y()) if p.get_height()]
    assert hatches == [None, "/", None, "/", "x"]


def test_a_week_of_which_hours_are_missing_is_framed_and_says_so():
    figure = drawn(draw_spend.sketch(digest(week(), week(1, hours=121))))
    assert below(figure) == ["W46\n121 of\n168 h", "W47"]
    assert frames(figure) == [0]


def test_a_missing_week_leaves_its_place_empty():
    made = draw_spend.sketch(digest(week(), week(4), week(2, hours=0), week(1)))
    figure = drawn(made)
    empty = "\nno\nrecord"
    assert below(figure) == ["W43", f"W44{empty}", f"W45{empty}", "W46", "W47"]
    assert bars(figure, 1) == bars(figure, 2) == []
    assert made.alt.endswith("Nothing recorded: 2026-W44, 2026-W45.")
    assert made.rows[4] == ("2026-W44", "nothing recorded", "?", "?", "?", "no record")


def test_only_the_last_four_weeks_have_a_place():
    figure = drawn(draw_spend.sketch(digest(week(), week(5), week(2))))
    assert below(figure) == ["W45", "W46\nno\nrecord", "W47"]


@pytest.mark.parametrize(
    ("first", "hours", "names"),
    [
        (date(2026, 10, 19), 169, ["W43", "W47"]),
        (date(2026, 3, 23), 167, ["W13", "W17"]),
    ],
)
def test_a_week_with_an_hour_more_or_less_is_whole_and_in_its_place(first, hours, names):
    """Berlin's clock went back on 2026-10-25, and forward on 2026-03-29."""

    def window(weeks: int) -> Window:
        days = (first + timedelta(weeks=n) for n in (weeks, weeks + 1))
        return Window(*(datetime.combine(day, time(), BERLIN).astimezone(UTC) for day in days))

    changed = week(name=f"2026-{names[0]}", window=window(0), hours=hours, of_hours=hours)
    this = week(name=f"2026-{names[1]}", window=window(4))
    assert changed.window.hours == hours
    made = digest(this, changed, analysis=analysis(timezone=str(BERLIN)))
    figure = drawn(draw_spend.sketch(made))
    found = [text.split("\n")[0] for text in below(figure)]
    weeks = range(int(names[0][1:]), int(names[1][1:]) + 1)
    assert found == [f"W{number}" for number in weeks]
    assert below(figure)[0] == names[0]
    assert frames(figure) == []


def test_what_has_no_price_is_marked_and_named_never_zero():
    spent = {"production": Spend(10.0, 80.0, 40.0), "staging": Spend(96.0, 0.0, 0.0, 96.0)}
    made = draw_spend.sketch(digest(week(environments=spent), week(1)))
    figure = drawn(made)
    assert [(n.get_text(), n.xy) for n in figure.axes[0].texts if n.get_text()] == [
        ("+?", (1, pytest.approx(80 + 250)))
    ]
    shown = words(figure)
    assert {"no price", "+? no price: 96 h"} <= set(shown)
    assert "$0" not in shown[shown.index("staging") :]
    assert "96 GPU-hours without a price are not in it." in made.alt
    assert ("2026-W47", "staging", "?", "?", "96", "all") in made.rows


def test_free_gpus_without_a_price_are_marked():
    made = draw_spend.sketch(digest(week(unallocated_cost_usd=None)))
    shown = words(drawn(made))
    assert shown[shown.index("unallocated") + 1] == "no price"
    assert "+?" in shown
    assert made.rows[-1] == ("2026-W47", "GPUs nobody asked for", "?", "?", "50", "all")


def test_no_dollars_are_zero_where_there_is_a_price():
    figure = drawn(draw_spend.sketch(free()))
    assert [n.get_text() for n in figure.axes[0].texts] == ["$0"]
    assert bars(figure, 0) == []


def test_each_environment_keeps_its_colour_and_others_are_added_up():
    spent = {name: Spend(1.0, 10.0 * n, 0.0) for n, name in enumerate("abcd", 1)}
    known = {"development": Spend(1.0, 7.0, 0.0), "unknown": Spend(1.0, 8.0, 0.0)}
    figure = drawn(draw_spend.sketch(digest(week(environments=spent | known))))
    assert bars(figure, 0) == pytest.approx([7, 8, 10 + 20 + 30 + 40, 250])
    blocks = sorted(figure.axes[0].patches, key=lambda p: p.get_y())[:3]
    assert [to_hex(p.get_facecolor()) for p in blocks] == ["#009e73", "#cc79a7", "#56b4e9"]
    assert "others" in words(figure)


@pytest.mark.parametrize(
    "nothing",
    [
        {"environments": {}, "unallocated_gpu_hours": None},
        {"environments": {}, "unallocated_gpu_hours": 0.0, "unallocated_cost_usd": 0.0},
        {"hours": 0.0},
    ],
)
def test_no_data_at_all_is_no_picture(nothing):
    assert draw_spend.sketch(digest(week(**nothing))) is None


def test_the_words_of_spend_tell_the_week_and_its_change():
    """$1,500 against the mean of $2,000 and $2,000: a quarter less."""
    dear = {"production": Spend(300.0, 2000.0, 100.0)}
    made = digest(week(), week(2, environments=dear), week(1, environments=dear))
    assert draw_spend.sketch(made).alt == (
        "GPU spend by week. 2026-W47: $1,500.00 for workloads, $700.00 of it idle; "
        "25% less than the mean of 2 whole weeks before ($2,000.00). "
        "GPUs nobody asked for: $250.00 more. Measured: 96% of the GPU-hours."
    )
    alone = draw_spend.sketch(digest(week(hours=84)))
    assert "no whole weeks to compare" in alone.alt
    assert alone.alt.endswith("Recorded: 84 of 168 h.")


def test_the_table_of_spend_is_to_the_cent():
    assert draw_spend.sketch(digest()).rows == (
        ("2026-W47", "production", "$1,000.00", "$400.00", "0", "all"),
        ("2026-W47", "staging", "$500.00", "$300.00", "0", "all"),
        ("2026-W47", "all workloads", "$1,500.00", "$700.00", "0", "all"),
        ("2026-W47", "GPUs nobody asked for", "$250.00", "$250.00", "0", "all"),
    )


def test_what_is_not_known_is_no_sum_in_words_either():
    assert draw_spend.sketch(gone()).alt == (
        "GPU spend by week. 2026-W47: nothing recorded. Nothing recorded: 2026-W45."
    )
    spent = {"staging": Spend(96.0, 0.0, 0.0, 96.0)}
    text = draw_spend.sketch(digest(week(environments=spent))).alt
    assert "2026-W47: ? for workloads, ? of it idle" in text
