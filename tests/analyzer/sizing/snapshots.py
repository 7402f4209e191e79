"""Snapshots in which anything may be wrong, of workloads that advice has something to say of."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from analyzer.analysis import Analysis
from analyzer.config import Config
from analyzer.model import (
    Cache,
    GpuUse,
    Node,
    NodeClass,
    Placed,
    Serving,
    Snapshot,
    StepArray,
    Workload,
    WorkloadKey,
)
from analyzer.pricing import Price, PriceBook, PriceRule
from analyzer.sizing.advise import Sizing, advised
from analyzer.usage import Settings, analyse
from tests import builders

SPAN = builders.window()
LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
ODD = (np.nan, np.inf, -np.inf, -1.0, 0.0, 1e-45, 0.1, 0.9, 1.0, 3.0, 1e9, 3.4e38)


def decided(snapshot: Snapshot, settings: Sizing | None = None) -> Analysis:
    """Analysed and advised."""
    settings, config = settings or Sizing(), Config()
    facts = Settings(config.environment, config.verdict, settings.prices)
    return advised(snapshot, analyse(snapshot, facts, builders.NOW), settings)


def book(on_demand: float, spot: float | None = None) -> PriceBook:
    """One price for every GPU, whatever it is."""
    day = date(2026, 11, 1)
    other = None if spot is None else Price(spot, "list", day)
    return PriceBook((PriceRule(Price(on_demand, "contract", day), other),))


def flat(value: float) -> StepArray:
    return builders.steps(value, SPAN)


def office() -> StepArray:
    """1 on weekdays from 8 to 18 o'clock, else 0."""
    hour = np.arange(SPAN.steps) / 12
    return ((hour % 24 >= 8) & (hour % 24 < 18) & (hour < 120)).astype(np.float32)


def made(
    key: WorkloadKey,
    level: float,
    *,
    replicas: int = 4,
    course: StepArray | None = None,
    node: NodeClass | None = None,
    **changes: Any,
) -> tuple[Workload, GpuUse, Serving]:
    """A server whose replicas, each with one GPU, are ``level`` (0-1) full, as ``course`` goes."""
    load = flat(level) if course is None else (level * course).astype(np.float32)
    held = flat(float(replicas))
    use = GpuUse(key, node or NodeClass("A100 80GB"), held, held, load * held)
    fields: dict[str, Any] = {
        "running": 20 * load * replicas,
        "waiting": flat(0.0),
        "waiting_peak": flat(0.0),
        "kv_cache": load,
        "kv_peak": load,
        "kv_mean": load,
        "heard": flat(1.0),
        "speaking": held,
        "finished": 30 * load * replicas,
        "prompted": 9000 * load * replicas,
        "generated": 3000 * load * replicas,
        "requests": float(30 * load.sum(dtype=np.float64) * replicas),
        "preemptions": 0.0,
        "itl_p95_s": 0.04,
        "lean": 1.0,
        "cache": Cache(100_000.0, 0.9),
    }
    told = Serving(key, LLAMA, **(fields | changes))
    workload = Workload(key, replicas=replicas, ready=replicas, gpus_per_replica=1.0, exists=True)
    return workload, use, told


def snapshot(*parts: tuple[Workload, GpuUse, Serving], **changes: Any) -> Snapshot:
    fields: dict[str, Any] = {
        "workloads": tuple(part[0] for part in parts),
        "use": tuple(part[1] for part in parts),
        "serving": tuple(part[2] for part in parts),
    }
    return builders.snapshot(SPAN, **(fields | changes))


ANYTHING = st.floats(width=32) | st.sampled_from(ODD)


@st.composite
def spoilt(draw: st.DrawFn, series: StepArray) -> StepArray:
    """A course of which a part is anything, or all of it."""
    if draw(st.integers(0, 3)) == 0:
        return draw(arrays(np.float32, SPAN.steps, elements=ANYTHING, fill=st.sampled_from(ODD)))
    found = series.copy()
    at, every = draw(st.integers(0, SPAN.steps - 1)), draw(st.sampled_from((1, 1, 7, 300)))
    found[at : at + draw(st.sampled_from((1, 5, 500))) : every] = draw(ANYTHING)
    return found


