"""Reads inference servers: what waited, how full the KV cache was, what was served when.

Counters are folded series by series and summed afterwards, so that a restart loses no tokens and
a duplicate scrape counts none twice.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from analyzer.collect.capacity import LABELS, from_labels, of_replica, tokens
from analyzer.collect.facts import ServingReading
from analyzer.collect.profiles import POD_LABELS, named_pods
from analyzer.collect.servers import SERVERS, Server
from analyzer.collect.store import MetricStore, Over, Query
from analyzer.collect.together import together
from analyzer.model import Cache, StepArray, Window

_POD = tuple(dict.fromkeys(label for pair in POD_LABELS for label in pair))
# Ranks of one engine (tp_rank, pp_rank) repeat its figures, so they are merged; data-parallel
# ranks serve requests of their own.
_ENGINE = ("engine", "engine_type", "dp_rank")
_IDENTITY = (*_POD, "instance", "model_name", *_ENGINE)
_REASON = "finished_reason"
_COUNTED = (*_IDENTITY, _REASON)
_WHOSE = (*_POD, "instance", *_ENGINE)
_FIELDS = tuple(what for what, _, _ in SERVERS[0].steps)
_FULLEST = frozenset({"kv_cache", "kv_peak"})
"""Of the engines of a pod the highest stands; everything else adds up."""

PodName = tuple[str, str]
Identity = frozenset[tuple[str, str]]
Resolve = Callable[[str], PodName | None]
"""From a scrape target (``ip:port``) to the (namespace, pod) at that address, if known."""


@dataclass
class _Pod:
    """One pod's server while it is put together from many series. ``steps`` are arrays by the
    name of their field."""

    model: str
    steps: dict[str, StepArray]
    totals: dict[str, float]
    buckets: dict[str, dict[float, float]]
    caches: list[tuple[tuple[str, ...], Cache]] = field(default_factory=list)


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
                **{what: pod.steps.get(what, nan) for what in _FIELDS},
                cache=of_replica(pod.caches),
                totals=pod.totals,
                ttft=pod.buckets.get("ttft", {}),
                itl=pod.buckets.get("itl", {}),
            )
            for (namespace, name), pod in sorted(pods.items())
        ]

    def _read(self, server: Server, pods: dict[PodName, _Pod], resolve: Resolve) -> None:
        self._read_steps(server, pods, resolve)
        self._read_counters(server, pods, resolve)
        self._read_caches(server, pods, resolve)

    def _read_steps(self, server: Server, pods: dict[PodName, _Pod], resolve: Resolve) -> None:
        found = together([partial(self._steps, names, over) for _, names, over in server.steps])
        for (what, _, _), arrays in zip(server.steps, found, strict=True):
            merge = np.fmax if what in _FULLEST else _add
            for identity, values in arrays.items():
                pod = _pod_of(pods, identity, resolve)
                if pod is not None:
                    known = pod.steps.get(what)
                    pod.steps[what] = values if known is None else merge(known, values)

    def _read_counters(self, server: Server, pods: dict[PodName, _Pod], resolve: Resolve) -> None:
        buckets = (("ttft", server.ttft), ("itl", server.itl))
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

    def _read_caches(self, server: Server, pods: dict[PodName, _Pod], resolve: Resolve) -> None:
        """Of pods that say more than this alone."""
        for labels, cache in self._caches(server):
            name = _name_of(labels, resolve)
            if name in pods:
                engine = tuple(labels.get(label, "") for label in _ENGINE)
                pods[name].caches.append((engine, cache))

    def _existing(self, candidates: Iterable[str]) -> list[str]:
        spelled = (s for name in candidates for s in (name, name.replace(":", "_", 1)))
        return [name for name in spelled if name in self._names]

    def _steps(self, candidates: tuple[str, ...], over: Over) -> dict[Identity, StepArray]:
        """Per identity. Where two names of one thing overlap, the newer name's value stands; of a
        counter the larger growth, for the server may have changed names within the step."""
        counts = over == "increase"
        found: dict[Identity, StepArray] = {}
        for name in self._existing(candidates):
            query = Query(name, over, _IDENTITY, "max")
            if counts:
                query = Query(name, over, _COUNTED, "max", summed=(_REASON,))
            for series in self._store.steps(query, self._window):
                identity = frozenset(series.labels.items())
                known, values = found.get(identity), series.values
                if counts and (values < 0).any():
                    values = np.where(values >= 0, values, np.float32(np.nan))
                if known is not None:
                    newer = np.where(np.isnan(known), values, known)
                    values = np.fmax(known, values) if counts else newer
                found[identity] = values
        return found

    def _caches(self, server: Server) -> list[tuple[Mapping[str, str], Cache]]:
        """The KV caches that were told in the window, each with the labels that say whose."""
        found: list[tuple[Mapping[str, str], Cache]] = []
        for name in self._existing(server.cache_info):
            query = Query(name, "last", (*_WHOSE, *LABELS), "max")
            told = self._store.whole(query, self._window)
            found += [(one.labels, from_labels(one.labels)) for one in told]
        for name in self._existing(server.cache_tokens):
            query = Query(name, "last", _WHOSE, "max")
            told = self._store.whole(query, self._window)
            found += [(one.labels, Cache(tokens(one.value))) for one in told]
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
    name = _name_of(labels, resolve)
    if name is None:
        return None
    pod = pods.setdefault(name, _Pod("", {}, {}, {}))
    pod.model = pod.model or labels.get("model_name", "")
    return pod


def _name_of(labels: Mapping[str, str], resolve: Resolve) -> PodName | None:
    named = named_pods(labels)
    return named[0] if named else resolve(labels.get("instance", ""))


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
