"""The picture of a workload's load."""

from __future__ import annotations

import io
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread

from analyzer.sizing.story import empty
from reports.charts import chart
from tests.builders import window, workload_use
from tests.reports.fleets import ANSI, LONG, MARKUP, REVERSED, SCRIPT
from tests.reports.stories import story


def texts(name: str, **changes: object) -> list[str]:
    """All text of the picture; raises when it is not XML."""
    root = ET.fromstring(chart(story(**changes), name, "Europe/Berlin", "svg"))
    return ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]


def test_it_says_what_it_shows():
    found = texts("inference/chat-70b")
    assert found[-2:] == [
        "inference/chat-70b",
        "2026-11-16 01:00 to 2026-11-23 01:00 Europe/Berlin",
    ]
    assert {
        "KV cache, fullest replica (%)",
        "Requests, all replicas",
        "GPU work (%)",
        "Local time (Europe/Berlin)",
        "now, 4 replicas",
        "replayed on 2 replicas",
        "p95 to be below 80%",
        "saturated above 90%",
        "not measured",
        "running",
        "waiting",
    } <= set(found)
    assert "Mon 16 Nov" in found or "Tue 17 Nov" in found


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        *((same, same) for same in ("$x^2$", "$\\frac{1}$", "a_b^c", SCRIPT, MARKUP, "模型")),
        (ANSI, r"\x1b[31mred\x1b[0m\x07"),
        (REVERSED, r"gpj.\u202egnp"),
        ("a\ufffeb", "a?b"),
        ("half \ud800", r"half \ud800"),
    ],
)
def test_a_name_is_text_whatever_it_looks_like(name, shown):
    assert texts(name)[-2] == shown
    assert chart(story(), name, "UTC", "png").startswith(b"\x89PNG")


def test_a_long_name_keeps_both_ends():
    shown = texts(LONG)[-2]
    assert len(shown) <= 91
    assert shown.startswith("a-very-long-name-")
    assert shown.endswith("-ends-in-zebra-17")


def test_a_picture_has_1200_by_800_pixels_and_colours():
    pixels = imread(io.BytesIO(chart(story(), "a/b", "UTC", "png")))
    assert pixels.shape[:2] == (800, 1200)
    colours = {tuple((p * 255).round().astype(int)) for p in pixels.reshape(-1, pixels.shape[2])}
    for red, green, blue in ((0, 114, 178), (213, 94, 0), (0, 158, 115), (221, 221, 221)):
        assert (red, green, blue, 255) in colours


@pytest.mark.parametrize("form", ["png", "svg"])
def test_the_same_story_is_the_same_picture(form):
    assert chart(story(), "a/b", "UTC", form) == chart(story(), "a/b", "UTC", form)


def test_a_gap_is_shaded_and_its_line_interrupted():
    def svg(**changes):
        return chart(story(**changes), "a/b", "UTC", "svg").decode()

    whole = {name: np.ones(2016, np.float32) for name in ("busy", "kv", "running", "waiting")}
    assert "not measured" not in svg(**whole, kv_then=None)
    broken = whole["kv"].copy()
    broken[100:200] = np.inf
    assert "not measured" in svg(**(whole | {"kv": broken}), kv_then=None)


def test_nothing_measured_is_a_picture_that_says_so():
    told = empty(workload_use(), window())
    text = chart(told, "a/b", "UTC", "svg").decode()
    assert text.count("not measured") == 3
    assert "replayed" not in text


def test_what_is_far_beyond_is_cut_off_and_said():
    made = story()
    assert "replayed on 2 replicas (up to 525%)" in texts(
        "a/b", kv_then=np.minimum(made.kv * 100, 5.25).astype(np.float32)
    )


@pytest.mark.parametrize("hours", [1 / 12, 1, 24, 90 * 24])
def test_any_window_can_be_drawn(hours):
    told = empty(workload_use(), window(hours))
    told = replace(told, busy=np.full(told.window.steps, 0.5, np.float32))
    ET.fromstring(chart(told, "a/b", "America/New_York", "svg"))


def test_matplotlib_is_not_imported_before_something_is_drawn():
    code = "import sys, jobs.commands.explain; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
