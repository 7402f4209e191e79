"""In which steps a workload did nothing, as far as that is measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from analyzer.model import GpuUse, Serving, StepArray
from analyzer.sizing.demand import HEARD, Floats, Mask, held_steps

MEASURED = 0.9
"""Part of its GPUs that must be under measurement for a step to tell anything."""

WORKS = 0.01
"""GPU work from which a step is in use: exporters round to whole percents."""

_SINGLE = 1e-6
"""What a figure kept in single precision may be off by."""

_NOTHING = 1e-3


def allocated(use: Sequence[GpuUse]) -> Floats:
    """GPUs that it held in each step, of all classes of nodes; what nobody told is none."""
    return _total(u.allocated for u in use)


def measured(use: Sequence[GpuUse]) -> Mask:
    """Steps in which it held GPUs and nearly all of them were under measurement."""
    held = allocated(use)
    known = np.isfinite(_total((u.work for u in use), np.nan))
    mask: Mask = (
        (held > _NOTHING)
        & (_total(u.observed for u in use) >= MEASURED * (1 - _SINGLE) * held)
        & known
    )
    return mask


def busy(use: Sequence[GpuUse]) -> Floats:
    """The share of its measured GPU time with work (0-1); NaN where it is not measured."""
    seen = measured(use)
    observed, work = (_total(arrays) for arrays in (_of(use, "observed"), _of(use, "work")))
    ratio: Floats = np.full(seen.shape, np.nan)
    np.divide(work, observed, out=ratio, where=seen)
    return np.clip(ratio, 0.0, 1.0)


def used(use: Sequence[GpuUse], serving: Serving | None) -> Mask:
    """Steps in which it held GPUs and was in use, or in which nothing proves that it was not."""
    held = allocated(use) > _NOTHING
    # NaN, for which every comparison is false, is in use.
    idle = busy(use) < WORKS * (1 - _SINGLE)
    if serving is not None:
        idle &= ~unheard(serving) & ~asked(serving)
    mask: Mask = held & ~idle
    return mask


def unheard(serving: Serving) -> Mask:
    """Steps in which not all of its replicas told how many requests they have."""
    told = np.isfinite(serving.running) & np.isfinite(serving.waiting)
    mask: Mask = ~(told & (serving.heard >= HEARD))
    return mask


def asked(serving: Serving) -> Mask:
    """Steps in which any request was seen, at work, waiting or finished, or any token."""
    arrays = (
        serving.running,
        serving.waiting,
        serving.waiting_peak,
        serving.finished,
        serving.prompted,
        serving.generated,
    )
    mask: Mask = np.zeros(serving.running.shape, dtype=bool)
    for array in arrays:
        if array is not None:
            mask |= array > 0
    return mask


def span(use: Sequence[GpuUse]) -> tuple[int, int]:
    """The first and the last step in which it held a GPU; (0, -1) when it never did."""
    return held_steps(allocated(use).astype(np.float32))


def _of(use: Sequence[GpuUse], name: str) -> list[StepArray]:
    return [getattr(one, name) for one in use]


def _total(arrays: Iterable[StepArray], unknown: float = 0.0) -> Floats:
    first, *others = (np.nan_to_num(array.astype(np.float64), nan=unknown) for array in arrays)
    total: Floats = first
    for other in others:
        total = total + other
    return total
