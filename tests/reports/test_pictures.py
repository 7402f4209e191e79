"""The pictures of the weekly report: what they show, say and weigh, and that they can be read."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, time, timedelta
from itertools import combinations, pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from analyzer.advice import Advice
from analyzer.model import Window
from analyzer.rhythm import Rhythm
from analyzer.weeks import Spend
from reports import draw_replay, draw_rhythm, draw_spend
from reports.digest import Digest
from reports.drawing import DARK, LIGHT, Theme
from reports.pictures import drawings
from tests.builders import analysis, workload_use
from tests.reports import advised
from tests.reports.bare_weeks import RHYTHM, digest, week
from tests.reports.fleets import ANSI, LONG, MARKUP, REVERSED, SCRIPT
from tests.reports.paintings import VISION, apart, contrast, drawn, lab, pixels, rises, texts, words
from tests.reports.stories import story

ADVISED = workload_use(replicas=4, advice=Advice((advised.fewer(),)))
GAPS = Rhythm((RHYTHM.use[0], (None,) * 24, *RHYTHM.use[2:]), 0.8)
NOBODY = Rhythm(((None,) * 24,) * 7, None)
BERLIN = ZoneInfo("Europe/Berlin")
THEMES = (LIGHT, DARK)
HOSTILE = (ANSI, REVERSED, LONG, MARKUP, SCRIPT, "$x^2$ \\frac{1}{", "a\nb\u2028c", "W" * 300)


def replayed(**changes: object):
    """The story of one that is advised to have three replicas instead of four."""
    made = story()
    kv_then = (made.kv * np.float32(4 / 3)).astype(np.float32)
    return story(**({"use": ADVISED, "kv_then": kv_then, "then": 3} | changes))


def hostile() -> Digest:
    names = {name: Spend(10.0, 1000.0, 500.0) for name in HOSTILE}
    return digest(week(environments=names), week(1, environments=names), teams=HOSTILE)


def many() -> Digest:
    """Five environments in millions, each with something that has no price."""
    names = ("production", "staging", "development", "unknown", "laboratory")
    spent = {name: Spend(99_999.0, 123_456_789.0, 100_000_000.0, 5555.0) for name in names}
    weeks = [week(ago, environments=spent, unallocated_cost_usd=2e6) for ago in (4, 3, 2, 1)]
    return digest(week(environments=spent, hours=121), *weeks, rhythm=GAPS)


def free() -> Digest:
    return digest(week(environments={"production": Spend(9.0)}, unallocated_cost_usd=0.0))


def gone() -> Digest:
    """A week without any record."""
    lost = week(hours=0, environments={}, unallocated_gpu_hours=None, coverage=None)
    return digest(lost, week(3), week(1, hours=3))


CASES = {
    "first": (digest(), replayed()),
    "history": (digest(week(), week(4), week(2, hours=121)), story(use=workload_use())),
    "hostile": (hostile(), replayed(kv_then=np.full(2016, 5.25, np.float32))),
    "many": (many(), replayed()),
    "free": (free(), story(use=workload_use())),
    "gone": (gone(), replayed(kv=np.full(2016, np.nan, np.float32))),
}


def sketches(case: str):
    told, of = CASES[case]
    found = (
        draw_spend.sketch(told),
        draw_rhythm.sketch(told),
        draw_replay.sketch(of, "".join(HOSTILE), told.analysis.timezone),
    )
    return [one for one in found if one is not None]


def bars(figure, at: int) -> list[float]:
    """Heights of the blocks of one place, from the ground up."""
    blocks = [p for p in figure.axes[0].patches if p.get_fill() and p.get_height() > 0]
    mine = [p for p in blocks if abs(p.get_x() + p.get_width() / 2 - at) < 0.01]
    return [p.get_height() for p in sorted(mine, key=lambda p: p.get_y())]


def below(figure) -> list[str]:
    return [label.get_text().strip() for label in figure.axes[0].get_xticklabels()]


def frames(figure) -> list[int]:
    found = [p for p in figure.axes[0].patches if not p.get_fill()]
    return [round(p.get_x() + p.get_width() / 2) for p in found]


# Spend


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


def test_more_environments_than_colours_are_added_up():
    spent = {name: Spend(1.0, 10.0 * n, 0.0) for n, name in enumerate("abcdefg", 1)}
    figure = drawn(draw_spend.sketch(digest(week(environments=spent))))
    assert bars(figure, 0) == pytest.approx([10, 20, 30, 40, 50 + 60 + 70, 250])
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


# Rhythm


def test_each_hour_has_the_colour_of_its_use():
    figure = drawn(draw_rhythm.sketch(digest()))
    [image] = figure.axes[0].images
    assert np.array_equal(image.get_array(), np.array(RHYTHM.use))
    assert (image.norm.vmin, image.norm.vmax) == (0, 1)
    assert [label.get_text() for label in figure.axes[1].get_yticklabels()] == ["0%", "50%", "100%"]
    assert {one.get_hatch() for one in figure.axes[0].collections} == {None}


def test_what_little_there_is_fills_the_scale():
    low = Rhythm(((0.01,) * 12 + (0.15,) * 12,) * 7, 1.0)
    figure = drawn(draw_rhythm.sketch(digest(rhythm=low)))
    assert figure.axes[0].images[0].norm.vmax == 0.2


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_gap_is_hatched_and_zero_is_one_plain_colour(theme):
    """Tuesday was not measured, on Saturday nothing worked."""
    drawing = next(one for one in drawings(digest(rhythm=GAPS), None) if one.name == "rhythm")
    shown = pixels(getattr(drawing, theme))
    # The heat map is 455 pixels high from 90 on; each hour is 38 wide.
    tuesday, saturday = (shown[90 + 65 * day + 10 : 90 + 65 * day + 55] for day in (1, 5))
    hour = slice(110 + 38 * 12 + 5, 110 + 38 * 13 - 5)
    assert len(np.unique(saturday[:, hour])) == 1
    assert len(np.unique(tuesday[:, hour])) > 2
    assert "not measured" in words(drawn(draw_rhythm.sketch(digest(rhythm=GAPS))))
    assert "not measured" not in words(drawn(draw_rhythm.sketch(digest())))


def test_the_clock_is_named():
    made = digest(analysis=analysis(timezone="America/Argentina/ComodRivadavia"))
    assert "Local time (America/Argentina/ComodRivadavia)" in words(drawn(draw_rhythm.sketch(made)))


def test_the_words_of_rhythm_tell_the_extremes():
    use = [list(day) for day in RHYTHM.use]
    use[3][14], use[6][2], use[6][3] = 0.93, None, 0.0
    use[5] = [0.2] * 24
    use[6][4:] = [0.3] * 20
    use[6][:2] = [0.3] * 2
    made = digest(rhythm=Rhythm(tuple(map(tuple, use)), 0.96))
    assert draw_rhythm.sketch(made).alt == (
        "GPU use by hour of the week, local time (UTC), 96% of the GPU-hours measured. "
        "Busiest Thursday 14:00 with 93%, quietest Sunday 03:00 with 0%; "
        "1 hour of 168 not measured."
    )
    rows = draw_rhythm.sketch(made).rows
    assert rows[2] == ("02:00", "10%", "10%", "10%", "10%", "10%", "20%", "?")
    assert rows[14] == ("14:00", "60%", "60%", "60%", "93%", "60%", "20%", "30%")
    assert len(rows) == 24


def test_a_week_that_is_all_the_same_has_no_extremes():
    made = digest(rhythm=Rhythm(((0.0,) * 24,) * 7, 1.0))
    assert draw_rhythm.sketch(made).alt.endswith("0% in every hour.")


def test_nothing_measured_is_no_rhythm():
    assert draw_rhythm.sketch(digest(rhythm=NOBODY)) is None


# Replay


def lines(figure) -> dict[str, np.ndarray]:
    """Values of the lines by their labels."""
    return {p.get_label(): p.get_data().values for p in figure.axes[0].patches}


def test_the_replay_shows_the_highest_of_each_hour_and_the_limits():
    figure = drawn(draw_replay.sketch(replayed(), "a/b", "UTC"))
    made = replayed()
    found = lines(figure)
    for hour in (0, 30, 100, 167):
        part = slice(12 * hour, 12 * hour + 12)
        assert found["now, 4 replicas"][hour] == pytest.approx(np.nanmax(made.kv[part]))
        assert found["on 3 replicas"][hour] == pytest.approx(np.nanmax(made.kv_then[part]))
    # Steps 500 to 559 were not measured: hours 42 to 45 not at all.
    assert np.isnan(found["now, 4 replicas"][42:46]).all()
    assert "not measured" in words(figure)
    limits = {one.get_label(): one.get_ydata()[0] for one in figure.axes[0].lines}
    assert limits == {"p95 limit 80%": 0.8, "saturated 90%": 0.9}


def test_the_words_of_the_replay_are_the_trials_figures():
    made = draw_replay.sketch(replayed(), "a/b", "UTC")
    assert made.title == "Replay on 3 replicas: a/b"
    assert made.alt == (
        "The week of a/b replayed on 3 replicas instead of 4: p95 of the fullest replica's "
        "KV cache is 41% now and 55% then, to be below 80%."
    )


def test_what_is_far_beyond_is_cut_off_and_said():
    far = replayed(kv_then=np.full(2016, 5.25, np.float32))
    figure = drawn(draw_replay.sketch(far, "a/b", "UTC"))
    assert "on 3 replicas (up to 525%)" in words(figure)
    assert figure.axes[0].get_ylim()[1] < 2.1


@pytest.mark.parametrize(
    "other",
    [
        {"then": 2},
        {"kv_then": None, "then": None},
        {"use": workload_use(advice=Advice(refusals=advised.mixed().workloads[0].advice.refusals))},
    ],
)
def test_what_was_only_tried_is_no_replay_of_the_advice(other):
    assert draw_replay.sketch(replayed(**other), "a/b", "UTC").title == "GPU work: a/b"


def test_without_a_replay_it_is_gpu_work_and_what_is_left():
    half = np.full(2016, 0.5, np.float32)
    half[:12], half[12:18], half[24:36] = 1.0, 0.0, np.nan
    made = draw_replay.sketch(story(use=workload_use(), busy=half), "a/b", "UTC")
    figure = drawn(made)
    found = lines(figure)
    assert found["at work"][:4] == pytest.approx([1.0, 0.25, np.nan, 0.5], nan_ok=True)
    assert found["left"][:4] == pytest.approx([1.0, 1.0, np.nan, 1.0], nan_ok=True)
    assert made.alt == (
        "GPU work of a/b: 31% of the measured time on average, 69% left; 100% in the busiest hour."
    )
    # Steps of Monday: 12 of 1, 6 of 0, 12 unknown, 258 of 0.5: 141 of 276.
    assert made.rows[0] == ("Mon 2026-11-16", "51%", "49%", "1.0 h")


def test_days_are_those_of_the_local_clock():
    rows = draw_replay.sketch(replayed(), "a/b", "America/New_York").rows
    assert [row[0] for row in rows] == [
        f"{day} 2026-11-{date}"
        for day, date in zip(
            ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), range(15, 23), strict=True
        )
    ]
    labels = below(drawn(draw_replay.sketch(replayed(), "a/b", "America/New_York")))
    assert labels == ["Mon 16", "Tue 17", "Wed 18", "Thu 19", "Fri 20", "Sat 21", "Sun 22"]


def test_nothing_measured_is_no_replay():
    blank = np.full(2016, np.nan, np.float32)
    assert draw_replay.sketch(story(use=workload_use(), busy=blank), "a/b", "UTC") is None


# All of them


def test_they_come_in_order_and_only_those_with_data():
    assert [one.name for one in drawings(digest(), replayed(), "a/b")] == [
        "spend",
        "rhythm",
        "replay",
    ]
    assert [one.name for one in drawings(digest(rhythm=NOBODY), None)] == ["spend"]


def test_bytes_stay_out_of_messages():
    assert "PNG" not in repr(drawings(digest(), None))


@pytest.mark.parametrize("case", CASES)
def test_files_are_small_palettes_of_1200_by_675_and_the_same_every_time(case):
    told, of = CASES[case]
    first, second = (drawings(told, of, "a/b") for _ in range(2))
    assert first == second
    for one in first:
        for png in (one.light, one.dark):
            image = Image.open(io.BytesIO(png))
            assert (image.format, image.mode, image.size) == ("PNG", "P", (1200, 675))
            assert len(png) < 40_000, one.name


def test_noise_is_a_small_file_too():
    noise = np.random.default_rng(1).random(2016).astype(np.float32)
    use = tuple(map(tuple, noise[:168].reshape(7, 24).astype(float)))
    made = drawings(
        digest(rhythm=Rhythm(use, 1.0)), replayed(kv=noise, kv_then=noise * np.float32(1.9)), "a/b"
    )
    assert max(len(png) for one in made for png in (one.light, one.dark)) < 40_000


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("theme", THEMES, ids=("light", "dark"))
def test_text_is_large_clear_within_the_picture_and_apart(case: str, theme: Theme):
    for one in sketches(case):
        figure = drawn(one, theme)
        ground = to_hex(figure.get_facecolor())
        shown = texts(figure)
        for text, box in shown:
            what = (one.name, text.get_text(), box)
            assert text.get_fontsize() >= 30, what
            assert contrast(to_hex(text.get_color()), ground) >= 4.5, what
            assert 0 <= box.x0 <= box.x1 <= 1200, what
            assert 0 <= box.y0 <= box.y1 <= 675, what
        for (text, box), (other, place) in combinations(shown, 2):
            assert not box.overlaps(place), (one.name, text.get_text(), other.get_text())


@pytest.mark.parametrize("case", CASES)
def test_text_stands_on_plain_ground(case: str):
    for one in sketches(case):
        figure = drawn(one)
        shapes = [p for axes in figure.axes for p in axes.patches if p.get_visible()]
        boxes = [p.get_window_extent() for p in shapes if p.get_label().startswith("_")]
        for text, box in texts(figure):
            hit = [b for b in boxes if b.width * b.height > 0 and box.overlaps(b)]
            assert not hit, (one.name, text.get_text())


@pytest.mark.parametrize("case", CASES)
def test_words_are_short_and_hold_nothing_that_steers(case: str):
    told, of = CASES[case]
    for one in drawings(told, of, "".join(HOSTILE)):
        assert 0 < len(one.alt) < 1000
        for text in (one.title, one.alt, *one.head, *(cell for row in one.rows for cell in row)):
            assert text.isprintable(), text
            assert len(text) < 1000
        assert {len(row) for row in one.rows} == {len(one.head)}


def test_a_name_is_text_whatever_it_looks_like():
    for name in ("$x^2$", "\\frac{1}$", SCRIPT):
        assert name in words(drawn(draw_replay.sketch(replayed(), name, "UTC")))
    shown = words(drawn(draw_replay.sketch(replayed(), LONG, "UTC")))
    [name] = [text for text in shown if text.startswith("a-very")]
    assert name.endswith("zebra-17")


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("theme", THEMES, ids=("light", "dark"))
def test_colours_stay_apart_for_every_kind_of_vision(theme: Theme, vision: str):
    """A distance of 15 is told at a glance."""
    for one, other in combinations((*theme.parts, theme.nobody), 2):
        assert apart(one, other, vision) >= 15, (one, other)
    assert apart(theme.now, theme.then, vision) >= 30
    brightness = [float(lab(colour, vision)[0]) for colour in theme.heat]
    assert rises(brightness if theme is DARK else brightness[::-1], by=15)


@pytest.mark.parametrize("theme", THEMES, ids=("light", "dark"))
def test_neighbours_in_a_bar_differ_by_hatch_as_well(theme: Theme):
    patches = drawn(draw_spend.sketch(many()), theme).axes[0].patches
    for at in range(5):
        mine = [p for p in patches if p.get_fill() and round(p.get_x() + 0.34) == at]
        hatches = [p.get_hatch() for p in sorted(mine, key=lambda p: p.get_y())]
        assert len(hatches) == 11
        assert all(a != b for a, b in pairwise(hatches))
