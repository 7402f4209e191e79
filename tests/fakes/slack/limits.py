"""What Slack refuses of a message, by the code it answers.

https://docs.slack.dev/reference/methods/chat.postMessage
https://docs.slack.dev/reference/block-kit/blocks
https://docs.slack.dev/reference/block-kit/block-elements/button-element
https://docs.slack.dev/messaging/message-metadata
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

BLOCKS = 50
TEXT = 40_000
METADATA = 8_000

BLOCK_ID = 255
HEADER = 150
SECTION = 3_000
FIELDS = 10
FIELD = 2_000
CONTEXT = 10
CONTEXT_TEXT = 3_000
ALT = 2_000
TITLE = 2_000
ADDRESS = 3_000
ACTIONS = 25
BUTTON = 75
ACTION_ID = 255
VALUE = 2_000
ROWS = 100
COLUMNS = 20
TABLE = 10_000
MARKDOWN = 12_000

ALL_TEXT = 12_000
CONTAINER = 125
"""Slack documents no limit of all blocks together, and answers ``msg_blocks_too_long``. Its people
speak of 12,000 characters of text with some more for each block, and users measured 125 for a
divider and refusals from 11,341 characters on: https://github.com/slackapi/bolt-js/issues/2509 and
2867. Here each block counts as its text and 125 more, 12,000 in all, which is on the safe side."""

Block = Mapping[str, Any]


def problem(params: Mapping[str, Any]) -> str:
    """The code that Slack refuses a message with; empty for one that it takes."""
    text, blocks = str(params.get("text") or ""), params.get("blocks") or []
    if not text and not blocks:
        return "no_text"
    if len(text) > TEXT:
        return "msg_too_long"
    if len(json.dumps(params.get("metadata") or {})) > METADATA:
        return "metadata_too_large"
    if not isinstance(blocks, list) or len(blocks) > BLOCKS or _are_bad(blocks):
        return "invalid_blocks"
    if sum(CONTAINER + sum(map(len, _texts(one))) for one in blocks) > ALL_TEXT:
        return "msg_blocks_too_long"
    return ""


def _are_bad(blocks: list[Any]) -> bool:
    if not all(isinstance(one, dict) and _is_good(one) for one in blocks):
        return True
    ids = [one["block_id"] for one in blocks if "block_id" in one]
    tables = [one for one in blocks if one["type"] == "table"]
    markdown = sum(len(one["text"]) for one in blocks if one["type"] == "markdown")
    return len(ids) != len(set(ids)) or len(tables) > 1 or markdown > MARKDOWN


def _is_good(block: Block) -> bool:
    known = _KINDS.get(str(block.get("type")))
    name = block.get("block_id", "a")
    if known is None or not _is_text(name, BLOCK_ID):
        return False
    try:
        return known(block)
    except (KeyError, TypeError, AttributeError):
        return False


def _is_text(value: object, most: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= most


def _is_object(value: Any, most: int, *kinds: str) -> bool:
    """A text object of one of the kinds."""
    return value["type"] in kinds and _is_text(value["text"], most)


def _header(block: Block) -> bool:
    return _is_object(block["text"], HEADER, "plain_text")


def _section(block: Block) -> bool:
    kinds = ("mrkdwn", "plain_text")
    fields = block.get("fields", [])
    return (
        ("text" in block or len(fields) > 0)
        and ("text" not in block or _is_object(block["text"], SECTION, *kinds))
        and len(fields) <= FIELDS
        and all(_is_object(one, FIELD, *kinds) for one in fields)
        and ("accessory" not in block or _element(block["accessory"]))
    )


def _context(block: Block) -> bool:
    return 0 < len(block["elements"]) <= CONTEXT and all(
        _picture(one)
        if one["type"] == "image"
        else _is_object(one, CONTEXT_TEXT, "mrkdwn", "plain_text")
        for one in block["elements"]
    )


def _image(block: Block) -> bool:
    title = block.get("title")
    return _picture(block) and (title is None or _is_object(title, TITLE, "plain_text"))


def _picture(block: Block) -> bool:
    if not _is_text(block["alt_text"], ALT) or ("image_url" in block) == ("slack_file" in block):
        return False
    if "image_url" in block:
        return _is_text(block["image_url"], ADDRESS)
    return len(block["slack_file"]) == 1 and set(block["slack_file"]) <= {"id", "url"}


def _actions(block: Block) -> bool:
    return 0 < len(block["elements"]) <= ACTIONS and all(map(_element, block["elements"]))


def _element(element: Block) -> bool:
    if element["type"] == "image":
        return _picture(element)
    limits = {"url": ADDRESS, "value": VALUE, "action_id": ACTION_ID, "accessibility_label": BUTTON}
    return (
        element["type"] == "button"
        and _is_object(element["text"], BUTTON, "plain_text")
        and all(_is_text(element[key], most) for key, most in limits.items() if key in element)
        and element.get("style", "primary") in ("primary", "danger")
    )


def _table(block: Block) -> bool:
    rows = block["rows"]
    settings = block.get("column_settings", [])
    return (
        0 < len(rows) <= ROWS
        and all(0 < len(row) <= COLUMNS for row in rows)
        and all(cell["type"] in ("raw_text", "rich_text") for row in rows for cell in row)
        and all(cell["text"] for row in rows for cell in row if cell["type"] == "raw_text")
        and sum(map(len, _texts(rows))) <= TABLE
        and len(settings) <= COLUMNS
        and all((one or {}).get("align", "left") in ("left", "center", "right") for one in settings)
    )


def _rich_text(block: Block) -> bool:
    kinds = ("rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote")
    return all(one["type"] in kinds for one in block["elements"])


_KINDS: Mapping[str, Callable[[Block], bool]] = {
    "header": _header,
    "section": _section,
    "context": _context,
    "image": _image,
    "actions": _actions,
    "table": _table,
    "rich_text": _rich_text,
    "divider": lambda block: set(block) <= {"type", "block_id"},
    "markdown": lambda block: _is_text(block["text"], MARKDOWN),
}


def _texts(value: object) -> Iterator[str]:
    """Every text that is shown, wherever it stands."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(inner, str) and key in ("text", "alt_text"):
                yield inner
            else:
                yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
