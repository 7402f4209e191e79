"""What the Kubernetes API of the demo's cluster would have told when the four weeks ended.

Made as manifests and read by what reads those of real clusters. Names, owners, labels and numbers
of replicas are those that the simulated kube-state-metrics shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from analyzer.collect.cluster.objects import node_fact, owner_of, pod_fact, workload_fact
from analyzer.collect.cluster.placement import resident_fact
from analyzer.collect.facts import KubeFacts, ObjectRef
from analyzer.collect.simulate.beside import beside
from analyzer.collect.simulate.fleet import App, Fleet, Node, Pod
from analyzer.collect.simulate.manifests import TOLERATIONS, amounts, controlled_by, pod_manifest
from analyzer.collect.simulate.models import SHARE, weights

API_VERSIONS = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "ReplicaSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
}
SCALED = ("Deployment", "StatefulSet")
TAINTS = ({"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"},)
IMAGES = {
    "vllm": "vllm/vllm-openai:v0.11.0",
    "sglang": "lmsysorg/sglang:v0.5.3",
    "": "registry.example/research/train:2026.10",
}
POOL = "karpenter.sh/nodepool"
"""What nodes of one pool have in common; GPU pods are bound to it, as their GPUs are not alike."""
ON_PREMISES = "eks.amazonaws.com/compute-type"
ASKED = 0.5
"""Of a GPU's part of its node's CPU and memory, how much a pod with that GPU asks for."""


@dataclass(frozen=True, slots=True)
class FleetObjects:
    """A ``KubeSource`` of a fleet that does not exist."""

    fleet: Fleet

    def facts(self, cluster_name: str) -> KubeFacts:  # noqa: ARG002 (stands in no object)
        manifests = [*_gpu_pods(self.fleet), *beside(self.fleet, _nodes_now(self.fleet))]
        owners = {
            ObjectRef(one["metadata"]["namespace"], "Pod", one["metadata"]["name"], "v1"): owner
            for one in manifests
            if (owner := owner_of(one["metadata"]))
        }
        workloads = [
            workload_fact(_ref(app), _controller(self.fleet, app)) for app in _apps_now(self.fleet)
        ]
        nodes = [node_fact(_node(node)) for node in _nodes_now(self.fleet)]
        return KubeFacts(
            pods=tuple(pod for one in manifests if (pod := pod_fact(one))),
            residents=tuple(resident for one in manifests if (resident := resident_fact(one))),
            owners=owners | dict(_links(self.fleet)),
            workloads={fact.ref: fact for fact in workloads},
            nodes={fact.name: fact for fact in nodes},
            namespace_labels=self.fleet.namespaces,
        )


def _now_s(fleet: Fleet) -> float:
    return fleet.span[1]


def _nodes_now(fleet: Fleet) -> list[Node]:
    now_s = _now_s(fleet)
    return [node for node in fleet.nodes if node.start_s < now_s <= node.end_s]


def _apps_now(fleet: Fleet) -> list[App]:
    now_s = _now_s(fleet)
    return [app for app in fleet.apps if app.start_s < now_s <= app.end_s]


def _gpu_pods(fleet: Fleet) -> Iterator[dict[str, Any]]:
    now_s = _now_s(fleet)
    for pod in fleet.pods:
        if pod.scheduled_s < now_s <= pod.gone_s:
            yield _gpu_pod(pod, "Succeeded" if pod.ended_s < now_s else "Running")


def _gpu_pod(pod: Pod, phase: str) -> dict[str, Any]:
    owner = controlled_by(API_VERSIONS[pod.owner_kind], pod.owner_kind, pod.owner_name)
    manifest = pod_manifest(pod.app.namespace, pod.name, owner, pod.node.name)
    manifest["metadata"] |= {"uid": pod.uid, "labels": dict(pod.app.pod_labels)}
    manifest["spec"] |= _pod_spec(pod.app, pod.node)
    scheduled = {"type": "PodScheduled", "status": "True"}
    scheduled["lastTransitionTime"] = _moment(pod.scheduled_s)
    ended = {"terminated": {"finishedAt": _moment(pod.ended_s)}} if phase == "Succeeded" else {}
    manifest["status"] = {
        "phase": phase,
        "conditions": [scheduled],
        "containerStatuses": [{"name": pod.app.container, "state": ended}],
    }
    return manifest


def _pod_spec(app: App, node: Node) -> dict[str, Any]:
    """What the pods of an app ask for on this node, or one alike."""
    units = sum(node.resources[name] for name in node.resources if name.startswith("nvidia.com/"))
    part = ASKED * app.gpus / units
    asked = amounts(part * node.resources["cpu"], part * node.resources["memory"] / 2**30)
    gpus = {app.resource: str(app.gpus)}
    key = POOL if POOL in node.labels else ON_PREMISES
    container = {
        "name": app.container,
        "image": IMAGES[app.server],
        "args": list(_arguments(app)),
        "resources": {"requests": asked | gpus, "limits": gpus},
    }
    spec: dict[str, Any] = {
        "containers": [container],
        "nodeSelector": {key: node.labels[key]},
        "tolerations": TOLERATIONS,
    }
    if app.kind == "StatefulSet":
        spec["volumes"] = [{"name": "home", "persistentVolumeClaim": {"claimName": app.name}}]
    return spec


def _arguments(app: App) -> Iterator[str]:
    """The command line of the inference server."""
    if not app.server:
        return
    names = _SGLANG if app.server == "sglang" else _VLLM
    if app.server == "sglang":
        yield from ("python3", "-m", "sglang.launch_server")
    yield from (names["model"], app.model, names["parallel"], str(app.gpus))
    if app.longest:
        yield from (names["longest"], str(app.longest))
    yield from (names["share"], str(SHARE))
    if weights(app.model) == "fp8":
        yield from ("--quantization", "fp8")


_VLLM = {
    "model": "--model",
    "parallel": "--tensor-parallel-size",
    "longest": "--max-model-len",
    "share": "--gpu-memory-utilization",
}
_SGLANG = {
    "model": "--model-path",
    "parallel": "--tp-size",
    "longest": "--context-length",
    "share": "--mem-fraction-static",
}


def _controller(fleet: Fleet, app: App) -> dict[str, Any]:
    """A Deployment, a StatefulSet or a Job; its template is that of the pod that came last."""
    pods = fleet.pods_of(app.namespace, app.name)
    node = max(pods, key=lambda pod: pod.created_s).node
    template = {"metadata": {"labels": dict(app.pod_labels)}, "spec": _pod_spec(app, node)}
    manifest: dict[str, Any] = {
        "metadata": {"namespace": app.namespace, "name": app.name, "labels": dict(app.labels)},
        "spec": {"template": template},
    }
    if app.kind in SCALED:
        now_s, scaling = _now_s(fleet), fleet.scaling[app.namespace, app.name]
        at = int(np.searchsorted(scaling.from_s, now_s, side="right"))
        ready = sum(start_s < now_s <= end_s for pod in pods for start_s, end_s in pod.serving)
        manifest["spec"]["replicas"] = (0, *scaling.count)[at]
        # A real server leaves a zero out.
        manifest["status"] = {"readyReplicas": ready} if ready else {"observedGeneration": 1}
    return manifest


def _links(fleet: Fleet) -> Iterator[tuple[ObjectRef, ObjectRef]]:
    """ReplicaSets, those of former revisions too, and Jobs, each with its owner."""
    present = {(app.namespace, app.kind, app.name) for app in _apps_now(fleet)}
    for pod in fleet.pods:
        app = pod.app
        if pod.owner_kind == "ReplicaSet" and (app.namespace, app.kind, app.name) in present:
            yield _named(app, "ReplicaSet", pod.owner_name), _ref(app)
    for app in _apps_now(fleet):
        if app.cron_job:
            yield _ref(app), _named(app, "CronJob", app.cron_job)


def _ref(app: App) -> ObjectRef:
    return _named(app, app.kind, app.name)


def _named(app: App, kind: str, name: str) -> ObjectRef:
    return ObjectRef(app.namespace, kind, name, API_VERSIONS[kind])


def _node(node: Node) -> Mapping[str, Any]:
    return {
        "metadata": {"name": node.name, "labels": dict(node.labels)},
        "spec": {"taints": TAINTS},
        "status": {
            "allocatable": {name: str(amount) for name, amount in node.resources.items()},
            "addresses": [{"type": "InternalIP", "address": node.ip}],
        },
    }


def _moment(at_s: float) -> str:
    """As an API server writes it: to the second."""
    return datetime.fromtimestamp(int(at_s), UTC).isoformat().replace("+00:00", "Z")
