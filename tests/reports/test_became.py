"""What became of advice, as lines."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from analyzer.advice import Advice, Saving
from analyzer.followed import Accepted, Followed
from reports.became import became, not_known
from reports.explain import parts
from tests.builders import NOW, key, recommendation, workload_use
from tests.reports.stories import story

DAY = timedelta(days=1)
ENTRY = Followed(
    key=key(),
    action="reduce-replicas",
    before="8",
    after="4",
    first_seen=NOW - 3 * DAY,
    last_seen=NOW - DAY,
    state="open",
    state_since=NOW - 3 * DAY,
    predicted=Saving(2688.0, 80358.4, 40179.2, 1),
    plan=True,
)


def at(days: int) -> str:
    return f"{NOW + days * DAY:%Y-%m-%d %H:%M}"


def test_an_open_entry_says_since_when_and_what_was_predicted():
    assert became([ENTRY], "UTC").lines == (
        f"reduce-replicas 8 → 4: open since {at(-3)}",
        f"- given from {at(-3)} to {at(-1)}",
        "- predicted: frees 2,688 GPU-h a week, worth $80,358 a month;"
        " 1 node can leave: saves $40,179 a month",
    )


def test_the_latest_comes_first_on_the_clock_of_the_report():
    spot = replace(
        ENTRY,
        action="use-spot",
        before="on-demand",
        after="spot",
        plan=False,
        last_seen=NOW,
        state="snoozed",
        state_since=NOW,
        snoozed_until=NOW + DAY,
        predicted=Saving(0.0, 1500.0),
    )
    lines = became([ENTRY, spot], "Asia/Kathmandu").lines
    there = timedelta(hours=5, minutes=45)
    since, until = (f"{one + there:%Y-%m-%d %H:%M}" for one in (NOW, NOW + DAY))
    assert lines[0] == f"use-spot on-demand → spot: snoozed since {since}, until {until}"
    assert lines[1].endswith(f" to {since}, as an alternative")
    assert lines[3].startswith("reduce-replicas 8 → 4: open since ")


@pytest.mark.parametrize(
    ("accepted", "said"),
    [
        (Accepted(NOW), "not measured yet"),
        (Accepted(NOW, note="not yet: 3 h"), "not yet: 3 h"),
        (
            Accepted(NOW, 5376.0, 36986.88, 2688.0, 80358.4, "", settled=True),
            "2,688 GPU-h a week less, $80,358 a month less",
        ),
        (
            Accepted(NOW, 100.0, 700.0, -50.0, -1500.0, "", settled=True),
            "50 GPU-h a week more, $1,500 a month more",
        ),
        (
            Accepted(NOW, 100.0, None, 50.0, None, "some GPU has no price", settled=True),
            "50 GPU-h a week less, in dollars not known: some GPU has no price",
        ),
    ],
)
def test_an_accepted_entry_says_what_it_brought_or_why_not_yet(accepted, said):
    one = replace(ENTRY, state="accepted", state_since=NOW, accepted=accepted)
    lines = became([one], "UTC").lines
    assert lines[0] == f"reduce-replicas 8 → 4: accepted since {at(0)}"
    assert lines[-1] == f"- realised: {said}"


def test_it_stands_behind_what_is_advised_and_only_where_there_is_any():
    told = story(workload_use(advice=Advice((recommendation(),))))
    titles = [part.title for part in parts(told, not_known("it is away"))]
    assert (
        titles.index("What became of it")
        == titles.index("Recommendation: reduce-replicas 8 → 4 (the plan)") + 1
    )
    assert "What became of it" not in [part.title for part in parts(told)]
    assert not_known("it is away").lines == ("the ledger could not be read: it is away",)
