"""When GPUs work: by hour of the week over all workloads, and hour by hour for one of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

import numpy as np
import numpy.typing as npt

from analyzer.model import STEP_S, GpuUse, Snapshot, Window, WorkloadKey
from analyzer.sleep.model import Slept

Floats = npt.NDArray[np.float64]
_STEPS_AN_HOUR = 3600 // STEP_S
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Use by weekday (Monday first) and hour of the local day: the part (0-1) of what was measured
    that worked, None where nothing was. ``coverage`` is the part of the GPU-hours that was."""

    use: tuple[tuple[float | None, ...], ...]
    coverage: float | None


@dataclass(frozen=True, slots=True)
class Hours:
    """One workload, an element an hour from ``begin`` (aware UTC) on. ``use`` (0-1) is the part of
    what was measured that worked, ``replicas`` the mean number of them; None where nothing was
    measured, or nothing tells how many GPUs a replica has. ``asleep`` are spans in hours from
    ``begin`` in which we had put it to sleep."""

    begin: datetime
    use: tuple[float | None, ...]
    replicas: tuple[float | None, ...]
    asleep: tuple[tuple[float, float], ...] = ()


def rhythm(snapshot: Snapshot, keys: Collection[WorkloadKey], zone: tzinfo) -> Rhythm:
    """The rhythm of these workloads on the clock of ``zone``. An hour that a clock shows twice
    counts as one, one that it skips has nothing."""
    window = snapshot.window
    allocated, observed, work = _added((u for u in snapshot.use if u.workload in keys), window)
    slots = np.array([_slot(window, n, zone) for n in range(window.steps)])
    seen = np.bincount(slots, observed, 7 * 24)
    done = np.bincount(slots, work, 7 * 24)
    flat = [float(min(1.0, d / s)) if s > 0 else None for d, s in zip(done, seen, strict=True)]
    held = float(allocated.sum())
    return Rhythm(
        tuple(tuple(flat[day * 24 : day * 24 + 24]) for day in range(7)),
        min(1.0, float(observed.sum()) / held) if held > 0 else None,
    )


def hourly(
    window: Window, gpus_per_replica: float | None, use: Iterable[GpuUse], slept: Iterable[Slept]
) -> Hours:
    """The hours of one workload, from its ``use`` over the window and its sleeps."""
    allocated, observed, work = (_by_hour(one) for one in _added(use, window))
    steps = _by_hour(np.ones(window.steps))
    each = gpus_per_replica or 0.0
    return Hours(
        begin=window.start,
        use=tuple(
            float(min(1.0, w / o)) if o > 0 else None for w, o in zip(work, observed, strict=True)
        ),
        replicas=tuple(
            float(a / n / each) if each > 0 else None for a, n in zip(allocated, steps, strict=True)
        ),
        asleep=_spans(slept, window),
    )


def _added(use: Iterable[GpuUse], window: Window) -> tuple[Floats, Floats, Floats]:
    """GPUs allocated, observed and at work, in each step."""
    sums = np.zeros((3, window.steps))
    for one in use:
        sums += np.nan_to_num(np.stack((one.allocated, one.observed, one.work)))
    return sums[0], sums[1], sums[2]


def _slot(window: Window, step: int, zone: tzinfo) -> int:
    local = (window.start + timedelta(seconds=step * STEP_S)).astimezone(zone)
    return local.weekday() * 24 + local.hour


def _by_hour(steps: Floats) -> Floats:
    """Sums over each hour; the last one may be cut off."""
    rest = -steps.size % _STEPS_AN_HOUR
    sums: Floats = np.pad(steps, (0, rest)).reshape(-1, _STEPS_AN_HOUR).sum(axis=1)
    return sums


def _spans(slept: Iterable[Slept], window: Window) -> tuple[tuple[float, float], ...]:
    spans: list[tuple[float, float]] = []
    for one in sorted(slept, key=lambda one: one.since):
        begin, end = max(one.since, window.start), min(one.until or window.end, window.end)
        if begin < end:
            spans.append(((begin - window.start) / HOUR, (end - window.start) / HOUR))
    return tuple(spans)


def by_workload(snapshot: Snapshot) -> dict[WorkloadKey, list[GpuUse]]:
    """Each workload's use in the snapshot, one element a class of node."""
    found: dict[WorkloadKey, list[GpuUse]] = {}
    for one in snapshot.use:
        found.setdefault(one.workload, []).append(one)
    return found


def sleeps_of(slept: Sequence[Slept]) -> dict[WorkloadKey, list[Slept]]:
    """Each workload's sleeps."""
    found: dict[WorkloadKey, list[Slept]] = {}
    for one in slept:
        found.setdefault(one.key, []).append(one)
    return found
