"""What the roster is written in: a workload, and where and when each of its replicas lives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from analyzer.collect.simulate.hardware import NVIDIA_GPU
from analyzer.collect.simulate.load import Load

ENVIRONMENT = "app.kubernetes.io/environment"
Hours = Literal["always", "daytime", "office"]

NAMESPACES: Mapping[str, Mapping[str, str]] = {
    "llm-serving": {"team": "inference"},
    "platform-ml": {"team": "ml-platform", "cost-center": "4711"},
    "research": {"team": "research"},
}


@dataclass(frozen=True, slots=True)
class Slot:
    """Where one replica lives, and when: around the clock, by day, or in office hours."""

    place: str
    devices: tuple[int, ...]
    hours: Hours = "always"


@dataclass(frozen=True, slots=True)
class AppSpec:
    """A workload. On every day in ``rollouts`` all its pods are replaced, one after the other.
    ``longest`` is the most tokens that a request may have; 0 leaves that to the model."""

    namespace: str
    name: str
    why: str
    load: Load
    slots: tuple[Slot, ...]
    kind: Literal["Deployment", "StatefulSet", "Job"] = "Deployment"
    model: str = ""
    server: Literal["vllm", "sglang", ""] = "vllm"
    longest: int = 0
    resource: str = NVIDIA_GPU
    labels: Mapping[str, str] = field(default_factory=dict)
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    rollouts: tuple[float, ...] = ()
    from_day: float = -20.0
    until_day: float = 28.0
    crash_day: float = 0.0
    cron_job: str = ""
    load_minutes: float = 7.0


def singles(place: str, *indexes: int, hours: Hours = "always") -> tuple[Slot, ...]:
    return tuple(Slot(place, (index,), hours) for index in indexes)


def labelled(environment: str = "", team: str = "inference") -> Mapping[str, str]:
    return {"team": team} | ({ENVIRONMENT: environment} if environment else {})
