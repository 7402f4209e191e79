"""The picture of when GPUs work."""

from __future__ import annotations

import numpy as np
import pytest

from analyzer.rhythm import Rhythm
from reports import draw_rhythm
from reports.pictures import drawings
from tests.builders import analysis
from tests.reports.bare_weeks import RHYTHM, digest
from tests.reports.paintings import (
    drawn,
    pixels,
    words,
)
from tests.reports.pictured import (
    GAPS,
)


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
    assert draw_rhythm.sketch(digest(rhythm=Rhythm(((None,) * 24,) * 7, None))) is None
