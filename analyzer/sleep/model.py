"""The values that sleeping and waking are decided from, and the decisions.

A setting is the native value that runs or stops a workload: ``spec.replicas`` of a Deployment,
``spec.suspend`` of a RayCluster, an annotation of an InferenceService. None stands for a field
that is absent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from analyzer.environment import Sign
from analyzer.model import Workload, WorkloadKey

Setting = int | str | bool | None

SCHEDULE = "schedule"
"""Who put a workload to sleep when no person did."""

FIELD_MANAGER = "gpu-thrift"
"""What the API server calls us where it keeps who set a field."""

PERSON = "person"
"""First word of who did it when a person did: ``person alice``."""

STOPPED = "stopped or deleted before it was ready"
UNTOLD = "nothing tells whether it is ready"
"""Why a woken workload is not waited for any more, where nothing is wrong with it."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What has to be known to wake a workload exactly as it was.

    ``before`` is the setting to restore, ``slept_to`` the one that sleep gave it. ``wake_at`` is
    when it is due at the latest, None when its schedule names no time.
    """

    before: Setting
    since: datetime
    by: str
    wake_at: datetime | None
    slept_to: Setting

    @property
    def by_person(self) -> bool:
        return self.by != SCHEDULE


@dataclass(frozen=True, slots=True)
class Owner:
    """What reverts a change of an object because it applies it from elsewhere.

    ``tool`` is ``Argo CD`` or ``Flux``, ``name`` the application, kustomization or release.
    """

    tool: str
    name: str
    sign: str


@dataclass(frozen=True, slots=True)
class Target:
    """A workload that has a native stop, as it is now. ``workload.replicas`` are those it asks
    for, None when unknown; ``workload.key.kind`` is the object's kind.

    ``members`` are objects it controls or that run for it: their labels and names speak for its
    environment too. ``held_by`` says why it cannot be handled itself (``Deployment is owned by
    RayService chat``), empty when it can. ``autoscaler`` names what else moves its replicas.
    ``startup`` is its startup probe's budget. ``changed_by`` is the client that last set the
    setting, empty when the server does not say.
    """

    workload: Workload
    uid: str
    version: str
    created_at: datetime | None
    setting: Setting
    stop: Setting
    """The native value that stops it: 0, True, ``"true"``."""
    counts: bool = True
    """Whether the setting is a number of replicas, so that it can be something between."""
    members: tuple[Workload, ...] = ()
    held_by: str = ""
    autoscaler: str = ""
    gitops: Owner | None = None
    startup: timedelta | None = None
    changed_by: str = ""
    is_ready: bool | None = None
    """Whether all that it asks for is ready, None when nobody says."""
    model: str = ""
    """The model that it serves, as its containers' arguments name it."""
    scales: tuple[str, ...] = ()
    """``KIND/NAME`` of what it scales without owning it."""
    has_pods: bool | None = None
    """Whether its status tells of any pods, None when that does not say."""

    @property
    def key(self) -> WorkloadKey:
        return self.workload.key

    @property
    def gpus(self) -> float:
        """GPUs that it asks for now; 0 when it is stopped."""
        return 0.0 if self.is_stopped else self.gpus_at(self.setting)

    @property
    def is_stopped(self) -> bool:
        return self.setting == self.stop

    def gpus_at(self, setting: Setting) -> float:
        """GPUs that it asks for at another setting."""
        replicas = setting if self.counts else self.workload.replicas
        each = self.workload.gpus_per_replica or 0.0
        return each * (replicas if isinstance(replicas, int) else 1)

    def freed(self, memory: Memory) -> float:
        """GPUs that a sleep frees: those before, less those that it leaves."""
        left = self.gpus_at(memory.slept_to) if self.counts else 0.0
        return max(0.0, self.gpus_at(memory.before) - left)


