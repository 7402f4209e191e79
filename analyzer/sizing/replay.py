"""Plays the demand that was seen on another number of replicas.

What a replica did grows by how much fewer share the load. Requests that share a GPU also slow each
other down, and a slower request stays longer: how much is read from the hours of the same history
in which more of them ran together.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from statistics import NormalDist

import numpy as np

from analyzer.advice import Replay, Trial
from analyzer.sizing.demand import MINUTES, Demand, Floats
from analyzer.sizing.pace import Pace, pace_of, token_rate

_TURNS = 4
"""Times that a replica's requests are others within a step: they stay for a minute or so."""
_FAR = 10.0
"""Times its size that a cache would have to be: then it is not a matter of room any more."""
_FULL = 99.0
"""Stands for what grows without end, so that it can be averaged."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a number of replicas has to meet. ``kv_p95`` and ``saturated_at`` (0-1) are of the
    fullest replica's KV cache, ``saturated_share`` (0-1) of minutes may be above the second;
    ``busy`` (0-1) is the most GPU work where it grows with the load, ``itl_p95``
    the most time between tokens (zero: any), ``at_once`` requests that one replica runs at a
    time; ``certainty`` (0-1) with which nothing is to wait in the coming days either (0: only
    what was seen counts)."""

    kv_p95: float = 0.8
    saturated_at: float = 0.9
    saturated_share: float = 0.001
    busy: float = 0.9
    itl_p95: timedelta = timedelta(0)
    at_once: float = 256.0
    certainty: float = 0.0


def replay(
    demand: Demand, counts: Iterable[int], target: Target, itl_p95_s: float | None = None
) -> Replay:
    """A trial for each of ``counts``. ``itl_p95_s`` is the time between tokens now."""
    known = demand.surge(target.certainty), itl_p95_s, demand.work_follows_load()
    stage = _Stage(demand, target, pace_of(demand), *known)
    gaps, zeros = demand.gaps * MINUTES, demand.zeros * MINUTES
    return Replay(demand.minutes, gaps, zeros, tuple(stage.trial(n) for n in counts))


def fullest_then(demand: Demand, count: int, target: Target) -> Floats:
    """How full the fullest of ``count`` replicas would have been at its highest, one element a
    step of the demand (1 is full)."""
    return _Stage(demand, target, pace_of(demand), 1.0, None, False).played(count).peak


@dataclass(frozen=True, eq=False, slots=True)
class _Played:
    """A number of replicas, step by step: the load of each over what it was, how much longer
    requests stay, both together, and the cache (0-1) by load alone, of the fullest, and highest."""

    share: Floats
    longer: Floats
    grown: Floats
    level: Floats
    kv: Floats
    peak: Floats


