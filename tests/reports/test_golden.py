"""What people and programs read, whole."""

from __future__ import annotations

import pytest

from reports.export import to_csv, to_json
from reports.markdown import to_markdown
from tests import golden
from tests.reports import fleets
from tests.reports.screens import pipe, plain_screen, screen


@pytest.mark.parametrize("fleet", sorted(fleets.ALL))
@pytest.mark.parametrize(
    ("suffix", "renderer"),
    [
        ("80.txt", plain_screen),
        ("pipe.txt", pipe),
        ("json", to_json),
        ("csv", to_csv),
        ("md", to_markdown),
    ],
)
def test_output_is_as_it_was_agreed(fleet, suffix, renderer):
    golden.check(f"analysis/{fleet}.{suffix}", renderer(fleets.ALL[fleet]()))


def test_colours_are_as_agreed():
    golden.check("analysis/typical.80.ansi", screen(fleets.typical()))


def test_a_wide_screen_is_as_agreed():
    golden.check("analysis/typical.140.txt", plain_screen(fleets.typical(), 140))


@pytest.mark.parametrize(("suffix", "renderer"), [("80.txt", plain_screen), ("pipe.txt", pipe)])
def test_flagged_alone_is_as_agreed(suffix, renderer):
    golden.check(f"analysis/flag.{suffix}", renderer(fleets.typical(), only_flagged=True))
