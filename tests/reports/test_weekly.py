"""The messages about a week and about a job that was not done, as their readers see them."""

from __future__ import annotations

import json

from reports.lost import lost_message
from reports.weekly import weekly_message
from tests.builders import analysis, workload_use
from tests.reports import fleets


def test_it_says_the_week_what_is_flagged_the_totals_and_the_prices() -> None:
    text, blocks = weekly_message("2026-W47", fleets.typical())
    lines = text.splitlines()
    assert lines[0] == "GPU use of 2026-W47"
    assert lines[1].startswith("\u2022 2026-11-")
    assert "Production, idle or underused" in lines
    assert any("3,792 GPU-h allocated to 7 workloads, 96% of them measured" in x for x in lines)
    assert lines[-1].startswith("Dollars are for this window, at prices of 2026-")
    told = "\n".join(block["text"]["text"] for block in blocks if block["type"] == "section")
    assert told.replace("*", "").splitlines() == lines[:-1]


def test_clusters_that_are_missing_come_first() -> None:
    found = analysis(workload_use(), clusters=("main", "west"), failed={"west": "no answer"})
    text, _ = weekly_message("2026-W47", found)
    assert text.index("west: no answer") < text.index("Totals")


def test_a_long_list_is_counted_and_hostile_names_stay_text() -> None:
    many = [
        workload_use(f"<!channel>&*{n}*" + "<&" * 300, environment="production") for n in range(60)
    ]
    text, blocks = weekly_message("2026-W47", analysis(*many))
    assert "and 54 more" in text
    assert "<!" not in json.dumps(blocks)
    assert len(blocks) <= 50
    sizes = [len(block["text"]["text"]) for block in blocks if "text" in block]
    assert max(sizes) <= 3000


def test_what_was_not_done_is_said_with_the_reason() -> None:
    made = lost_message("weekly-report", "2026-W47", "Prometheus <away>")
    assert made.text == "weekly-report of 2026-W47 was not done: Prometheus &lt;away&gt;"
    [block] = made.blocks
    assert block["text"]["text"] == (
        "*weekly-report of 2026-W47 was not done*\nPrometheus &lt;away&gt;"
    )
    # The longest reason is there, whatever it becomes by being escaped.
    [block] = lost_message("weekly-report", "2026-W47", "&" * 5000).blocks
    assert block["text"]["text"].count("&amp;") == 499
