"""The message about flags, as its readers see it."""

from __future__ import annotations

import json
from datetime import timedelta

from analyzer.flags import FlagChange
from reports.flags import flags_message
from tests.builders import NOW, analysis, key

WEEK = timedelta(days=7)


def change(name: str = "chat-70b", what: str = "appeared", **more: object) -> FlagChange:
    usual = {"reason": "mean use 12 %", "since": NOW, "usd_per_week": 1234.5, "team": "search"}
    return FlagChange(what, key(name), **(usual | more))  # type: ignore[arg-type]


def test_it_says_what_changed_what_it_costs_and_by_which_prices() -> None:
    changes = [change(), change("old", "worsened"), change("fine", "cleared", usd_per_week=None)]
    text, blocks = flags_message(changes, analysis(), WEEK)
    assert text.splitlines() == [
        "2 production deployments underused: $2,469 a week for idle GPUs; "
        "1 production deployment well again",
        "\u2022 Underused: `inference/Deployment/chat-70b` (search), $1,234 a week idle: "
        "mean use 12 %",
        "\u2022 Worse: `inference/Deployment/old` (search), $1,234 a week idle: mean use 12 %; "
        "since 2026-11-23",
        "\u2022 Well again: `inference/Deployment/fine` (search): mean use 12 %; since 2026-11-23",
        "Production GPUs over the last 7 days. Prices: AWS on-demand as of 2026-09-06.",
    ]
    told = [block["text"]["text"] for block in blocks if block["type"] == "section"]
    lines = text.splitlines()[:-1]
    assert told == [f"*{lines[0]}*", *(line.removeprefix("\u2022 ") for line in lines[1:])]


def test_what_has_no_price_is_not_zero() -> None:
    text, _ = flags_message([change(), change("b", usd_per_week=None)], analysis(), WEEK)
    assert text.startswith("2 production deployments underused: at least $1,234 a week")
    text, _ = flags_message([change(usd_per_week=None)], analysis(prices=()), WEEK)
    assert "$" not in text


def test_hostile_names_call_nobody_and_fit_slack_s_limits() -> None:
    name = "<!channel>&`*x*\u202e" + "n" * 300
    many = [
        change(f"{name}{n}", reason="<@U123> " + "r" * 5000, team="<!here>" * 50)
        for n in range(600)
    ]
    text, blocks = flags_message(many, analysis(), WEEK)
    said = json.dumps([text, blocks])
    for bad in ("<!", "<@", "\\u202e"):
        assert bad not in said.replace("\\\\u202e", "")
    assert "580 more" in text
    assert len(blocks) <= 50
    assert len(text) < 40_000
    assert all(len(block["text"]["text"]) <= 3000 for block in blocks if "text" in block)


def test_the_span_is_told_as_it_is() -> None:
    for span, told in (
        (timedelta(days=1), "24 hours"),
        (timedelta(hours=36), "36 hours"),
        (timedelta(days=14), "14 days"),
    ):
        assert f"over the last {told}." in flags_message([change()], analysis(), span)[0]
