"""RayService: ``spec.suspend``; its clusters go with it."""

from __future__ import annotations

from analyzer.collect.cluster.resources import Resource
from jobs.kinds.kind import Kind, condition_true, template_of
from jobs.kinds.ray import ray_groups

KIND = Kind(
    resource=Resource("ray.io/v1", "rayservices", "RayService"),
    path=("spec", "suspend"),
    stop=True,
    default=False,
    groups=lambda item: ray_groups(template_of(item, "spec", "rayClusterConfig")),
    is_ready=condition_true("Ready"),
)
