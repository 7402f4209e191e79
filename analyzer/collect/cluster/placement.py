"""Where a pod may run and whether it could move: what its manifest says to the scheduler.

A manifest that is not shaped like one raises AttributeError, KeyError or TypeError.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from analyzer.collect.cluster.quantities import Manifest, pod_request
from analyzer.collect.facts import ResidentFact
from analyzer.model import Requirement, Taint, Toleration

NAME_FIELD = "metadata.name"
"""The only field of a node that affinity may name; kept as if it were a label."""

KEPT_AWAY = ("NoSchedule", "NoExecute")
"""Effects of taints that keep pods away. PreferNoSchedule does not."""

NOWHERE = (Requirement(NAME_FIELD, "In"),)
"""A term that no node meets."""

_STAYS = {
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    "karpenter.sh/do-not-disrupt": "true",
    "karpenter.sh/do-not-evict": "true",
}
"""Annotations by which a pod asks autoscalers to leave it where it is."""

_MIRROR = "kubernetes.io/config.mirror"
_FINISHED = ("Succeeded", "Failed")

_requirement = lru_cache(4096)(Requirement)
_toleration = lru_cache(4096)(Toleration)


def resident_fact(pod: Manifest) -> ResidentFact | None:
    """The pod if it holds room on a node: it is placed there and has not finished."""
    spec = pod["spec"]
    if not spec.get("nodeName") or (pod.get("status") or {}).get("phase") in _FINISHED:
        return None
    metadata = pod["metadata"]
    daemon = _is_daemon(metadata)
    return ResidentFact(
        namespace=metadata["namespace"],
        name=metadata["name"],
        node=spec["nodeName"],
        requests=pod_request(spec),
        daemon=daemon,
        terms=terms(spec),
        tolerations=tuple(
            _toleration(
                one.get("key") or "",
                one.get("value") or "",
                one.get("effect") or "",
                one.get("operator") == "Exists",
            )
            for one in spec.get("tolerations") or ()
            # Others compare numbers; leaving them out keeps a pod where it is.
            if one.get("operator") in (None, "", "Equal", "Exists")
        ),
        pinned="" if daemon else _pinned(metadata, spec),
    )


def taints(spec: Manifest) -> tuple[Taint, ...]:
    """The taints of a node's spec that keep pods away."""
    return tuple(
        Taint(one["key"], one.get("value") or "", one["effect"])
        for one in spec.get("taints") or ()
        if one["effect"] in KEPT_AWAY
    )


def terms(spec: Manifest) -> tuple[tuple[Requirement, ...], ...]:
    """Node selector and required node affinity of a pod's spec; one term must hold as a whole."""
    selected = tuple(
        _requirement(key, "In", (value,))
        for key, value in sorted((spec.get("nodeSelector") or {}).items())
    )
    required = _required(spec, "nodeAffinity")
    if not required:
        return (selected,) if selected else ()
    # A term without any condition holds nowhere, unlike no terms at all.
    found = [
        (*selected, *_conditions(term.get("matchExpressions")), *_conditions(fields))
        for term in required.get("nodeSelectorTerms") or ()
        if (fields := term.get("matchFields")) or term.get("matchExpressions")
    ]
    return tuple(found) or (NOWHERE,)


def _conditions(expressions: Iterable[Manifest] | None) -> list[Requirement]:
    return [
        _requirement(one["key"], one["operator"], tuple(one.get("values") or ()))
        for one in expressions or ()
    ]


def _required(spec: Manifest, sort: str) -> Manifest:
    affinity = (spec.get("affinity") or {}).get(sort) or {}
    found: Manifest = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    return found


def _is_daemon(metadata: Manifest) -> bool:
    """Whether a pod belongs to its node: one of a DaemonSet, or mirrored from the node's disk."""
    owners = metadata.get("ownerReferences") or ()
    return _MIRROR in (metadata.get("annotations") or {}) or any(
        owner.get("controller") and owner["kind"] in ("DaemonSet", "Node") for owner in owners
    )


def _pinned(metadata: Manifest, spec: Manifest) -> str:
    """Why a pod is taken to be unable to move; empty when it can.

    Read from the pod alone: a disruption budget delays an eviction and seldom prevents it, and
    whether a claim's volume is local is known to the volume only.
    """
    annotations = metadata.get("annotations") or {}
    for name, value in _STAYS.items():
        if str(annotations.get(name)).lower() == value:
            return f"annotation {name}"
    if not any(owner.get("controller") for owner in metadata.get("ownerReferences") or ()):
        return "no controller would start it again"
    if any("persistentVolumeClaim" in one or "ephemeral" in one for one in _list(spec, "volumes")):
        return "uses a volume claim"
    if spec.get("resourceClaims"):
        return "claims devices"
    if _required(spec, "podAffinity") or _required(spec, "podAntiAffinity"):
        return "affinity to other pods"
    spread = _list(spec, "topologySpreadConstraints")
    if any(one.get("whenUnsatisfiable") != "ScheduleAnyway" for one in spread):
        return "spread over a topology"
    containers = (*_list(spec, "containers"), *_list(spec, "initContainers"))
    if any(port.get("hostPort") for one in containers for port in _list(one, "ports")):
        return "binds a port of its node"
    return ""


def _list(manifest: Manifest, name: str) -> Iterable[Manifest]:
    found: Iterable[Manifest] = manifest.get(name) or ()
    return found
