"""What sleep brought in a window: who slept and woke, who was late, what was not held, and which
nodes really left meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
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
    snapshot: Snapshot, analysis: Analysis, sleeps: Iterable[Slept], not_done: Iterable[NotDone]
) -> Nights:
    """``sleeps`` are those that touch the window, of workloads of ``analysis`` or any other."""
    window = analysis.window
    found = [_seen(one, snapshot) for one in sleeps]
    found = [one for one in found if _clipped(one, window) > 0]
    hours = [(one, _clipped(one, window)) for one in found]
    ended = [one for one in found if one.until is not None and one.until < window.end]
    return Nights(
        slept=sum(window.start <= one.since < window.end for one in found),
        woken=sum(one.ended == WOKEN for one in ended),
        otherwise=sum(one.ended != WOKEN for one in ended),
        asleep=sum(one.until is None or one.until >= window.end for one in found),
        workloads=len({one.key for one in found}),
        gpu_hours=sum(one.gpus * h for one, h in hours),
        usd=sum(one.usd_per_hour * h for one, h in hours if one.usd_per_hour is not None),
        unpriced_gpu_hours=sum(one.gpus * h for one, h in hours if one.usd_per_hour is None),
        late=tuple(
            Late(one.key, one.until, one.ready_at, one.cause)
            for one in sorted(ended, key=lambda one: one.key)
            if one.cause and one.until is not None
        ),
        not_done=tuple(one for one in not_done if window.start <= one.at < window.end),
        left=_left(snapshot.pools, analysis, found),
    )


def _seen(one: Slept, snapshot: Snapshot) -> Slept:
    """One that nobody saw end, and is awake by now, ended at a time that nobody knows: it counts
    for nothing."""
    if one.until is not None:
        return one
    found = next((w for w in snapshot.workloads if w.key == one.key), None)
    awake = found is not None and found.replicas and not has_memory(found.annotations)
    # Without the API there are no annotations, and a count above zero is awake as well.
    return replace(one, until=one.since) if awake else one


def _clipped(one: Slept, window: Window) -> float:
    """Hours of it within the window."""
    begin, end = max(one.since, window.start), min(one.until or window.end, window.end)
    return max(timedelta(0), end - begin) / timedelta(hours=1)


def _left(pools: Sequence[Pool], analysis: Analysis, sleeps: Sequence[Slept]) -> Left | None:
    prices = {
        (one.gpu_model, one.instance_type, one.spot): one.usd_per_gpu_hour
        for one in analysis.prices
    }
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
    nodes = round(float(np.sum(counted, axis=0).max())) if counted else None
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
