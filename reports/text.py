"""How figures and outside text are written for people: units, rounding, and nothing that bites.

Names come from clusters and metric stores, so they may hold control characters, escape sequences
or marks that reverse the direction of writing. Shown raw they could fake or hide a line.
"""

from __future__ import annotations

import math
import unicodedata
from datetime import datetime
from zoneinfo import ZoneInfo

UNKNOWN = "?"
"""Stands where a figure is not known. Never a zero, never empty."""

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories that are written as escapes: control, format (bidi marks, zero width),
surrogates, line and paragraph separators."""


def visible(text: str) -> str:
    """``text`` on one line, with everything that could steer a terminal spelt out."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(c) if unicodedata.category(c) in _UNSAFE else c for c in text)


def _escape(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def encodable(text: str) -> str:
    """``text`` that can be written as UTF-8: a lone surrogate becomes U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def percent(fraction: float | None) -> str:
    """A fraction (0-1) as whole percent. Only none at all is 0%, only all of it is 100%."""
    if fraction is None or not math.isfinite(fraction):
        return UNKNOWN
    if 0 < fraction < 0.005:
        return "<1%"
    if 0.995 <= fraction < 1:
        return ">99%"
    return f"{fraction:.0%}"


def money(usd: float | None) -> str:
    """US dollars; cents below $100."""
    if usd is None or not math.isfinite(usd):
        return UNKNOWN
    if usd == 0:
        return "$0"
    if usd < 0.005:
        return "<$0.01"
    return f"${usd:,.2f}" if usd < 100 else f"${usd:,.0f}"


def cents(usd: float | None) -> str:
    """US dollars to the cent: the same sum is the same text wherever it stands."""
    if usd is None or not math.isfinite(usd):
        return UNKNOWN
    text = f"${abs(usd):,.2f}"
    return f"-{text}" if usd < 0 and text != "$0.00" else text


def per_million(usd: float | None) -> str:
    """Dollars of a million tokens: to the cent, and where that would leave nothing, finer."""
    return f"${usd:.4f}" if usd is not None and 0 < usd < 0.095 else cents(usd)


def hours(gpu_hours: float | None) -> str:
    """GPU-hours without the unit; one decimal below ten."""
    if gpu_hours is None or not math.isfinite(gpu_hours):
        return UNKNOWN
    if gpu_hours == 0:
        return "0"
    if gpu_hours < 0.05:
        return "<0.1"
    return f"{gpu_hours:,.1f}" if gpu_hours < 9.95 else f"{gpu_hours:,.0f}"


def counted(number: int, what: str) -> str:
    """A number with its noun, of which the plural only adds an s."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def sentence(text: str) -> str:
    """``text`` as a sentence of its own: rules give theirs to be put anywhere."""
    whole = f"{text[:1].upper()}{text[1:]}"
    return whole if not whole or whole.endswith((".", "!", "?")) else f"{whole}."


def middle(text: str, longest: int) -> str:
    """At most so many characters (0: any number): a long name is cut in its middle, as names
    differ at their ends, and must not push what is said of them out of a line."""
    half = longest // 2
    return f"{text[:half]}…{text[1 - half :]}" if 0 < longest < len(text) else text


def local(moment: datetime, timezone: str) -> str:
    """A moment to the minute on the clock of ``timezone``, without the zone's name."""
    return moment.astimezone(ZoneInfo(timezone)).strftime("%Y-%m-%d %H:%M")
