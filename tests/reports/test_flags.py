"""The message about flags, as its readers see it."""

from __future__ import annotations

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
    made = flags_message(changes, analysis(), WEEK)
    assert made.text.splitlines() == [
        "2 production deployments underused: $2,469.00 a week for idle GPUs; "
        "1 production deployment well again",
        "• Underused: inference/Deployment/chat-70b (search), $1,234.50 a week idle: mean use 12 %",
        "• Worse: inference/Deployment/old (search), $1,234.50 a week idle: mean use 12 %; "
        "since 2026-11-23",
        "• Well again: inference/Deployment/fine (search): mean use 12 %; since 2026-11-23",
        "Production GPUs over the last 7 days. Prices: AWS on-demand as of 2026-09-06.",
    ]
    told, note = made.blocks
    lines = made.text.splitlines()
    assert told["text"]["text"].splitlines() == [f"*{lines[0]}*", *lines[1:-1]]
    assert [one["text"] for one in note["elements"]] == lines[-1:]


def test_what_has_no_price_is_not_zero() -> None:
    text = flags_message([change(), change("b", usd_per_week=None)], analysis(), WEEK).text
    assert text.startswith("2 production deployments underused: at least $1,234.50 a week")
    assert "$" not in flags_message([change(usd_per_week=None)], analysis(prices=()), WEEK).text


def test_long_names_keep_their_ends_and_what_is_said_of_them() -> None:
    made = flags_message(
        [change("n" * 300 + "-blue", reason="r" * 5000, team="t" * 300)], analysis(), WEEK
    )
    [_, line, _] = made.text.splitlines()
    # 90 characters of the name, 60 of the team and 200 of the reason.
    name = "inference/Deployment/" + "n" * 24 + "…" + "n" * 39 + "-blue"
    assert line == (f"• Underused: {name} ({'t' * 59}…), $1,234.50 a week idle: {'r' * 199}…")


def test_the_span_is_told_as_it_is() -> None:
    for span, told in (
        (timedelta(days=1), "24 hours"),
        (timedelta(hours=36), "36 hours"),
        (timedelta(days=14), "14 days"),
    ):
        assert f"over the last {told}." in flags_message([change()], analysis(), span).text
