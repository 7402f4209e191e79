"""KServe InferenceService: the annotation ``serving.kserve.io/stop``.

https://kserve.github.io/website/docs/model-serving/predictive-inference/stop-resume
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analyzer.collect.cluster.quantities import Manifest
from analyzer.collect.cluster.resources import Resource
from jobs.kinds.kind import Kind, PodGroup, condition_true, template_of


def _groups(item: Manifest) -> Sequence[PodGroup]:
    """Each component is a pod spec of its own; ``model`` is a container of it, and ``workerSpec``
    the pods that share its work."""
    groups = []
    for name in ("predictor", "transformer", "explainer"):
        component = template_of(item, "spec", name)
        if not component:
            continue
        labels = {"metadata": {"labels": component.get("labels") or {}}}
        least = component.get("minReplicas")
        pods = least if isinstance(least, int) and least > 0 else 1
        groups.append(PodGroup({**labels, "spec": _pod_spec(component)}, pods))
        worker = template_of(component, "workerSpec")
        if worker:
            # A pipeline of n stages is the head and n - 1 workers.
            stages = worker.get("pipelineParallelSize") or 2
            groups.append(PodGroup({**labels, "spec": worker}, pods * max(1, stages - 1)))
    return groups


def _pod_spec(component: Manifest) -> Manifest:
    model = component.get("model")
    containers = [*(component.get("containers") or ())]
    if isinstance(model, Mapping):
        containers.append(model)
    return {**component, "containers": containers}


KIND = Kind(
    resource=Resource("serving.kserve.io/v1beta1", "inferenceservices", "InferenceService"),
    path=("metadata", "annotations", "serving.kserve.io/stop"),
    stop="true",
    default=None,
    groups=_groups,
    is_ready=condition_true("Ready"),
    pod_label="serving.kserve.io/inferenceservice",
)
