"""Kubernetes manifests turned into facts: pure functions from parsed JSON.

A manifest that is not shaped like one raises AttributeError, KeyError or TypeError; the client
names the list it came from.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from analyzer.collect.facts import NodeFact, ObjectRef, PodFact, WorkloadFact

Manifest = Mapping[str, Any]

_GPU_RESOURCES = frozenset({"nvidia.com/gpu", "nvidia.com/gpu.shared", "amd.com/gpu"})
_MIG_PREFIX = "nvidia.com/mig-"

_DROPPED_ANNOTATIONS = frozenset({"kubectl.kubernetes.io/last-applied-configuration"})
"""The whole manifest once more, with whatever secrets its author put in environment variables."""

_SUFFIXES = {"m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30}


def is_gpu(resource: str) -> bool:
    """Whether a resource name of a manifest is a GPU, a MIG instance or a share of one."""
    return resource in _GPU_RESOURCES or resource.startswith(_MIG_PREFIX)


def quantity(value: object) -> float:
    """A Kubernetes quantity as a number; 0 when it is none. A server writes 1000 as ``1k``."""
    text = str(value)
    number = text.rstrip("mkMGi" if not text.endswith("i") else "KMGi")
    try:
        parsed = float(number) * _SUFFIXES.get(text[len(number) :], 1.0)
    except ValueError:
        return 0.0
    return parsed if math.isfinite(parsed) else 0.0


def gpu_quantities(resources: Manifest | None) -> dict[str, float]:
    """GPU resources of a resource list and how many, without the zeros."""
    counts = {name: quantity(value) for name, value in (resources or {}).items() if is_gpu(name)}
    return {name: count for name, count in counts.items() if count > 0}


def gpu_request(pod_spec: Manifest) -> dict[str, float]:
    """GPUs that the scheduler sets aside for a pod, by resource name.

    Containers run together, with the sidecars (init containers that restart always) started
    before them; each other init container runs alone beside the sidecars started so far. The
    pod holds the largest of these.
    https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
    """
    sidecars: dict[str, float] = {}
    peak: dict[str, float] = {}
    for container in pod_spec.get("initContainers") or ():
        use = _sum((sidecars, _container_gpus(container)))
        if container.get("restartPolicy") == "Always":
            sidecars = use
        peak = _highest(peak, use)
    running = _sum((sidecars, *map(_container_gpus, pod_spec.get("containers") or ())))
    return _highest(peak, running)


def _container_gpus(container: Manifest) -> dict[str, float]:
    resources = container.get("resources") or {}
    # For extended resources a request may be left out and equals the limit.
    return gpu_quantities(resources.get("requests")) | gpu_quantities(resources.get("limits"))


def _sum(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for part in parts:
        for name, count in part.items():
            total[name] = total.get(name, 0.0) + count
    return total


def _highest(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    return {name: max(one.get(name, 0.0), other.get(name, 0.0)) for name in {**one, **other}}


def moment(value: object) -> datetime | None:
    """An API timestamp as aware UTC; None when absent, unreadable or the zero of some clock."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    return parsed.astimezone(UTC) if parsed.tzinfo and parsed.year > 1970 else None


def owner_of(metadata: Manifest) -> ObjectRef | None:
    """The controller of an object. A Node is none: it mirrors the static pods of its disk."""
    for reference in metadata.get("ownerReferences") or ():
        if reference.get("controller") and reference["kind"] != "Node":
            return ObjectRef(
                metadata.get("namespace", ""),
                reference["kind"],
                reference["name"],
                reference.get("apiVersion", ""),
            )
    return None


def pod_fact(pod: Manifest) -> PodFact | None:
    """The pod if it asks for GPUs."""
    gpus = gpu_request(pod["spec"])
    if not gpus:
        return None
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    return PodFact(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        node=spec.get("nodeName") or "",
        gpus=gpus,
        labels=metadata.get("labels") or {},
        owner=owner_of(metadata),
        scheduled_at=_scheduled_at(status),
        ended_at=_ended_at(metadata, status),
    )


def _scheduled_at(status: Manifest) -> datetime | None:
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "True":
            return moment(condition.get("lastTransitionTime")) or moment(status.get("startTime"))
    return moment(status.get("startTime"))


def _ended_at(metadata: Manifest, status: Manifest) -> datetime | None:
    """When a finished pod let go of its GPUs: its last container's end, else its deletion, else
    the last change of a condition (an evicted pod has no container states)."""
    if status.get("phase") not in ("Succeeded", "Failed"):
        return None
    states = [
        entry.get("state") or {}
        for entry in (
            *(status.get("containerStatuses") or ()),
            *(status.get("initContainerStatuses") or ()),
        )
    ]
    changes = [moment(c.get("lastTransitionTime")) for c in status.get("conditions") or ()]
    return (
        _latest(moment((state.get("terminated") or {}).get("finishedAt")) for state in states)
        or moment(metadata.get("deletionTimestamp"))
        or _latest(changes)
    )


def _latest(moments: Iterable[datetime | None]) -> datetime | None:
    return max((one for one in moments if one), default=None)


def node_fact(node: Manifest) -> NodeFact:
    """A node with its GPUs and every name or address it goes by."""
    metadata, status = node["metadata"], node.get("status") or {}
    return NodeFact(
        name=metadata["name"],
        labels=metadata.get("labels") or {},
        allocatable=gpu_quantities(status.get("allocatable")),
        addresses=tuple(entry["address"] for entry in status.get("addresses") or ()),
    )


def workload_fact(ref: ObjectRef, manifest: Manifest) -> WorkloadFact:
    """A controller, from its whole manifest or its metadata alone."""
    metadata = manifest["metadata"]
    spec, status = manifest.get("spec") or {}, manifest.get("status") or {}
    replicas = _count(spec.get("replicas"))
    ready = _count(status.get("readyReplicas"))
    if ready is None and replicas is not None and status:
        # The server leaves a zero out of a status that a controller has written.
        ready = 0
    return WorkloadFact(
        ref=ref,
        labels=metadata.get("labels") or {},
        pod_labels=(_template(spec).get("metadata") or {}).get("labels") or {},
        annotations={
            name: value
            for name, value in (metadata.get("annotations") or {}).items()
            if name not in _DROPPED_ANNOTATIONS
        },
        replicas=replicas,
        ready=ready,
    )


def template_asks_for_gpus(manifest: Manifest) -> bool:
    """Whether the pods of a controller would ask for GPUs, whether there are any or not."""
    return bool(gpu_request(_template(manifest.get("spec") or {}).get("spec") or {}))


def _template(spec: Manifest) -> Manifest:
    groups = spec.get("leaderWorkerTemplate") or {}
    template = spec.get("template") or groups.get("workerTemplate") or {}
    return template if isinstance(template, Mapping) else {}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
