"""StatefulSet: ``spec.replicas``."""

from analyzer.collect.cluster.resources import STATEFULSETS
from jobs.kinds.kind import Kind, one_template, replicas_ready

KIND = Kind(
    resource=STATEFULSETS,
    path=("spec", "replicas"),
    stop=0,
    default=1,
    groups=one_template("spec", "template"),
    is_ready=replicas_ready(("status", "readyReplicas"), ("spec", "replicas")),
)
