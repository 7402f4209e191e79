"""Figures that cannot be are missing, not zero and not a number.

Readers hand over sound arrays, but a recording may come from anywhere. One NaN or infinity in a
sum would spoil every total, so it is taken out before anything is added up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from analyzer.model import (
    Cache,
    GpuUse,
    Pool,
    Serving,
    Snapshot,
    StepArray,
    Workload,
    WorkloadKey,
)

_MOST = 1e30
"""More than anything that is counted or timed; what is larger would overflow in a product."""


def plausible(snapshot: Snapshot) -> Snapshot:
    """The snapshot with ``0 <= work <= observed <= allocated``, all finite; elsewhere what is
    infinite or negative becomes NaN, or None. Of two workloads with one key the first stands."""
    return replace(
        snapshot,
        workloads=_workloads(snapshot.workloads),
        use=tuple(_use(one) for one in snapshot.use),
        pools=tuple(_pool(one) for one in snapshot.pools),
        serving=tuple(_serving(one) for one in snapshot.serving),
    )


def _workloads(workloads: Iterable[Workload]) -> tuple[Workload, ...]:
    found: dict[WorkloadKey, Workload] = {}
    for one in workloads:
        if one.key not in found:
            found[one.key] = _workload(one)
    return tuple(found.values())


def _workload(workload: Workload) -> Workload:
    replicas, gpus = workload.replicas, _number(workload.gpus_per_replica)
    if replicas is not None and replicas < 0:
        replicas = None
    if (replicas, gpus) == (workload.replicas, workload.gpus_per_replica):
        return workload
    return replace(workload, replicas=replicas, gpus_per_replica=gpus)


def _use(use: GpuUse) -> GpuUse:
    allocated, observed, work = use.allocated, use.observed, use.work
    # False for NaN anywhere; the last keeps infinity out of all three.
    sound = (work >= 0) & (work <= observed) & (observed <= allocated) & (allocated < np.inf)
    if sound.all():
        return use
    allocated = np.nan_to_num(_known(allocated))
    seen = np.minimum(_known(observed), allocated)
    # Without its work, a step was not observed.
    seen = np.where(np.isnan(_known(work)), np.float32(0), np.nan_to_num(seen))
    return replace(
        use,
        allocated=allocated,
        observed=seen,
        work=np.minimum(np.nan_to_num(_known(work)), seen),
    )


def _pool(pool: Pool) -> Pool:
    return replace(
        pool,
        present=_known(pool.present),
        allocated=_known(pool.allocated),
        nodes=None if pool.nodes is None else _known(pool.nodes),
    )


def _serving(serving: Serving) -> Serving:
    return replace(
        serving,
        heard=_share(serving.heard),
        running=_known(serving.running),
        waiting=_known(serving.waiting),
        waiting_peak=_known(serving.waiting_peak),
        kv_cache=_part(serving.kv_cache),
        requests=_number(serving.requests),
        prompt_tokens=_number(serving.prompt_tokens),
        generation_tokens=_number(serving.generation_tokens),
        preemptions=_number(serving.preemptions),
        ttft_p95_s=_number(serving.ttft_p95_s),
        itl_p95_s=_number(serving.itl_p95_s),
        kv_peak=None if serving.kv_peak is None else _part(serving.kv_peak),
        kv_mean=None if serving.kv_mean is None else _part(serving.kv_mean),
        lean=_number(serving.lean),
        speaking=_read(serving.speaking),
        finished=_read(serving.finished),
        prompted=_read(serving.prompted),
        generated=_read(serving.generated),
        cache=_cache(serving.cache),
    )


def _known(values: StepArray) -> StepArray:
    bad = np.isinf(values) | (values < 0)
    return np.where(bad, np.float32(np.nan), values) if bad.any() else values


def _part(values: StepArray) -> StepArray:
    """Of something that can be no more than full."""
    known = _known(values)
    return np.minimum(known, np.float32(1)) if (known > 1).any() else known


def _share(values: StepArray) -> StepArray:
    """0-1, and 0 where it is not known."""
    sound = (values >= 0) & (values <= 1)
    return values if sound.all() else np.clip(np.nan_to_num(values), 0, 1)


def _read(values: StepArray | None) -> StepArray | None:
    return None if values is None else _known(values)


def _cache(cache: Cache) -> Cache:
    """A size or a share of nothing is none."""
    share = _number(cache.memory_share) or None
    return replace(
        cache,
        tokens=_number(cache.tokens) or None,
        memory_share=share if share is not None and share <= 1 else None,
    )


def _number(value: float | None) -> float | None:
    # NaN, for which every comparison is false, is none either.
    return value if value is not None and 0 <= value <= _MOST else None
