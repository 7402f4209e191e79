"""Turns the roster's tables into a fleet: names, addresses and every pod's life, from one seed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np

from analyzer.collect.simulate.fleet import (
    FOREVER_S,
    App,
    Device,
    Fleet,
    Node,
    Pod,
    Scaling,
    Span,
)
from analyzer.collect.simulate.hardware import MIG_1G, NODES, NVIDIA_GPU, NodeSpec
from analyzer.collect.simulate.load import DAY_S, OFFICE_HOURS, generator
from analyzer.collect.simulate.roster import APPS
from analyzer.collect.simulate.spec import NAMESPACES, AppSpec, Hours, Slot
from analyzer.model import Window

DAYS = 28
DAYTIME = (7.0, 22.0)
OFFICE_UP = (OFFICE_HOURS[0] - 0.25, OFFICE_HOURS[1] + 0.25)
"""Development starts a little before people do and stops a little after."""
JOB_LISTED_S = 6 * 3600.0
"""How long a completed Job's pod stays in the API server (ttlSecondsAfterFinished)."""
OUTAGE = ("gpu-a10g-1", 60, 20)
UNLABELLED = ("gpu-a100-1", 75, 74)
"""Node, and hours before the end at which it began and ended."""
MIG_MIB = 9_728
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
KEPT_CPUS = 0.35
KEPT_MEMORY = 0.03
"""What a kubelet keeps for itself and the system: cores, and the part of the memory."""


def demo_fleet(seed: int, end: datetime) -> Fleet:
    """A realistic fleet over the four weeks before ``end`` (rounded down to whole steps)."""
    window = Window.ending(end.astimezone(UTC), timedelta(days=DAYS))
    start_s, end_s = window.start.timestamp(), window.end.timestamp()
    nodes = {spec.name: _node(seed, spec, number, start_s) for number, spec in enumerate(NODES)}
    apps, pods, scaling = [], [], {}
    for spec in APPS:
        builder = _Builder(seed, spec, start_s, end_s, nodes)
        pods += builder.pods()
        apps.append(builder.app)
        scaling[spec.namespace, spec.name] = builder.scaling()
    return Fleet(
        seed=seed,
        window=window,
        namespaces=NAMESPACES,
        nodes=tuple(nodes.values()),
        apps=tuple(apps),
        pods=tuple(pods),
        scaling=scaling,
        outages=(_before(OUTAGE, end_s),),
        unlabelled=(_before(UNLABELLED, end_s),),
    )


def _before(event: tuple[str, int, int], end_s: float) -> Span:
    node, began, ended = event
    return Span(node, end_s - began * 3600, end_s - ended * 3600)


def _word(rng: np.random.Generator, length: int) -> str:
    return "".join(ALPHABET[i] for i in rng.integers(len(ALPHABET), size=length))


def _uuid(rng: np.random.Generator) -> str:
    text = rng.bytes(16).hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _node(seed: int, spec: NodeSpec, number: int, start_s: float) -> Node:
    rng = generator(seed, "node", spec.name)
    devices = [
        device for index in range(spec.count) for device in _gpu(spec, index, f"GPU-{_uuid(rng)}")
    ]
    return Node(
        name=spec.name,
        ip=f"10.20.{number}.11",
        start_s=start_s + spec.from_day * DAY_S if spec.from_day else -FOREVER_S,
        end_s=start_s + spec.until_day * DAY_S if spec.until_day < DAYS else FOREVER_S,
        labels=_node_labels(spec),
        resources=_resources(spec),
        devices=tuple(devices),
    )


def _gpu(spec: NodeSpec, index: int, uuid: str) -> Iterator[Device]:
    """A GPU, or its MIG instances: DCGM numbers those of 1g from 7."""
    gpu = spec.gpu
    if not spec.mig:
        yield Device(spec.name, index, uuid, gpu.model, gpu.memory_mib)
    for instance in range(spec.mig):
        yield Device(spec.name, index, uuid, gpu.model, MIG_MIB, str(instance + 7), "1g.10gb")


