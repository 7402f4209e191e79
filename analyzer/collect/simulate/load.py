"""How hard a replica works over time: smooth days and weeks, and noise that a seed fixes."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
DAY_S = 86_400.0
BUSIEST_HOUR = 14.5
TTFT_SPREAD = 2.5
ITL_SPREAD = 4.0
"""Shapes of log-logistic latencies: the share under ``b`` is 1 / (1 + (median / b) ** spread)."""
ITL_MEAN = (math.pi / ITL_SPREAD) / math.sin(math.pi / ITL_SPREAD)
"""Mean over median of such a distribution."""
OFFICE_HOURS = (8.0, 18.5)
APP_NOISE_S = 1800.0
POD_NOISE_S = 600.0
"""Spacing of the noise's knots: demand drifts over half an hour, its split over pods faster."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one replica does at its busiest; everything follows demand ``x`` (1 at the peak).

    ``trough`` and ``weekend`` are shares of the peak. ``gpu`` (0-1) and ``kv_cache`` (0-1) scale
    with ``x``; requests wait once ``x`` passes ``waits_above``, ``waiting`` of them at the peak.
    Latencies are medians in seconds without a queue, ``itl_s`` at the peak.
    """

    gpu: float
    trough: float = 0.5
    weekend: float = 0.8
    noise: float = 0.05
    hours: Literal["always", "office", "never"] = "always"
    requests_per_s: float = 1.0
    prompt_tokens: float = 900.0
    generation_tokens: float = 300.0
    waiting: float = 0.0
    waits_above: float = 1.0
    kv_cache: float = 0.5
    ttft_s: float = 0.25
    itl_s: float = 0.03

    def between_tokens_s(self, x: Floats) -> Floats:
        """Median time between two tokens of a request at demand ``x``."""
        return self.itl_s * (0.7 + 0.3 * x)

    def running(self, x: Floats) -> Floats:
        """Requests at work at demand ``x``: as many as begin while one is answered (Little)."""
        mean_s = ITL_MEAN * self.between_tokens_s(x)
        return self.requests_per_s * x * self.generation_tokens * mean_s

    def queue(self, x: Floats) -> Floats:
        """Requests that wait at demand ``x``."""
        if not self.waiting:
            return np.zeros_like(x)
        over = np.maximum(x - self.waits_above, 0.0) / max(1.0 - self.waits_above, 0.05)
        return self.waiting * over


def generator(seed: int, *key: object) -> np.random.Generator:
    """A stream of its own for each key, whatever is drawn from the others."""
    mark = zlib.crc32("/".join(str(part) for part in key).encode())
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, mark))))


def is_weekend(times_s: Floats) -> npt.NDArray[np.bool_]:
    """Saturday or Sunday, in UTC; 1 January 1970 was a Thursday."""
    weekend: npt.NDArray[np.bool_] = (np.floor(times_s / DAY_S) + 3) % 7 >= 5
    return weekend


def rhythm(load: Load, times_s: Floats) -> Floats:
    """Demand without noise."""
    if load.hours == "never":
        return np.zeros_like(times_s)
    hour = (times_s % DAY_S) / 3600.0
    if load.hours == "office":
        first, last = OFFICE_HOURS
        ramp = np.clip(np.minimum(hour - first, last - hour), 0.0, 1.0)
        return np.where(is_weekend(times_s), 0.0, ramp)
    day = 0.5 + 0.5 * np.cos(2 * np.pi * (hour - BUSIEST_HOUR) / 24)
    shape: Floats = load.trough + (1 - load.trough) * day
    return np.where(is_weekend(times_s), shape * load.weekend, shape)


def drift(rng: np.random.Generator, knot_s: float, span: tuple[float, float], at: Floats) -> Floats:
    """Standard normal noise that moves smoothly from knot to knot over ``span``, read ``at``."""
    knots = np.arange(span[0], span[1] + 2 * knot_s, knot_s)
    return np.interp(at, knots, rng.standard_normal(knots.size))
