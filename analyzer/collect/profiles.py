"""How each GPU exporter names things: metrics, units and the many spellings of a label.

One query keeps every spelling at once, because a cluster may run two versions of an exporter and
a label that is absent costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analyzer.collect.store import Matcher

POD_LABELS = (
    ("exported_pod", "exported_namespace"),
    ("pod_name", "pod_namespace"),
    ("pod", "namespace"),
)
"""Where a pod may be named, the most trustworthy first. With ``honor_labels`` off the workload is
in ``exported_*`` and ``pod`` is the exporter itself."""

HOST_LABELS = (
    "Hostname",
    "hostname",
    "node",
    "kubernetes_node",
    "node_name",
    "nodename",
    "instance",
)
UUID_LABELS = ("UUID", "uuid", "gpu_uuid")
INDEX_LABELS = ("gpu", "gpu_id", "minor_number", "device", "index")
MODEL_LABELS = ("modelName", "card_model", "gpu_model", "name")
MIG_LABELS = ("GPU_I_ID", "GPU_I_PROFILE")

IDENTITY = tuple(
    dict.fromkeys(
        [
            *(label for pair in POD_LABELS for label in pair),
            *HOST_LABELS,
            *UUID_LABELS,
            *INDEX_LABELS,
            *MODEL_LABELS,
            *MIG_LABELS,
        ]
    )
)
"""Every label that tells which GPU, where and whose. What is left out (``prometheus_replica``,
``job``, ``instance`` of a proxy ...) is what duplicates of one GPU differ in."""


@dataclass(frozen=True, slots=True)
class GpuMetric:
    """One series that says how busy a GPU is. ``scale`` turns it into 0-1; ``instead_of`` names a
    metric that makes this one unnecessary where it exists."""

    name: str
    scale: float
    where: tuple[Matcher, ...] = ()
    instead_of: str = ""
    either_unit: bool = False
    """Exporters disagree on 0-1 or 0-100 under this name: the values tell."""


@dataclass(frozen=True, slots=True)
class Exporter:
    """A source of GPU metrics. ``info`` is a metric whose labels name the model of a uuid."""

    name: str
    metrics: tuple[GpuMetric, ...]
    names_pods: bool = True
    info: str = ""
    lacking: str = ""
    """What this exporter cannot tell, for ``doctor``."""


_WHOLE = (Matcher("GPU_I_ID", ""),)
_MIG = (Matcher("GPU_I_ID", "", "!="),)

EXPORTERS: tuple[Exporter, ...] = (
    Exporter(
        "dcgm-exporter",
        (
            GpuMetric("DCGM_FI_DEV_GPU_UTIL", 0.01, _WHOLE),
            GpuMetric("DCGM_FI_PROF_GR_ENGINE_ACTIVE", 1.0, _MIG),
            GpuMetric(
                "DCGM_FI_PROF_GR_ENGINE_ACTIVE", 1.0, _WHOLE, instead_of="DCGM_FI_DEV_GPU_UTIL"
            ),
        ),
    ),
    Exporter(
        "amd-device-metrics-exporter",
        (
            GpuMetric("gpu_gfx_activity", 0.01),
            GpuMetric("amd_gpu_gfx_activity", 0.01),
        ),
    ),
    Exporter(
        "nvidia_gpu_exporter",
        (GpuMetric("nvidia_smi_utilization_gpu_ratio", 1.0),),
        names_pods=False,
        info="nvidia_smi_gpu_info",
        lacking="it names no pods: a node's use is known only where one workload holds the node",
    ),
    Exporter(
        "nvidia_gpu_utilization",
        (GpuMetric("nvidia_gpu_utilization", 0.01, either_unit=True),),
        lacking="it may not tell the GPUs of one pod apart",
    ),
)
"""In the order of trust: a GPU or pod that an earlier one speaks of is not read from a later."""


def first(labels: Mapping[str, str], keys: tuple[str, ...]) -> str:
    """The first of these labels that has a value, else an empty string."""
    return next((labels[key] for key in keys if labels.get(key)), "")


def named_pods(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The (namespace, pod) pairs that a series names, the most trustworthy first."""
    found = []
    for pod_label, namespace_label in POD_LABELS:
        pod = labels.get(pod_label)
        if pod:
            found.append((labels.get(namespace_label) or labels.get("namespace", ""), pod))
    return tuple(dict.fromkeys(found))
