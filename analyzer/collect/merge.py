"""One workload's inference figures from those of its pods."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from analyzer.collect.capacity import smallest
from analyzer.collect.facts import ServingReading
from analyzer.collect.serving import quantile
from analyzer.model import STEP_S, Serving, StepArray, WorkloadKey

ONE_SERVER_A_POD = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "Rollout", "Pod"})
"""Kinds whose every pod is a replica with an inference server of its own; in the groups of others
(LeaderWorkerSet, RayCluster) the leader alone speaks."""

_HALF_A_DAY = 43_200 // STEP_S


def merge_serving(
    key: WorkloadKey, readings: Sequence[ServingReading], pods: StepArray | None = None
) -> Serving:
    """One workload's figures from its pods': requests add up, the fullest KV cache and the
    smallest stand.

    A pod is heard in a step when both its running and its waiting requests are known. ``pods`` is
    how many should be; without it, as many as are ever heard at one time.
    """
    speaking = np.sum([~np.isnan(r.running) & ~np.isnan(r.waiting) for r in readings], axis=0)
    expected = np.full(speaking.shape, speaking.max()) if pods is None else pods
    heard = np.minimum(speaking / np.maximum(expected, 1), 1).astype(np.float32)
    mean = _mean([r.kv_cache for r in readings])
    models = sorted({reading.model for reading in readings if reading.model})
    totals: dict[str, float] = defaultdict(float)
    ttft: dict[float, float] = defaultdict(float)
    itl: dict[float, float] = defaultdict(float)
    for reading in readings:
        for total, part in ((totals, reading.totals), (ttft, reading.ttft), (itl, reading.itl)):
            for name, value in part.items():
                total[name] += value  # type: ignore[index]
    return Serving(
        workload=key,
        model=", ".join(models),
        running=_sum([r.running for r in readings]),
        waiting=_sum([r.waiting for r in readings]),
        waiting_peak=_sum([r.waiting_peak for r in readings]),
        kv_cache=np.fmax.reduce([r.kv_cache for r in readings]),
        heard=heard,
        requests=totals.get("requests"),
        prompt_tokens=totals.get("prompt_tokens"),
        generation_tokens=totals.get("generation_tokens"),
        preemptions=totals.get("preemptions"),
        ttft_p95_s=quantile(ttft, 0.95),
        itl_p95_s=quantile(itl, 0.95),
        kv_peak=np.fmax.reduce([r.kv_peak for r in readings]),
        kv_mean=mean,
        lean=_lean([r.kv_cache for r in readings], mean),
        speaking=speaking.astype(np.float32),
        finished=_sum([r.finished for r in readings]),
        prompted=_sum([r.prompted for r in readings]),
        generated=_sum([r.generated for r in readings]),
        cache=smallest(r.cache for r in readings),
    )


def _mean(arrays: Sequence[StepArray]) -> StepArray:
    known = np.sum([~np.isnan(array) for array in arrays], axis=0)
    mean: StepArray = (_sum(arrays) / np.maximum(known, 1)).astype(np.float32)
    return mean


def _lean(arrays: Sequence[StepArray], mean: StepArray) -> float | None:
    """How much fuller than the mean of all the most loaded pod was, over all of its time.

    A pod that was there for less than half a day shows chance, not a habit of the router.
    """
    found = []
    for array in arrays:
        known = ~np.isnan(array)
        if known.sum() >= _HALF_A_DAY and mean[known].sum() > 0:
            found.append(float(array[known].sum() / mean[known].sum()))
    return max(1.0, *found) if found else None


def _sum(arrays: Sequence[StepArray]) -> StepArray:
    stacked = np.stack(arrays)
    total: StepArray = np.nansum(stacked, axis=0, dtype=np.float32)
    total[np.isnan(stacked).all(axis=0)] = np.nan
    return total