@dataclass(frozen=True, slots=True)
class _Stage:
    demand: Demand
    target: Target
    pace: Pace | None
    surge: float
    itl_p95_s: float | None
    work_counts: bool

    def played(self, count: int) -> _Played:
        demand = self.demand
        share = demand.replicas / count
        longer = self._longer(share)
        # Whoever waited would have run, had there been room.
        wanted = 1 + demand.waiting / np.maximum(demand.running, 1)
        grown = np.minimum(share * longer * wanted, _FULL)
        level = demand.level * grown
        crowd = self._crowd(grown, count)
        kv = level + (demand.kv - demand.level) * crowd[0]
        peak = level + (demand.kv_peak - demand.level) * crowd[1]
        return _Played(share, longer, grown, level, kv, peak)

    def trial(self, count: int) -> Trial:
        demand, target, played = self.demand, self.target, self.played(count)
        share, longer, grown = played.share, played.longer, played.grown
        level, kv, peak = played.level, played.kv, played.peak
        # The most requests at one time are to their mean as the fullest cache is to its mean.
        swing = np.clip(peak / np.maximum(level, 1e-9), 1, 10)
        together = demand.running / demand.replicas * grown / target.at_once
        full = np.maximum(peak, together * swing)
        minutes = MINUTES * share_above(kv, peak, target.saturated_at)
        waits = share_above(np.maximum(kv, together), full, 1.0)
        busy = demand.busy * share
        known = np.where(np.isfinite(demand.finished), demand.finished, demand.running)
        trial = Trial(
            replicas=count,
            kv_p95=_quantile(kv, 0.95),
            kv_max=_quantile(peak, 1),
            saturated_minutes=float(minutes.sum()),
            longest_minutes=_longest(demand, minutes),
            would_wait=float((known * self._waited(waits, share)).sum()),
            gpu_p95=_quantile(busy[np.isfinite(busy)], 0.95) if np.isfinite(busy).any() else None,
            itl_p95_s=None if self.itl_p95_s is None else self.itl_p95_s * _quantile(longer, 0.95),
        )
        return replace(trial, broken=self._broken(trial, _quantile(full, 1)))

    def _waited(self, waits: Floats, share: Floats) -> Floats:
        """The share of each step's requests that would have waited; on as many replicas as there
        were, those that did."""
        demand = self.demand
        seen = demand.waiting / np.maximum(demand.waiting + demand.running, 1e-9)
        return np.where(np.abs(share - 1) < 1e-6, seen, waits)

    def _crowd(self, grown: Floats, count: int) -> tuple[Floats, Floats]:
        """How much what chance adds to the fullest replica grows: to its mean of a step, and to
        its highest.

        Four times the requests crowd twice as much, and of fewer replicas the fullest stands out
        less. Bursts that all replicas share grow as the load does.
        """
        chance, before = self.demand.chance(), float(np.median(self.demand.replicas))
        crowd = grown ** (1 - chance / 2)
        fewer = (
            fullest_of(times * count) / fullest_of(times * before) if before > 1 else 1.0
            for times in (1, _TURNS)
        )
        of_mean, of_peak = (crowd * (1 - chance + chance * min(part, 1.0)) for part in fewer)
        return of_mean, of_peak

    def _longer(self, share: Floats) -> Floats:
        if self.pace is None:
            return np.ones_like(share)
        return self.pace.stretch(np.nan_to_num(token_rate(self.demand)), share)

    def _broken(self, trial: Trial, fullest: float) -> str:
        target = self.target
        allowed = target.saturated_share * self.demand.minutes
        if trial.kv_p95 > _FAR:
            return "more tokens would be asked for than so many replicas can make"
        if not trial.kv_p95 < target.kv_p95:
            said = "requests would pile up: " if trial.kv_p95 > 1 else ""
            return f"{said}KV-cache p95 {trial.kv_p95:.0%}, to be below {target.kv_p95:.0%}"
        if trial.saturated_minutes > allowed:
            return (
                f"{trial.saturated_minutes:.3g} minutes above {target.saturated_at:.0%}, "
                f"at most {allowed:.3g} allowed"
            )
        if trial.would_wait > 0 or fullest >= 1:
            return f"about {max(trial.would_wait, 1):,.0f} requests would have waited"
        # Days to come are asked of fewer replicas only: those there are have them to face anyway.
        fewer = trial.replicas < float(np.median(self.demand.replicas))
        if fewer and fullest * self.surge >= 1:
            return (
                f"days differ: the next may reach {self.surge:.2f} times the highest seen, "
                "and requests would wait"
            )
        if self.work_counts and trial.gpu_p95 is not None and trial.gpu_p95 > target.busy:
            return f"GPU work p95 {trial.gpu_p95:.0%}, at most {target.busy:.0%}"
        limit = target.itl_p95.total_seconds()
        if limit > 0 and trial.itl_p95_s is not None and trial.itl_p95_s > limit:
            return f"p95 between tokens {trial.itl_p95_s:.2g} s, objective {limit:g} s"
        return ""


def fullest_of(number: float) -> float:
    """By how many standard deviations the highest of so many normal values lies above their mean
    (Blom's approximation)."""
    if number <= 1:
        return 0.0
    return NormalDist().inv_cdf((number - 0.375) / (number + 0.25))


def share_above(mean: Floats, peak: Floats, level: float) -> Floats:
    """The share of each step (0-1) above ``level``, of something whose mean and highest value are
    known: it is taken to be spread evenly, as far below its mean as above."""
    mean, peak = np.minimum(mean, _FULL), np.minimum(peak, _FULL)
    half = np.maximum(peak - mean, 1e-9)
    part: Floats = np.clip((peak - level) / (2 * half), 0.0, 1.0)
    return part


def _quantile(values: Floats, q: float) -> float:
    return float(np.quantile(np.minimum(values, _FULL), q)) if values.size else 0.0


def _longest(demand: Demand, minutes: Floats) -> float:
    """Minutes of the longest run of neighbouring steps that are saturated at all."""
    above = minutes > 0
    if not above.any():
        return 0.0
    breaks = ~above[1:] | ~above[:-1] | (np.diff(demand.at) > 1)
    run = np.concatenate(([0], np.cumsum(breaks)))
    return float(np.bincount(run, minutes).max())
