"""What runs where, and how hard: the types of nodes, workloads and every pod that ever ran."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from analyzer.collect.simulate.load import (
    APP_NOISE_S,
    POD_NOISE_S,
    Floats,
    Load,
    drift,
    generator,
    rhythm,
)
from analyzer.model import Window

FOREVER_S = float("inf")


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU, or a MIG instance of one (then ``uuid`` is the GPU's, shared by its instances)."""

    node: str
    index: int
    uuid: str
    model: str
    memory_mib: float
    mig_id: str = ""
    mig_profile: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A node that was there in ``(start_s, end_s]``. ``resources`` are named as in a manifest."""

    name: str
    ip: str
    start_s: float
    end_s: float
    labels: Mapping[str, str]
    resources: Mapping[str, float]
    devices: tuple[Device, ...]


@dataclass(frozen=True, slots=True)
class App:
    """A workload. ``server`` is what answers requests in its pods: vllm, sglang or nothing.

    ``resource`` and ``gpus`` are what one pod asks for; ``labels`` are the object's, ``pod_labels``
    its pods'. ``cron_job`` is the CronJob that made a Job. ``longest`` is the most tokens that a
    request may have; 0 leaves that to the model.
    """

    namespace: str
    kind: str
    name: str
    load: Load
    model: str = ""
    server: str = "vllm"
    longest: int = 0
    gpus: int = 1
    resource: str = "nvidia.com/gpu"
    labels: Mapping[str, str] = field(default_factory=dict)
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    start_s: float = 0.0
    end_s: float = FOREVER_S
    cron_job: str = ""

    @property
    def container(self) -> str:
        return self.server or "main"


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod's life: created, scheduled, answering requests, ended, gone from the API server.

    A completed pod stays listed between ``ended_s`` and ``gone_s``. At ``crashed_s`` its container
    restarted: counters begin again. ``counted`` is where they stood when the fleet began.
    """

    app: App
    name: str
    uid: str
    ip: str
    owner_kind: str
    owner_name: str
    node: Node
    devices: tuple[Device, ...]
    created_s: float
    scheduled_s: float
    ready_s: float
    ended_s: float
    gone_s: float
    crashed_s: float = FOREVER_S
    back_s: float = FOREVER_S
    counted: float = 0.0

    @property
    def serving(self) -> tuple[tuple[float, float], ...]:
        """The spans in which its server answered."""
        if self.crashed_s == FOREVER_S:
            return ((self.ready_s, self.ended_s),)
        return ((self.ready_s, self.crashed_s), (self.back_s, self.ended_s))


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which something was wrong with a node's exporter."""

    node: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Scaling:
    """``spec.replicas`` of an app over time: ``count[i]`` holds from ``from_s[i]``."""

    from_s: tuple[float, ...]
    count: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Fleet:
    """Everything there is to know. ``outages``: the exporter said nothing; ``unlabelled``: it
    named no pod."""

    seed: int
    window: Window
    namespaces: Mapping[str, Mapping[str, str]]
    nodes: tuple[Node, ...]
    apps: tuple[App, ...]
    pods: tuple[Pod, ...]
    scaling: Mapping[tuple[str, str], Scaling]
    outages: tuple[Span, ...] = ()
    unlabelled: tuple[Span, ...] = ()

    @property
    def span(self) -> tuple[float, float]:
        return self.window.start.timestamp(), self.window.end.timestamp()

    @property
    def gpus(self) -> int:
        """Physical GPUs that were ever there."""
        return len({device.uuid for node in self.nodes for device in node.devices})

    def pods_of(self, namespace: str, name: str) -> tuple[Pod, ...]:
        return tuple(p for p in self.pods if (p.app.namespace, p.app.name) == (namespace, name))

    def demand(self, pod: Pod, times_s: Floats) -> Floats:
        """Demand on the pod, 1 at the app's peak; 0 while its server does not answer."""
        load, app = pod.app.load, pod.app
        x = rhythm(load, times_s)
        if not x.any():
            return x
        shared = drift(
            generator(self.seed, "app", app.namespace, app.name), APP_NOISE_S, self.span, times_s
        )
        own = drift(generator(self.seed, "pod", pod.uid), POD_NOISE_S, self.span, times_s)
        x = np.clip(x * (1 + load.noise * (shared + own)), 0.0, 1.15)
        up = np.zeros(times_s.shape, dtype=bool)
        for start_s, end_s in pod.serving:
            up |= (times_s > start_s) & (times_s <= end_s)
        return np.where(up, x, 0.0)
