"""LeaderWorkerSet: ``spec.replicas``, each a leader pod and ``size - 1`` workers.

https://lws.sigs.k8s.io/docs/reference/leaderworkerset.v1/
"""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.collect.cluster.quantities import Manifest
from analyzer.collect.cluster.resources import Resource
from jobs.kinds.kind import Kind, PodGroup, replicas_ready, template_of


def _groups(item: Manifest) -> Sequence[PodGroup]:
    group = template_of(item, "spec", "leaderWorkerTemplate")
    worker = template_of(group, "workerTemplate")
    leader = template_of(group, "leaderTemplate") or worker
    size = group.get("size", 1)
    return (PodGroup(leader), PodGroup(worker, max(0, size - 1)))


KIND = Kind(
    resource=Resource("leaderworkerset.x-k8s.io/v1", "leaderworkersets", "LeaderWorkerSet"),
    path=("spec", "replicas"),
    stop=0,
    default=1,
    groups=_groups,
    is_ready=replicas_ready(("status", "readyReplicas"), ("spec", "replicas")),
    pod_label="leaderworkerset.sigs.k8s.io/name",
)
