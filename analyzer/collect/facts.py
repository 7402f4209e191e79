"""What the readers hand to the join, before anything is attributed to a workload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from analyzer.model import UNTOLD, Cache, Notice, Requirement, StepArray, Taint, Toleration


@dataclass(frozen=True, slots=True, order=True)
class ObjectRef:
    """A namespaced Kubernetes object. ``api_version`` is empty when the source does not say."""

    namespace: str
    kind: str
    name: str
    api_version: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class PodFact:
    """A pod of the Kubernetes API that asks for GPUs. ``gpus`` maps resource name to count, as in
    the manifest (``nvidia.com/gpu``). ``ended_at`` is set once it has Succeeded or Failed.
    ``server`` are arguments of its inference server, as in ``Workload.server``."""

    namespace: str
    name: str
    uid: str
    node: str
    gpus: Mapping[str, float]
    labels: Mapping[str, str] = field(default_factory=dict)
    owner: ObjectRef | None = None
    scheduled_at: datetime | None = None
    ended_at: datetime | None = None
    server: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ResidentFact:
    """A pod that holds room on a node with GPUs now, whether it asks for any or not; the fields
    are those of ``Placed``."""

    namespace: str
    name: str
    node: str
    requests: Mapping[str, float]
    daemon: bool = False
    terms: tuple[tuple[Requirement, ...], ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    pinned: str = ""


@dataclass(frozen=True, slots=True)
class WorkloadFact:
    """A controller object as it is now. ``server`` is what its pod template says, as in
    ``Workload.server``."""

    ref: ObjectRef
    labels: Mapping[str, str] = field(default_factory=dict)
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    replicas: int | None = None
    ready: int | None = None
    server: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeFact:
    """A node as it is now, or as it was last seen. ``allocatable`` maps resource names, as in the
    manifest, to amounts, in the units of ``Node.allocatable``; empty when unknown."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    allocatable: Mapping[str, float] = field(default_factory=dict)
    addresses: tuple[str, ...] = ()
    taints: tuple[Taint, ...] = ()
    schedulable: bool = True


@dataclass(frozen=True, slots=True)
class KubeFacts:
    """What the Kubernetes API, or kube-state-metrics in its place, knows.

    ``owners`` maps a child to its controller (pods, ReplicaSets, Jobs, Deployments ...), also for
    objects that are gone. ``pod_labels`` is by (namespace, pod). ``residents`` are all pods on
    nodes with GPUs.
    """

    pods: tuple[PodFact, ...] = ()
    residents: tuple[ResidentFact, ...] = ()
    owners: Mapping[ObjectRef, ObjectRef] = field(default_factory=dict)
    workloads: Mapping[ObjectRef, WorkloadFact] = field(default_factory=dict)
    nodes: Mapping[str, NodeFact] = field(default_factory=dict)
    namespace_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    pod_labels: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    warnings: tuple[Notice, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class RequestReading:
    """One container's GPU request over time, from kube-state-metrics.

    ``count`` is devices (or MIG instances, or time slices) requested; ``samples`` how many samples
    each step holds. ``node`` is empty while the pod is not scheduled.
    """

    namespace: str
    pod: str
    uid: str
    container: str
    node: str
    resource: str
    count: float
    samples: StepArray


@dataclass(frozen=True, eq=False, slots=True)
class CapacityReading:
    """A node's allocatable GPUs of one resource over time, from kube-state-metrics."""

    node: str
    resource: str
    count: float
    samples: StepArray


@dataclass(frozen=True, eq=False, slots=True)
class DeviceReading:
    """One GPU or MIG instance while one set of labels held.

    ``pods`` are the (namespace, pod) pairs its labels name, the most trustworthy first; none of
    them need be a workload. ``names_pods`` is False for an exporter that cannot. ``mean`` is 0-1,
    NaN without samples; ``samples`` how many samples each step holds. ``uuid`` is the device,
    shared by its MIG instances; empty when the exporter does not tell a pod's GPUs apart.
    ``hosts`` are the labels that may name the node or its address.
    """

    exporter: str
    uuid: str
    mig_id: str
    mig_profile: str
    gpu_model: str
    hosts: tuple[str, ...]
    pods: tuple[tuple[str, str], ...]
    names_pods: bool
    mean: StepArray
    samples: StepArray


@dataclass(frozen=True, eq=False, slots=True)
class ServingReading:
    """One pod's inference server. Buckets map an upper bound in seconds to a count.

    ``waiting_peak`` and ``kv_peak`` are the highest samples of each step; ``finished`` requests,
    ``prompted`` and ``generated`` tokens are what was counted in it.
    """

    namespace: str
    pod: str
    model: str
    running: StepArray
    waiting: StepArray
    waiting_peak: StepArray
    kv_cache: StepArray
    kv_peak: StepArray
    finished: StepArray
    prompted: StepArray
    generated: StepArray
    cache: Cache = UNTOLD
    totals: Mapping[str, float] = field(default_factory=dict)
    ttft: Mapping[float, float] = field(default_factory=dict)
    itl: Mapping[float, float] = field(default_factory=dict)
