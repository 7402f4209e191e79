"""Reads kube-state-metrics: what was requested, where it ran and who owned it, also of pods that
are gone. In place of the Kubernetes API it tells the cluster's objects too."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np

from analyzer.collect.facts import (
    CapacityReading,
    KubeFacts,
    NodeFact,
    ObjectRef,
    RequestReading,
    WorkloadFact,
)
from analyzer.collect.store import Matcher, MetricStore, Query, Sample
from analyzer.environment import metric_label
from analyzer.model import STEP_S, Notice, StepArray, Window

GPU_RESOURCES = "nvidia_com_gpu|nvidia_com_gpu_shared|nvidia_com_mig_.*|amd_com_gpu"
"""GPU resources as kube-state-metrics spells them, as a regular expression."""

REQUESTS = "kube_pod_container_resource_requests"
_RECENT = timedelta(minutes=15)
"""An object last heard of within this time exists; kube-state-metrics is scraped every minute."""

_MOST_UNITS = 1000
"""More GPUs, instances or slices than any node has."""

_OWNER_METRICS = (
    ("kube_replicaset_owner", "ReplicaSet", "replicaset"),
    ("kube_job_owner", "Job", "job_name"),
    ("kube_deployment_owner", "Deployment", "deployment"),
    ("kube_statefulset_owner", "StatefulSet", "statefulset"),
)
_WORKLOAD_METRICS = (
    (
        "Deployment",
        "deployment",
        "kube_deployment_spec_replicas",
        "kube_deployment_status_replicas_ready",
        "kube_deployment_labels",
    ),
    (
        "StatefulSet",
        "statefulset",
        "kube_statefulset_replicas",
        "kube_statefulset_status_replicas_ready",
        "kube_statefulset_labels",
    ),
)


@dataclass(frozen=True, slots=True)
class LabelKeys:
    """Kubernetes label keys that anything downstream looks at; no others are asked for."""

    workload: Sequence[str] = ()
    node: Sequence[str] = ()


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
        self._store, self._names, self._window, self._keys = store, names, window, keys
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
                owners=self._owners(pods, where),
                workloads=self._workloads(pods, where),
                nodes=self._nodes(),
                namespace_labels=self._namespace_labels(where),
                pod_labels=self._pod_labels(pods, where),
                warnings=tuple(self._notices),
            ),
        )

    def _one_of(self, label: str, values: tuple[str, ...]) -> tuple[Matcher, ...]:
        return _one_of(f"exported_{label}" if self._renamed else label, values)

    def _last(self, metric: str, by: tuple[str, ...], where: tuple[Matcher, ...]) -> list[Sample]:
        if metric not in self._names:
            return []
        return self._store.whole(Query(metric, "last", _exported(by), "max", where), self._window)

    def _requests(self) -> list[RequestReading]:
        if REQUESTS not in self._names:
            return []
        by = _exported(("namespace", "pod", "uid", "container", "node", "resource"))
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
                    namespace=_label(labels, "namespace"),
                    pod=_label(labels, "pod"),
                    uid=_label(labels, "uid"),
                    container=_label(labels, "container"),
                    node=_label(labels, "node"),
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
            by = _exported(("node", "resource"))
            where = (Matcher("resource", GPU_RESOURCES, "=~"),)
            held = self._store.whole(Query(metric, "max", by, "max", where), self._window)
            counts = {frozenset(sample.labels.items()): sample.value for sample in held}
            return [
                CapacityReading(
                    node=_label(series.labels, "node"),
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
            found = self._last(metric, ("namespace", "pod", "uid"), where)
            if found:
                return {_pod_uid(s.labels): s.value for s in found if np.isfinite(s.value)}
        return {}

    def _ended(
        self, pods: set[tuple[str, str]], where: tuple[Matcher, ...]
    ) -> dict[tuple[str, str, str], float]:
        """(namespace, pod, uid) to the Unix time it Succeeded or Failed: it holds no GPU after,
        though its request is still listed until the object is deleted."""
        ended: dict[tuple[str, str, str], float] = {}
        if not pods or "kube_pod_status_phase" not in self._names:
            return ended
        by = _exported(("namespace", "pod", "uid"))
        over = (*where, Matcher("phase", "Succeeded|Failed", "=~"))
        query = Query("kube_pod_status_phase", "max", by, "max", over)
        names = {
            _label(s.labels, "pod")
            for s in self._store.whole(query, self._window)
            if s.value >= 1 and (_label(s.labels, "namespace"), _label(s.labels, "pod")) in pods
        }
        if not names:
            return ended
        only = (*over, *self._one_of("pod", tuple(sorted(names))))
        query = Query("kube_pod_status_phase", "max", by, "max", only)
        for series in self._store.steps(query, self._window):
            over_steps = np.flatnonzero(np.nan_to_num(series.values) >= 1)
            if over_steps.size:
                start = self._window.start.timestamp() + float(over_steps[0]) * STEP_S
                ended[_pod_uid(series.labels)] = start
        for sample in self._last("kube_pod_completion_time", ("namespace", "pod", "uid"), where):
            key = _pod_uid(sample.labels)
            if key in ended and np.isfinite(sample.value):
                ended[key] = sample.value
        return ended

    def _owners(
        self, pods: set[tuple[str, str]], where: tuple[Matcher, ...]
    ) -> dict[ObjectRef, ObjectRef]:
        owners: dict[ObjectRef, ObjectRef] = {}
        by = ("namespace", "pod", "owner_kind", "owner_name", "owner_is_controller")
        for sample in self._last("kube_pod_owner", by, where):
            if (_label(sample.labels, "namespace"), _label(sample.labels, "pod")) in pods:
                _add_owner(owners, "Pod", _label(sample.labels, "pod"), sample.labels)
        for metric, kind, label in _OWNER_METRICS:
            by = ("namespace", label, "owner_kind", "owner_name", "owner_is_controller")
            for sample in self._last(metric, by, where):
                _add_owner(owners, kind, _label(sample.labels, label), sample.labels)
        return owners

    def _workloads(
        self, pods: set[tuple[str, str]], where: tuple[Matcher, ...]
    ) -> dict[ObjectRef, WorkloadFact]:
        """Deployments and StatefulSets of these namespaces; those that exist now have replicas."""
        facts: dict[ObjectRef, WorkloadFact] = {}
        if not pods:
            return facts
        recent = Window.ending(self._window.end, _RECENT)
        for kind, label, spec, ready, labelled in _WORKLOAD_METRICS:
            by = _exported(("namespace", label))
            replicas, readies = (
                {
                    (_label(s.labels, "namespace"), _label(s.labels, label)): s.value
                    for s in self._store.whole(Query(metric, "last", by, "max", where), recent)
                    if np.isfinite(s.value)
                }
                if metric in self._names
                else {}
                for metric in (spec, ready)
            )
            keys = ("namespace", label, *_label_names(self._keys.workload))
            labels = {
                (_label(s.labels, "namespace"), _label(s.labels, label)): _plain(s.labels)
                for s in self._last(labelled, keys, where)
            }
            for namespace, name in sorted({*replicas, *labels}):
                count, ok = replicas.get((namespace, name)), readies.get((namespace, name))
                ref = ObjectRef(namespace, kind, name)
                facts[ref] = WorkloadFact(
                    ref=ref,
                    labels=labels.get((namespace, name), {}),
                    replicas=None if count is None else int(count),
                    ready=None if ok is None else int(ok),
                )
        return facts

    def _pod_labels(
        self, pods: set[tuple[str, str]], where: tuple[Matcher, ...]
    ) -> dict[tuple[str, str], Mapping[str, str]]:
        keys = ("namespace", "pod", *_label_names(self._keys.workload))
        found: dict[tuple[str, str], Mapping[str, str]] = {}
        for sample in self._last("kube_pod_labels", keys, where):
            pod = (_label(sample.labels, "namespace"), _label(sample.labels, "pod"))
            if pod in pods:
                found[pod] = _plain(sample.labels)
        return found

    def _namespace_labels(self, where: tuple[Matcher, ...]) -> dict[str, Mapping[str, str]]:
        keys = ("namespace", *_label_names(self._keys.workload))
        return {
            _label(s.labels, "namespace"): _plain(s.labels)
            for s in self._last("kube_namespace_labels", keys, where)
        }

    def _nodes(self) -> dict[str, NodeFact]:
        labels = {
            _label(s.labels, "node"): _plain(s.labels)
            for s in self._last("kube_node_labels", ("node", *_label_names(self._keys.node)), ())
        }
        addresses = {
            _label(s.labels, "node"): s.labels.get("internal_ip", "")
            for s in self._last("kube_node_info", ("node", "internal_ip"), ())
        }
        return {
            name: NodeFact(
                name=name,
                labels=labels.get(name, {}),
                addresses=(addresses[name],) if addresses.get(name) else (),
            )
            for name in sorted({*labels, *addresses} - {""})
        }

    def _pod_places(
        self, pods: set[tuple[str, str]], addresses: Iterable[str]
    ) -> tuple[dict[tuple[str, str], str], dict[str, tuple[str, str, str]]]:
        """Nodes of pods that request no GPU (exporters), and who is at an IP address."""
        by = ("namespace", "pod", "node", "pod_ip")
        nodes: dict[tuple[str, str], str] = {}
        ips: dict[str, tuple[str, str, str]] = {}
        asked = (
            self._one_of("pod", tuple(sorted({pod for _, pod in pods}))),
            _one_of("pod_ip", tuple(sorted(set(addresses)))),
        )
        for where in asked:
            for sample in self._last("kube_pod_info", by, where) if where else []:
                namespace, pod = _label(sample.labels, "namespace"), _label(sample.labels, "pod")
                node, ip = _label(sample.labels, "node"), sample.labels.get("pod_ip", "")
                nodes[namespace, pod] = node
                ips[ip] = (namespace, pod, node)
        return nodes, ips


def _impossible(labels: Mapping[str, str]) -> str:
    pod = f"{_label(labels, 'namespace')}/{_label(labels, 'pod')}"
    return f"{pod}: its request of {labels.get('resource', '')} is no possible count; left out"


def _one_of(label: str, values: tuple[str, ...]) -> tuple[Matcher, ...]:
    return (Matcher(label, "|".join(re.escape(v) for v in values), "=~"),) if values else ()


def _exported(by: Sequence[str]) -> tuple[str, ...]:
    """These labels, and how Prometheus renames them where ``honor_labels`` is off."""
    return (*by, *(f"exported_{label}" for label in by))


def _label(labels: Mapping[str, str], name: str) -> str:
    return labels.get(f"exported_{name}") or labels.get(name, "")


def _label_names(keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"label_{metric_label(key)}" for key in keys)


def _plain(labels: Mapping[str, str]) -> dict[str, str]:
    """Kubernetes labels out of metric labels, under their sanitised keys."""
    return {k.removeprefix("label_"): v for k, v in labels.items() if k.startswith("label_")}


def _pod_uid(labels: Mapping[str, str]) -> tuple[str, str, str]:
    return _label(labels, "namespace"), _label(labels, "pod"), _label(labels, "uid")


def _add_owner(
    owners: dict[ObjectRef, ObjectRef], kind: str, name: str, labels: Mapping[str, str]
) -> None:
    owner_kind, owner = _label(labels, "owner_kind"), _label(labels, "owner_name")
    if not owner or owner_kind in ("", "<none>") or labels.get("owner_is_controller") == "false":
        return
    namespace = _label(labels, "namespace")
    owners[ObjectRef(namespace, kind, name)] = ObjectRef(namespace, owner_kind, owner)
