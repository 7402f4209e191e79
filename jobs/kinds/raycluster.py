"""RayCluster: ``spec.suspend``."""

from __future__ import annotations

from analyzer.collect.cluster.quantities import Manifest
from analyzer.collect.cluster.resources import Resource
from jobs.kinds.kind import Kind, at, condition_true, template_of
from jobs.kinds.ray import ray_groups


def _is_ready(item: Manifest) -> bool | None:
    told = condition_true("RayClusterProvisioned")(item)
    state = at(item, ("status", "state"))
    if state is None and told is None:
        return None
    # The condition stays True once it was; the state follows the pods.
    return state == "ready" if state is not None else told


KIND = Kind(
    resource=Resource("ray.io/v1", "rayclusters", "RayCluster"),
    path=("spec", "suspend"),
    stop=True,
    default=False,
    groups=lambda item: ray_groups(template_of(item, "spec")),
    is_ready=_is_ready,
    pod_label="ray.io/cluster",
)
