"""Argo Rollout: ``spec.replicas``. Its template may be a Deployment's, which it then scales.

https://argo-rollouts.readthedocs.io/en/stable/features/specification/
"""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.collect.cluster.quantities import Manifest
from analyzer.collect.cluster.resources import Resource
from analyzer.collect.facts import ObjectRef
from jobs.kinds.kind import Kind, at, one_template, replicas_ready


def _controls(item: Manifest) -> Sequence[ObjectRef]:
    reference = at(item, ("spec", "workloadRef")) or {}
    if not reference.get("name"):
        return ()
    namespace = item["metadata"].get("namespace", "")
    kind, version = reference.get("kind", "Deployment"), reference.get("apiVersion", "apps/v1")
    return (ObjectRef(namespace, kind, reference["name"], version),)


KIND = Kind(
    resource=Resource("argoproj.io/v1alpha1", "rollouts", "Rollout"),
    path=("spec", "replicas"),
    stop=0,
    default=1,
    groups=one_template("spec", "template"),
    is_ready=replicas_ready(("status", "readyReplicas"), ("spec", "replicas")),
    controls=_controls,
)
