"""Reads kube-state-metrics: what was requested, where it ran and who owned it, also of pods that
are gone. In place of the Kubernetes API it tells the cluster's objects too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from analyzer.collect.facts import (
    CapacityReading,
    KubeFacts,
    RequestReading,
)
from analyzer.collect.kubelabels import exported, label_of, one_of, pod_uid
from analyzer.collect.kubeobjects import LabelKeys, ObjectReader
from analyzer.collect.store import Matcher, MetricStore, Query
from analyzer.model import STEP_S, Notice, StepArray, Window

GPU_RESOURCES = "nvidia_com_gpu|nvidia_com_gpu_shared|nvidia_com_mig_.*|amd_com_gpu"
"""GPU resources as kube-state-metrics spells them, as a regular expression."""

REQUESTS = "kube_pod_container_resource_requests"
_MOST_UNITS = 1000
"""More GPUs, instances or slices than any node has."""


@dataclass(frozen=True, slots=True)
class StateReadings:
    """What kube-state-metrics told. ``started`` and ``ended`` map (namespace, pod, uid) to Unix
    seconds; ``addresses`` an IP to (namespace, pod, node)."""

    requests: tuple[RequestReading, ...] = ()
    capacities: tuple[CapacityReading, ...] = ()
    started: Mapping[tuple[str, str, str], float] = field(default_factory=dict)
    ended: Mapping[tuple[str, str, str], float] = field(default_factory=dict)
    pod_nodes: Mapping[tuple[str, str], str] = field(default_factory=dict)
    addresses: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    kube: KubeFacts = field(default_factory=KubeFacts)
    nodes: StepArray | None = None
    """Samples a step that tell of nodes, of whatever kind; NaN where there was none."""


class StateReader:
    """One reading of kube-state-metrics in one window."""

    def __init__(
        self, store: MetricStore, names: frozenset[str], window: Window, keys: LabelKeys
    ) -> None:
        self._store, self._names, self._window = store, names, window
        self._objects = ObjectReader(store, names, window, keys)
        self._renamed = False
        self._notices: list[Notice] = []

    def read(self, others: Iterable[tuple[str, str]], addresses: Iterable[str]) -> StateReadings:
        """Everything about pods that request GPUs, about the ``others`` (namespace, pod) that GPU
        or inference metrics name, and about pods at these IP ``addresses``."""
        requests = self._requests()
        named = set(others)
        pods = {(r.namespace, r.pod) for r in requests} | named
        namespaces = tuple(sorted({namespace for namespace, _ in pods}))
        where = self._one_of("namespace", namespaces)
        nodes, ips = self._pod_places(named - {(r.namespace, r.pod) for r in requests}, addresses)
        return StateReadings(
            requests=tuple(requests),
            capacities=tuple(self._capacities()),
            started=self._started(where),
            ended=self._ended({(r.namespace, r.pod) for r in requests}, where),
            pod_nodes=nodes,
            addresses=ips,
            nodes=self._heard(),
            kube=KubeFacts(
                owners=self._objects.owners(pods, where),
                workloads=self._objects.workloads(pods, where),
                nodes=self._objects.nodes(),
                namespace_labels=self._objects.namespace_labels(where),
                pod_labels=self._objects.pod_labels(pods, where),
                warnings=tuple(self._notices),
            ),
        )

    def _one_of(self, label: str, values: tuple[str, ...]) -> tuple[Matcher, ...]:
        return one_of(f"exported_{label}" if self._renamed else label, values)

    def _requests(self) -> list[RequestReading]:
        if REQUESTS not in self._names:
            return []
        by = exported(("namespace", "pod", "uid", "container", "node", "resource"))
        where = (Matcher("resource", GPU_RESOURCES, "=~"),)
        asked = self._store.whole(Query(REQUESTS, "max", by, "max", where), self._window)
        counts = {frozenset(sample.labels.items()): sample.value for sample in asked}
        readings = []
        for series in self._store.steps(Query(REQUESTS, "count", by, "max", where), self._window):
            count = counts.get(frozenset(series.labels.items()), 0.0)
            if not 0 < count <= _MOST_UNITS:
                self._notices.append(Notice("", "impossible-request", _impossible(series.labels)))
                continue
            labels = series.labels
            # With honor_labels off, `namespace` and `pod` are those of kube-state-metrics itself.
            self._renamed = self._renamed or "exported_pod" in labels
            readings.append(
                RequestReading(
                    namespace=label_of(labels, "namespace"),
                    pod=label_of(labels, "pod"),
                    uid=label_of(labels, "uid"),
                    container=label_of(labels, "container"),
                    node=label_of(labels, "node"),
                    resource=labels.get("resource", ""),
                    count=count,
                    samples=np.nan_to_num(series.values),
                )
            )
        return readings

    def _heard(self) -> StepArray | None:
        """What shows that it was heard while there were neither GPUs nor requests for any."""
        for metric in ("kube_node_info", "kube_node_labels"):
            if metric in self._names:
                found = self._store.steps(Query(metric, "count", (), "max"), self._window)
                return found[0].values if found else None
        return None

    def _capacities(self) -> list[CapacityReading]:
        for metric in ("kube_node_status_allocatable", "kube_node_status_capacity"):
            if metric not in self._names:
                continue
            by = exported(("node", "resource"))
            where = (Matcher("resource", GPU_RESOURCES, "=~"),)
            held = self._store.whole(Query(metric, "max", by, "max", where), self._window)
            counts = {frozenset(sample.labels.items()): sample.value for sample in held}
            return [
                CapacityReading(
                    node=label_of(series.labels, "node"),
                    resource=series.labels.get("resource", ""),
                    count=counts.get(frozenset(series.labels.items()), 0.0),
                    samples=np.nan_to_num(series.values),
                )
                for series in self._store.steps(
                    Query(metric, "count", by, "max", where), self._window
                )
            ]
        return []

    def _started(self, where: tuple[Matcher, ...]) -> dict[tuple[str, str, str], float]:
        """When each pod was put on its node, from the best metric that tells."""
        for metric in ("kube_pod_status_scheduled_time", "kube_pod_start_time"):
            found = self._objects.last(metric, ("namespace", "pod", "uid"), where)
            if found:
                return {pod_uid(s.labels): s.value for s in found if np.isfinite(s.value)}
        return {}

    def _ended(
        self, pods: set[tuple[str, str]], where: tuple[Matcher, ...]
    ) -> dict[tuple[str, str, str], float]:
        """(namespace, pod, uid) to the Unix time it Succeeded or Failed: it holds no GPU after,
        though its request is still listed until the object is deleted."""
        ended: dict[tuple[str, str, str], float] = {}
        if not pods or "kube_pod_status_phase" not in self._names:
            return ended
        by = exported(("namespace", "pod", "uid"))
        over = (*where, Matcher("phase", "Succeeded|Failed", "=~"))
        query = Query("kube_pod_status_phase", "max", by, "max", over)
        names = {
            label_of(s.labels, "pod")
            for s in self._store.whole(query, self._window)
            if s.value >= 1 and (label_of(s.labels, "namespace"), label_of(s.labels, "pod")) in pods
        }
        if not names:
            return ended
        only = (*over, *self._one_of("pod", tuple(sorted(names))))
        query = Query("kube_pod_status_phase", "max", by, "max", only)
        for series in self._store.steps(query, self._window):
            over_steps = np.flatnonzero(np.nan_to_num(series.values) >= 1)
            if over_steps.size:
                start = self._window.start.timestamp() + float(over_steps[0]) * STEP_S
                ended[pod_uid(series.labels)] = start
        for sample in self._objects.last(
            "kube_pod_completion_time", ("namespace", "pod", "uid"), where
        ):
            key = pod_uid(sample.labels)
            if key in ended and np.isfinite(sample.value):
                ended[key] = sample.value
        return ended

    def _pod_places(
        self, pods: set[tuple[str, str]], addresses: Iterable[str]
    ) -> tuple[dict[tuple[str, str], str], dict[str, tuple[str, str, str]]]:
        """Nodes of pods that request no GPU (exporters), and who is at an IP address."""
        by = ("namespace", "pod", "node", "pod_ip")
        nodes: dict[tuple[str, str], str] = {}
        ips: dict[str, tuple[str, str, str]] = {}
        asked = (
            self._one_of("pod", tuple(sorted({pod for _, pod in pods}))),
            one_of("pod_ip", tuple(sorted(set(addresses)))),
        )
        for where in asked:
            for sample in self._objects.last("kube_pod_info", by, where) if where else []:
                namespace, pod = (
                    label_of(sample.labels, "namespace"),
                    label_of(sample.labels, "pod"),
                )
                node, ip = label_of(sample.labels, "node"), sample.labels.get("pod_ip", "")
                nodes[namespace, pod] = node
                ips[ip] = (namespace, pod, node)
        return nodes, ips


def _impossible(labels: Mapping[str, str]) -> str:
    pod = f"{label_of(labels, 'namespace')}/{label_of(labels, 'pod')}"
    return f"{pod}: its request of {labels.get('resource', '')} is no possible count; left out"
