"""The picture of the first recommendation."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from analyzer.advice import Advice
from reports import draw_replay
from tests.builders import window, workload_use
from tests.reports import advised
from tests.reports.paintings import (
    below,
    drawn,
    words,
)
from tests.reports.pictured import (
    replayed,
)
from tests.reports.stories import story


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
    top = figure.axes[0].get_ylim()[1]
    assert lines(figure)["on 3 replicas (up to 525%)"] == pytest.approx(np.full(168, 2.0))
    assert 2.0 < top < 2.1


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


def test_the_day_on_which_a_clock_goes_back_has_25_hours():
    """Berlin's did so on Sunday 2026-10-25 at 01:00 UTC."""
    span = window(169, datetime(2026, 10, 25, 23, tzinfo=UTC))
    busy = np.full(span.steps, 0.5, np.float32)
    busy[-25 * 12 :] = np.nan
    made = draw_replay.sketch(
        story(use=workload_use(), window=span, busy=busy), "a/b", "Europe/Berlin"
    )
    assert [row[0] for row in made.rows][-2:] == ["Sat 2026-10-24", "Sun 2026-10-25"]
    assert [row[3] for row in made.rows] == ["0.0 h"] * 6 + ["25.0 h"]
    assert below(drawn(made))[-2:] == ["Sat 24", "Sun 25"]
