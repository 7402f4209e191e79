"""The message about a job that was not done, as its readers see it."""

from __future__ import annotations

from reports.lost import lost_message


def test_what_was_not_done_is_said_with_the_reason() -> None:
    made = lost_message("weekly-report", "2026-W47", "Prometheus <away>")
    assert made.text == "weekly-report of 2026-W47 was not done: Prometheus &lt;away&gt;"
    [block] = made.blocks
    assert block["text"]["text"] == (
        "*weekly-report of 2026-W47 was not done*\nPrometheus &lt;away&gt;"
    )


def test_the_longest_reason_is_there_whatever_it_becomes_by_being_escaped() -> None:
    [block] = lost_message("weekly-report", "2026-W47", "&" * 5000).blocks
    assert block["text"]["text"].count("&amp;") == 499
