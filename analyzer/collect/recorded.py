"""Facts in and out of a recording's JSON.

Reading raises ``KeyError``, ``TypeError``, ``ValueError`` or ``AttributeError`` for whatever is
not what was written.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np

from analyzer.model import (
    Cache,
    GpuUse,
    Node,
    NodeClass,
    Placed,
    Pool,
    Requirement,
    Serving,
    StepArray,
    Taint,
    Toleration,
    Window,
    Workload,
    WorkloadKey,
)


def plain(value: Any) -> dict[str, Any]:
    """A dataclass as fields that ``orjson`` can write, which writes dataclasses within them."""
    fields: dict[str, Any] = {}
    for name in value.__dataclass_fields__:
        found = getattr(value, name)
        if isinstance(found, np.ndarray):
            found = base64.b64encode(found.astype("<f4").tobytes()).decode("ascii")
        elif isinstance(found, WorkloadKey | NodeClass | Cache):
            found = asdict(found)
        elif isinstance(found, Mapping):
            found = dict(found)
        fields[name] = found
    return fields


def gpu_use(one: Mapping[str, Any], window: Window) -> GpuUse:
    return GpuUse(
        _key(one["workload"]),
        _node_class(one["node_class"]),
        *(_array(one[name], window) for name in ("allocated", "observed", "work")),
    )


def pool(one: Mapping[str, Any], window: Window) -> Pool:
    nodes = one.get("nodes")  # earlier versions did not count them
    return Pool(
        text(one["cluster"]),
        _node_class(one["node_class"]),
        _array(one["present"], window),
        _array(one["allocated"], window),
        None if nodes is None else _array(nodes, window),
    )


_SERVING_ARRAYS = ("running", "waiting", "waiting_peak", "kv_cache", "heard")
_SERVING_LATER = ("kv_peak", "kv_mean", "speaking", "finished", "prompted", "generated")
"""May be absent: recordings of earlier versions have none of them."""


def serving(one: Mapping[str, Any], window: Window) -> Serving:
    fields = dict(one)
    key, model = _key(fields.pop("workload")), text(fields.pop("model"))
    running, waiting, waiting_peak, kv_cache, heard = (
        _array(fields.pop(name), window) for name in _SERVING_ARRAYS
    )
    later = {name: fields.pop(name, None) for name in _SERVING_LATER}
    rest: dict[str, Any] = {
        name: _array(packed, window) for name, packed in later.items() if packed is not None
    }
    rest["cache"] = _cache(fields.pop("cache", {}))
    rest |= {name: _number(value) for name, value in fields.items()}
    return Serving(key, model, running, waiting, waiting_peak, kv_cache, heard, **rest)


def _cache(one: Mapping[str, Any]) -> Cache:
    kind = one.get("data_type")
    return Cache(
        _number(one.get("tokens")),
        _number(one.get("memory_share")),
        None if kind is None else text(kind),
    )


def workload(one: Mapping[str, Any]) -> Workload:
    return Workload(
        key=_key(one["key"]),
        labels=texts(one["labels"]),
        pod_labels=texts(one["pod_labels"]),
        namespace_labels=texts(one["namespace_labels"]),
        annotations=texts(one["annotations"]),
        replicas=_whole(one["replicas"]),
        ready=_whole(one["ready"]),
        gpus_per_replica=_number(one["gpus_per_replica"]),
        exists=None if one["exists"] is None else _flag(one["exists"]),
        shared=_flag(one["shared"]),
        server=texts(one.get("server", {})),
    )


def _key(one: Mapping[str, Any]) -> WorkloadKey:
    return WorkloadKey(**texts(one))


def _node_class(one: Mapping[str, Any]) -> NodeClass:
    fields = dict(one)
    labels = tuple((text(key), text(value)) for key, value in fields.pop("labels"))
    spot = _flag(fields.pop("spot"))
    named = texts(fields)
    return NodeClass(
        named["gpu_model"], named["instance_type"], named["pool"], spot=spot, labels=labels
    )


def node(one: Mapping[str, Any]) -> Node:
    return Node(
        cluster=text(one["cluster"]),
        name=text(one["name"]),
        node_class=_node_class(one["node_class"]),
        allocatable=numbers(one["allocatable"]),
        gpus=_amount(one["gpus"]),
        labels=texts(one["labels"]),
        taints=tuple(Taint(**texts(taint)) for taint in one["taints"]),
        schedulable=_flag(one["schedulable"]),
    )


def placed(one: Mapping[str, Any]) -> Placed:
    return Placed(
        workload=_key(one["workload"]),
        pod=text(one["pod"]),
        node=text(one["node"]),
        requests=numbers(one["requests"]),
        daemon=_flag(one["daemon"]),
        terms=tuple(tuple(_requirement(each) for each in term) for term in one["terms"]),
        tolerations=tuple(_toleration(each) for each in one["tolerations"]),
        pinned=text(one["pinned"]),
    )


def _requirement(one: Mapping[str, Any]) -> Requirement:
    wanted = one["values"]
    if not isinstance(wanted, list):
        raise TypeError("list expected")
    return Requirement(text(one["key"]), text(one["operator"]), tuple(map(text, wanted)))


def _toleration(one: Mapping[str, Any]) -> Toleration:
    fields = dict(one)
    exists = _flag(fields.pop("exists"))
    return Toleration(**texts(fields), exists=exists)


def _array(packed: str, window: Window) -> StepArray:
    values = np.frombuffer(base64.b64decode(packed, validate=True), dtype="<f4").astype(np.float32)
    if values.size != window.steps:
        raise ValueError(f"{values.size} steps where the window has {window.steps}")
    return values


def time(written: str) -> datetime:
    """An aware time."""
    moment = datetime.fromisoformat(written)
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return moment


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text expected")
    return value


def texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {text(key): text(value) for key, value in values.items()}


def _number(value: Any) -> float | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise TypeError("number expected")
    return value


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {text(name): _amount(value) for name, value in values.items()}


def _amount(value: Any) -> float:
    found = _number(value)
    if found is None:
        raise TypeError("number expected")
    return found


def _whole(value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise TypeError("whole number expected")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("true or false expected")
    return value
