"""GPU-hours as dollars."""

from __future__ import annotations

from analyzer.advice import HOURS_A_MONTH
from analyzer.sizing.case import WEEK_H


def per_month(gpu_hours_per_week: float, usd_per_gpu_hour: float | None) -> float | None:
    """What that many GPU-hours a week cost in a month of 730 hours; None without a price."""
    if usd_per_gpu_hour is None:
        return None
    return gpu_hours_per_week * usd_per_gpu_hour * HOURS_A_MONTH / WEEK_H
