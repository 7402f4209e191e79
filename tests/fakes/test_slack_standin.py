"""The stand-in refuses what Slack documents that it refuses, and nothing below that.

Where Slack's own client knows a limit, both have to agree.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block, ButtonElement

from tests.fakes.slack.limits import problem

Build = Callable[[int], dict[str, Any]]


def plain(length: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": "x" * length}


def mrkdwn(length: int) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": "x" * length}


def section(length: int = 1, **more: Any) -> dict[str, Any]:
    return {"type": "section", "text": mrkdwn(length), **more}


def image(**more: Any) -> dict[str, Any]:
    return {"type": "image", "alt_text": "a", "image_url": "https://example.com/a", **more}


def button(**more: Any) -> dict[str, Any]:
    return {"type": "button", "text": plain(1), "action_id": "a", **more}


def actions(**more: Any) -> dict[str, Any]:
    return {"type": "actions", "elements": [button(**more)]}


def table(rows: int, columns: int = 1, length: int = 1) -> dict[str, Any]:
    row = [{"type": "raw_text", "text": "x" * length}] * columns
    return {"type": "table", "rows": [row] * rows}


def refusal(*blocks: dict[str, Any], text: str = "fallback") -> str:
    return problem({"text": text, "blocks": list(blocks)})


KNOWN: dict[str, tuple[int, Build]] = {
    "header": (150, lambda n: {"type": "header", "text": plain(n)}),
    "section": (3_000, section),
    "fields": (10, lambda n: {"type": "section", "fields": [mrkdwn(1)] * n}),
    "context": (10, lambda n: {"type": "context", "elements": [mrkdwn(1)] * n}),
    "image alt": (2_000, lambda n: image(alt_text="x" * n)),
    "image title": (2_000, lambda n: image(title=plain(n))),
    "image url": (3_000, lambda n: image(image_url="x" * n)),
    "actions": (25, lambda n: {"type": "actions", "elements": [button()] * n}),
    "block_id": (255, lambda n: section(block_id="x" * n)),
}
"""Limits that Slack's client knows."""

DOCUMENTED: dict[str, tuple[int, Build]] = {
    "field": (2_000, lambda n: {"type": "section", "fields": [mrkdwn(n)]}),
    "context text": (3_000, lambda n: {"type": "context", "elements": [mrkdwn(n)]}),
    "button text": (75, lambda n: actions(text=plain(n))),
    "button url": (3_000, lambda n: actions(url="x" * n)),
    "button value": (2_000, lambda n: actions(value="x" * n)),
    "action_id": (255, lambda n: actions(action_id="x" * n)),
    "table rows": (100, table),
    "table columns": (20, lambda n: table(1, n)),
    "table text": (100, lambda n: table(100, 1, n)),
    "markdown": (11_875, lambda n: {"type": "markdown", "text": "x" * n}),
}
"""Limits that stand in the documentation alone. A table's text is 10,000 characters in all; one
block of markdown may be 12,000, of which all blocks together leave 11,875."""


@pytest.mark.parametrize("name", [*KNOWN, *DOCUMENTED])
def test_each_limit_holds_from_one_above(name: str) -> None:
    limit, build = {**KNOWN, **DOCUMENTED}[name]
    assert [refusal(build(limit - 1)), refusal(build(limit))] == ["", ""]
    assert refusal(build(limit + 1)) in ("invalid_blocks", "msg_blocks_too_long")


@pytest.mark.parametrize("name", KNOWN)
def test_slack_s_client_has_the_same_limit(name: str) -> None:
    limit, build = KNOWN[name]
    for length in (limit - 1, limit):
        parsed = Block.parse(build(length))
        assert parsed is not None
        parsed.to_dict()
    too_much = Block.parse(build(limit + 1))
    assert too_much is not None
    with pytest.raises(SlackObjectFormationError):
        too_much.to_dict()


@pytest.mark.parametrize(("limit", "made"), [(75, {"text": "x"}), (3_000, {"url": "x"})])
def test_slack_s_client_has_the_same_limits_of_buttons(limit: int, made: dict[str, str]) -> None:
    def build(length: int) -> ButtonElement:
        return ButtonElement(**{"text": "a", **dict.fromkeys(made, "x" * length)})

    build(limit).to_dict()
    with pytest.raises(SlackObjectFormationError):
        build(limit + 1).to_dict()


def test_blocks_texts_and_metadata_of_a_whole_message() -> None:
    assert refusal(*[{"type": "divider"}] * 50) == ""
    assert refusal(*[{"type": "divider"}] * 51) == "invalid_blocks"
    assert refusal(text="x" * 40_000) == ""
    assert refusal(text="x" * 40_001) == "msg_too_long"
    assert problem({}) == "no_text"
    empty = len('{"event_payload": {"key": ""}}')
    for more, says in ((0, ""), (1, "metadata_too_large")):
        metadata = {"event_payload": {"key": "x" * (8_000 - empty + more)}}
        assert problem({"text": "a", "metadata": metadata}) == says
    # Four sections are 500 characters of containers.
    full = [section(3_000)] * 3
    assert refusal(*full, section(2_500)) == ""
    assert refusal(*full, section(2_501)) == "msg_blocks_too_long"


@pytest.mark.parametrize(
    "blocks",
    [
        [{"type": "carousel"}],
        [{}],
        ["section"],
        [section(0)],
        [{"type": "section"}],
        [{"type": "section", "fields": []}],
        [{"type": "header", "text": mrkdwn(1)}],
        [{"type": "header", "text": plain(0)}],
        [{"type": "header"}],
        [{"type": "context", "elements": []}],
        [{"type": "actions", "elements": []}],
        [{"type": "actions", "elements": [{"type": "datepicker"}]}],
        [actions(style="green")],
        [actions(text=mrkdwn(1))],
        [{"type": "image", "image_url": "https://example.com/a"}],
        [image(alt_text="")],
        [image(slack_file={"id": "F1"})],
        [{"type": "image", "alt_text": "a", "slack_file": {"id": "F1", "url": "https://a"}}],
        [{"type": "image", "alt_text": "a"}],
        [image(title=mrkdwn(1))],
        [section(block_id="same"), section(block_id="same")],
        [table(1), table(1)],
        [table(0)],
        [table(1, 0)],
        [table(1, 1, 0)],
        [{"type": "table", "rows": [[{"type": "text", "text": "a"}]]}],
        [{**table(1), "column_settings": [{"align": "middle"}]}],
        [{"type": "divider", "text": "a"}],
        [{"type": "rich_text", "elements": [{"type": "text"}]}],
    ],
)
def test_what_is_no_block_is_refused(blocks: list[Any]) -> None:
    assert problem({"text": "a", "blocks": blocks}) == "invalid_blocks"


def test_what_is_a_block_is_taken() -> None:
    linked = section(accessory=button(url="https://example.com"))
    cell = {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": []}]}
    mixed = {
        "type": "table",
        "rows": [[{"type": "raw_text", "text": "a"}, cell]],
        "column_settings": [{"align": "right"}, None],
    }
    small = {"type": "context", "elements": [plain(1), image()]}
    shown = {"type": "image", "alt_text": "a", "slack_file": {"id": "F1"}, "title": plain(1)}
    assert refusal(linked, mixed, small, shown, cell) == ""
