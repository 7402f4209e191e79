"""Text of others in Slack's own markup: it stays text, and calls nobody.

https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

from reports.text import visible

_MARKS = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def escaped(text: str) -> str:
    """``text`` for a plain place: nothing in it is a mention, a link or markup."""
    return visible(text).translate(_MARKS)


def code(text: str, longest: int = 120) -> str:
    """``text`` as it is typed, in a fixed-width font; nothing inside it is read as markup."""
    shown = visible(text)
    shown = shown if len(shown) <= longest else f"{shown[: longest - 1]}…"
    return f"`{shown.translate(_MARKS).replace('`', chr(0x02CB))}`"
