"""The pods of the workloads that are about to change, or are not ready: read only then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analyzer.collect.cluster.api import KubeApi
from analyzer.collect.cluster.objects import owner_of
from analyzer.collect.cluster.quantities import Manifest, gpu_request
from analyzer.collect.cluster.resources import PODS, REPLICASETS
from analyzer.collect.facts import ObjectRef
from analyzer.sleep.model import Target
from jobs.kinds.kind import at
from jobs.sleeping.fleet import Fleet, ref_of


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod of a workload. ``resources`` are the GPUs that it asks for, by resource name;
    ``trouble`` is why it is not ready, empty when it is, or when nobody says."""

    namespace: str
    name: str
    node: str
    resources: Mapping[str, float]
    is_ready: bool
    trouble: str


@dataclass(frozen=True, slots=True)
class _Found:
    ref: ObjectRef
    owner: ObjectRef | None
    labels: Mapping[str, str]
    pod: Pod


def read_pods(
    api: KubeApi, fleet: Fleet, targets: Iterable[Target], namespaces: Sequence[str] = ()
) -> dict[str, list[Pod]]:
    """The pods that have not ended, by uid of the workload, of those of ``targets`` that have any.

    One list of pods and one of ReplicaSets, of each namespace when some are named. Raises
    ``SourceError``.
    """
    wanted = {ref_of(target): target.uid for target in targets}
    links: dict[ObjectRef, ObjectRef] = {}
    found: list[_Found] = []
    for scope in namespaces or ("",):
        links.update(api.read_list(REPLICASETS.in_namespace(scope), _link, metadata_only=True))
        found += api.read_list(PODS.in_namespace(scope), _pod)
    # A LeaderWorkerSet's workers are owned by a StatefulSet that is owned by the leader pod.
    links |= {one.ref: one.owner for one in found if one.owner}
    by_label = _labelled(fleet)
    pods: dict[str, list[Pod]] = {}
    for one in found:
        uid = _workload_of(one, fleet, links, by_label, wanted)
        if uid:
            pods.setdefault(uid, []).append(one.pod)
    return pods


Labelled = Mapping[tuple[str, str, str], ObjectRef]


def _labelled(fleet: Fleet) -> Labelled:
    """Workloads whose pods name them in a label, by namespace, label and value."""
    return {
        (ref.namespace, item.kind.pod_label, ref.name): ref
        for ref, item in fleet.items.items()
        if item.kind.pod_label
    }


def _workload_of(
    found: _Found,
    fleet: Fleet,
    links: Mapping[ObjectRef, ObjectRef],
    by_label: Labelled,
    wanted: Mapping[ObjectRef, str],
) -> str:
    """The uid of the wanted workload that a pod belongs to, empty when it is none of those."""
    starts = [found.ref]
    for label, value in found.labels.items():
        ref = by_label.get((found.ref.namespace, label, value))
        if ref:
            starts.append(ref)
    for ref in starts:
        for _ in range(20):
            root = fleet.root(ref)
            if root in wanted:
                return wanted[root]
            if ref in wanted:
                return wanted[ref]
            following = links.get(ref) or fleet.roots.get(ref)
            if following is None:
                break
            ref = following  # noqa: PLW2901 - walking up
    return ""


def _link(manifest: dict[str, Any]) -> tuple[ObjectRef, ObjectRef] | None:
    metadata = manifest["metadata"]
    owner = owner_of(metadata)
    if owner is None:
        return None
    return ObjectRef(metadata.get("namespace", ""), "ReplicaSet", metadata["name"]), owner


def _pod(manifest: dict[str, Any]) -> _Found | None:
    metadata, spec, status = manifest["metadata"], manifest["spec"], manifest.get("status") or {}
    if status.get("phase") in ("Succeeded", "Failed"):
        return None
    owner = owner_of(metadata)
    labels = metadata.get("labels") or {}
    if owner is None and not labels:
        return None
    is_ready = _condition(status, "Ready").get("status") == "True"
    return _Found(
        ObjectRef(metadata.get("namespace", ""), "Pod", metadata["name"]),
        owner,
        labels,
        Pod(
            metadata.get("namespace", ""),
            metadata["name"],
            spec.get("nodeName") or "",
            gpu_request(spec),
            is_ready,
            "" if is_ready else trouble_of(status),
        ),
    )


def _condition(status: Manifest, name: str) -> Manifest:
    for condition in status.get("conditions") or ():
        if condition.get("type") == name:
            found: Manifest = condition
            return found
    return {}


def trouble_of(status: Manifest) -> str:
    """Why a pod is not ready, as its status tells: what keeps it from a node, from its image or
    from running; empty when it is only starting."""
    scheduled = _condition(status, "PodScheduled")
    if scheduled.get("status") == "False":
        return _line(str(scheduled.get("reason") or "Unschedulable"), scheduled.get("message"))
    containers = [
        *(status.get("initContainerStatuses") or ()),
        *(status.get("containerStatuses") or ()),
    ]
    for read in (_out_of_memory, _waiting, _ended):
        for container in containers:
            told = read(container)
            if told:
                return told
    return ""


def _out_of_memory(container: Manifest) -> str:
    for state in ("state", "lastState"):
        if at(container, (state, "terminated", "reason")) == "OOMKilled":
            return f"OOMKilled: container {container['name']} ran out of memory"
    return ""


_STARTING = frozenset({"ContainerCreating", "PodInitializing"})


def _waiting(container: Manifest) -> str:
    waiting = at(container, ("state", "waiting")) or {}
    reason = waiting.get("reason")
    if not reason or reason in _STARTING:
        return ""
    if reason == "CrashLoopBackOff":
        code = at(container, ("lastState", "terminated", "exitCode"))
        restarts = container.get("restartCount", 0)
        told = f"last exit code {code}" if code is not None else "it keeps ending"
        return f"CrashLoopBackOff: container {container['name']}, {told}, {restarts} restarts"
    return _line(f"{reason}: container {container['name']}", waiting.get("message"))


def _ended(container: Manifest) -> str:
    ended = at(container, ("state", "terminated")) or {}
    code = ended.get("exitCode")
    return f"Error: container {container['name']} ended with code {code}" if code else ""


def _line(what: str, message: object) -> str:
    text = " ".join(str(message or "").split())
    return f"{what}: {text[:200]}" if text else what


def causes(pods: Sequence[Pod]) -> str:
    """What keeps a workload from being ready, the most frequent first; empty when all pods are."""
    told: dict[str, int] = {}
    for pod in pods:
        if not pod.is_ready:
            why = pod.trouble or "starting: no cause told yet"
            told[why] = told.get(why, 0) + 1
    frequent = sorted(told.items(), key=lambda entry: (-entry[1], entry[0]))
    return "; ".join(f"{why} ({pods_} pods)" if pods_ > 1 else why for why, pods_ in frequent)
