"""The weekly report as Markdown: outside text stays text, and nothing is an empty heading."""

from __future__ import annotations

import re

import pytest

from analyzer.advice import Advice
from analyzer.nights import Late, Nights
from analyzer.sleep.model import NotDone
from reports.digest import Action
from reports.weekly_markdown import weekly_markdown
from tests.builders import NOW, analysis, key, recommendation, workload_use
from tests.reports import weeklies
from tests.reports.bare_weeks import digest, week


def headings(text: str) -> list[str]:
    return re.findall(r"^## (.+)$", text, re.MULTILINE)


@pytest.mark.parametrize("name", ["empty", "one", "typical", "first-week", "half-down", "hostile"])
def test_every_heading_has_something_below_it_and_every_row_its_cells(name: str) -> None:
    text = weekly_markdown(weeklies.ALL[name]())
    assert text.startswith("# GPU report 2026-W47\n\n2026-11-16 00:00 to 2026-11-23 00:00 UTC")
    for part in text.split("\n## ")[1:]:
        assert part.partition("\n\n")[2].strip()
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        cells = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert len(cells) == 1


def test_names_are_no_markup() -> None:
    text = weekly_markdown(weeklies.hostile())
    assert not re.search(r"(?<!\\)<(?:img|!channel|/script)", text)
    assert "\u202e" not in text
    assert "\x1b" not in text
    assert not re.search(r"(?<!\\)`", text)


def test_a_week_without_a_record_has_no_sum() -> None:
    made = digest(week(), week(2, 0.0, environments={}, unallocated_cost_usd=None, coverage=None))
    rows = [line for line in weekly_markdown(made).splitlines() if line.startswith("| 2026")]
    # $1,000 + $500 of which $400 + $300.
    assert rows == [
        "| 2026-W45 | 0 of 168 h | ? | ? | ? | ? |",
        r"| 2026-W47 | 168 of 168 h | \$1,500.00 | \$700.00 | \$250.00 | 96% |",
    ]


def test_advice_is_told_with_its_confidence_and_reason() -> None:
    plan = recommendation()
    use = workload_use(advice=Advice((plan,)))
    text = weekly_markdown(digest(analysis=analysis(use), actions=(Action(use, plan),)))
    assert (
        "- inference/chat-70b: reduce-replicas 8 → 4: frees 2,688 GPU-h a week, worth "
        r"\$80,358.40 a month; the bill falls by \$80,358.40 a month (2 nodes can leave) "
        "(high confidence). Four replicas would have served the load."
    ) in text.splitlines()
    assert "Short of room" not in headings(text)


def test_who_was_late_and_what_was_not_done_stands_below_sleep() -> None:
    nights = Nights(
        1,
        1,
        0,
        0,
        1,
        10.0,
        20.0,
        0.0,
        (Late(key(), NOW, None, "no node"),),
        (NotDone(key(), NOW, "wake", "failed", "refused"),),
    )
    text = weekly_markdown(digest(nights=nights))
    sleep = text.split("## Sleep\n\n")[1].split("\n\n")[0].splitlines()
    assert sleep[-2:] == [
        "- late: inference/chat-70b: woken Mon 00:00, not seen ready: no node",
        "- not done: inference/chat-70b: wake failed Mon 00:00: refused",
    ]
    assert len(sleep) == 5


def test_the_parts_have_an_order() -> None:
    assert headings(weekly_markdown(weeklies.typical())) == [
        "What to do",
        "Production, idle or underused",
        "Sleep",
        "Asked for by nobody",
        "Cost per million tokens",
        "Predicted and realised",
        "Prices per GPU-hour",
        "Weeks",
        "Workloads",
    ]