def _node_labels(spec: NodeSpec) -> dict[str, str]:
    labels = {
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": spec.name,
        "nvidia.com/gpu.count": str(spec.count),
        "nvidia.com/gpu.memory": str(spec.gpu.memory_mib),
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.product": spec.gpu.product + ("-SHARED" if spec.slices > 1 else ""),
        "nvidia.com/gpu.replicas": str(spec.slices),
        "topology.kubernetes.io/zone": "eu-central-1a",
    }
    if spec.mig:
        labels |= {"nvidia.com/mig.strategy": "mixed", "nvidia.com/mig-1g.10gb.count": "7"}
    if spec.instance_type:
        return labels | {
            "node.kubernetes.io/instance-type": spec.instance_type,
            "karpenter.sh/nodepool": spec.pool,
            "karpenter.sh/capacity-type": "spot" if spec.spot else "on-demand",
        }
    return labels | {"eks.amazonaws.com/compute-type": "hybrid"}


def _resources(spec: NodeSpec) -> dict[str, float]:
    machine = spec.machine
    resources = {
        "cpu": machine.cpus - KEPT_CPUS,
        "memory": float(round(machine.memory_gib * (1 - KEPT_MEMORY) * 1024) * 2**20),
        "pods": 110.0,
    }
    if spec.mig:
        return resources | {NVIDIA_GPU: 0.0, MIG_1G: float(spec.mig * spec.count)}
    return resources | {NVIDIA_GPU: float(spec.count * spec.slices)}


