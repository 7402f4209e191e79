"""From a snapshot to figures: GPU-hours, use, coverage, cost, and a verdict each.

Use is GPU-seconds of work over GPU-seconds observed, never an average of averages, so that a
five-minute pod does not weigh like a seven-day one. What was not observed is neither used nor
idle: it is missing, and the coverage says how much.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from analyzer.analysis import (
    Analysis,
    Distribution,
    PoolUse,
    PriceUsed,
    ServingFigures,
    WorkloadUse,
)
from analyzer.environment import Rules, classify, find_label
from analyzer.model import (
    STEP_S,
    GpuUse,
    NodeClass,
    Notice,
    Pool,
    Serving,
    Snapshot,
    StepArray,
    Workload,
    WorkloadKey,
)
from analyzer.plausible import plausible
from analyzer.pricing import PriceBook, Quote
from analyzer.totals import totals
from analyzer.verdict import Figures, Thresholds, judge

STEP_H = STEP_S / 3600
"""Hours in a step."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The parts of the configuration that decisions need."""

    environment: Rules
    verdict: Thresholds
    prices: PriceBook
    team_labels: Sequence[str] = ("team",)
    timezone: str = "UTC"


def analyse(snapshot: Snapshot, settings: Settings, now: datetime) -> Analysis:
    """Every workload's and pool's figures. Pure; ``now`` is when the analysis is made."""
    snapshot = plausible(snapshot)
    quotes = _quotes(snapshot, settings.prices)
    use = _by_workload(snapshot.use)
    serving = {one.workload: one for one in snapshot.serving}
    workloads = tuple(
        _workload(workload, use.get(workload.key, []), serving.get(workload.key), quotes, settings)
        for workload in sorted(snapshot.workloads, key=lambda w: w.key)
    )
    pools = tuple(_pool(pool, quotes) for pool in snapshot.pools)
    return Analysis(
        generated_at=now,
        window=snapshot.window,
        timezone=settings.timezone,
        clusters=snapshot.clusters,
        workloads=workloads,
        pools=pools,
        totals=totals(workloads, pools),
        prices=_prices_used(quotes),
        notices=(*snapshot.notices, *_price_notices(snapshot, quotes)),
        failed=snapshot.failed,
        heard_hours=snapshot.heard_hours,
    )


def _by_workload(use: Iterable[GpuUse]) -> dict[WorkloadKey, list[GpuUse]]:
    grouped: dict[WorkloadKey, list[GpuUse]] = defaultdict(list)
    for one in use:
        grouped[one.workload].append(one)
    return grouped


def _quotes(snapshot: Snapshot, prices: PriceBook) -> dict[NodeClass, Quote | None]:
    classes = {u.node_class for u in snapshot.use} | {p.node_class for p in snapshot.pools}
    return {node_class: prices.quote(node_class) for node_class in sorted(classes)}


def _workload(
    workload: Workload,
    use: list[GpuUse],
    serving: Serving | None,
    quotes: dict[NodeClass, Quote | None],
    settings: Settings,
) -> WorkloadUse:
    sign = classify(workload, settings.environment)
    allocated = _sum(u.allocated for u in use)
    observed = _sum(u.observed for u in use)
    work = _sum(u.work for u in use)
    gpu_hours = float(allocated.sum()) * STEP_H
    observed_hours = float(observed.sum()) * STEP_H
    cost = _money(quotes, [(u.node_class, u.allocated) for u in use])
    idle = _money(quotes, [(u.node_class, u.observed - u.work) for u in use])
    utilisation = _distribution(observed, work)
    figures = Figures(
        gpu_hours=gpu_hours,
        coverage=min(1.0, observed_hours / gpu_hours) if gpu_hours > 0 and use else None,
        history_hours=_held_hours(allocated),
        utilisation=utilisation,
        serving=_serving(serving, allocated, cost),
        shared=workload.shared,
    )
    return WorkloadUse(
        workload=workload,
        environment=sign.environment,
        environment_reason=sign.reason,
        model=(serving.model or None) if serving else None,
        team=_team(workload, settings.team_labels),
        gpu_model=_main_gpu(use),
        gpu_hours=gpu_hours,
        observed_gpu_hours=observed_hours,
        coverage=figures.coverage,
        history_hours=figures.history_hours,
        cost_usd=cost,
        idle_cost_usd=idle if utilisation is not None and cost is not None else None,
        utilisation=utilisation,
        serving=figures.serving,
        verdict=judge(figures, settings.verdict),
        spot_share=_spot_share(use),
    )


