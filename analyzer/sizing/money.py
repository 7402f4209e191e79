"""GPU-hours as dollars."""

from __future__ import annotations

import math

from analyzer.advice import HOURS_A_MONTH
from analyzer.sizing.case import WEEK_H


def sound(usd_per_gpu_hour: float | None) -> float | None:
    """The price where it can be one: finite and not below zero; else None. Zero is a price."""
    if usd_per_gpu_hour is None or not math.isfinite(usd_per_gpu_hour) or usd_per_gpu_hour < 0:
        return None
    return usd_per_gpu_hour


def per_month(gpu_hours_per_week: float, usd_per_gpu_hour: float | None) -> float | None:
    """What that many GPU-hours a week cost in a month of 730 hours; None without a price."""
    price = sound(usd_per_gpu_hour)
    return None if price is None else gpu_hours_per_week * price * HOURS_A_MONTH / WEEK_H
