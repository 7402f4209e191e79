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

    ``present`` and ``allocated`` are GPUs averaged over the step; NaN where nobody said.
    """

    cluster: str
    node_class: NodeClass
    present: StepArray
    allocated: StepArray


@dataclass(frozen=True, eq=False, slots=True)
class Serving:
    """What an inference server said of one workload; NaN where it said nothing.

    ``heard`` is the part of its replicas (0-1) that told both running and waiting requests.
    ``running``, ``waiting`` (requests, summed over replicas), ``waiting_peak`` (highest sample of
    the step, summed over replicas), ``kv_cache`` (0-1, the fullest replica). Totals are over the
    window, None when the server does not count them. Latencies in seconds, p95 over all replicas.
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
