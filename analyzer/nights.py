"""What sleep brought in a window: who slept and woke, who was late, what was not held, and which
nodes really left meanwhile."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from analyzer.analysis import Analysis
from analyzer.model import STEP_S, NodeClass, Pool, Snapshot, Window, WorkloadKey
from analyzer.sleep.annotations import has_memory
from analyzer.sleep.model import NotDone, Slept

WOKEN = "woken"
"""How a sleep ended that we ended."""

Floats = npt.NDArray[np.float64]
_STEP_H = STEP_S / 3600
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Late:
    """Woken, and not ready in time. ``ready_at`` is None where it never was, or not yet."""

    key: WorkloadKey
    woken_at: datetime
    ready_at: datetime | None
    cause: str


@dataclass(frozen=True, slots=True)
class Left:
    """Nodes with GPUs that were gone while something slept. ``nodes`` is the most at one time,
    ``gpu_hours`` are never more than slept; ``usd`` of those that have a price, None for none."""

    nodes: int | None
    gpu_hours: float
    usd: float | None


@dataclass(frozen=True, slots=True)
class Nights:
    """``slept`` counts sleeps that began, ``woken`` those that we ended, ``otherwise`` those that
    ended without us (a person woke it, or it was deleted), ``asleep`` those at the end.

    ``gpu_hours`` were not held, and are worth ``usd``, of what is priced (``unpriced_gpu_hours``
    is the rest). ``left`` is None where nobody told of nodes.
    """

    slept: int
    woken: int
    otherwise: int
    asleep: int
    workloads: int
    gpu_hours: float
    usd: float
    unpriced_gpu_hours: float
    late: tuple[Late, ...] = ()
    not_done: tuple[NotDone, ...] = ()
    left: Left | None = None


def nights(
    pools: Sequence[Pool],
    analysis: Analysis,
    sleeps: Iterable[Slept],
    not_done: Iterable[NotDone],
) -> Nights:
    """``sleeps`` are those that ``ended`` gives, of workloads of ``analysis`` or any other."""
    window = analysis.window
    hours = [(one, clipped) for one in sleeps if (clipped := _clipped(one, window)) > 0]
    found = [one for one, _ in hours]
    over = [one for one in found if one.until is not None and one.until < window.end]
    return Nights(
        slept=sum(window.start <= one.since < window.end for one in found),
        woken=sum(one.ended == WOKEN for one in over),
        otherwise=sum(one.ended != WOKEN for one in over),
        asleep=sum(one.until is None or one.until >= window.end for one in found),
        workloads=len({one.key for one in found}),
        gpu_hours=sum(one.gpus * h for one, h in hours),
        usd=sum(one.usd_per_hour * h for one, h in hours if one.usd_per_hour is not None),
        unpriced_gpu_hours=sum(one.gpus * h for one, h in hours if one.usd_per_hour is None),
        late=tuple(
            Late(one.key, one.until, one.ready_at, one.cause)
            for one in sorted(over, key=lambda one: (one.key, one.since))
            if one.cause and one.until is not None
        ),
        not_done=tuple(one for one in not_done if window.start <= one.at < window.end),
        left=_left(pools, analysis, found),
    )


def ended(sleeps: Sequence[Slept], snapshot: Snapshot) -> list[Slept]:
    """The sleeps without those that nobody saw end, of workloads that are awake by now or slept
    again: when they ended nobody knows, and so they count for nothing."""
    # Without the API there are no annotations, and a count above zero is awake as well.
    awake = {
        one.key for one in snapshot.workloads if one.replicas and not has_memory(one.annotations)
    }
    latest: dict[WorkloadKey, datetime] = {}
    for one in sleeps:
        latest[one.key] = max(one.since, latest.get(one.key, one.since))
    return [
        one
        for one in sleeps
        if one.until is not None or (one.key not in awake and one.since == latest[one.key])
    ]


def _clipped(one: Slept, window: Window) -> float:
    """Hours of it within the window."""
    begin, end = max(one.since, window.start), min(one.until or window.end, window.end)
    return max(timedelta(0), end - begin) / timedelta(hours=1)


def _left(pools: Sequence[Pool], analysis: Analysis, sleeps: Sequence[Slept]) -> Left | None:
    prices = _prices(analysis)
    parts = []
    for cluster in sorted({one.cluster for one in pools}):
        slept = _asleep([one for one in sleeps if one.key.cluster == cluster], analysis.window)
        if slept.any():
            mine = [one for one in pools if one.cluster == cluster]
            parts.append(_gone(mine, slept, prices))
    if not parts:
        return None
    known = [usd for _, _, usd in parts if usd is not None]
    nodes = [count for count, _, _ in parts if count is not None]
    return Left(
        sum(nodes) if nodes else None, sum(h for _, h, _ in parts), sum(known) if known else None
    )


def _prices(analysis: Analysis) -> dict[tuple[str, str, bool], float]:
    """Dollars a GPU-hour by class. Where node labels decide between several, none is known."""
    found: dict[tuple[str, str, bool], set[float]] = defaultdict(set)
    for one in analysis.prices:
        found[one.gpu_model, one.instance_type, one.spot].add(one.usd_per_gpu_hour)
    return {of: prices.pop() for of, prices in found.items() if len(prices) == 1}


def _asleep(sleeps: Iterable[Slept], window: Window) -> Floats:
    """GPUs asleep in each step."""
    total = np.zeros(window.steps)
    edges = np.arange(window.steps + 1) * STEP_S
    for one in sleeps:
        begin = (one.since - window.start).total_seconds()
        end = ((one.until or window.end) - window.start).total_seconds()
        part = np.clip(np.minimum(edges[1:], end) - np.maximum(edges[:-1], begin), 0, STEP_S)
        total += one.gpus * part / STEP_S
    return total


def _gone(
    pools: Sequence[Pool], slept: Floats, prices: dict[tuple[str, str, bool], float]
) -> tuple[int | None, float, float | None]:
    """Nodes, GPU-hours and dollars that were gone from one cluster while something slept in it."""
    gone = [_missing(one.present, slept) for one in pools]
    total = np.sum(gone, axis=0)
    # Nodes leave for other reasons too: never more than slept is put down to sleep.
    part = np.divide(np.minimum(total, slept), total, out=np.zeros_like(total), where=total > 0)
    usd = [
        float((one * part).sum()) * _STEP_H * price
        for one, pool in zip(gone, pools, strict=True)
        if (price := prices.get(_class(pool.node_class))) is not None and one.any()
    ]
    counted = [_missing(one.nodes, slept) for one in pools if one.nodes is not None]
    # Of nodes too: what slept is at least a part of each.
    nodes = (
        math.ceil(float((np.sum(counted, axis=0) * part).max()) - _ROUNDING) if counted else None
    )
    return nodes, float((total * part).sum()) * _STEP_H, sum(usd) if usd else None


def _missing(there: npt.NDArray[np.float32], slept: Floats) -> Floats:
    """How many less than the most there were while nothing slept; where something always did,
    than the most at any time. What is not known is not missing."""
    known = np.isfinite(there)
    awake = known & (slept <= 0)
    basis = there[awake] if awake.any() else there[known]
    most = float(basis.max()) if basis.size else 0.0
    return np.where(known & (slept > 0), np.maximum(most - np.nan_to_num(there), 0.0), 0.0)


def _class(one: NodeClass) -> tuple[str, str, bool]:
    return one.gpu_model, one.instance_type, one.spot
