"""What a RayCluster and a RayService have in common: the shape of a Ray cluster."""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.collect.cluster.quantities import Manifest
from jobs.kinds.kind import PodGroup, template_of


def ray_groups(cluster: Manifest) -> Sequence[PodGroup]:
    """The head pod and the workers of each group, from the spec of a RayCluster.

    https://docs.ray.io/en/latest/cluster/kubernetes/user-guides/config.html
    """
    groups = [PodGroup(template_of(cluster, "headGroupSpec", "template"))]
    for group in cluster.get("workerGroupSpecs") or ():
        replicas = group.get("replicas")
        count = replicas if isinstance(replicas, int) else group.get("minReplicas") or 0
        pods = count * (group.get("numOfHosts") or 1)
        groups.append(PodGroup(template_of(group, "template"), pods))
    return groups
