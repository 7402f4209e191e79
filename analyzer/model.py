"""The facts that every decision is made from: frozen, dated, each with its cluster.

Arrays are float32, one element a five-minute step of the window, in the order of time.
Step ``i`` covers ``(start + i * 300 s, start + (i + 1) * 300 s]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

STEP_S = 300
"""Length of a step in seconds. Five minutes keeps a week of one series at 2,016 values and
still shows a burst that a queue would feel."""

StepArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Window:
    """A span of whole steps. Both ends are aware UTC datetimes on a five-minute boundary."""

    start: datetime
    end: datetime

    @classmethod
    def ending(cls, now: datetime, length: timedelta) -> Window:
        """The last ``length`` (rounded up to whole steps) of complete steps before ``now``."""
        end_s = int(now.timestamp()) // STEP_S * STEP_S
        steps = max(1, -(-int(length.total_seconds()) // STEP_S))
        return cls(
            datetime.fromtimestamp(end_s - steps * STEP_S, UTC), datetime.fromtimestamp(end_s, UTC)
        )

    @property
    def steps(self) -> int:
        return int((self.end - self.start).total_seconds()) // STEP_S

    @property
    def hours(self) -> float:
        return (self.end - self.start).total_seconds() / 3600

    def nan(self) -> StepArray:
        return np.full(self.steps, np.nan, dtype=np.float32)

    def zeros(self) -> StepArray:
        return np.zeros(self.steps, dtype=np.float32)


@dataclass(frozen=True, slots=True, order=True)
class WorkloadKey:
    """What a workload is called, everywhere."""

    cluster: str
    namespace: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.cluster}/{self.namespace}/{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class Workload:
    """A workload that asked for GPUs at some time in the window; it may be gone by now.

    ``replicas`` and ``ready`` are the numbers now, None when nobody told. ``labels`` are the
    object's, ``pod_labels`` its pods' (or pod template's), ``namespace_labels`` its namespace's.
    ``exists`` is False when it was seen in the window and is not there any more, None when
    nothing could say.
    """

    key: WorkloadKey
    labels: Mapping[str, str] = field(default_factory=dict)
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    replicas: int | None = None
    ready: int | None = None
    gpus_per_replica: float | None = None
    exists: bool | None = None
    shared: bool = False
    """Its GPUs are time-sliced or MPS-shared: utilisation is the whole device's."""
    server: Mapping[str, str] = field(default_factory=dict)
    """Arguments of its inference server that sizing knows, by their name without dashes
    (``tensor-parallel-size``); empty when the Kubernetes API did not tell."""


@dataclass(frozen=True, slots=True, order=True)
class NodeClass:
    """What makes a GPU-hour cost what it costs. ``labels`` are those that prices select on."""

    gpu_model: str
    instance_type: str = ""
    pool: str = ""
    spot: bool = False
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class GpuUse:
    """What one workload held and did on one class of node.

    Arrays in GPUs averaged over the step (a MIG instance or a time slice counts as its share of
    the device): ``allocated`` requested and scheduled, ``observed`` of those under measurement,
    ``work`` busy (``work <= observed``).
    """

    workload: WorkloadKey
    node_class: NodeClass
    allocated: StepArray
    observed: StepArray
    work: StepArray


@dataclass(frozen=True, eq=False, slots=True)
class Pool:
    """GPUs of one node class in one cluster: what there was against what was asked for.

    ``present`` and ``allocated`` are GPUs averaged over the step, ``nodes`` the nodes that had
    them; NaN where nobody said. ``nodes`` is None where they were not counted.
    """

    cluster: str
    node_class: NodeClass
    present: StepArray
    allocated: StepArray
    nodes: StepArray | None = None


@dataclass(frozen=True, slots=True)
class Cache:
    """The KV cache of one replica, as its server told: ``tokens`` it holds (the smallest of the
    replicas), ``memory_share`` (0-1) of the GPU that the server takes, ``data_type`` of its
    entries as the server spells it; each None where it is not told."""

    tokens: float | None = None
    memory_share: float | None = None
    data_type: str | None = None


UNTOLD = Cache()
"""Nothing is known of it."""


@dataclass(frozen=True, eq=False, slots=True)
class Serving:
    """What an inference server said of one workload; NaN where it said nothing.

    ``heard`` is the part of its replicas (0-1) that told both running and waiting requests.
    ``running``, ``waiting`` (requests, summed over replicas), ``waiting_peak`` (highest sample of
    the step, summed over replicas), ``kv_cache`` (0-1, the fullest replica). Totals are over the
    window, None when the server does not count them. Latencies in seconds, p95 over all replicas.

    ``kv_peak`` is the highest sample of the fullest replica in each step, ``kv_mean`` the mean of
    all replicas, ``lean`` how much fuller than that the most loaded replica was over the window
    (at least 1); ``speaking`` is how many replicas told running and waiting requests;
    ``finished`` requests, ``prompted`` and ``generated`` tokens are what all replicas counted in
    each step. None where nobody read them.
    """

    workload: WorkloadKey
    model: str
    running: StepArray
    waiting: StepArray
    waiting_peak: StepArray
    kv_cache: StepArray
    heard: StepArray
    requests: float | None = None
    prompt_tokens: float | None = None
    generation_tokens: float | None = None
    preemptions: float | None = None
    ttft_p95_s: float | None = None
    itl_p95_s: float | None = None
    kv_peak: StepArray | None = None
    kv_mean: StepArray | None = None
    lean: float | None = None
    speaking: StepArray | None = None
    finished: StepArray | None = None
    prompted: StepArray | None = None
    generated: StepArray | None = None
    cache: Cache = UNTOLD


@dataclass(frozen=True, slots=True)
class Taint:
    """A taint of a node that keeps pods away (effects NoSchedule and NoExecute)."""

    key: str
    value: str = ""
    effect: str = "NoSchedule"


@dataclass(frozen=True, slots=True)
class Node:
    """A node with GPUs as it is now. ``allocatable`` maps every resource of the manifest
    (``cpu`` in cores, ``memory`` in bytes, ``pods``, ``nvidia.com/gpu``) to its amount.
    ``schedulable`` is False for a cordoned node; ``gpus`` are physical GPUs."""

    cluster: str
    name: str
    node_class: NodeClass
    allocatable: Mapping[str, float]
    gpus: float
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    schedulable: bool = True


@dataclass(frozen=True, slots=True)
class Toleration:
    """A toleration of a pod; an empty ``key`` with ``exists`` covers every taint, an empty
    ``effect`` every effect."""

    key: str = ""
    value: str = ""
    effect: str = ""
    exists: bool = False


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on a node's labels, as in node affinity: In, NotIn, Exists, DoesNotExist, Gt
    or Lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    """A pod that holds room on a node with GPUs now.

    ``workload`` is the top of its chain of controllers. ``requests`` are as the scheduler counts
    them, in the units of ``Node.allocatable``, ``pods`` included. ``daemon`` marks a pod that lives
    and leaves with its node. ``terms`` are node affinity and selector together: a node is fit when
    all requirements of any one term hold; no term fits any. ``pinned`` says why it is taken to be
    unable to move (a local volume, affinity to other pods), empty when it can.
    """

    workload: WorkloadKey
    pod: str
    node: str
    requests: Mapping[str, float]
    daemon: bool = False
    terms: tuple[tuple[Requirement, ...], ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    pinned: str = ""


NO_API = "no-cluster-api"
"""Code of the notice that a cluster was read without its API, and so without annotations."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a reader has to know to trust the figures. ``subject`` names what it is about."""

    cluster: str
    code: str
    message: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that was read, joined, at one moment. Deciding needs nothing else."""

    taken_at: datetime
    window: Window
    clusters: tuple[str, ...]
    workloads: tuple[Workload, ...] = ()
    use: tuple[GpuUse, ...] = ()
    pools: tuple[Pool, ...] = ()
    serving: tuple[Serving, ...] = ()
    notices: tuple[Notice, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    """Clusters that could not be read, each with the reason."""
    nodes: tuple[Node, ...] = ()
    placed: tuple[Placed, ...] = ()
    """Nodes with GPUs and the pods on them, of the clusters whose Kubernetes API was read."""
    heard_hours: Mapping[str, float] = field(default_factory=dict)
    """Hours of the window from the first to the last word that any exporter of a cluster said;
    a cluster that is missing was heard all the time."""