def _sum(arrays: Iterable[StepArray]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    total: np.ndarray[tuple[int], np.dtype[np.float64]] = np.zeros(0)
    for array in arrays:
        total = array.astype(np.float64) if not total.size else total + array
    return total


def _distribution(
    observed: np.ndarray[tuple[int], np.dtype[np.float64]],
    work: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> Distribution | None:
    seen = observed > 0
    if not seen.any():
        return None
    ratio = np.clip(work[seen] / observed[seen], 0.0, 1.0)
    mean = float(work.sum() / observed.sum())
    p50, p95 = (float(q) for q in np.quantile(ratio, (0.5, 0.95)))
    return Distribution(min(1.0, max(0.0, mean)), p50, p95, float(ratio.max()))


def _held_hours(allocated: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """Hours in which it held any GPU; pauses in between are no history."""
    return float((allocated > 0).sum()) * STEP_H


def _money(
    quotes: dict[NodeClass, Quote | None], hours: list[tuple[NodeClass, StepArray]]
) -> float | None:
    """Dollars of these GPU-steps; None when any of them has no price, for a part is not a sum."""
    total = 0.0
    for node_class, gpus in hours:
        gpu_hours = float(gpus.sum(dtype=np.float64)) * STEP_H
        quote = quotes[node_class]
        if quote is None:
            if gpu_hours > 0:
                return None
            continue
        total += gpu_hours * quote.price.usd_per_gpu_hour
    return total if hours else None


def _serving(
    serving: Serving | None,
    allocated: np.ndarray[tuple[int], np.dtype[np.float64]],
    cost: float | None,
) -> ServingFigures | None:
    if serving is None:
        return None
    held = allocated > 0 if allocated.size else np.ones(serving.running.size, dtype=bool)
    peak = serving.waiting_peak[~np.isnan(serving.waiting_peak)]
    tokens = [t for t in (serving.prompt_tokens, serving.generation_tokens) if t is not None]
    millions = sum(tokens) / 1e6
    return ServingFigures(
        coverage=min(1.0, float(serving.heard[held].sum()) / float(max(1, held.sum()))),
        requests=serving.requests,
        prompt_tokens=serving.prompt_tokens,
        generation_tokens=serving.generation_tokens,
        running_p95=_p95(serving.running),
        waiting_p95=_p95(serving.waiting),
        queue_share=float((peak >= 1).mean()) if peak.size else None,
        kv_cache_p95=_p95(serving.kv_cache),
        ttft_p95_s=serving.ttft_p95_s,
        itl_p95_s=serving.itl_p95_s,
        preemptions=serving.preemptions,
        usd_per_million_tokens=cost / millions if cost is not None and millions > 0 else None,
    )


def _p95(values: StepArray) -> float | None:
    known = values[~np.isnan(values)].astype(np.float64)
    return float(np.quantile(known, 0.95)) if known.size else None


def _team(workload: Workload, keys: Sequence[str]) -> str | None:
    for labels in (workload.labels, workload.pod_labels, workload.namespace_labels):
        for key in keys:
            value = find_label(labels, key)
            if value:
                return value
    return None


def _spot_share(use: list[GpuUse]) -> float | None:
    hours = dict.fromkeys((False, True), 0.0)
    for one in use:
        hours[one.node_class.spot] += float(one.allocated.sum(dtype=np.float64))
    total = hours[False] + hours[True]
    return hours[True] / total if total > 0 else None


def _main_gpu(use: list[GpuUse]) -> str | None:
    """The GPU model that most of its GPU-hours ran on."""
    hours: dict[str, float] = defaultdict(float)
    for one in use:
        hours[one.node_class.gpu_model] += float(one.allocated.sum(dtype=np.float64))
    return max(sorted(hours), key=lambda model: hours[model]) or None if hours else None


def _pool(pool: Pool, quotes: dict[NodeClass, Quote | None]) -> PoolUse:
    free = np.clip(pool.present - pool.allocated, 0, None)
    free_hours = float(np.nansum(free, dtype=np.float64)) * STEP_H
    quote = quotes[pool.node_class]
    return PoolUse(
        cluster=pool.cluster,
        node_class=pool.node_class,
        present_gpu_hours=float(np.nansum(pool.present, dtype=np.float64)) * STEP_H,
        unallocated_gpu_hours=free_hours,
        unallocated_cost_usd=free_hours * quote.price.usd_per_gpu_hour if quote else None,
    )


def _prices_used(quotes: dict[NodeClass, Quote | None]) -> tuple[PriceUsed, ...]:
    used = {
        PriceUsed(
            gpu_model=node_class.gpu_model,
            instance_type=node_class.instance_type,
            spot=node_class.spot,
            usd_per_gpu_hour=quote.price.usd_per_gpu_hour,
            as_of=quote.price.as_of,
            source=quote.price.source,
        )
        for node_class, quote in quotes.items()
        if quote is not None
    }
    return tuple(sorted(used, key=lambda p: (p.gpu_model, p.instance_type, p.spot, p.source)))


def _price_notices(snapshot: Snapshot, quotes: dict[NodeClass, Quote | None]) -> list[Notice]:
    notices = set()
    holders = [(u.workload.cluster, u.node_class) for u in snapshot.use]
    holders += [(p.cluster, p.node_class) for p in snapshot.pools]
    for cluster, node_class in holders:
        quote = quotes[node_class]
        model = node_class.gpu_model or "a GPU of unknown model"
        if quote is None:
            message = f"no price for {model}: add one under [[pricing.prices]]"
            notices.add((cluster, "no-price", message, model))
        elif quote.note:
            notices.add((cluster, "price", quote.note, model))
    return [Notice(*notice) for notice in sorted(notices)]
