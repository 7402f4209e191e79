"""What an inference server's KV cache holds, from what it tells of itself. Pure.

Nothing that is told is taken on trust: a figure that cannot be is not known.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

from analyzer.model import UNTOLD, Cache

T = TypeVar("T")

SIZE, BLOCKS, BLOCK = "kv_cache_size_tokens", "num_gpu_blocks", "block_size"
SHARE, DATA_TYPE = "gpu_memory_utilization", "cache_dtype"
LABELS = (SIZE, BLOCKS, BLOCK, SHARE, DATA_TYPE)
"""Labels of vLLM's ``cache_config_info``."""

MOST_TOKENS = 1e9
"""More than any replica holds: a small model on eight GPUs of 192 GB keeps some 10**8."""

_DATA_TYPE = re.compile(r"[a-zA-Z][a-zA-Z0-9_.-]{1,39}")
_NOTHING = frozenset({"none", "null", "nan", "unknown"})


def from_labels(labels: Mapping[str, str]) -> Cache:
    """What vLLM tells in labels, which it fills with "None" before it has measured its memory."""
    told = tokens(_figure(labels, SIZE))
    if told is None:
        # Where some layers keep no keys, blocks say less than the size, so they come second.
        told = tokens(_whole(labels, BLOCKS) * _whole(labels, BLOCK))
    share = _figure(labels, SHARE)
    data_type = labels.get(DATA_TYPE, "")
    named = _DATA_TYPE.fullmatch(data_type) and data_type.lower() not in _NOTHING
    return Cache(told, share if 0 < share <= 1 else None, data_type if named else None)


def tokens(value: float) -> float | None:
    """A number of tokens that a cache can hold, else None."""
    return value if 1 <= value <= MOST_TOKENS else None


def of_replica(engines: Iterable[tuple[Hashable, Cache]]) -> Cache:
    """One replica's cache from its engines', each with what tells it from the others.

    Engines add up, because each keeps requests of its own; not known while one of them does not
    tell. Of an engine that told several sizes (a restart measures anew) the smallest stands.
    """
    by_engine: dict[Hashable, list[Cache]] = defaultdict(list)
    for engine, cache in engines:
        by_engine[engine].append(cache)
    each = [smallest(caches) for caches in by_engine.values()]
    sizes = [cache.tokens for cache in each if cache.tokens is not None]
    every = bool(sizes) and len(sizes) == len(each)
    return Cache(
        tokens(sum(sizes)) if every else None,
        _common(cache.memory_share for cache in each),
        _common(cache.data_type for cache in each),
    )


def smallest(caches: Iterable[Cache]) -> Cache:
    """The smallest of the sizes told, and of the rest what is told alike; None where those that
    tell differ."""
    known = [cache for cache in caches if cache != UNTOLD]
    return Cache(
        min((cache.tokens for cache in known if cache.tokens is not None), default=None),
        _common(cache.memory_share for cache in known),
        _common(cache.data_type for cache in known),
    )


def _common(values: Iterable[T | None]) -> T | None:
    told = {value for value in values if value is not None}
    return told.pop() if len(told) == 1 else None


def _figure(labels: Mapping[str, str], name: str) -> float:
    """NaN for what is no plain number."""
    text = labels.get(name, "")
    return float(text) if re.fullmatch(r"[0-9]{1,15}(\.[0-9]{0,15})?", text) else math.nan


def _whole(labels: Mapping[str, str], name: str) -> float:
    value = _figure(labels, name)
    return value if value.is_integer() and value > 0 else math.nan
