"""What sleep saved lately."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from analyzer.sleep.model import Slept
from reports.status import Saved

DAYS = 7
"""How far back the savings are added up."""


def saved_of(slept: Sequence[Slept], now: datetime) -> Saved:
    """GPU-hours and dollars that sleep did not hold within the last days."""
    begin = now - timedelta(days=DAYS)
    gpu_hours = usd = unpriced = 0.0
    for one in slept:
        lasted = min(one.until or now, now) - max(one.since, begin)
        hours = max(0.0, lasted.total_seconds() / 3600)
        gpu_hours += hours * one.gpus
        if one.usd_per_hour is None:
            unpriced += hours * one.gpus
        else:
            usd += hours * one.usd_per_hour
    return Saved(DAYS, gpu_hours, usd, unpriced)
