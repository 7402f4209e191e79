"""A snapshot in a file, so that a figure or a decision can be made again elsewhere.

gzip over JSON; arrays are base64 of little-endian float32, so they come back bit for bit. It
holds names, labels and figures, no address, token or header.
"""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from analyzer.errors import BadAnswer, GpuThriftError
from analyzer.model import (
    Cache,
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

FORMAT = "gpu-thrift-snapshot"
SCHEMA = 1
_LARGEST_BYTES = 2 * 2**30
"""Unpacked size above which a file is not read: a thousand times a large cluster's month."""


def save(snapshot: Snapshot, path: Path) -> None:
    """Writes the snapshot, replacing a file of that name only once it is whole."""
    document = {
        "format": FORMAT,
        "schema": SCHEMA,
        "taken_at": snapshot.taken_at,
        "window": [snapshot.window.start, snapshot.window.end],
        "clusters": snapshot.clusters,
        "failed": dict(snapshot.failed),
        "notices": [asdict(notice) for notice in snapshot.notices],
        "workloads": [_plain(one) for one in snapshot.workloads],
        "use": [_plain(one) for one in snapshot.use],
        "pools": [_plain(one) for one in snapshot.pools],
        "serving": [_plain(one) for one in snapshot.serving],
    }
    packed = gzip.compress(orjson.dumps(document), compresslevel=6, mtime=0)
    draft = path.with_name(path.name + ".part")
    try:
        draft.write_bytes(packed)
        draft.replace(path)
    except OSError as error:
        raise GpuThriftError(f"{path}: cannot write the recording: {error.strerror}") from error


def load(path: Path) -> Snapshot:
    """The snapshot in a file that ``save`` wrote. Raises ``BadAnswer`` for anything else."""
    document = _document(path)
    try:
        return _snapshot(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadAnswer(f"{path}: damaged recording ({_why(error)}): record it again") from error


def _document(path: Path) -> dict[str, Any]:
    try:
        with gzip.open(path) as file:
            text = file.read(_LARGEST_BYTES + 1)
    except OSError as error:
        reason = error.strerror or "not a recording (expected gzip, as `gpu-thrift record` writes)"
        raise BadAnswer(f"{path}: {reason}") from error
    except (EOFError, zlib.error) as error:
        raise BadAnswer(f"{path}: the recording is cut short: record it again") from error
    if len(text) > _LARGEST_BYTES:
        raise BadAnswer(f"{path}: larger than any recording, not read")
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadAnswer(f"{path}: not a recording (expected JSON inside)") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise BadAnswer(f"{path}: not a recording: `gpu-thrift record` writes one")
    if document.get("schema") != SCHEMA:
        found = str(document.get("schema"))[:20]
        raise BadAnswer(f"{path}: recording of schema {found}, this version reads {SCHEMA}")
    return document


def _snapshot(document: Mapping[str, Any]) -> Snapshot:
    start, end = (_time(text) for text in document["window"])
    window = Window(start, end)
    return Snapshot(
        taken_at=_time(document["taken_at"]),
        window=window,
        clusters=tuple(_text(name) for name in document["clusters"]),
        workloads=tuple(_workload(one) for one in document["workloads"]),
        use=tuple(
            GpuUse(
                _key(one["workload"]),
                _node_class(one["node_class"]),
                *(_array(one[name], window) for name in ("allocated", "observed", "work")),
            )
            for one in document["use"]
        ),
        pools=tuple(
            Pool(
                _text(one["cluster"]),
                _node_class(one["node_class"]),
                _array(one["present"], window),
                _array(one["allocated"], window),
            )
            for one in document["pools"]
        ),
        serving=tuple(_serving(one, window) for one in document["serving"]),
        notices=tuple(Notice(**_texts(one)) for one in document["notices"]),
        failed=_texts(document["failed"]),
    )


_SERVING_ARRAYS = ("running", "waiting", "waiting_peak", "kv_cache", "heard")
_SERVING_LATER = ("kv_peak", "speaking", "finished", "prompted", "generated")
"""May be absent: recordings of earlier versions have none of them."""


def _serving(one: Mapping[str, Any], window: Window) -> Serving:
    fields = dict(one)
    key, model = _key(fields.pop("workload")), _text(fields.pop("model"))
    running, waiting, waiting_peak, kv_cache, heard = (
        _array(fields.pop(name), window) for name in _SERVING_ARRAYS
    )
    later = {name: fields.pop(name, None) for name in _SERVING_LATER}
    rest: dict[str, Any] = {
        name: _array(text, window) for name, text in later.items() if text is not None
    }
    rest["cache"] = _cache(fields.pop("cache", {}))
    rest |= {name: _number(value) for name, value in fields.items()}
    return Serving(key, model, running, waiting, waiting_peak, kv_cache, heard, **rest)


def _cache(one: Mapping[str, Any]) -> Cache:
    kind = one.get("data_type")
    return Cache(
        _number(one.get("tokens")),
        _number(one.get("memory_share")),
        None if kind is None else _text(kind),
    )


def _workload(one: Mapping[str, Any]) -> Workload:
    return Workload(
        key=_key(one["key"]),
        labels=_texts(one["labels"]),
        pod_labels=_texts(one["pod_labels"]),
        namespace_labels=_texts(one["namespace_labels"]),
        annotations=_texts(one["annotations"]),
        replicas=_whole(one["replicas"]),
        ready=_whole(one["ready"]),
        gpus_per_replica=_number(one["gpus_per_replica"]),
        exists=None if one["exists"] is None else _flag(one["exists"]),
        shared=_flag(one["shared"]),
        server=_texts(one.get("server", {})),
    )


def _key(one: Mapping[str, Any]) -> WorkloadKey:
    return WorkloadKey(**_texts(one))


def _node_class(one: Mapping[str, Any]) -> NodeClass:
    fields = dict(one)
    labels = tuple((_text(key), _text(value)) for key, value in fields.pop("labels"))
    spot = _flag(fields.pop("spot"))
    texts = _texts(fields)
    return NodeClass(
        texts["gpu_model"], texts["instance_type"], texts["pool"], spot=spot, labels=labels
    )


def _plain(value: Any) -> dict[str, Any]:
    """A dataclass as JSON-ready fields."""
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


def _array(text: str, window: Window) -> StepArray:
    values = np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4").astype(np.float32)
    if values.size != window.steps:
        raise ValueError(f"{values.size} steps where the window has {window.steps}")
    return values


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return moment


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text expected")
    return value


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {_text(key): _text(value) for key, value in values.items()}


def _number(value: Any) -> float | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise TypeError("number expected")
    return value


def _whole(value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise TypeError("whole number expected")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("true or false expected")
    return value


def _why(error: Exception) -> str:
    return str(error).splitlines()[0][:100] if str(error) else type(error).__name__
