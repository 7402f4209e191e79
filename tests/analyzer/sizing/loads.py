"""Workloads whose load is given: constant, by the step, or as a run of the queueing simulation."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np

from analyzer.model import GpuUse, Serving
from analyzer.pricing import PriceBook
from analyzer.sizing.case import Case, Floor
from analyzer.sizing.models import Unknown
from tests import builders
from tests.analyzer.sizing.queueing import Run

A100 = "A100 80GB"


def served(span: Any = None, replicas: int = 4, **changes: Any) -> Serving:
    """A week on which nothing waits: each replica's cache 30 % full, at most 40 %."""
    span = span or builders.window()
    steps = {
        "running": 40.0,
        "waiting": 0.0,
        "kv_cache": 0.3,
        "kv_peak": 0.4,
        "kv_mean": 0.3,
        "speaking": float(replicas),
        "finished": 600.0,
        "generated": 180_000.0,
    } | {name: changes.pop(name) for name in list(changes) if name in _STEPS}
    steps.setdefault("waiting_peak", steps["waiting"])
    heard = changes.pop("heard", 1.0)
    arrays = {
        name: None if value is None else builders.steps(value, span)
        for name, value in steps.items()
    }
    fields: dict[str, Any] = {"lean": 1.0, "itl_p95_s": 0.04, "preemptions": 0.0}
    return Serving(
        builders.key(),
        "llama-8b",
        heard=builders.steps(heard, span),
        **arrays,
        **(fields | changes),
    )


_STEPS = frozenset(
    {
        "running",
        "waiting",
        "waiting_peak",
        "kv_cache",
        "kv_peak",
        "kv_mean",
        "speaking",
        "finished",
        "generated",
    }
)


def case(
    serving: Serving | None = None,
    *,
    replicas: int | None = 4,
    per_replica: float = 1.0,
    use: list[GpuUse] | None = None,
    hours: float = 168.0,
    **changes: Any,
) -> Case:
    """Replicas on A100s at $3.43, half busy. ``use`` and ``serving`` span ``hours``."""
    span = builders.window(hours)
    gpus = (replicas or 0) * per_replica
    held = use or [
        builders.gpu_use(allocated=gpus, work=gpus / 2, node=builders.node_class(A100), span=span)
    ]
    allocated = sum(float(u.allocated.sum()) for u in held) / 12
    figures = builders.workload_use(
        replicas=replicas,
        gpus_per_replica=per_replica,
        gpu_model=A100,
        gpu_hours=allocated,
        cost_usd=allocated * 3.43,
        coverage=changes.pop("coverage", 0.99),
        history_hours=hours,
        **{k: changes.pop(k) for k in list(changes) if k in ("verdict", "environment")},
    )
    fields: dict[str, Any] = {
        "figures": figures,
        "use": tuple(held),
        "serving": serving,
        "window": span,
        "prices": PriceBook(),
        "model": Unknown("nothing is known of it"),
        "floor": Floor(0.9, timedelta(hours=min(168.0, hours))),
    }
    return Case(**(fields | changes))


def of_run(run: Run, replicas: int) -> Case:
    """The case that the metrics of a run make. The simulation tells nothing of GPU work: it is
    taken to follow the caches."""
    span = builders.window(run.kv.size / 12)
    serving = served(
        span,
        replicas,
        running=run.running,
        waiting=run.waiting,
        waiting_peak=run.queue,
        kv_cache=run.kv,
        kv_peak=run.kv_peak,
        kv_mean=run.kv_mean,
        finished=run.finished,
        generated=run.generated,
        lean=run.lean,
        itl_p95_s=None,
    )
    use = builders.gpu_use(
        allocated=float(replicas),
        work=np.minimum(run.kv_mean, 1.0) * replicas,
        node=builders.node_class(A100),
        span=span,
    )
    return case(serving, replicas=replicas, use=[use], hours=run.kv.size / 12)
