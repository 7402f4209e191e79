"""A snapshot in a file, so that a figure or a decision can be made again elsewhere.

gzip over JSON; arrays are base64 of little-endian float32, so they come back bit for bit. It
holds names, labels and figures, no address, token or header.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from analyzer.collect import recorded
from analyzer.errors import BadAnswer, GpuThriftError
from analyzer.model import Notice, Snapshot, Window

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
        "workloads": [recorded.plain(one) for one in snapshot.workloads],
        "use": [recorded.plain(one) for one in snapshot.use],
        "pools": [recorded.plain(one) for one in snapshot.pools],
        "serving": [recorded.plain(one) for one in snapshot.serving],
        "nodes": [recorded.plain(one) for one in snapshot.nodes],
        "placed": [recorded.plain(one) for one in snapshot.placed],
        "heard_hours": dict(snapshot.heard_hours),
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
    start, end = map(recorded.time, document["window"])
    window = Window(start, end)
    return Snapshot(
        taken_at=recorded.time(document["taken_at"]),
        window=window,
        clusters=tuple(map(recorded.text, document["clusters"])),
        workloads=tuple(map(recorded.workload, document["workloads"])),
        use=tuple(recorded.gpu_use(one, window) for one in document["use"]),
        pools=tuple(recorded.pool(one, window) for one in document["pools"]),
        serving=tuple(recorded.serving(one, window) for one in document["serving"]),
        notices=tuple(Notice(**recorded.texts(one)) for one in document["notices"]),
        failed=recorded.texts(document["failed"]),
        # Recordings of earlier versions have neither.
        nodes=tuple(map(recorded.node, document.get("nodes", ()))),
        placed=tuple(map(recorded.placed, document.get("placed", ()))),
        heard_hours=recorded.numbers(document.get("heard_hours", {})),
    )


def _why(error: Exception) -> str:
    return str(error).splitlines()[0][:100] if str(error) else type(error).__name__