@dataclass(frozen=True, slots=True)
class Slept:
    """One sleep, for what it saved. ``until`` is None while it lasts.

    ``ended`` is how it did: ``woken``, ``gone`` or ``left-awake``. ``ready_at`` is when the
    workload was ready after it, ``cause`` why that took too long, ``waited_until`` when nobody
    waited for it any more.
    """

    key: WorkloadKey
    uid: str
    since: datetime
    until: datetime | None
    gpus: float
    usd_per_hour: float | None
    nodes: tuple[str, ...]
    by: str
    ready_at: datetime | None = None
    cause: str = ""
    ended: str = ""
    waited_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class NotDone:
    """A change that was begun and not made. ``action`` is ``sleep``, ``wake``, ``forget`` or
    ``keep-awake``, ``result`` ``failed`` or ``skipped``, ``detail`` why."""

    key: WorkloadKey
    at: datetime
    action: str
    result: str
    detail: str


@dataclass(frozen=True, slots=True)
class Row:
    """A sleep that the ledger has not seen end, or one whose workload is not ready yet.

    ``reverts`` counts how often a GitOps tool undid it.
    """

    key: WorkloadKey
    uid: str
    memory: Memory
    gpus: float = 0.0
    usd_per_hour: float | None = None
    reverts: int = 0
    woken_at: datetime | None = None
    ready_at: datetime | None = None
    nodes: tuple[str, ...] = ()
    """Nodes that its pods ran on when it was put to sleep."""
    scales: tuple[str, ...] = ()
    """``KIND/NAME`` of what it scaled without owning it."""
    cause: str = ""
    """Why it was not ready by its deadline, once that was told."""
    pending: bool = False
    """The sleep was begun, and nobody knows whether it was done: the object tells."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A time until which the ledger says that a workload stays awake, and why."""

    uid: str
    until: datetime
    reason: Literal["person", "woken-early", "reverted"]


Activity = Literal["busy", "idle", "unknown"]


@dataclass(frozen=True, slots=True)
class Busy:
    """What the last minutes of metrics say of a workload, and the evidence in words."""

    activity: Activity
    evidence: str


SleepReason = Literal["outside-window", "person", "reverted"]
WakeReason = Literal[
    "window", "lead", "due", "person", "excluded", "keep-awake", "bad-annotation", "gpus-free"
]
LeaveReason = Literal[
    "already-asleep",
    "already-at-zero",
    "awake",
    "bad-annotation",
    "busy",
    "contested",
    "disabled",
    "environment",
    "excluded",
    "grace",
    "held-by",
    "holding",
    "kept-awake",
    "memory-lost",
    "metrics-missing",
    "no-gpus",
    "not-asleep",
    "over-limit",
    "person-changed",
    "put-to-sleep-by-person",
    "run-refused",
    "unreadable",
    "wakes-soon",
    "waiting-for-gpus",
]


@dataclass(frozen=True, slots=True)
class Sleep:
    """Put it to sleep: write ``memory`` and ``memory.slept_to`` together."""

    reason: SleepReason
    evidence: str
    memory: Memory


@dataclass(frozen=True, slots=True)
class Wake:
    """Restore ``memory.before`` and forget it. ``keep_awake`` is written as an annotation;
    ``early_until`` is when the window begins that it is woken before."""

    reason: WakeReason
    evidence: str
    memory: Memory
    keep_awake: datetime | None = None
    early_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Forget:
    """Drop a memory that no longer holds, or was never there, without touching the setting.

    ``on_object`` is whether its annotations have to go, or ``keep_awake`` to be written; else only
    the ledger's copy is closed. ``contested`` is set when a GitOps tool undid the sleep too often.
    """

    memory: Memory | None
    keep_awake: datetime | None = None
    on_object: bool = True
    contested: bool = False


@dataclass(frozen=True, slots=True)
class Leave:
    """Do not touch it, but for ``forget``."""

    reason: LeaveReason
    evidence: str
    forget: Forget | None = None


Decision = Sleep | Wake | Leave


@dataclass(frozen=True, slots=True)
class Decided:
    """A workload and what becomes of it."""

    target: Target
    environment: Sign
    decision: Decision
