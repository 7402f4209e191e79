"""Figures of rules and replays as text, for those who doubt."""

from __future__ import annotations

import math

from analyzer.advice import Fact
from reports.text import UNKNOWN


def fact(value: Fact) -> str:
    """A figure or threshold that decided."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return UNKNOWN
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"


def count(number: float | None) -> str:
    """A count; one decimal below ten where it is not whole."""
    if number is None or not math.isfinite(number):
        return UNKNOWN
    return f"{number:,.1f}" if number < 10 and number != round(number) else f"{number:,.0f}"


def seconds(duration: float | None) -> str:
    if duration is None or not math.isfinite(duration):
        return UNKNOWN
    return f"{duration * 1000:,.0f} ms" if duration < 1 else f"{duration:,.1f} s"
