"""Slack's blocks, made so that Slack takes them: every limit is kept here, before anything is sent.

https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slack_sdk.models.blocks import (
    ContextBlock,
    HeaderBlock,
    ImageBlock,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
    TableBlock,
)
from slack_sdk.models.blocks.basic_components import RawTextObject, SlackFile

from reports.mrkdwn import clip, cut
from reports.text import visible

Block = Mapping[str, Any]

BLOCKS = 50
SECTION = 3000
HEADER = 150
FIELDS, FIELD = 10, 2000
CONTEXT = 10
ALT, PICTURE_TITLE = 2000, 2000
ROWS, COLUMNS, TABLE = 100, 20, 6_000
NOTHING = "–"
"""Stands where there is no text: Slack refuses an empty one."""
TEXT = 9_000
"""Slack asks for 4,000 characters and takes ten times as many: what blocks say has to be there."""

WHOLE, EACH = 10_000, 125
"""Characters of all texts of a message, and what each block adds to them. Slack documents no limit
for them together and answers ``msg_blocks_too_long`` somewhere above 11,000."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is posted: blocks, and a text that says the same where blocks are not shown."""

    text: str
    blocks: tuple[Block, ...]


def message(
    lines: Iterable[str], blocks: Sequence[Block], rest: str = "the rest is in the report"
) -> Message:
    """``lines`` are the text. What is beyond Slack's limits is left out from the end, and that
    is said, with where the ``rest`` is to be found."""
    text = "\n".join(lines).lstrip("\n")
    if len(text) > TEXT:
        whole = text[: TEXT - 2].rpartition("\n")[0]
        text = f"{whole}\n…" if whole else cut(text, TEXT)
    return Message(text, _fitted(blocks, context([f"_There is more than fits here: {rest}._"])))


def _fitted(blocks: Sequence[Block], note: Block) -> tuple[Block, ...]:
    kept: list[Block] = []
    size = 0
    for block in blocks:
        size += EACH + _weight(block)
        if size > WHOLE or (len(kept) == BLOCKS - 1 and len(blocks) > BLOCKS):
            return (*kept, note)
        kept.append(block)
    return tuple(kept)


def _weight(value: Any) -> int:
    """Characters of all texts within a block."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(_weight(one) for one in value.values())
    return sum(map(_weight, value)) if isinstance(value, list | tuple) else 0


def header(text: str) -> Block:
    return HeaderBlock(text=_plain(text, HEADER)).to_dict()


def section(lines: Sequence[str]) -> Block:
    """Lines of markup, one below the other, as many as there is room for."""
    return SectionBlock(text=_markup(lines, SECTION)).to_dict()


def _markup(lines: Sequence[str], longest: int) -> MarkdownTextObject:
    # Not verbatim, Slack would look for addresses and mentions that are no markup.
    return MarkdownTextObject(text=_joined(lines, longest), verbatim=True)


def sections(lines: Sequence[str]) -> list[Block]:
    """The same in as few blocks as hold all of them: each block counts against the whole."""
    made: list[list[str]] = []
    room = 0
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            made.append([])
            room = SECTION - len("\n…") - len(line) - 1
        made[-1].append(line)
    return [section(one) for one in made]


def _joined(lines: Sequence[str], longest: int) -> str:
    room = longest - len("\n…")
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            return "\n".join([*kept, "…"]) if kept else cut(line, longest)
        kept.append(line)
    text = "\n".join(kept)
    return text if text.strip() else NOTHING


def _plain(text: str, longest: int) -> PlainTextObject:
    return PlainTextObject(text=clip(visible(text), longest) or NOTHING, emoji=False)


def fields(texts: Sequence[str]) -> Block:
    """Up to ten texts in two columns."""
    shown = [_markup(one.split("\n"), FIELD) for one in texts[:FIELDS]]
    return SectionBlock(fields=shown).to_dict()


def context(texts: Sequence[str]) -> Block:
    """Small print."""
    return ContextBlock(elements=[_markup([one], SECTION) for one in texts[:CONTEXT]]).to_dict()


def picture(name: str, title: str, alt: str) -> Block:
    """An image that is uploaded under ``name`` before the message is posted."""
    return ImageBlock(
        slack_file=SlackFile(id=name),
        alt_text=clip(visible(alt), ALT) or NOTHING,
        title=_plain(title, PICTURE_TITLE),
    ).to_dict()


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> Block:
    """Cells are plain text, those of the columns ``right`` with their ends below each other. Rows
    that do not fit are left out from the end."""
    room = TABLE
    kept: list[list[dict[str, Any]]] = []
    for row in (head, *rows):
        cells = [clip(visible(cell), 120) or NOTHING for cell in row[:COLUMNS]]
        room -= sum(map(len, cells))
        if room < 0 or len(kept) == ROWS:
            break
        kept.append([RawTextObject(text=cell).to_dict() for cell in cells])
    settings = [
        {"align": "right" if column in right else "left", "is_wrapped": column not in right}
        for column in range(min(len(head), COLUMNS))
    ]
    return TableBlock(rows=kept, column_settings=settings).to_dict()
