"""One workload's inference figures from those of its pods."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from analyzer.collect.capacity import smallest
from analyzer.collect.facts import ServingReading
from analyzer.collect.serving import quantile
from analyzer.model import Serving, StepArray, WorkloadKey

ONE_SERVER_A_POD = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "Rollout", "Pod"})
"""Kinds whose every pod is a replica with an inference server of its own; in the groups of others
(LeaderWorkerSet, RayCluster) the leader alone speaks."""


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
        speaking=speaking.astype(np.float32),
        finished=_sum([r.finished for r in readings]),
        prompted=_sum([r.prompted for r in readings]),
        generated=_sum([r.generated for r in readings]),
        cache=smallest(r.cache for r in readings),
    )


def _sum(arrays: Sequence[StepArray]) -> StepArray:
    stacked = np.stack(arrays)
    total: StepArray = np.nansum(stacked, axis=0, dtype=np.float32)
    total[np.isnan(stacked).all(axis=0)] = np.nan
    return total
