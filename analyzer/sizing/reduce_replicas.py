"""Fewer replicas would have carried the load that was seen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

import numpy as np

from analyzer.advice import Fact, Recommendation, Refusal, Replay, Saving, Trial
from analyzer.config.sizing import ReplicasConfig
from analyzer.sizing import confidence
from analyzer.sizing.case import STEP_H, WEEK_H, Case
from analyzer.sizing.demand import Demand, summed
from analyzer.sizing.evidence import proven, strained
from analyzer.sizing.money import per_month
from analyzer.sizing.pace import pace_of
from analyzer.sizing.replay import Target, replay

ACTION: Final = "reduce-replicas"

_SHOWN = 8
"""Trials that are shown in a table; of more, those next to both ends."""


def reduce_replicas(
    case: Case, config: ReplicasConfig, itl_p95: timedelta = timedelta(0)
) -> Recommendation | Refusal:
    """The smallest number that meets the target, together with every number above it.

    ``itl_p95`` is the objective for the time between tokens, zero for none.
    """
    demand = _demand(case, config)
    if isinstance(demand, Refusal):
        return demand
    count = case.replicas or 0
    target = target_of(case, config, itl_p95, demand)
    itl_s = case.serving.itl_p95_s if case.serving else None

    def tried(counts: list[int]) -> Replay:
        return replay(demand, counts, target, itl_s)

    best = smallest(count, config.at_least, lambda n: tried([n]).trials[0].meets)
    shown = _shown(best, count, config.at_least)
    found = tried(shown)
    if best >= count:
        fewer = found.trials[1] if len(found.trials) > 1 else found.trials[0]
        reason = f"with {fewer.replicas}: {fewer.broken}"
        return Refusal(ACTION, "needed", reason, found)
    freed = _freed(case, best)
    if freed <= 0:
        reason = f"it held no more than {best} replicas on average already"
        return Refusal(ACTION, "fewer-already", reason, found)
    return Recommendation(
        action=ACTION,
        before=count,
        after=best,
        reason=_reason(found, best, demand, config.at_least),
        saving=Saving(freed, per_month(freed, case.usd_per_gpu_hour)),
        confidence=confidence.combined(_doubts(case, config, demand, found, best)),
        evidence=_evidence(case, config, demand),
        replay=found,
    )


def target_of(case: Case, config: ReplicasConfig, itl_p95: timedelta, demand: Demand) -> Target:
    told = case.figures.workload.server.get("max-num-seqs", "")
    at_once = float(told) if told.isdecimal() and int(told) > 0 else float(config.at_once)
    together = float((demand.running / demand.replicas).max(initial=0.0))
    if not told and together > at_once:
        # It was seen to run more than is assumed; how many more it would run, nothing tells.
        at_once = 2 * together
    # Whoever waits although the cache has room waits for a place among those that run.
    turned_away = (demand.waiting >= 1) & (demand.kv_peak < config.saturated_at)
    if turned_away.any():
        at_once = min(at_once, float(np.median((demand.running / demand.replicas)[turned_away])))
    return Target(
        kv_p95=config.kv_p95,
        saturated_at=config.saturated_at,
        saturated_share=config.saturated_share,
        busy=config.busy,
        itl_p95=itl_p95,
        at_once=max(at_once, 1.0),
        certainty=config.certainty,
    )


def _demand(case: Case, config: ReplicasConfig) -> Demand | Refusal:
    """What the replay is made from, or why there is none."""
    demand = proven(case, ACTION)
    if isinstance(demand, Refusal):
        return demand
    count = case.replicas or 0
    if count <= config.at_least:
        few = f"{count} replica{'' if count == 1 else 's'}"
        return Refusal(ACTION, "fewest", f"it has {few}, the fewest that are advised")
    return strained(case, demand, config.queue_share, ACTION) or demand


def smallest(count: int, least: int, meets: Callable[[int], bool]) -> int:
    """The smallest number from ``least`` to ``count`` that is good; ``count`` is taken to be.

    Halving finds it, for what a number cannot carry no smaller one can.
    """
    good, bad = count, least - 1
    while good - bad > 1:
        middle = (good + bad) // 2
        if meets(middle):
            good = middle
        else:
            bad = middle
    return good


def _shown(best: int, count: int, least: int) -> list[int]:
    """The present number first, one below the best last."""
    counts = range(count, max(best - 2, least - 1, 0), -1)
    if len(counts) <= _SHOWN:
        return list(counts)
    return [*counts[: _SHOWN // 2], *counts[-_SHOWN // 2 :]]


def _freed(case: Case, best: int) -> float:
    """GPU-hours a week above what ``best`` replicas hold. As it was on average, but no more than
    the replicas that it has now: what was given up already is not freed again."""
    allocated = summed(u.allocated for u in case.use)
    above = np.maximum(allocated - best * case.per_replica, 0.0)
    on_average = float(above.sum()) * STEP_H * WEEK_H / case.span_h
    now = ((case.replicas or 0) - best) * case.per_replica
    part = float((above > 1e-3).sum()) * STEP_H / case.span_h
    return min(on_average, now * WEEK_H * part)


def _reason(found: Replay, best: int, demand: Demand, least: int) -> str:
    trial = _trial(found, best)
    counted = f"{best} replica{'' if best == 1 else 's'}"
    said = (
        f"{counted} would have carried {demand.minutes / 60:,.0f} h of load: KV-cache p95 "
        f"{trial.kv_p95:.0%}, {trial.saturated_minutes:.0f} saturated minutes, nothing waiting"
    )
    if best > least:
        fewer = _trial(found, best - 1)
        said += f"; {best - 1} would not: {fewer.broken}"
    if best == 1:
        said += "; with one, nothing answers while it restarts"
    few, many = (int(np.quantile(demand.replicas, q)) for q in (0.05, 0.95))
    if few < many:
        said += f"; it had {few} to {many}: where an autoscaler sets that, change its limits"
    return said


def _trial(found: Replay, count: int) -> Trial:
    return next(one for one in found.trials if one.replicas == count)


def _doubts(
    case: Case, config: ReplicasConfig, demand: Demand, found: Replay, best: int
) -> list[confidence.Reason]:
    doubts = [
        confidence.of_coverage(case, demand.coverage),
        confidence.of_history(case),
        confidence.of_steadiness(demand),
        confidence.of_margin(found, best, config.kv_p95),
    ]
    pace = pace_of(demand)
    if pace is not None:
        share = float(np.median(demand.replicas)) / best
        doubts.append(confidence.of_reach(demand, share, pace))
    return doubts


def _evidence(case: Case, config: ReplicasConfig, demand: Demand) -> dict[str, Fact]:
    return {
        "coverage": round(case.figures.coverage or 0.0, 4),
        "serving_coverage": round(demand.coverage, 4),
        "history_hours": round(case.span_h, 2),
        "load_hours": round(demand.minutes / 60, 2),
        "gap_hours": round(demand.gaps * STEP_H, 2),
        "zero_rate_hours": round(demand.zeros * STEP_H, 2),
        "expected_surge": round(demand.surge(), 3),
        "kv_cache_p95_below": config.kv_p95,
        "saturated_at": config.saturated_at,
        "saturated_share_allowed": config.saturated_share,
        "replicas_seen_p5": int(np.quantile(demand.replicas, 0.05)),
        "replicas_seen_p95": int(np.quantile(demand.replicas, 0.95)),
        "preemptions": case.serving.preemptions if case.serving else None,
    }
