"""Reads inference servers: what waited, how full the KV cache was, what was served.

Counters are folded series by series and summed afterwards, so that a restart loses no tokens and
a duplicate scrape counts none twice.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from analyzer.collect.facts import ServingReading
from analyzer.collect.profiles import POD_LABELS, named_pods
from analyzer.collect.store import MetricStore, Over, Query
from analyzer.collect.together import together
from analyzer.model import StepArray, Window


@dataclass(frozen=True, slots=True)
class Server:
    """How one inference server names things. Several names for one thing are its renames, newest
    first. ``:`` stands for a colon or, as OpenMetrics 1.0 writes it, an underscore."""

    name: str
    running: tuple[str, ...]
    waiting: tuple[str, ...]
    kv_cache: tuple[str, ...]
    totals: Mapping[str, tuple[str, ...]]
    ttft: tuple[str, ...]
    itl: tuple[str, ...]

    @property
    def mark(self) -> str:
        """A metric whose presence tells that this server is scraped."""
        return self.running[0]


SERVERS = (
    Server(
        "vLLM",
        running=("vllm:num_requests_running",),
        waiting=("vllm:num_requests_waiting",),
        kv_cache=("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
        totals={
            "requests": ("vllm:request_success_total",),
            "prompt_tokens": ("vllm:prompt_tokens_total",),
            "generation_tokens": ("vllm:generation_tokens_total",),
            "preemptions": ("vllm:num_preemptions_total",),
        },
        ttft=("vllm:time_to_first_token_seconds_bucket",),
        itl=(
            "vllm:inter_token_latency_seconds_bucket",
            "vllm:time_per_output_token_seconds_bucket",
        ),
    ),
    Server(
        "SGLang",
        running=("sglang:num_running_reqs",),
        waiting=("sglang:num_queue_reqs",),
        kv_cache=("sglang:token_usage",),
        totals={
            "requests": ("sglang:num_requests_total",),
            "prompt_tokens": ("sglang:prompt_tokens_total",),
            "generation_tokens": ("sglang:generation_tokens_total",),
        },
        ttft=("sglang:time_to_first_token_seconds_bucket",),
        itl=("sglang:inter_token_latency_seconds_bucket",),
    ),
)

_POD = tuple(dict.fromkeys(label for pair in POD_LABELS for label in pair))
# Ranks of one engine (tp_rank, pp_rank) repeat its figures, so they are merged; data-parallel
# ranks serve requests of their own.
_IDENTITY = (
    *_POD,
    "instance",
    "model_name",
    "engine",
    "engine_type",
    "dp_rank",
)
_COUNTED = (*_IDENTITY, "finished_reason")

PodName = tuple[str, str]
Identity = frozenset[tuple[str, str]]
Resolve = Callable[[str], PodName | None]
"""From a scrape target (``ip:port``) to the (namespace, pod) at that address, if known."""


@dataclass
class _Pod:
    """One pod's server while it is put together from many series."""

    model: str
    gauges: dict[str, StepArray]
    totals: dict[str, float]
    buckets: dict[str, dict[float, float]]


