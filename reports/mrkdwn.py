"""Text of others in Slack's own markup: it stays text, and calls nobody.

https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import re

from reports.text import visible

_MARKS = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_EMOJI = re.compile(r":((?=[\w+'-]*[^\W\d_])[\w+'-]+|[+-]1|100|1234):")
"""Names of emoji have a letter, of whatever alphabet, but for these four; times have none."""

_LINK = re.compile(r"<([^|>]*)\|([^>]*)>")
_EDGE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_HALF = re.compile(r"(?:&\w{0,4}|<[^>]*)$")
_LIKE = str.maketrans({"*": "\u2217", "~": "\u223c", "`": "\u02cb"})
"""Slack has no escape for its marks of style: signs that look alike stand for them."""


def escaped(text: str, longest: int = 0) -> str:
    """``text`` for a plain place: nothing in it is a mention, a link, markup or an emoji.
    Of more than ``longest`` characters (0: any number) the end is left out."""
    shown = _EDGE.sub("\u02cd", clip(visible(text), longest)).translate(_LIKE)
    return _EMOJI.sub("\ua789\\1\ua789", shown).translate(_MARKS)


def link(url: str, text: str, longest: int = 120) -> str:
    """``text`` that leads to ``url``, one of ours."""
    return f"<{url}|{escaped(text, longest).replace('|', chr(0x01C0))}>"


def plain(text: str) -> str:
    """What a reader sees of markup of ours, for a terminal."""
    shown = _LINK.sub(r"\2 (\1)", text).replace("*", "")
    return shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def cut(markup: str, longest: int) -> str:
    """At most so many characters of markup of ours, and never the half of an escape or a link."""
    return markup if len(markup) <= longest else f"{_HALF.sub('', markup[: longest - 1])}…"


def clip(text: str, longest: int) -> str:
    """At most so many characters, the last of them a sign that there were more."""
    return text if not longest or len(text) <= longest else f"{text[: longest - 1]}…"
