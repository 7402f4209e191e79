"""From how many samples a step holds to how much of the step was under measurement.

Scrape intervals differ between jobs and change over time, and dcgm-exporter itself refreshes
every 30 s however often it is scraped, so what to expect is read from the data: a step that holds
as many samples as the steps around it usually do is whole.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from analyzer.model import STEP_S, StepArray


def samples_per_step(counts: Iterable[StepArray]) -> float:
    """How many samples a whole step holds: the mean of the counts next to their median.

    Steps cut short by a birth, a death or a gap lie far from the median and are left out, while
    an interval that does not divide five minutes (45 s: 6 or 7 samples) still averages out.
    Returns 0.0 when there is no sample at all.
    """
    held = [array[array > 0] for array in counts]
    values = np.concatenate(held) if held else np.empty(0, dtype=np.float32)
    if not values.size:
        return 0.0
    # One of the counts, so that there always is one next to it.
    middle = float(np.quantile(values, 0.5, method="higher"))
    near = values[np.abs(values - middle) <= max(1.0, 0.1 * middle)]
    return float(near.mean(dtype=np.float64))


def covered(samples: StepArray, per_step: float) -> StepArray:
    """The part of each step that was measured (0-1)."""
    if per_step <= 0:
        return np.zeros_like(samples)
    # At 45 s a whole step holds 6 or 7 samples; at 60 s one with 4 of 5 is not whole.
    part: StepArray = np.where(samples >= per_step - 0.9, 1, samples / per_step).astype(np.float32)
    return part


def present(samples: StepArray, per_step: float, heard: StepArray) -> StepArray:
    """The part of each step (0-1) in which a thing existed, by its exporter's samples.

    ``heard`` (0-1) is how much of the step the exporter itself was heard: while it is silent the
    thing is taken to go on if it was there both before and after.
    """
    part = covered(samples, per_step)
    known = heard > 0
    part[known] = np.minimum(part[known] / heard[known], 1)
    seen = np.flatnonzero(samples > 0)
    if seen.size:
        inside = np.zeros(part.shape, dtype=bool)
        inside[seen[0] : seen[-1] + 1] = True
        part[inside & ~known] = 1
    return part


def heard(counts: Iterable[StepArray], per_step: float, steps: int) -> StepArray:
    """How much of each step (0-1) an exporter was heard at all.

    The fullest of the series that were there both before and after the step tells. Where none
    was, one thing has taken over from another, and any sample at all shows that the exporter spoke.
    """
    most = np.zeros(steps, dtype=np.float32)
    spanned = np.zeros(steps, dtype=bool)
    spoke = np.zeros(steps, dtype=bool)
    for samples in counts:
        seen = np.flatnonzero(samples > 0)
        if not seen.size:
            continue
        spoke |= samples > 0
        first = seen[0] if seen[0] == 0 else seen[0] + 1
        last = seen[-1] + 1 if seen[-1] == steps - 1 else seen[-1]
        spanned[first:last] = True
        np.maximum(most[first:last], samples[first:last], out=most[first:last])
    return np.where(spanned, covered(most, per_step), spoke).astype(np.float32)


def interval_s(per_step: float) -> float:
    """Seconds between samples; 0.0 when unknown."""
    return STEP_S / per_step if per_step > 0 else 0.0