class ServingReader:
    """One reading of every inference server in one window."""

    def __init__(self, store: MetricStore, names: frozenset[str], window: Window) -> None:
        self._store, self._names, self._window = store, names, window

    def targets(self) -> tuple[set[PodName], set[str]]:
        """The (namespace, pod) pairs that inference metrics name, and the scrape targets
        (``ip:port``) of those that name none."""
        pods: set[PodName] = set()
        addresses: set[str] = set()
        for server in SERVERS:
            for name in self._existing(server.running):
                query = Query(name, "last", _IDENTITY, "max")
                for sample in self._store.whole(query, self._window):
                    named = named_pods(sample.labels)
                    pods.update(named[:1])
                    if not named and sample.labels.get("instance"):
                        addresses.add(sample.labels["instance"])
        return pods, addresses

    def read(self, resolve: Resolve) -> list[ServingReading]:
        """One reading a pod. ``resolve`` finds the pod of a series that names none."""
        pods: dict[PodName, _Pod] = {}
        for server in SERVERS:
            if any(self._existing(server.running)) or any(self._existing(server.kv_cache)):
                self._read(server, pods, resolve)
        nan = self._window.nan()
        return [
            ServingReading(
                namespace=namespace,
                pod=name,
                model=pod.model,
                running=pod.gauges.get("running", nan),
                waiting=pod.gauges.get("waiting", nan),
                waiting_peak=pod.gauges.get("waiting_peak", nan),
                kv_cache=pod.gauges.get("kv_cache", nan),
                totals=pod.totals,
                ttft=pod.buckets.get("ttft", {}),
                itl=pod.buckets.get("itl", {}),
            )
            for (namespace, name), pod in sorted(pods.items())
        ]

    def _read(self, server: Server, pods: dict[PodName, _Pod], resolve: Resolve) -> None:
        gauges: tuple[tuple[str, tuple[str, ...], Over], ...] = (
            ("running", server.running, "avg"),
            ("waiting", server.waiting, "avg"),
            ("waiting_peak", server.waiting, "max"),
            ("kv_cache", server.kv_cache, "avg"),
        )
        buckets = (("ttft", server.ttft), ("itl", server.itl))
        found = together([partial(self._gauge, names, over) for _, names, over in gauges])
        for (what, _, _), arrays in zip(gauges, found, strict=True):
            merge = np.fmax if what == "kv_cache" else _add
            for identity, values in arrays.items():
                pod = _pod_of(pods, identity, resolve)
                if pod is not None:
                    known = pod.gauges.get(what)
                    pod.gauges[what] = values if known is None else merge(known, values)
        counted = together(
            [partial(self._counter, names, _COUNTED) for names in server.totals.values()]
            + [partial(self._counter, names, (*_IDENTITY, "le")) for _, names in buckets]
        )
        for what, totals in zip(server.totals, counted, strict=False):
            for identity, total in totals.items():
                pod = _pod_of(pods, identity, resolve)
                if pod is not None:
                    pod.totals[what] = pod.totals.get(what, 0.0) + total
        for (what, _), totals in zip(buckets, counted[len(server.totals) :], strict=True):
            for identity, total in totals.items():
                pod = _pod_of(pods, identity, resolve)
                bound = _bound(dict(identity).get("le", ""))
                if pod is not None and bound is not None:
                    held = pod.buckets.setdefault(what, {})
                    held[bound] = held.get(bound, 0.0) + total

    def _existing(self, candidates: Iterable[str]) -> list[str]:
        spelled = (s for name in candidates for s in (name, name.replace(":", "_", 1)))
        return [name for name in spelled if name in self._names]

    def _gauge(self, candidates: tuple[str, ...], over: Over) -> dict[Identity, StepArray]:
        """Per identity; where two names of one gauge overlap, the newer name's value stands."""
        found: dict[Identity, StepArray] = {}
        for name in self._existing(candidates):
            for series in self._store.steps(Query(name, over, _IDENTITY, "max"), self._window):
                identity = frozenset(series.labels.items())
                known = found.get(identity)
                values = series.values
                found[identity] = (
                    values if known is None else np.where(np.isnan(known), values, known)
                )
        return found

    def _counter(self, candidates: tuple[str, ...], by: tuple[str, ...]) -> dict[Identity, float]:
        """Growth over the window per identity. A counter that exists under two names at once is
        the same counter: the larger growth stands."""
        found: dict[Identity, float] = defaultdict(float)
        for name in self._existing(candidates):
            for sample in self._store.whole(Query(name, "increase", by, "max"), self._window):
                if np.isfinite(sample.value) and sample.value >= 0:
                    identity = frozenset(sample.labels.items())
                    found[identity] = max(found[identity], sample.value)
        return dict(found)


def _add(known: StepArray, more: StepArray) -> StepArray:
    """Sum, where one missing side counts as nothing and two missing sides stay missing."""
    total = np.nan_to_num(known) + np.nan_to_num(more)
    total[np.isnan(known) & np.isnan(more)] = np.nan
    return total


def _pod_of(pods: dict[PodName, _Pod], identity: Identity, resolve: Resolve) -> _Pod | None:
    labels = dict(identity)
    named = named_pods(labels)
    name = named[0] if named else resolve(labels.get("instance", ""))
    if name is None:
        return None
    pod = pods.setdefault(name, _Pod("", {}, {}, {}))
    pod.model = pod.model or labels.get("model_name", "")
    return pod


def _bound(text: str) -> float | None:
    """A bucket's upper bound in seconds; None for a label that is not a number."""
    if text in ("+Inf", "Inf"):
        return float("inf")
    return float(text) if re.fullmatch(r"[0-9.]+(e[+-]?[0-9]+)?", text, re.IGNORECASE) else None


def quantile(buckets: Mapping[float, float], q: float) -> float | None:
    """The ``q`` quantile (0-1) of a cumulative histogram in seconds, linear inside a bucket as in
    PromQL's histogram_quantile: the last finite bound when it lies above. None when
    nothing was observed."""
    bounds = sorted(buckets)
    total = buckets[bounds[-1]] if bounds else 0.0
    if total <= 0 or not np.isinf(bounds[-1]):
        return None
    rank, lower, below = q * total, 0.0, 0.0
    for bound in bounds:
        count = max(buckets[bound], below)
        if count >= rank:
            if np.isinf(bound):
                return lower
            return lower + (bound - lower) * ((rank - below) / max(count - below, 1e-12))
        lower, below = bound, count
    return None
