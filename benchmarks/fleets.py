"""A large fleet as facts, without any server: what reading it would have given.

Every kind of advice has somebody to be given to: loads follow the day, a tenth has a queue, a tenth
does nothing, development is used in office hours only. Pods fill nodes of eight GPUs.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import numpy as np
import numpy.typing as npt

from analyzer.model import (
    STEP_S,
    Cache,
    GpuUse,
    Node,
    NodeClass,
    Placed,
    Serving,
    Snapshot,
    StepArray,
    Window,
    Workload,
    WorkloadKey,
)

END = datetime(2026, 11, 23, tzinfo=UTC)
GPUS_A_NODE = 8
GIB = 2.0**30
CLASSES = tuple(NodeClass(name, f"{name}.8x") for name in ("A100 80GB", "H100 SXM 80GB", "L40S"))
MODELS = ("meta-llama/Llama-3.1-8B-Instruct", "mistralai/Mistral-7B-Instruct-v0.3", "own/model")
ENVIRONMENTS = ("production", "development", "production", "staging")
REPLICAS = (2, 4, 1, 3, 8, 1)
GPUS = (1, 1, 2, 1, 4)

Floats = npt.NDArray[np.float64]


def fleet(workloads: int, days: float = 7, seed: int = 1) -> Snapshot:
    """So many workloads of one cluster, its nodes and the pods on them."""
    rng = np.random.Generator(np.random.PCG64(seed))
    window = Window(END - timedelta(days=days), END)
    load = _Load(window, rng)
    made = [_workload(number) for number in range(workloads)]
    use, serving = [], []
    for number, one in enumerate(made):
        share = load.of(number)
        use.append(_use(one, number, load, share))
        serving.append(_serving(one, number, load, share))
    nodes, placed = _placed(made)
    return Snapshot(
        taken_at=END,
        window=window,
        clusters=("main",),
        workloads=tuple(made),
        use=tuple(use),
        serving=tuple(serving),
        nodes=nodes,
        placed=placed,
    )


def _workload(number: int) -> Workload:
    environment = ENVIRONMENTS[number % len(ENVIRONMENTS)]
    replicas = REPLICAS[number % len(REPLICAS)]
    return Workload(
        WorkloadKey("main", environment, "Deployment", f"llm-{number:05d}"),
        labels={"environment": environment},
        replicas=replicas,
        ready=replicas,
        gpus_per_replica=float(GPUS[number % len(GPUS)]),
        exists=True,
    )


class _Load:
    """Shares of a full load (0-1), a day's rhythm with noise, some of them with gaps."""

    def __init__(self, window: Window, rng: np.random.Generator) -> None:
        self.rng, self.steps = rng, window.steps
        self.hour = (np.arange(window.steps) * STEP_S / 3600 + window.start.hour) % 24
        day = (np.arange(window.steps) * STEP_S // 86_400 + window.start.weekday()) % 7
        self.office = (self.hour >= 8) & (self.hour < 19) & (day < 5)

    def of(self, number: int) -> Floats:
        if number % 10 == 7:
            return np.zeros(self.steps)
        level = float(self.rng.uniform(0.05, 0.4)) + (0.6 if number % 10 == 3 else 0.0)
        wave = 1 + 0.4 * np.sin(2 * np.pi * (self.hour - 9) / 24)
        share: Floats = np.clip(level * wave * self.rng.normal(1, 0.1, self.steps), 0.0, 1.0)
        return share * self.office if ENVIRONMENTS[number % 4] == "development" else share

    def gaps(self, values: Floats, number: int) -> StepArray:
        found = values.astype(np.float32)
        if number % 3 == 0:
            found[:: 40 + number % 7] = np.nan
        return found


def _use(one: Workload, number: int, load: _Load, share: Floats) -> GpuUse:
    gpus = (one.replicas or 0) * (one.gpus_per_replica or 0.0)
    held = np.full(load.steps, gpus, dtype=np.float32)
    return GpuUse(one.key, _class(number), held, held.copy(), (share * gpus).astype(np.float32))


def _serving(one: Workload, number: int, load: _Load, share: Floats) -> Serving:
    replicas = float(one.replicas or 0)
    running, waiting = 64 * share * replicas, np.where(share > 0.9, 20.0 * replicas, 0.0)
    finished, generated = 60 * share * replicas, 15_000 * share * replicas
    steps = {
        "running": running,
        "waiting": waiting,
        "waiting_peak": 2 * waiting,
        "kv_cache": np.minimum(share * 1.1, 1.0),
        "kv_peak": np.minimum(share * 1.25, 1.0),
        "kv_mean": share,
        "finished": finished,
        "prompted": 2 * generated,
        "generated": generated,
    }
    arrays = {name: load.gaps(values, number) for name, values in steps.items()}
    heard = np.isfinite(arrays["running"]).astype(np.float32)
    return Serving(
        one.key,
        MODELS[number % len(MODELS)],
        heard=heard,
        speaking=(heard * replicas).astype(np.float32),
        requests=float(finished.sum()),
        prompt_tokens=float(2 * generated.sum()),
        generation_tokens=float(generated.sum()),
        preemptions=0.0,
        ttft_p95_s=0.3,
        itl_p95_s=0.04,
        lean=1.02,
        cache=Cache(tokens=200_000.0, memory_share=0.9),
        **arrays,
    )


def _class(number: int) -> NodeClass:
    return CLASSES[number % len(CLASSES)]


def _placed(workloads: list[Workload]) -> tuple[tuple[Node, ...], tuple[Placed, ...]]:
    """Every pod on the first node of its class with room, as pods come."""
    nodes: list[Node] = []
    placed: list[Placed] = []
    numbers = count()
    filling: dict[NodeClass, tuple[str, float]] = {}
    for number, one in enumerate(workloads):
        node_class, gpus = _class(number), one.gpus_per_replica or 0.0
        for replica in range(one.replicas or 0):
            name, room = filling.get(node_class, ("", 0.0))
            if room < gpus:
                node = _node(f"gpu-{next(numbers):05d}", node_class)
                nodes.append(node)
                placed.extend(_daemons(node))
                name, room = node.name, float(GPUS_A_NODE)
            filling[node_class] = name, room - gpus
            requests = {"nvidia.com/gpu": gpus, "cpu": 8.0 * gpus, "memory": 64 * GIB * gpus}
            placed.append(
                Placed(one.key, f"{one.key.name}-{replica}", name, requests | {"pods": 1})
            )
    return tuple(nodes), tuple(placed)


def _node(name: str, node_class: NodeClass) -> Node:
    room = {"nvidia.com/gpu": GPUS_A_NODE, "cpu": 96.0, "memory": 1000 * GIB, "pods": 110.0}
    return Node(
        "main", name, node_class, room, float(GPUS_A_NODE), {"kubernetes.io/hostname": name}
    )


def _daemons(node: Node) -> Iterator[Placed]:
    for name in ("exporter", "plugin"):
        key = WorkloadKey("main", "kube-system", "DaemonSet", name)
        yield Placed(key, f"{name}-{node.name}", node.name, {"cpu": 0.2, "pods": 1}, daemon=True)