KEYS = st.builds(
    WorkloadKey,
    st.sampled_from(("main", "main", "other")),
    st.sampled_from(("development", "staging", "production")),
    st.sampled_from(("Deployment", "Deployment", "StatefulSet", "Job")),
    st.sampled_from(("a", "b", "c", "d")),
)
WRONG: dict[str, Any] = {
    "replicas": st.sampled_from((None, 0, -1, 1, 3, 10**6, 2**31 - 1)),
    "gpus_per_replica": st.sampled_from((None, 0.0, 0.5, 2.0, -1.0, np.nan, np.inf, 1e300)),
    "exists": st.sampled_from((None, False)),
    "shared": st.just(True),
    "server": st.sampled_from(({"max-num-seqs": "8"}, {"max-model-len": "0"}, {"dtype": "?"})),
}
TOTALS = st.none() | st.floats() | st.sampled_from((0.0, 0.04, 1.0, 5e3, 1e300))


@st.composite
def facts(draw: st.DrawFn) -> tuple[Workload, GpuUse, Serving]:
    """A workload of which up to four figures are wrong."""
    course = draw(st.sampled_from((flat(1.0), office(), np.maximum(office(), flat(0.2)))))
    level = draw(st.sampled_from((0.0, 0.02, 0.1, 0.2, 0.5, 0.95)))
    replicas = draw(st.sampled_from((1, 1, 2, 4)))
    node = NodeClass(draw(st.sampled_from(("A100 80GB", "A100 80GB", "L40S", "Prototype 9000"))))
    workload, use, serving = made(draw(KEYS), level, replicas=replicas, course=course, node=node)
    arrays_of = [name for name in SERVING if isinstance(getattr(serving, name), np.ndarray)]
    figures_of = ["requests", "preemptions", "itl_p95_s", "lean", "prompt_tokens", "ttft_p95_s"]
    for name in draw(
        st.lists(st.sampled_from((*WRONG, *USE, *arrays_of, *figures_of)), max_size=4)
    ):
        if name in WRONG:
            workload = replace(workload, **{name: draw(WRONG[name])})
        elif name in USE:
            use = replace(use, **{name: draw(spoilt(getattr(use, name)))})
        elif name in arrays_of:
            known = getattr(serving, name)
            lost = name in OPTIONAL and draw(st.booleans())
            known = None if lost or known is None else draw(spoilt(known))
            serving = replace(serving, **{name: known})
        else:
            serving = replace(serving, **{name: draw(TOTALS)})
    if draw(st.integers(0, 4)) == 0:
        serving = replace(serving, model="", cache=Cache(draw(TOTALS), draw(TOTALS)))
    return workload, use, serving


USE = ("allocated", "observed", "work")
OPTIONAL = frozenset({"kv_peak", "kv_mean", "speaking", "finished", "prompted", "generated"})
SERVING = ("running", "waiting", "waiting_peak", "kv_cache", "heard", *sorted(OPTIONAL))


@st.composite
def nodes(draw: st.DrawFn, name: str) -> Node:
    gpus = draw(st.sampled_from((8.0, 4.0, 2.0, 0.0)))
    room = {"nvidia.com/gpu": gpus, "cpu": 96.0, "pods": 20.0}
    node_class = NodeClass(draw(st.sampled_from(("A100 80GB", "L40S", "Prototype 9000"))))
    return Node(draw(st.sampled_from(("main", "main", "other"))), name, node_class, room, gpus)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Of up to five workloads, some of them there twice, or with use or serving alone."""
    parts = draw(st.lists(facts(), max_size=5))
    there = [draw(nodes(f"n{i}")) for i in range(draw(st.integers(0, 3)))]
    placed = [
        Placed(part[0].key, f"p{i}", draw(st.sampled_from(there)).name, {"nvidia.com/gpu": 1.0})
        for i, part in enumerate(parts * 2)
        if there
    ]
    whole = snapshot(*parts, nodes=tuple(there), placed=tuple(placed))
    return replace(
        whole,
        use=whole.use[draw(st.sampled_from((0, 0, 0, 1))) :],
        serving=whole.serving[draw(st.sampled_from((0, 0, 0, 1))) :],
        clusters=("main", "other"),
        failed=draw(st.sampled_from(({}, {"other": "no answer"}))),
    )


PRICES = st.just(PriceBook()) | st.builds(
    book, st.floats() | st.sampled_from((0.0, 3.43)), st.none() | st.floats()
)
