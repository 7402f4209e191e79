"""What kube-state-metrics would have shown, its allowlist open to every label."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

import numpy as np

from analyzer.collect.simulate.fleet import App, Fleet, Node, Pod
from analyzer.collect.simulate.raw import Clock, Floats, RawSeries, Values, constant

PHASES = ("Pending", "Succeeded", "Failed", "Unknown", "Running")
SERVER = {"instance": "10.244.3.7:8080", "job": "kube-state-metrics"}

Shown = Iterator[tuple[Mapping[str, str], Floats, Values]]
Show = Callable[[Fleet, Clock], Shown]


def makers(fleet: Fleet, clock: Clock) -> dict[str, Callable[[], Iterator[RawSeries]]]:
    """Metric names and what makes their series."""
    shows = {f"kube_{name}": show for name, show in _SHOWS.items()}
    return {name: partial(_series, name, show, fleet, clock) for name, show in shows.items()}


def _series(name: str, show: Show, fleet: Fleet, clock: Clock) -> Iterator[RawSeries]:
    for labels, times_s, values in show(fleet, clock):
        yield from clock.show(name, {**SERVER, **labels}, times_s, values)


def sanitised(name: str) -> str:
    """A label or resource as kube-state-metrics writes it."""
    return re.sub(r"[^a-zA-Z0-9_]", "_", name)


def _prefixed(labels: Mapping[str, str]) -> dict[str, str]:
    return {f"label_{sanitised(name)}": value for name, value in labels.items()}


def _pod(pod: Pod) -> dict[str, str]:
    return {"namespace": pod.app.namespace, "pod": pod.name, "uid": pod.uid}


def _requests(fleet: Fleet, clock: Clock) -> Shown:
    for pod in fleet.pods:
        labels = _pod(pod) | {
            "container": pod.app.container,
            "resource": sanitised(pod.app.resource),
            "unit": "integer",
        }
        waiting_s = clock.during(pod.created_s, pod.scheduled_s)
        placed_s = clock.during(pod.scheduled_s, pod.gone_s)
        yield labels | {"node": ""}, waiting_s, constant(pod.app.gpus, waiting_s)
        yield labels | {"node": pod.node.name}, placed_s, constant(pod.app.gpus, placed_s)


def _pod_owner(fleet: Fleet, clock: Clock) -> Shown:
    for pod in fleet.pods:
        times_s = clock.during(pod.created_s, pod.gone_s)
        yield (
            _pod(pod)
            | {
                "owner_kind": pod.owner_kind,
                "owner_name": pod.owner_name,
                "owner_is_controller": "true",
            },
            times_s,
            constant(1, times_s),
        )


def _pod_info(fleet: Fleet, clock: Clock) -> Shown:
    for pod in fleet.pods:
        times_s = clock.during(pod.scheduled_s, pod.gone_s)
        yield (
            _pod(pod)
            | {
                "node": pod.node.name,
                "host_ip": pod.node.ip,
                "pod_ip": pod.ip,
                "created_by_kind": pod.owner_kind,
                "created_by_name": pod.owner_name,
                "priority_class": "",
                "host_network": "false",
            },
            times_s,
            constant(1, times_s),
        )


def _pod_labels(fleet: Fleet, clock: Clock) -> Shown:
    for pod in fleet.pods:
        times_s = clock.during(pod.created_s, pod.gone_s)
        yield _pod(pod) | _prefixed(pod.app.pod_labels), times_s, constant(1, times_s)


def _pod_phase(fleet: Fleet, clock: Clock) -> Shown:
    for pod in fleet.pods:
        times_s = clock.during(pod.created_s, pod.gone_s)
        # A pod runs once its container was started, a moment after it was scheduled.
        started_s = pod.scheduled_s + 20
        held = {
            "Pending": times_s <= started_s,
            "Running": (times_s > started_s) & (times_s <= pod.ended_s),
            "Succeeded": times_s > pod.ended_s,
        }
        for phase in PHASES:
            values = held.get(phase)
            yield (
                _pod(pod) | {"phase": phase},
                times_s,
                constant(0, times_s) if values is None else values.astype(np.float32),
            )


def _pod_completion(fleet: Fleet, clock: Clock) -> Shown:
    for pod in fleet.pods:
        if pod.ended_s < pod.gone_s:
            times_s = clock.during(pod.ended_s, pod.gone_s)
            yield _pod(pod), times_s, constant(np.floor(pod.ended_s), times_s)


def _replicaset_owner(fleet: Fleet, clock: Clock) -> Shown:
    made: dict[tuple[str, str], Pod] = {}
    for pod in fleet.pods:
        key = (pod.app.namespace, pod.owner_name)
        if pod.owner_kind == "ReplicaSet" and (
            key not in made or pod.created_s < made[key].created_s
        ):
            made[key] = pod
    for (namespace, name), pod in made.items():
        times_s = clock.during(pod.created_s, pod.app.end_s)
        yield (
            {
                "namespace": namespace,
                "replicaset": name,
                "owner_kind": "Deployment",
                "owner_name": pod.app.name,
                "owner_is_controller": "true",
            },
            times_s,
            constant(1, times_s),
        )


def _job_owner(fleet: Fleet, clock: Clock) -> Shown:
    for app in _apps(fleet, "Job"):
        times_s = clock.during(app.start_s, app.end_s)
        owner = ("CronJob", app.cron_job, "true") if app.cron_job else ("", "", "")
        labels = dict(zip(("owner_kind", "owner_name", "owner_is_controller"), owner, strict=True))
        yield (
            {"namespace": app.namespace, "job_name": app.name} | labels,
            times_s,
            constant(1, times_s),
        )


def _apps(fleet: Fleet, kind: str) -> Iterable[App]:
    return (app for app in fleet.apps if app.kind == kind)


def _deployment_labels(fleet: Fleet, clock: Clock) -> Shown:
    for app in _apps(fleet, "Deployment"):
        times_s = clock.during(app.start_s, app.end_s)
        labels = {"namespace": app.namespace, "deployment": app.name} | _prefixed(app.labels)
        yield labels, times_s, constant(1, times_s)


def _statefulset_labels(fleet: Fleet, clock: Clock) -> Shown:
    for app in _apps(fleet, "StatefulSet"):
        times_s = clock.during(app.start_s, app.end_s)
        labels = {"namespace": app.namespace, "statefulset": app.name} | _prefixed(app.labels)
        yield labels, times_s, constant(1, times_s)


def _wanted(kind: str, fleet: Fleet, clock: Clock) -> Shown:
    for app in _apps(fleet, kind):
        times_s = clock.during(app.start_s, app.end_s)
        scaling = fleet.scaling[app.namespace, app.name]
        at = np.searchsorted(scaling.from_s, times_s, side="right")
        counts = np.array((0, *scaling.count), dtype=np.float32)
        yield {"namespace": app.namespace, kind.lower(): app.name}, times_s, counts[at]


def _ready(kind: str, fleet: Fleet, clock: Clock) -> Shown:
    for app in _apps(fleet, kind):
        times_s = clock.during(app.start_s, app.end_s)
        ready = np.zeros(times_s.shape, dtype=np.float32)
        for pod in fleet.pods_of(app.namespace, app.name):
            for span in pod.serving:
                first, stop = np.searchsorted(times_s, span, side="right")
                ready[first:stop] += 1
        yield {"namespace": app.namespace, kind.lower(): app.name}, times_s, ready


def _namespace_labels(fleet: Fleet, clock: Clock) -> Shown:
    for namespace, labels in fleet.namespaces.items():
        times_s = clock.times_s
        yield {"namespace": namespace} | _prefixed(labels), times_s, constant(1, times_s)


def _node_series(labels: Callable[[Node], Mapping[str, str]], fleet: Fleet, clock: Clock) -> Shown:
    for node in fleet.nodes:
        times_s = clock.during(node.start_s, node.end_s)
        yield {"node": node.name} | dict(labels(node)), times_s, constant(1, times_s)


def _node_info(node: Node) -> Mapping[str, str]:
    return {
        "kernel_version": "6.12.40-64.114.amzn2023.x86_64",
        "os_image": "Amazon Linux 2023",
        "container_runtime_version": "containerd://2.1.4",
        "kubelet_version": "v1.34.1",
        "provider_id": f"aws:///eu-central-1a/{node.name}",
        "internal_ip": node.ip,
    }


def _node_resources(fleet: Fleet, clock: Clock) -> Shown:
    units = {"cpu": "core", "memory": "byte"}
    for node in fleet.nodes:
        times_s = clock.during(node.start_s, node.end_s)
        for resource, count in node.resources.items():
            labels = {
                "node": node.name,
                "resource": sanitised(resource),
                "unit": units.get(resource, "integer"),
            }
            yield labels, times_s, constant(count, times_s)


_SHOWS: dict[str, Show] = {
    "pod_container_resource_requests": _requests,
    "pod_owner": _pod_owner,
    "pod_info": _pod_info,
    "pod_labels": _pod_labels,
    "pod_status_phase": _pod_phase,
    "pod_completion_time": _pod_completion,
    "replicaset_owner": _replicaset_owner,
    "job_owner": _job_owner,
    "deployment_labels": _deployment_labels,
    "statefulset_labels": _statefulset_labels,
    "deployment_spec_replicas": partial(_wanted, "Deployment"),
    "deployment_status_replicas_ready": partial(_ready, "Deployment"),
    "statefulset_replicas": partial(_wanted, "StatefulSet"),
    "statefulset_status_replicas_ready": partial(_ready, "StatefulSet"),
    "namespace_labels": _namespace_labels,
    "node_labels": partial(_node_series, lambda node: _prefixed(node.labels)),
    "node_info": partial(_node_series, _node_info),
    "node_status_allocatable": _node_resources,
    "node_status_capacity": _node_resources,
}
