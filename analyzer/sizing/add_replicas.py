"""More replicas are needed for the load that was seen, and what they cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from analyzer.advice import Recommendation, Refusal, Saving, Trial
from analyzer.config.sizing import ReplicasConfig
from analyzer.sizing import confidence
from analyzer.sizing.case import WEEK_H, Case
from analyzer.sizing.evidence import proven
from analyzer.sizing.money import per_month
from analyzer.sizing.reduce_replicas import smallest, target_of
from analyzer.sizing.replay import replay

ACTION: Final = "add-replicas"

_MOST = 4
"""Times the present number; what not even that many carry is not a matter of replicas."""
_CODES = ("queue", "kv-cache")
"""Verdicts whose demand is known: what ran and what waited."""


def add_replicas(
    case: Case, config: ReplicasConfig, itl_p95: timedelta = timedelta(0)
) -> Recommendation | Refusal:
    """The smallest number on which what waited would have run. ``itl_p95`` as for fewer."""
    verdict = case.figures.verdict
    if verdict.name != "saturated" or verdict.code not in _CODES:
        code = "unknown" if verdict.name == "unknown" else "not-saturated"
        return Refusal(ACTION, code, f"it is {verdict.name}, not known to be short of room")
    demand = proven(case, ACTION)
    if isinstance(demand, Refusal):
        return demand
    count, usd = case.replicas or 0, case.usd_per_gpu_hour
    # What more is needed is needed for what was seen.
    target = replace(target_of(case, config, itl_p95, demand), certainty=0.0)
    itl_s = case.serving.itl_p95_s if case.serving else None

    def tried(number: int) -> Trial:
        return replay(demand, [number], target, itl_s).trials[0]

    most = tried(_MOST * count)
    if not most.meets:
        reason = f"not even {most.replicas} replicas meet the target: {most.broken}"
        return Refusal(ACTION, "not-by-replicas", reason)
    enough = tried(smallest(most.replicas, count + 1, lambda n: tried(n).meets))
    fewer = tried(enough.replicas - 1)
    added = enough.replicas - count
    shown = replay(demand, range(count, enough.replicas + 1)[-8:], target, itl_s)
    hours = -added * case.per_replica * WEEK_H
    cost = per_month(hours, usd)
    return Recommendation(
        action=ACTION,
        before=count,
        after=enough.replicas,
        reason=(
            f"{verdict.reason}; {enough.replicas} would have kept KV-cache p95 at "
            f"{enough.kv_p95:.0%} with nothing waiting, {enough.replicas - 1} not: "
            f"{fewer.broken or 'nothing to spare'}"
        ),
        saving=Saving(hours, cost, cost),
        confidence=confidence.combined(
            [
                confidence.of_coverage(case, demand.coverage),
                confidence.of_history(case),
                confidence.of_steadiness(demand),
                ("medium", "requests that gave up waiting are not counted"),
            ]
        ),
        evidence={
            "coverage": round(case.figures.coverage or 0.0, 4),
            "serving_coverage": round(demand.coverage, 4),
            "history_hours": round(case.span_h, 2),
            "load_hours": round(demand.minutes / 60, 2),
            "verdict": verdict.code,
            "requests_at_once": round(target.at_once, 1),
        },
        replay=shown,
    )
