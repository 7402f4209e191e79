"""Reads the cluster's objects from kube-state-metrics, in place of the Kubernetes API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from analyzer.collect.facts import NodeFact, ObjectRef, WorkloadFact
from analyzer.collect.kubelabels import exported, label_names, label_of, plain
from analyzer.collect.store import Matcher, MetricStore, Query, Sample
from analyzer.model import Window

_RECENT = timedelta(minutes=15)
"""An object last heard of within this time exists; kube-state-metrics is scraped every minute."""

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


class ObjectReader:
    """Owners, workloads, labels and nodes, of one window."""

    def __init__(
        self, store: MetricStore, names: frozenset[str], window: Window, keys: LabelKeys
    ) -> None:
        self._store, self._names, self._window, self._keys = store, names, window, keys

    def last(self, metric: str, by: tuple[str, ...], where: tuple[Matcher, ...]) -> list[Sample]:
        """The last sample of every series, nothing where the metric is not there."""
        if metric not in self._names:
            return []
        return self._store.whole(Query(metric, "last", exported(by), "max", where), self._window)

    def owners(
        self, pods: set[tuple[str, str]], where: tuple[Matcher, ...]
    ) -> dict[ObjectRef, ObjectRef]:
        owners: dict[ObjectRef, ObjectRef] = {}
        by = ("namespace", "pod", "owner_kind", "owner_name", "owner_is_controller")
        for sample in self.last("kube_pod_owner", by, where):
            if (label_of(sample.labels, "namespace"), label_of(sample.labels, "pod")) in pods:
                _add_owner(owners, "Pod", label_of(sample.labels, "pod"), sample.labels)
        for metric, kind, label in _OWNER_METRICS:
            by = ("namespace", label, "owner_kind", "owner_name", "owner_is_controller")
            for sample in self.last(metric, by, where):
                _add_owner(owners, kind, label_of(sample.labels, label), sample.labels)
        return owners

    def workloads(
        self, pods: set[tuple[str, str]], where: tuple[Matcher, ...]
    ) -> dict[ObjectRef, WorkloadFact]:
        """Deployments and StatefulSets of these namespaces; those that exist now have replicas."""
        facts: dict[ObjectRef, WorkloadFact] = {}
        if not pods:
            return facts
        recent = Window.ending(self._window.end, _RECENT)
        for kind, label, spec, ready, labelled in _WORKLOAD_METRICS:
            by = exported(("namespace", label))
            replicas, readies = (
                {
                    (label_of(s.labels, "namespace"), label_of(s.labels, label)): s.value
                    for s in self._store.whole(Query(metric, "last", by, "max", where), recent)
                    if np.isfinite(s.value)
                }
                if metric in self._names
                else {}
                for metric in (spec, ready)
            )
            keys = ("namespace", label, *label_names(self._keys.workload))
            labels = {
                (label_of(s.labels, "namespace"), label_of(s.labels, label)): plain(s.labels)
                for s in self.last(labelled, keys, where)
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

    def pod_labels(
        self, pods: set[tuple[str, str]], where: tuple[Matcher, ...]
    ) -> dict[tuple[str, str], Mapping[str, str]]:
        keys = ("namespace", "pod", *label_names(self._keys.workload))
        found: dict[tuple[str, str], Mapping[str, str]] = {}
        for sample in self.last("kube_pod_labels", keys, where):
            pod = (label_of(sample.labels, "namespace"), label_of(sample.labels, "pod"))
            if pod in pods:
                found[pod] = plain(sample.labels)
        return found

    def namespace_labels(self, where: tuple[Matcher, ...]) -> dict[str, Mapping[str, str]]:
        keys = ("namespace", *label_names(self._keys.workload))
        return {
            label_of(s.labels, "namespace"): plain(s.labels)
            for s in self.last("kube_namespace_labels", keys, where)
        }

    def nodes(self) -> dict[str, NodeFact]:
        labels = {
            label_of(s.labels, "node"): plain(s.labels)
            for s in self.last("kube_node_labels", ("node", *label_names(self._keys.node)), ())
        }
        addresses = {
            label_of(s.labels, "node"): s.labels.get("internal_ip", "")
            for s in self.last("kube_node_info", ("node", "internal_ip"), ())
        }
        return {
            name: NodeFact(
                name=name,
                labels=labels.get(name, {}),
                addresses=(addresses[name],) if addresses.get(name) else (),
            )
            for name in sorted({*labels, *addresses} - {""})
        }


def _add_owner(
    owners: dict[ObjectRef, ObjectRef], kind: str, name: str, labels: Mapping[str, str]
) -> None:
    owner_kind, owner = label_of(labels, "owner_kind"), label_of(labels, "owner_name")
    if not owner or owner_kind in ("", "<none>") or labels.get("owner_is_controller") == "false":
        return
    namespace = label_of(labels, "namespace")
    owners[ObjectRef(namespace, kind, name)] = ObjectRef(namespace, owner_kind, owner)
