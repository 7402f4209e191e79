"""Small facts and raw series made by hand: one hour, twelve steps, unless said otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from analyzer.collect.facts import CapacityReading, DeviceReading, NodeFact, RequestReading
from analyzer.collect.simulate import MemoryStore, RawSeries
from analyzer.model import StepArray, Window

END = datetime(2026, 11, 23, tzinfo=UTC)
HOUR = Window(END - timedelta(hours=1), END)
A100 = "NVIDIA A100-SXM4-80GB"


def row(value: Any = 0.0, span: Window = HOUR) -> StepArray:
    """``value`` in every step, or the given values."""
    return np.broadcast_to(np.asarray(value, dtype=np.float32), (span.steps,)).copy()


def upto(step: int, value: float = 1.0, rest: float = 0.0) -> StepArray:
    """``value`` in the steps before ``step``, ``rest`` in those after."""
    made = row(rest)
    made[:step] = value
    return made


def device(uuid: str = "gpu0", **changes: Any) -> DeviceReading:
    """A whole A100 on node n1, busy half the time, ten samples a step, that names no pod."""
    fields: dict[str, Any] = {
        "exporter": "dcgm-exporter",
        "uuid": uuid,
        "mig_id": "",
        "mig_profile": "",
        "gpu_model": A100,
        "hosts": ("n1",),
        "pods": (),
        "names_pods": True,
        "mean": row(0.5),
        "samples": row(10),
    }
    return DeviceReading(**(fields | changes))


def request(pod: str = "a", **changes: Any) -> RequestReading:
    """One GPU on n1 all hour, five samples a step."""
    fields: dict[str, Any] = {
        "namespace": "ml",
        "pod": pod,
        "uid": f"uid-{pod}",
        "container": "main",
        "node": "n1",
        "resource": "nvidia_com_gpu",
        "count": 1.0,
        "samples": row(5),
    }
    return RequestReading(**(fields | changes))


def capacity(count: float = 8.0, **changes: Any) -> CapacityReading:
    fields: dict[str, Any] = {
        "node": "n1",
        "resource": "nvidia_com_gpu",
        "count": count,
        "samples": row(5),
    }
    return CapacityReading(**(fields | changes))


def node(name: str = "n1", **labels: str) -> NodeFact:
    """A node with these labels, spelt as in metrics (``nvidia_com_gpu_product``)."""
    return NodeFact(name, labels)


def raw(
    name: str,
    labels: Mapping[str, str],
    value: float | Callable[[float], float] = 1.0,
    *,
    every_s: float = 60,
    minutes: tuple[float, float] = (0, 60),
) -> RawSeries:
    """A series sampled over ``(minutes[0], minutes[1]]`` of the hour; a callable is given the
    seconds since the hour's start."""
    at = np.arange(minutes[0] * 60 + every_s, minutes[1] * 60 + 1e-6, every_s)
    values = [value(second) if callable(value) else value for second in at]
    return RawSeries(name, labels, at + HOUR.start.timestamp(), np.array(values, dtype=float))


def store(*series: RawSeries) -> MemoryStore:
    return MemoryStore(series, "main")
