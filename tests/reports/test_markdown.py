"""The report as Markdown."""

from __future__ import annotations

import re

import pytest

from reports.markdown import escape, to_markdown
from tests.builders import analysis, workload_use
from tests.reports import fleets


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("chat-70b.v2", "chat-70b.v2"),
        ("a|b", r"a\|b"),
        ("**x** _y_ `z`", r"\*\*x\*\* \_y\_ \`z\`"),
        ("[t](https://x)", r"\[t\](https\://x)"),
        ("![i](y)", r"\!\[i\](y)"),
        ("www.example.org", r"www\.example.org"),
        ("<b>&amp;", r"\<b\>\&amp;"),
        ("a & b", "a & b"),
        ("@team #1 $x$", r"\@team \#1 \$x\$"),
        ("back\\slash", r"back\\slash"),
        ("two\nlines", r"two\\x0alines"),
    ],
)
def test_text_renders_as_itself(text, escaped):
    assert escape(text) == escaped


def test_every_row_has_the_columns_of_the_header():
    rows = [line for line in to_markdown(fleets.hostile()).splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 7
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {11}


def test_flagged_production_stands_before_the_table():
    text = to_markdown(fleets.typical())
    assert text.index("## Production, idle or underused") < text.index("| Workload |")


def test_totals_prices_and_coverage_are_there():
    text = to_markdown(fleets.typical())
    assert "3,792 GPU-h allocated to 7 workloads, 96% of them measured" in text
    assert r"A100 80GB: \$3.430, AWS on-demand, 2026-11-09" in text


def test_an_empty_fleet_is_said_in_words():
    assert "No workload asked for a GPU in this window." in to_markdown(fleets.empty())


def test_lists_are_never_cut_short():
    text = to_markdown(analysis(*(workload_use(f"model-{n}") for n in range(30))))
    assert text.count("The figures say underused.") == 30
