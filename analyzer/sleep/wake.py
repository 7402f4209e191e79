"""When to wake: long enough before the window that models are loaded, and not all at once."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from analyzer.sleep.model import Target

LONGEST = timedelta(hours=2)
"""Nothing is woken earlier than that, however long it once took."""

MEASURED_FROM = 3
"""Times to ready that are needed before their p90 is believed."""

_BILLIONS = re.compile(r"(?<![a-z0-9.])(?:(\d+)x)?(\d+(?:\.\d+)?)b(?![a-z0-9])", re.IGNORECASE)
_MILLIONS = re.compile(r"(?<![a-z0-9.])(\d+)m(?![a-z0-9])", re.IGNORECASE)

# Model size in billions of parameters and how long it takes to load, from the vLLM guide.
_TABLE = ((8.0, timedelta(minutes=10)), (14.0, timedelta(minutes=15)))
_LARGEST = timedelta(minutes=20)


@dataclass(frozen=True, slots=True)
class Lead:
    """How long before its window a workload is woken, and how that is known."""

    time: timedelta
    source: str


def lead_of(target: Target, seconds: Sequence[float]) -> Lead:
    """From its own measured times to ready in seconds (their p90), else its startup probe's
    budget, else the size of its model, else the longest of that table."""
    measured = usual(seconds)
    if measured is not None:
        return Lead(measured, f"p90 of {len(seconds)} measured")
    if target.startup is not None:
        return Lead(target.startup, "startup probe")
    size = parameters(target.model) or parameters(target.key.name)
    if size is None:
        return Lead(_LARGEST, "size of the model unknown")
    for at_most, time in _TABLE:
        if size <= at_most:
            return Lead(time, f"model of {size:g}B")
    return Lead(_LARGEST, f"model of {size:g}B")


def usual(seconds: Sequence[float]) -> timedelta | None:
    """The p90 of measured times to ready in seconds; None while they are too few to be believed."""
    if len(seconds) < MEASURED_FROM:
        return None
    # Nearest rank: never shorter than nine of ten of those seen.
    p90 = sorted(seconds)[math.ceil(0.9 * len(seconds)) - 1]
    return min(timedelta(seconds=math.ceil(p90)), LONGEST)


def parameters(name: str) -> float | None:
    """Billions of parameters that a model's name tells, the largest of several; None when none.

    ``8x7B`` is 56: all experts are loaded.
    """
    found = [float(size) * int(experts or 1) for experts, size in _BILLIONS.findall(name)]
    found += [float(size) / 1000 for size in _MILLIONS.findall(name)]
    return max(found, default=None)


@dataclass(frozen=True, slots=True)
class Waking:
    """One workload that is due at ``ready_by``; ``priority`` higher first."""

    uid: str
    ready_by: datetime
    gpus: float
    lead: timedelta
    priority: int
    name: str


def plan(waking: Iterable[Waking], budget: float) -> Mapping[str, datetime]:
    """When each has to be woken, by uid, so that all are ready by their time and no wave asks for
    more than ``budget`` GPUs (0 = no limit). A workload larger than the budget is a wave of its
    own. The higher a priority the earlier its wave, so that it is the surest to be ready.
    """
    by_time: dict[datetime, list[Waking]] = {}
    for one in waking:
        by_time.setdefault(one.ready_by, []).append(one)
    starts: dict[str, datetime] = {}
    for ready_by, group in by_time.items():
        # Backwards from the window: the last wave is filled with the lowest priorities.
        end = ready_by
        for wave in _waves(sorted(group, key=_last_first), budget):
            begin = end - max(one.lead for one in wave)
            starts |= {one.uid: begin if budget else ready_by - one.lead for one in wave}
            end = begin
    return starts


def _last_first(one: Waking) -> tuple[int, timedelta, str]:
    return one.priority, one.lead, one.name


def _waves(ordered: Sequence[Waking], budget: float) -> Iterable[list[Waking]]:
    wave: list[Waking] = []
    for one in ordered:
        if budget and wave and sum(each.gpus for each in wave) + one.gpus > budget:
            yield wave
            wave = []
        wave.append(one)
    if wave:
        yield wave


def admit(due: Iterable[Waking], starting: float, budget: float) -> set[str]:
    """Which of those due may start now, by uid, when ``starting`` GPUs are starting already.

    The first that has no room makes those behind it wait as well, or a large one would never
    start. One that is larger than the whole budget starts when nothing else does.
    """
    admitted: set[str] = set()
    for one in sorted(due, key=lambda each: (each.ready_by, -each.priority, each.name)):
        if budget and starting and starting + one.gpus > budget:
            break
        admitted.add(one.uid)
        starting += one.gpus
    return admitted
