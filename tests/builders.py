"""Facts and figures with sensible defaults, so that a test says only what it is about.

``now`` is Monday, 2026-11-23 00:00 UTC; the window is the week before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from analyzer.advice import Confidence, Recommendation, Saving
from analyzer.analysis import (
    Analysis,
    Distribution,
    PoolUse,
    PriceUsed,
    ServingFigures,
    Totals,
    Verdict,
    VerdictName,
    WorkloadUse,
)
from analyzer.model import (
    GpuUse,
    NodeClass,
    Notice,
    Pool,
    Serving,
    Snapshot,
    StepArray,
    Window,
    Workload,
    WorkloadKey,
)

NOW = datetime(2026, 11, 23, tzinfo=UTC)
H100 = "H100 SXM 80GB"
Steps = float | Sequence[float] | StepArray


def window(hours: float = 168, end: datetime = NOW) -> Window:
    return Window(end - timedelta(hours=hours), end)


def steps(value: Steps, span: Window) -> StepArray:
    """``value`` in every step, or the given values."""
    if isinstance(value, int | float):
        return np.full(span.steps, value, dtype=np.float32)
    array = np.asarray(value, dtype=np.float32)
    assert array.shape == (span.steps,), f"{array.shape} values for {span.steps} steps"
    return array


def key(
    name: str = "chat-70b",
    namespace: str = "inference",
    kind: str = "Deployment",
    cluster: str = "main",
) -> WorkloadKey:
    return WorkloadKey(cluster, namespace, kind, name)


def workload(name: str = "chat-70b", **changes: Any) -> Workload:
    """A workload; ``namespace``, ``kind`` and ``cluster`` may be given beside its own fields."""
    where = {k: changes.pop(k) for k in ("namespace", "kind", "cluster") if k in changes}
    fields: dict[str, Any] = {"replicas": 2, "ready": 2, "gpus_per_replica": 4.0, "exists": True}
    return Workload(key(name, **where), **(fields | changes))


def node_class(gpu_model: str = H100, **changes: Any) -> NodeClass:
    return replace(NodeClass(gpu_model), **changes)


def gpu_use(
    of: WorkloadKey | None = None,
    *,
    allocated: Steps = 8.0,
    observed: Steps | None = None,
    work: Steps = 4.0,
    node: NodeClass | None = None,
    span: Window | None = None,
) -> GpuUse:
    """Eight GPUs, all measured, half busy."""
    span = span or window()
    held = steps(allocated, span)
    return GpuUse(
        of or key(),
        node or node_class(),
        held,
        held if observed is None else steps(observed, span),
        steps(work, span),
    )


def pool(
    *,
    present: Steps = 16.0,
    allocated: Steps = 8.0,
    node: NodeClass | None = None,
    cluster: str = "main",
    span: Window | None = None,
) -> Pool:
    span = span or window()
    return Pool(cluster, node or node_class(), steps(present, span), steps(allocated, span))


def serving(
    of: WorkloadKey | None = None,
    *,
    model: str = "llama-70b",
    running: Steps = 4.0,
    waiting: Steps = 0.0,
    waiting_peak: Steps | None = None,
    kv_cache: Steps = 0.3,
    span: Window | None = None,
    **totals: float | None,
) -> Serving:
    """A server with no queue; ``totals`` are ``requests``, ``prompt_tokens`` and so on."""
    span = span or window()
    queue = steps(waiting, span)
    return Serving(
        of or key(),
        model,
        steps(running, span),
        queue,
        queue if waiting_peak is None else steps(waiting_peak, span),
        steps(kv_cache, span),
        (~np.isnan(steps(running, span)) & ~np.isnan(queue)).astype(np.float32),
        **totals,
    )


def snapshot(span: Window | None = None, **changes: Any) -> Snapshot:
    span = span or window()
    fields: dict[str, Any] = {"taken_at": span.end, "window": span, "clusters": ("main",)}
    return Snapshot(**(fields | changes))


def verdict(name: VerdictName = "underused", reason: str = "", code: str = "") -> Verdict:
    return Verdict(name, code or name, reason or f"The figures say {name}.")


def distribution(
    mean: float = 0.31, p50: float = 0.28, p95: float = 0.78, top: float = 0.94
) -> Distribution:
    return Distribution(mean, p50, p95, top)


def serving_figures(**changes: Any) -> ServingFigures:
    """A week of a chat model, everything counted."""
    fields: dict[str, Any] = {
        "coverage": 0.99,
        "requests": 1_250_000.0,
        "prompt_tokens": 900_000_000.0,
        "generation_tokens": 300_000_000.0,
        "running_p95": 12.0,
        "waiting_p95": 0.0,
        "queue_share": 0.0,
        "kv_cache_p95": 0.41,
        "ttft_p95_s": 0.35,
        "itl_p95_s": 0.042,
        "preemptions": 0.0,
        "usd_per_million_tokens": 7.7056,
    }
    return ServingFigures(**(fields | changes))


def workload_use(name: str = "chat-70b", **changes: Any) -> WorkloadUse:
    """Production on eight H100s for a week: 1,344 GPU-hours, 31 % busy, $6.88 a GPU-hour.

    ``namespace``, ``kind``, ``cluster``, ``replicas``, ``gpus_per_replica``, ``exists``,
    ``annotations`` and ``shared`` go to its workload.
    """
    own = ("namespace", "kind", "cluster", "replicas", "gpus_per_replica", "exists")
    own += ("annotations", "shared")
    of = {k: changes.pop(k) for k in own if k in changes}
    fields: dict[str, Any] = {
        "workload": workload(name, **of),
        "environment": "production",
        "environment_reason": "label environment=production",
        "model": "llama-70b",
        "team": "search",
        "gpu_model": H100,
        "gpu_hours": 1344.0,
        "observed_gpu_hours": 1330.56,
        "coverage": 0.99,
        "history_hours": 168.0,
        "cost_usd": 9246.72,
        "idle_cost_usd": 6380.2368,
        "utilisation": distribution(),
        "serving": None,
        "verdict": verdict(),
    }
    return WorkloadUse(**(fields | changes))


def recommendation(**changes: Any) -> Recommendation:
    """Four replicas of four H100s instead of eight: 4 × 4 × 168 = 2,688 GPU-hours a week, at $6.88
    for 730 ÷ 168 weeks $80,358.40 a month, all of it on two nodes that can leave."""
    fields: dict[str, Any] = {
        "action": "reduce-replicas",
        "before": 8,
        "after": 4,
        "reason": "Four replicas would have served the load.",
        "saving": Saving(2688.0, 80358.4, 80358.4, 2),
        "confidence": Confidence("high", ("168 h of load were replayed",)),
        "plan": True,
    }
    return Recommendation(**(fields | changes))


def unknown_use(name: str = "new-model", **changes: Any) -> WorkloadUse:
    """Eight H100s of which nothing was measured."""
    fields: dict[str, Any] = {
        "observed_gpu_hours": 0.0,
        "coverage": 0.0,
        "idle_cost_usd": None,
        "utilisation": None,
        "verdict": verdict("unknown", "No GPU metric carries its name.", "no-metrics"),
    }
    return workload_use(name, **(fields | changes))


def pool_use(
    *,
    cluster: str = "main",
    node: NodeClass | None = None,
    present: float = 2688.0,
    unallocated: float = 1344.0,
    cost: float | None = 9246.72,
) -> PoolUse:
    return PoolUse(cluster, node or node_class(), present, unallocated, cost)


def price_used(gpu_model: str = H100, usd: float = 6.88, **changes: Any) -> PriceUsed:
    fields: dict[str, Any] = {
        "instance_type": "",
        "spot": False,
        "as_of": date(2026, 9, 6),
        "source": "AWS on-demand",
    }
    return PriceUsed(gpu_model, usd_per_gpu_hour=usd, **(fields | changes))


def notice(message: str = "Some results were partial.", **changes: Any) -> Notice:
    fields: dict[str, Any] = {"cluster": "main", "code": "partial", "message": message}
    return Notice(**(fields | changes))


def totals(**changes: Any) -> Totals:
    """Those of one ``workload_use()`` and no pool."""
    fields: dict[str, Any] = {
        "gpu_hours": 1344.0,
        "cost_usd": 9246.72,
        "idle_cost_usd": 6380.2368,
        "unpriced_gpu_hours": 0.0,
        "unallocated_gpu_hours": None,
        "unallocated_cost_usd": None,
        "coverage": 0.99,
    }
    return Totals(**(fields | changes))


def analysis(*workloads: WorkloadUse, **changes: Any) -> Analysis:
    """The given workloads, or one ``workload_use()``, with its totals; give ``totals`` and
    ``workloads=()`` where they matter."""
    fields: dict[str, Any] = {
        "generated_at": NOW + timedelta(minutes=2),
        "window": window(),
        "timezone": "UTC",
        "clusters": ("main",),
        "workloads": workloads or (workload_use(),),
        "pools": (),
        "totals": totals(),
        "prices": (price_used(),),
        "notices": (),
        "failed": {},
    }
    return Analysis(**(fields | changes))
