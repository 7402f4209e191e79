"""What model a server runs, and how: from its arguments, its metrics, a config.json, a catalogue.

A name is looked up whole; nothing is ever read out of one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from analyzer.model import UNTOLD, Cache, Serving, Workload
from analyzer.sizing.catalogue import CATALOGUE
from analyzer.sizing.memory import BYTES, SHARE, DataType, Setup, Shape
from analyzer.sizing.shapes import Unknown, shape_of

__all__ = ["Described", "Known", "Unknown", "known"]

_QUANTISED: Mapping[str, DataType] = {
    "fp8": "fp8",
    "modelopt": "fp8",
    "fbgemm_fp8": "fp8",
    "awq": "int4",
    "awq_marlin": "int4",
    "gptq": "int4",
    "gptq_marlin": "int4",
}
"""vLLM's ``--quantization`` by what it makes of weights."""

_SPELLINGS: Mapping[str, DataType] = {
    "half": "float16",
    "float": "float32",
    "fp8_e4m3": "fp8",
    "fp8_e5m2": "fp8",
}


@dataclass(frozen=True, slots=True)
class Known:
    """A model and how it is run. ``longest`` is the most tokens one request may have, None where
    nothing tells; ``source`` says where the parameters come from."""

    name: str
    shape: Shape
    setup: Setup
    source: str
    longest: float | None = None


@dataclass(frozen=True, slots=True)
class Described:
    """A model that the configuration describes: its config.json, and the data type of its weights
    (``auto`` for the one that the file names)."""

    document: Mapping[str, Any] = field(default_factory=dict)
    weights: str = "auto"


def known(
    workload: Workload, serving: Serving | None, described: Mapping[str, Described], gpus: float
) -> Known | Unknown:
    """The model of a workload whose replicas have ``gpus`` GPUs each. ``described`` is by the name
    that the server or its argument ``model`` gives."""
    arguments, cache = workload.server, serving.cache if serving else UNTOLD
    names = [
        name for name in (serving.model if serving else "", arguments.get("model", "")) if name
    ]
    if not names:
        return Unknown("no inference server told which model it runs")
    mine = next((described[name] for name in names if name in described), None)
    document = mine.document if mine else _catalogued(names)
    if document is None:
        return Unknown(
            f"the parameters of {names[0]!r} are not known: give its config.json under "
            "[[sizing.models]]"
        )
    shape = shape_of(document)
    if isinstance(shape, Unknown):
        return shape
    weights = _weights(document, mine.weights if mine else "auto", arguments)
    if isinstance(weights, Unknown):
        return weights
    parallel = _parallel(arguments, gpus)
    if isinstance(parallel, Unknown):
        return parallel
    setup = Setup(weights, _keys(arguments, cache, weights), parallel, _share(arguments, cache))
    source = "config.json" if mine else "catalogue"
    return Known(names[-1], shape, setup, source, _longest(arguments, document))


def _catalogued(names: list[str]) -> Mapping[str, Any] | None:
    for name in names:
        found = CATALOGUE.get(name.lower())
        if found is not None:
            return found
    return None


def _weights(
    document: Mapping[str, Any], described: str, arguments: Mapping[str, str]
) -> DataType | Unknown:
    if described != "auto":
        return _data_type(described) or Unknown(f"data type {described!r} is not known")
    asked = arguments.get("quantization", "")
    quantised = document.get("quantization_config")
    if not asked and isinstance(quantised, Mapping):
        asked = str(quantised.get("quant_method", ""))
    if asked and asked.lower() not in ("none", "auto"):
        return _QUANTISED.get(asked.lower()) or Unknown(
            f"what the quantization {asked!r} makes of weights is not known: give their data type "
            "under [[sizing.models]]"
        )
    written = arguments.get("dtype", "auto")
    if written == "auto":
        written = str(document.get("torch_dtype") or document.get("dtype") or "bfloat16")
    return _data_type(written) or Unknown(f"data type {written!r} of its weights is not known")


def _data_type(text: str) -> DataType | None:
    plain = text.lower().removeprefix("torch.")
    for kind in BYTES:
        if plain == kind:
            return kind
    return _SPELLINGS.get(plain)


def _keys(arguments: Mapping[str, str], cache: Cache, weights: DataType) -> DataType:
    """Keys are kept in the model's own type unless told otherwise; never quantised as weights
    are."""
    for text in (arguments.get("kv-cache-dtype"), cache.data_type):
        found = _data_type(text or "")
        if found:
            return found
    return "float32" if weights == "float32" else "bfloat16"


def _parallel(arguments: Mapping[str, str], gpus: float) -> int | Unknown:
    if _count(arguments.get("pipeline-parallel-size")) not in (None, 1):
        return Unknown("its layers are spread over GPUs (pipeline parallelism)")
    if _count(arguments.get("data-parallel-size")) not in (None, 1):
        return Unknown("each replica holds several copies of the model (data parallelism)")
    told = _count(arguments.get("tensor-parallel-size"))
    whole = round(gpus)
    if abs(gpus - whole) > 1e-6 or whole < 1:
        return Unknown("a replica holds a part of a GPU")
    if told is not None and told != whole:
        return Unknown(f"tensor parallelism of {told} on {whole} GPUs a replica")
    return whole


def _share(arguments: Mapping[str, str], cache: Cache) -> float:
    told = cache.memory_share
    if told is None:
        try:
            told = float(arguments.get("gpu-memory-utilization", ""))
        except ValueError:
            told = None
    return told if told is not None and math.isfinite(told) and 0 < told <= 1 else SHARE


def _longest(arguments: Mapping[str, str], document: Mapping[str, Any]) -> float | None:
    told = arguments.get("max-model-len", "")
    number = _count(told) or _thousands(told)
    if number:
        return float(number)
    written = document.get("max_position_embeddings")
    return float(written) if isinstance(written, int) and written > 0 else None


def _thousands(text: str) -> int | None:
    """vLLM takes ``32k`` (thousands) and ``32K`` (units of 1,024) as well."""
    for suffix, unit in (("k", 1000), ("K", 1024), ("m", 1_000_000), ("M", 2**20)):
        if text.endswith(suffix):
            number = _count(text[:-1])
            return number * unit if number else None
    return None


def _count(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) < 10 and int(text) > 0 else None