def _up(hours: Hours, start_s: float, end_s: float) -> Iterator[tuple[float, float]]:
    """The spans of ``(start_s, end_s]`` in which a slot of these hours is wanted."""
    if hours == "always":
        yield start_s, end_s
        return
    first, last = DAYTIME if hours == "daytime" else OFFICE_UP
    for day in range(int(start_s // DAY_S), int(end_s // DAY_S) + 1):
        if hours == "office" and (day + 3) % 7 >= 5:
            continue
        began, ended = day * DAY_S + first * 3600, day * DAY_S + last * 3600
        if ended > start_s and began < end_s:
            yield max(began, start_s), min(ended, end_s)


@dataclass(frozen=True, slots=True)
class _Builder:
    """Builds one workload of the roster."""

    seed: int
    spec: AppSpec
    start_s: float
    end_s: float
    nodes: dict[str, Node]

    @property
    def app(self) -> App:
        spec = self.spec
        return App(
            namespace=spec.namespace,
            kind=spec.kind,
            name=spec.name,
            load=spec.load,
            model=spec.model,
            server=spec.server,
            longest=spec.longest,
            gpus=len(spec.slots[0].devices),
            resource=spec.resource,
            labels={"app": spec.name, **spec.labels},
            pod_labels={"app": spec.name, **spec.pod_labels},
            start_s=self._day(spec.from_day),
            end_s=self._ended() + (JOB_LISTED_S if spec.kind == "Job" else 0.0),
            cron_job=spec.cron_job,
        )

    def pods(self) -> list[Pod]:
        found = []
        for number, slot in enumerate(self.spec.slots):
            for at, (start_s, end_s) in enumerate(self._lives(number, slot)):
                found.append(self._pod(number, at, start_s, end_s))
        return found

    def scaling(self) -> Scaling:
        """Replicas wanted: a change when a slot's hours begin or end."""
        changes: dict[float, int] = {}
        for slot in self.spec.slots:
            for began, ended in _up(slot.hours, self._day(self.spec.from_day), self._far_end()):
                changes[began] = changes.get(began, 0) + 1
                changes[ended] = changes.get(ended, 0) - 1
        times = sorted(changes)
        counts = np.cumsum([changes[at] for at in times]).tolist()
        return Scaling(tuple(times), tuple(counts))

    def _day(self, day: float) -> float:
        return self.start_s + day * DAY_S

    def _ended(self) -> float:
        return self._day(self.spec.until_day) if self.spec.until_day < DAYS else FOREVER_S

    def _far_end(self) -> float:
        return min(self._ended(), self.end_s + DAY_S)

    def _lives(self, number: int, slot: Slot) -> Iterator[tuple[float, float]]:
        """Spans between one start of the slot's pod and the next."""
        places = [self.nodes[spec.name] for spec in NODES if spec.place == slot.place]
        # A rollout replaces one replica after the other, each once the one before is ready.
        wait_s = number * (self.spec.load_minutes * 60 + 120)
        cuts = {self._day(day) + wait_s for day in self.spec.rollouts}
        cuts |= {at for node in places for at in (node.start_s, node.end_s)}
        for start_s, end_s in _up(slot.hours, self._day(self.spec.from_day), self._far_end()):
            inner = sorted(cut for cut in cuts if start_s < cut < end_s)
            for began, ended in pairwise((start_s, *inner, end_s)):
                if (
                    began < self.end_s
                    and ended > self.start_s
                    and any(node.start_s <= began and ended <= node.end_s for node in places)
                ):
                    yield began, ended

    def _pod(self, number: int, at: int, start_s: float, end_s: float) -> Pod:
        spec, slot, app = self.spec, self.spec.slots[number], self.app
        rng = generator(self.seed, "pod", app.namespace, app.name, number, at)
        node = self._node_at(slot, start_s)
        owner_kind, owner_name, name = self._names(number, start_s, rng)
        pending_s = float(rng.integers(90, 240)) if slot.hours != "always" else 0.0
        created_s = start_s + round(float(rng.uniform(2, 20)), 3)
        scheduled_s = created_s + pending_s
        ready_s = scheduled_s + spec.load_minutes * 60 * float(rng.uniform(0.8, 1.2))
        crashed_s = self._day(spec.crash_day) if spec.crash_day and number == 1 else FOREVER_S
        if not start_s <= crashed_s < end_s:
            crashed_s = FOREVER_S
        return Pod(
            app=app,
            name=name,
            uid=_uuid(rng),
            ip=f"10.244.{rng.integers(1, 250)}.{rng.integers(2, 250)}",
            owner_kind=owner_kind,
            owner_name=owner_name,
            node=node,
            devices=tuple(_devices(node, slot.devices)),
            created_s=created_s,
            scheduled_s=scheduled_s,
            ready_s=ready_s,
            ended_s=end_s,
            gone_s=end_s + (JOB_LISTED_S if app.kind == "Job" else 0.0),
            crashed_s=crashed_s,
            back_s=crashed_s + spec.load_minutes * 60,
            counted=max(0.0, self.start_s - created_s) * 0.6 * spec.load.requests_per_s,
        )

    def _node_at(self, slot: Slot, at_s: float) -> Node:
        return next(
            self.nodes[spec.name]
            for spec in NODES
            if spec.place == slot.place
            and self.nodes[spec.name].start_s <= at_s < self.nodes[spec.name].end_s
        )

    def _names(self, number: int, start_s: float, rng: np.random.Generator) -> tuple[str, str, str]:
        """Kind and name of the pod's controller, and the pod's name."""
        name = self.spec.name
        if self.spec.kind == "StatefulSet":
            return "StatefulSet", name, f"{name}-{number}"
        if self.spec.kind == "Job":
            return "Job", name, f"{name}-{_word(rng, 5)}"
        revision = sum(self._day(day) <= start_s for day in self.spec.rollouts)
        replica_set = (
            f"{name}-{_word(generator(self.seed, 'rs', self.spec.namespace, name, revision), 10)}"
        )
        return "ReplicaSet", replica_set, f"{replica_set}-{_word(rng, 5)}"


def _devices(node: Node, indexes: Iterable[int]) -> Iterator[Device]:
    """The slot's devices. Time slices of a node with one GPU are all that GPU."""
    for index in indexes:
        yield node.devices[index % len(node.devices)]
