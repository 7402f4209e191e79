"""Kubernetes manifests turned into facts: pure functions from parsed JSON.

A manifest that is not shaped like one raises AttributeError, KeyError or TypeError; the client
names the list it came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from analyzer.collect.cluster.arguments import server_arguments
from analyzer.collect.cluster.placement import taints
from analyzer.collect.cluster.quantities import Manifest, gpu_request, quantities
from analyzer.collect.facts import NodeFact, ObjectRef, PodFact, WorkloadFact
from analyzer.sleep.annotations import PREFIX


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
        server=server_arguments(spec),
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
    """A node with its resources and every name or address it goes by."""
    metadata, spec, status = node["metadata"], node.get("spec") or {}, node.get("status") or {}
    return NodeFact(
        name=metadata["name"],
        labels=metadata.get("labels") or {},
        allocatable=quantities(status.get("allocatable")),
        addresses=tuple(entry["address"] for entry in status.get("addresses") or ()),
        taints=taints(spec),
        schedulable=not spec.get("unschedulable"),
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
            # Others are nobody's business here, and hold secrets: the whole manifest among them.
            if name.startswith(PREFIX)
        },
        replicas=replicas,
        ready=ready,
        server=_server(spec),
    )


def _server(spec: Manifest) -> dict[str, str]:
    """Of a group of pods the leader's may be the one that serves."""
    groups = spec.get("leaderWorkerTemplate") or {}
    leader = server_arguments((groups.get("leaderTemplate") or {}).get("spec") or {})
    return leader or server_arguments(_template(spec).get("spec") or {})


def template_asks_for_gpus(manifest: Manifest) -> bool:
    """Whether the pods of a controller would ask for GPUs, whether there are any or not."""
    return bool(gpu_request(_template(manifest.get("spec") or {}).get("spec") or {}))


def _template(spec: Manifest) -> Manifest:
    groups = spec.get("leaderWorkerTemplate") or {}
    template = spec.get("template") or groups.get("workerTemplate") or {}
    return template if isinstance(template, Mapping) else {}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
