"""Figures and text as plain JSON types, rounded as the document rounds them."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from reports.text import encodable

HOURS, USD, FRACTION, RATE, WHOLE = 4, 2, 4, 4, 0
"""Decimals. A rate (dollars a GPU-hour or a million tokens, seconds) is not a sum of money and
would lose its meaning at two."""


def text_or_null(value: str | None) -> str | None:
    return None if value is None else encodable(value)


def moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def number(value: float | None, places: int, *, nullable: bool = True) -> float | int | None:
    """``value`` rounded. What is not finite is not known: null, or left for to_json to refuse."""
    if value is None:
        return None
    plain = float(value)
    if not math.isfinite(plain):
        return None if nullable else plain
    # Adding zero turns -0.0, which reads as a mistake, into 0.0.
    return round(plain) if places == 0 else round(plain, places) + 0.0
