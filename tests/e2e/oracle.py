"""What the figures must be, from the raw samples and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.e2e.scenes import Floats, Truth

STEP_S = 300


@dataclass(frozen=True)
class Figures:
    gpu_hours: float
    cost_usd: float
    idle_cost_usd: float
    coverage: float
    mean: float
    p50: float
    p95: float
    max: float


def figures(truth: Truth, start_s: float, end_s: float) -> Figures:
    """Of the samples in ``(start, end]``: each request sample stands for its interval, each
    sample of use for its own; use is GPU-seconds of work over GPU-seconds measured."""
    held_s = sum(
        float(_inside(h.times_s, start_s, end_s).sum()) * h.gpus * truth.every_s for h in truth.held
    )
    steps = int((end_s - start_s) // STEP_S)
    seen, busy = np.zeros(steps), np.zeros(steps)
    for part in truth.worked:
        inside = _inside(part.times_s, start_s, end_s)
        step = (np.ceil((part.times_s[inside] - start_s) / STEP_S) - 1).astype(int)
        use = part.use[inside]
        real = np.isfinite(use)
        np.add.at(seen, step[real], part.gpus * truth.worked_every_s)
        np.add.at(busy, step[real], part.gpus * truth.worked_every_s * use[real])
    means = busy[seen > 0] / seen[seen > 0]
    hours = held_s / 3600
    mean = float(busy.sum() / seen.sum())
    return Figures(
        gpu_hours=hours,
        cost_usd=hours * truth.usd_per_gpu_hour,
        idle_cost_usd=float(seen.sum() - busy.sum()) / 3600 * truth.usd_per_gpu_hour,
        coverage=min(1.0, float(seen.sum()) / held_s),
        mean=mean,
        p50=float(np.percentile(means, 50)),
        p95=float(np.percentile(means, 95)),
        max=float(means.max()),
    )


def grown(times_s: Floats, values: Floats, start_s: float, end_s: float) -> float:
    """What a counter counted: the positive steps, and the whole value after each reset, also
    after the birth of a process inside the window."""
    inside = _inside(times_s, start_s, end_s)
    one = values[inside]
    deltas = np.diff(one)
    born = float(one[0]) if inside[0] else 0.0
    return born + float(np.where(deltas >= 0, deltas, one[1:]).sum())


def step_means(times_s: Floats, values: Floats, start_s: float, end_s: float) -> Floats:
    """Five-minute means of a gauge."""
    inside = _inside(times_s, start_s, end_s)
    step = (np.ceil((times_s[inside] - start_s) / STEP_S) - 1).astype(int)
    count, total = (np.bincount(step, weights=w) for w in (None, values[inside]))
    return total[count > 0] / count[count > 0]


def p95(values: Floats) -> float:
    return float(np.percentile(values, 95))


def _inside(times_s: Floats, start_s: float, end_s: float) -> np.ndarray:
    return (times_s > start_s) & (times_s <= end_s)
