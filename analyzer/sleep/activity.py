"""Whether a workload is busy, from what the last minutes of metrics say of its pods."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from analyzer.sleep.model import Busy

PodName = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True, slots=True)
class PodActivity:
    """What metrics say of one pod.

    ``requests`` is the most that ran or waited at the same time, None when no inference server
    speaks; ``requests_fresh`` whether it still did in the last minutes. ``served`` is how far its
    counters of requests and tokens grew. ``utilisation`` (0-1) is its busiest GPU's highest, None
    without one; ``devices`` how many GPUs, MIG instances or shares spoke in the last minutes.
    """

    requests: float | None = None
    requests_fresh: bool = False
    served: float = 0.0
    utilisation: float | None = None
    devices: int = 0


@dataclass(frozen=True, slots=True)
class HeldBy:
    """A pod and the GPUs that it asks for."""

    pod: PodName
    gpus: float


def judge(
    pods: Sequence[HeldBy], activity: Mapping[PodName, PodActivity], busy_above: float
) -> Busy:
    """Busy when any pod is, idle only when every one was heard and is quiet.

    ``busy_above`` is the utilisation (0-1) above which a GPU works. One idle replica never speaks
    for the others.
    """
    if not pods:
        return Busy("idle", "no replica is running")
    for held in pods:
        told = _work(held.pod, activity.get(held.pod, PodActivity()), busy_above)
        if told:
            return Busy("busy", told)
    for held in pods:
        told = _silence(held, activity.get(held.pod, PodActivity()))
        if told:
            return Busy("unknown", told)
    return Busy("idle", f"{len(pods)} of {len(pods)} replicas heard, none busy")


def _work(pod: PodName, seen: PodActivity, busy_above: float) -> str:
    name = pod[1]
    if seen.requests:
        return f"{name} had {seen.requests:g} requests running or waiting"
    if seen.served > 0:
        return f"{name} served requests"
    if seen.utilisation is not None and seen.utilisation > busy_above:
        return f"{name} used its GPU to {seen.utilisation:.0%}"
    return ""


def _silence(held: HeldBy, seen: PodActivity) -> str:
    """Why a quiet pod cannot be called idle, empty when it can."""
    name = held.pod[1]
    if seen.requests_fresh:
        return ""
    if seen.requests is not None:
        return f"{name} stopped telling its requests"
    wanted = math.ceil(held.gpus)
    if seen.devices < wanted:
        return f"{name}: {seen.devices} of its {wanted} GPUs tell their use"
    # Without GPUs and without an inference server there is nothing that could be busy.
    return ""


def merge(found: Iterable[tuple[PodName, PodActivity]]) -> dict[PodName, PodActivity]:
    """One activity a pod, from parts that each know some of it."""
    merged: dict[PodName, PodActivity] = {}
    for pod, new in found:
        known = merged.get(pod, PodActivity())
        merged[pod] = PodActivity(
            requests=_most(known.requests, new.requests),
            requests_fresh=known.requests_fresh or new.requests_fresh,
            served=known.served + new.served,
            utilisation=_most(known.utilisation, new.utilisation),
            devices=known.devices + new.devices,
        )
    return merged


def _most(one: float | None, other: float | None) -> float | None:
    return max((value for value in (one, other) if value is not None), default=None)
