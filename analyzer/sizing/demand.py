"""What a workload was asked to do, step by step, as far as the past proves it.

A step proves something when every replica was heard and something was asked of them. What was not
measured is a gap; a step without any load may be a quiet night or an outage further up, so it
proves nothing either. Only steps on the GPU model that the workload has now speak of that model.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analyzer.model import STEP_S, GpuUse, Serving, StepArray

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

MINUTES = STEP_S / 60
HEARD = 0.9
"""Part of the replicas that must be heard in a step; of fewer than ten, all."""

CERTAINTY = 0.98
"""With which it is told how far the coming days may go."""
_SURGE = 2.0
"""Most that is expected: three days tell no more of a tail."""
_NOTHING = 1e-3
_APART = 0.3
"""Of the excess of the fullest replica's highest sample, how much its five-minute mean holds when
requests are sent at random: 0.3 to 0.5 in simulations, so that this counts as all."""
_ALIKE = 0.05
"""Relative spread of hourly loads below which nothing can be read from their differences."""
_FOLLOWS = 0.5
"""Growth of work per growth of load: 1 when twice the load is twice the work, 0 when a GPU is
busy whatever it runs."""
_HOUR_STEPS = 3600 // STEP_S
_DAY_STEPS = 86_400 // STEP_S


@dataclass(frozen=True, eq=False, slots=True)
class Demand:
    """Arrays with one element a step that proves something, in the order of time.

    ``at`` is the step's index in the window, ``replicas`` how many served. ``kv`` and ``kv_peak``
    (0-1, the fullest replica: mean and highest), ``level`` (0-1) the part of ``kv`` that its share
    of the load explains, ``running`` and ``waiting`` (requests of all replicas), ``queue`` the
    most that waited. ``generated`` tokens and ``finished`` requests of all replicas, ``busy`` the
    share of its GPU time with work; NaN where not told.
    ``steps`` is how many steps it held GPUs, ``gaps`` and ``zeros`` of them prove nothing, and
    ``span`` is how many lie between the first and the last, both included.
    """

    at: npt.NDArray[np.int_]
    replicas: Floats
    kv: Floats
    kv_peak: Floats
    level: Floats
    running: Floats
    waiting: Floats
    queue: Floats
    generated: Floats
    finished: Floats
    busy: Floats
    steps: int
    gaps: int
    zeros: int
    span: int

    @property
    def minutes(self) -> float:
        return self.at.size * MINUTES

    @property
    def coverage(self) -> float:
        """The part of the steps with GPUs that was measured (0-1)."""
        return 1 - self.gaps / self.steps if self.steps else 0.0

    def chance(self) -> float:
        """How much of what makes the fullest replica fuller is chance (0-1).

        Requests sent to replicas at random crowd on one for a while, and that evens out with
        their number; a router that balances leaves no such difference, only bursts that all share.
        """
        over = float(np.maximum(self.kv_peak - self.level, 0).sum())
        apart = float(np.maximum(self.kv - self.level, 0).sum())
        return min(1.0, apart / over / _APART) if over > 0 else 0.0

    def work_follows_load(self) -> bool:
        """Whether GPU work grows with the tokens that are made, so that it tells what is left.

        On many servers a GPU counts as busy however few requests it runs: then its work says
        nothing of how many more it could run. Also True where hours are too alike to tell.
        """
        known = np.isfinite(self.generated) & (self.generated > 0) & (self.busy > 0)
        _, hour = np.unique(self.at[known] // _HOUR_STEPS, return_inverse=True)
        if hour.size < 3 * _HOUR_STEPS:
            return True
        count = np.bincount(hour)
        rate = np.log(np.bincount(hour, (self.generated / self.replicas)[known]) / count)
        work = np.log(np.bincount(hour, self.busy[known]) / count)
        spread = rate - rate.mean()
        if float(spread.std()) < _ALIKE:
            return True
        growth = float((spread * (work - work.mean())).sum() / (spread**2).sum())
        return growth > _FOLLOWS

    def surge(self, certainty: float = CERTAINTY) -> float:
        """How much higher the coming days may go than the highest of these: at least 1.

        The loads of the highest days are taken to follow a power law whose exponent is read from
        the first and the third of them (Hill's estimator); this is the level that as many days
        again stay below with the probability ``certainty`` (0-1; 0 expects nothing beyond what was
        seen). 1 with fewer than three days, and at most 2.
        """
        load = self.replicas * self.level
        days = self.at // _DAY_STEPS
        tops = np.sort([load[days == day].max() for day in np.unique(days)])[::-1]
        if certainty <= 0 or tops.size < 3 or tops[2] <= 0:
            return 1.0
        tail = float(np.log(tops[0] / tops[2])) / 1.5
        beyond = float(np.exp(tail * np.log(3 / (1 - min(certainty, 0.999)))))
        return min(max(1.0, float(tops[2] / tops[0]) * beyond), _SURGE)


def observe(use: list[GpuUse], serving: Serving, per_replica: float) -> Demand:
    """The demand that ``serving`` shows. ``use`` is all of the workload's, ``per_replica`` the
    GPUs of one replica."""
    allocated = summed(u.allocated for u in use)
    held = (allocated > _NOTHING) & on_present_model(use)
    speaking = _or(serving.speaking, allocated / max(per_replica, _NOTHING))
    kv = serving.kv_cache.astype(np.float64)
    peak = np.fmax(_or(serving.kv_peak, kv), kv)
    level = np.fmin(_or(serving.kv_mean, kv) * (serving.lean or 1.0), kv)
    running, waiting = (a.astype(np.float64) for a in (serving.running, serving.waiting))
    generated = _or(serving.generated, np.full(kv.shape, np.nan))
    told = np.isfinite(kv) & np.isfinite(running) & np.isfinite(waiting)
    told &= (serving.heard >= HEARD) & (speaking >= 1)
    nothing = running + np.nan_to_num(waiting) + np.nan_to_num(generated) <= _NOTHING
    nothing &= np.nan_to_num(kv) <= _NOTHING
    proves = held & told & ~nothing
    observed, work = summed(u.observed for u in use), summed(u.work for u in use)
    with np.errstate(divide="ignore", invalid="ignore"):
        busy = np.where(observed > _NOTHING, work / observed, np.nan)
    where = np.flatnonzero(held)
    return Demand(
        at=np.flatnonzero(proves),
        replicas=speaking[proves],
        kv=kv[proves],
        kv_peak=peak[proves],
        level=level[proves],
        running=running[proves],
        waiting=waiting[proves],
        queue=np.fmax(_or(serving.waiting_peak, waiting), waiting)[proves],
        generated=generated[proves],
        finished=_or(serving.finished, np.full(kv.shape, np.nan))[proves],
        busy=busy[proves],
        steps=int(held.sum()),
        gaps=int((held & ~told).sum()),
        zeros=int((held & told & nothing).sum()),
        span=int(where[-1] - where[0] + 1) if where.size else 0,
    )


def on_present_model(use: list[GpuUse]) -> Mask:
    """Steps after it last held a GPU of another model than it holds at the end."""
    held = {u.node_class.gpu_model: np.zeros(u.allocated.shape, dtype=bool) for u in use}
    for one in use:
        held[one.node_class.gpu_model] |= one.allocated > _NOTHING
    last = {model: int(np.flatnonzero(steps).max(initial=-1)) for model, steps in held.items()}
    present = max(sorted(last), key=lambda model: last[model])
    others = [steps for model, steps in held.items() if model != present]
    mask: Mask = held[present].copy()
    for steps in others:
        mask[: int(np.flatnonzero(steps).max(initial=-1)) + 1] = False
    return mask


def summed(arrays: Iterable[StepArray]) -> Floats:
    """In double precision."""
    total: Floats = np.sum([array.astype(np.float64) for array in arrays], axis=0)
    return total


def _or(array: StepArray | None, otherwise: Floats) -> Floats:
    return otherwise if array is None else array.astype(np.float64)


def held_steps(allocated: StepArray) -> tuple[int, int]:
    """The first and the last step in which a GPU was held; (0, -1) when none was."""
    held = np.flatnonzero(allocated > _NOTHING)
    return (int(held[0]), int(held[-1])) if held.size else (0, -1)
