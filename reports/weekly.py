"""The message about a week: what was used and wasted, with the coverage of each figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analyzer.analysis import Analysis
from reports.mrkdwn import escaped
from reports.sections import period, price_basis, sections

Block = Mapping[str, Any]

SHOWN = 6
"""Lines of a section; the rest is in the files."""

TOLD = (
    "Clusters that could not be read",
    "Production, idle or underused",
    "Recommendations",
    "Totals",
)

_LONGEST = 400
"""Characters of a line, so that a block of them stays below Slack's 3,000."""


def weekly_message(week: str, analysis: Analysis) -> tuple[str, tuple[Block, ...]]:
    """The message as plain text and as Block Kit blocks, which say the same."""
    parts = [(f"GPU use of {week}", [period(analysis)])]
    for section in sections(analysis):
        if section.title in TOLD:
            lines = list(section.lines[:SHOWN])
            more = len(section.lines) - len(lines)
            parts.append((section.title, [*lines, f"and {more} more"] if more else lines))
    parts = [(name, [_line(line) for line in lines]) for name, lines in parts]
    note = escaped(price_basis(analysis))
    text = "\n".join([line for name, lines in parts for line in (name, *lines)] + [note])
    blocks = [_block(name, lines) for name, lines in parts]
    context = {"type": "context", "elements": [{"type": "mrkdwn", "text": note}]}
    return text, (*blocks, context)


def _line(text: str) -> str:
    shown = escaped(text)
    shown = shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}\u2026"
    return f"\u2022 {shown}"


def _block(name: str, lines: list[str]) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": "\n".join([f"*{name}*", *lines])}}
