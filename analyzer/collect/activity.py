"""Reads what every pod did in the last minutes, up to now: one query a metric for all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta

from analyzer.collect.profiles import (
    EXPORTERS,
    IDENTITY,
    POD_LABELS,
    Exporter,
    GpuMetric,
    named_pods,
)
from analyzer.collect.servers import SERVERS, Server
from analyzer.collect.store import MetricStore, Over, Query
from analyzer.model import Window
from analyzer.sleep.activity import PodActivity, PodName, merge

FRESH = timedelta(minutes=3)
"""A series without a sample for this long is stale: three of the usual scrapes were missed."""

_POD = tuple(dict.fromkeys(label for pair in POD_LABELS for label in pair))
_SERVER = (*_POD, "instance", "engine", "engine_type", "dp_rank", "model_name", "finished_reason")

IsExporter = Callable[[str], bool]


def read_activity(
    store: MetricStore, length: timedelta, now: datetime, is_exporter: IsExporter
) -> Mapping[PodName, PodActivity]:
    """What the pods did in the ``length`` before ``now`` (aware UTC), by namespace and name.

    ``is_exporter`` tells pods that only export others' metrics. Raises ``SourceError``.
    """
    reader = _Reader(store, Window(now - length, now), Window(now - min(FRESH, length), now))
    try:
        found = merge([*reader.served(), *reader.worked()])
        return {pod: seen for pod, seen in found.items() if not is_exporter(pod[1])}
    finally:
        store.close()


class _Reader:
    def __init__(self, store: MetricStore, window: Window, recent: Window) -> None:
        self._store, self._window, self._recent = store, window, recent
        self._names = store.names(window)

    def served(self) -> Iterable[tuple[PodName, PodActivity]]:
        for server in SERVERS:
            yield from self._of_server(server)

    def _of_server(self, server: Server) -> Iterable[tuple[PodName, PodActivity]]:
        running = self._by_pod(server.running, "max", self._window)
        waiting = self._by_pod(server.waiting, "max", self._window)
        running_now = self._by_pod(server.running, "count", self._recent)
        waiting_now = self._by_pod(server.waiting, "count", self._recent)
        fresh = running_now.keys() & waiting_now.keys()
        for pod in running.keys() | waiting.keys():
            most = running.get(pod, 0.0) + waiting.get(pod, 0.0)
            yield pod, PodActivity(requests=most, requests_fresh=pod in fresh)
        # Requests that begin and end between two scrapes are seen by counters alone.
        for what in ("requests", "generation_tokens", "prompt_tokens"):
            for pod, grown in self._by_pod(server.totals[what], "increase", self._window).items():
                yield pod, PodActivity(served=grown)

    def _by_pod(self, names: Iterable[str], over: Over, window: Window) -> dict[PodName, float]:
        """The sum over a pod's series; of a renamed metric, the larger."""
        found: dict[PodName, float] = {}
        for name in self._existing(names):
            of_name: dict[PodName, float] = {}
            for sample in self._store.whole(Query(name, over, _SERVER, "max"), window):
                pods = named_pods(sample.labels)
                if pods and math.isfinite(sample.value):
                    of_name[pods[0]] = of_name.get(pods[0], 0.0) + max(0.0, sample.value)
            found = {
                pod: max(found.get(pod, 0.0), of_name.get(pod, 0.0))
                for pod in found.keys() | of_name.keys()
            }
        return found

    def _existing(self, names: Iterable[str]) -> list[str]:
        spelled = (s for name in names for s in (name, name.replace(":", "_", 1)))
        return [name for name in spelled if name in self._names]

    def worked(self) -> Iterable[tuple[PodName, PodActivity]]:
        known: set[PodName] = set()
        for exporter in EXPORTERS:
            found = merge(self._of_exporter(exporter))
            # As everywhere, a pod that a more trusted exporter speaks of is not read from another.
            yield from ((pod, seen) for pod, seen in found.items() if pod not in known)
            known |= found.keys()

    def _of_exporter(self, exporter: Exporter) -> Iterable[tuple[PodName, PodActivity]]:
        if not exporter.names_pods:
            return
        for metric in exporter.metrics:
            if metric.name in self._names and metric.instead_of not in self._names:
                yield from self._devices(metric)

    def _devices(self, metric: GpuMetric) -> Iterable[tuple[PodName, PodActivity]]:
        highest = Query(metric.name, "max", IDENTITY, "max", metric.where)
        heard = Query(metric.name, "count", IDENTITY, "max", metric.where)
        fresh = {
            tuple(sorted(sample.labels.items()))
            for sample in self._store.whole(heard, self._recent)
            if sample.value > 0
        }
        samples = [one for one in self._store.whole(highest, self._window) if one.value >= 0]
        scale = _scale(metric, [sample.value for sample in samples])
        for sample in samples:
            pods = named_pods(sample.labels)
            if pods:
                told = tuple(sorted(sample.labels.items())) in fresh
                use = min(1.0, sample.value * scale)
                yield pods[0], PodActivity(utilisation=use, devices=int(told))


def _scale(metric: GpuMetric, values: list[float]) -> float:
    """The factor to 0-1 under a name that exporters use for both units. In doubt the larger one:
    that can only keep something awake."""
    if metric.either_unit or metric.scale == 1.0:
        return 0.01 if any(value > 2 for value in values) else 1.0
    return metric.scale
