"""The pictures of the weekly report together: what they weigh and say, and who can read them."""

from __future__ import annotations

import io
from itertools import combinations, pairwise

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from analyzer.rhythm import Rhythm
from reports import draw_replay, draw_rhythm, draw_spend
from reports.drawing import DARK, LIGHT, Theme
from reports.pictures import drawings
from tests.reports.bare_weeks import digest
from tests.reports.fleets import LONG, SCRIPT
from tests.reports.paintings import (
    VISION,
    apart,
    contrast,
    drawn,
    lab,
    rises,
    texts,
    words,
)
from tests.reports.pictured import (
    CASES,
    HOSTILE,
    many,
    replayed,
)

THEMES = (LIGHT, DARK)


def sketches(case: str):
    told, of = CASES[case]
    found = (
        draw_spend.sketch(told),
        draw_rhythm.sketch(told),
        draw_replay.sketch(of, "".join(HOSTILE), told.analysis.timezone),
    )
    return [one for one in found if one is not None]


def test_they_come_in_order_and_only_those_with_data():
    assert [one.name for one in drawings(digest(), replayed(), "a/b")] == [
        "spend",
        "rhythm",
        "replay",
    ]
    assert [
        one.name for one in drawings(digest(rhythm=Rhythm(((None,) * 24,) * 7, None)), None)
    ] == ["spend"]


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
    for name in ("$x^2$", "$\\frac{1}$", SCRIPT):
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
