"""KEDA ScaledObject: the annotation ``autoscaling.keda.sh/paused-replicas``.

KEDA scales its target to that number and stops watching its triggers until the annotation goes.
https://keda.sh/docs/latest/concepts/scaling-deployments/#pausing-autoscaling
"""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.collect.cluster.quantities import Manifest
from analyzer.collect.cluster.resources import Resource
from analyzer.collect.facts import ObjectRef
from jobs.kinds.kind import Kind, at


def _controls(item: Manifest) -> Sequence[ObjectRef]:
    reference = at(item, ("spec", "scaleTargetRef")) or {}
    if not reference.get("name"):
        return ()
    namespace = item["metadata"].get("namespace", "")
    kind, version = reference.get("kind", "Deployment"), reference.get("apiVersion", "apps/v1")
    return (ObjectRef(namespace, kind, reference["name"], version),)


def _held(item: Manifest) -> str:
    """A person's pause keeps the present number of replicas: with ours removed, it would go on
    keeping the zero."""
    paused = at(item, ("metadata", "annotations", "autoscaling.keda.sh/paused"))
    return "paused by a person" if str(paused).lower() == "true" else ""


KIND = Kind(
    resource=Resource("keda.sh/v1alpha1", "scaledobjects", "ScaledObject"),
    path=("metadata", "annotations", "autoscaling.keda.sh/paused-replicas"),
    stop="0",
    default=None,
    # Its pods are its target's, and so is their readiness.
    groups=lambda _: (),
    is_ready=lambda _: None,
    controls=_controls,
    held=_held,
)
