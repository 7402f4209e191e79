"""Cases by hand: a week of one development workload on one A100 80GB, unless told otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np

from analyzer.model import Cache, GpuUse, NodeClass, Serving, StepArray, Window
from analyzer.pricing import Price, PriceBook, PriceRule
from analyzer.sizing.case import STEP_H, Case
from analyzer.sizing.memory import Setup, Shape
from analyzer.sizing.models import Known, Unknown
from tests import builders
from tests.builders import Steps, distribution, gpu_use, serving_figures, verdict, workload_use

A100 = NodeClass("A100 80GB")
L40S = NodeClass("L40S")
UNPRICED = NodeClass("Prototype 9000")
SMALL = Shape(3e9, 32, 8, 128)
"""Three billion parameters: 5.588 GiB in 16 bit; a token takes 128 KiB."""


def known(name: str = "small", longest: float | None = 8192, shape: Shape = SMALL) -> Known:
    return Known(name, shape, Setup(), "config.json", longest)


def book(on_demand: float, spot: float | None = None) -> PriceBook:
    """One price for every GPU."""
    day = date(2026, 11, 1)
    of_spot = None if spot is None else Price(spot, "list of spot", day)
    return PriceBook((PriceRule(Price(on_demand, "contract", day), of_spot),))


def served(name: str = "chat", span: Window | None = None, **changes: Any) -> Serving:
    """A server that was heard all the time and had nothing to do: no request, no token."""
    changes = {k: v for k, v in changes.items() if v is not None}
    arrays = {k: changes.pop(k) for k in ("finished", "generated", "heard") if k in changes}
    fields: dict[str, Any] = {"running": 0.0, "kv_cache": 0.0, "requests": 0.0}
    cache = changes.pop("cache", Cache(tokens=100_000))
    lean = changes.pop("lean", None)
    made = builders.serving(builders.key(name), span=span, **(fields | changes))
    told = {k: builders.steps(v, span or builders.window()) for k, v in arrays.items()}
    return replace(made, cache=cache, lean=lean, **told)


def case(
    name: str = "chat",
    *,
    allocated: Steps = 1.0,
    observed: Steps | None = None,
    work: Steps = 0.0,
    node: NodeClass = A100,
    span: Window | None = None,
    use: tuple[GpuUse, ...] | None = None,
    serving: Serving | None = None,
    **changes: Any,
) -> Case:
    """``prices``, ``model``, ``floor`` and ``sleeps`` go to the case, the rest to its figures."""
    span = span or builders.window()
    kind = {k: changes[k] for k in ("kind", "namespace", "cluster") if k in changes}
    key = builders.key(name, **kind)
    made = use or (
        gpu_use(key, allocated=allocated, observed=observed, work=work, node=node, span=span),
    )
    own = {k: changes.pop(k) for k in ("prices", "model", "floor", "sleeps") if k in changes}
    held, seen = (_sum([getattr(u, of) for u in made]) for of in ("allocated", "observed"))
    hours = float(np.nansum(held)) * STEP_H
    figures: dict[str, Any] = {
        "environment": "development",
        "replicas": 1,
        "gpus_per_replica": 1.0,
        "gpu_model": node.gpu_model,
        "gpu_hours": hours,
        "observed_gpu_hours": float(np.nansum(seen)) * STEP_H,
        "coverage": min(1.0, float(np.nansum(seen)) * STEP_H / hours) if hours else None,
        "utilisation": distribution(0.001, 0.0, 0.002, 0.004),
        "verdict": verdict("underused"),
    }
    if serving is not None:
        heard = float(np.nan_to_num(serving.heard).mean())
        figures["serving"] = serving_figures(coverage=heard, requests=serving.requests)
    fields: dict[str, Any] = {
        "prices": PriceBook(),
        "model": Unknown("no inference server told which model it runs"),
    }
    return Case(
        figures=workload_use(name, **(figures | changes)),
        use=made,
        serving=serving,
        window=span,
        **(fields | own),
    )


def small(name: str, kv: Any = 0.1, lean: float | None = None, **changes: Any) -> Case:
    """3 billion parameters: 5.588 + 1 GiB; 100,000 tokens of 128 KiB make 12.207 GiB, of which
    10 % with a fifth more are 1.465, so that it needs 8.053 GiB."""
    span = changes.get("span")
    server = served(name, span, kv_cache=kv, running=1.0, requests=None, lean=lean)
    if "tokens" in changes:
        server = replace(server, cache=Cache(tokens=changes.pop("tokens")))
    fields: dict[str, Any] = {"node": L40S, "work": 0.2, "model": known(), "serving": server}
    return case(name, **(fields | changes))


def _sum(arrays: list[StepArray]) -> StepArray:
    total: StepArray = np.sum(arrays, axis=0)
    return total
