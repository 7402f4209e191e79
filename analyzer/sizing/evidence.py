"""What has to be known of a workload's load before anything is said of its size."""

from __future__ import annotations

from analyzer.advice import Action, Refusal
from analyzer.sizing.case import STEP_H, Case
from analyzer.sizing.demand import Demand, observe

_FEWEST = 1 / 7
"""Part of the history in which load must have been seen: a day of a week."""


def proven(case: Case, action: Action) -> Demand | Refusal:
    """The demand on the workload, or what is missing to know it."""
    lacking = case.missing(action)
    if lacking:
        return lacking
    if not case.replicas or not case.per_replica:
        return Refusal(
            action, "no-replicas", "nothing tells how many replicas it has, or it has none"
        )
    if case.serving is None:
        reason = "no inference metrics: whether requests wait is not known"
        return Refusal(action, "no-inference-metrics", reason)
    demand = observe(list(case.use), case.serving, case.per_replica)
    return _unproven(case, demand, action) or demand


def _unproven(case: Case, demand: Demand, action: Action) -> Refusal | None:
    needed = case.floor.history.total_seconds() / 3600
    if not demand.span * STEP_H >= needed - min(1.0, 0.1 * needed):
        reason = (
            f"only {demand.span * STEP_H:.1f} h on the GPU model it has now, "
            f"at least {needed:g} h needed"
        )
        return Refusal(action, "short-history", reason)
    if not demand.coverage >= case.floor.coverage:
        reason = (
            f"inference metrics of all replicas cover {demand.coverage:.1%} of its time, "
            f"at least {case.floor.coverage:.0%} needed"
        )
        return Refusal(action, "low-serving-coverage", reason)
    if demand.at.size * STEP_H < needed * _FEWEST:
        reason = (
            f"load was seen in {demand.at.size * STEP_H:.1f} h only, at least "
            f"{needed * _FEWEST:.3g} h needed: time without any proves nothing"
        )
        return Refusal(action, "little-load", reason)
    return None


def strained(case: Case, demand: Demand, queue_share: float, action: Action) -> Refusal | None:
    """Why nothing may be taken from a workload that is short of room already, None when it is
    not. ``queue_share`` (0-1) of five-minute steps may have a request waiting."""
    waited = float((demand.queue >= 1).mean())
    if waited > queue_share:
        reason = (
            f"requests waited in {waited:.1%} of five-minute steps already, "
            f"at most {queue_share:.2%} are allowed"
        )
        return Refusal(action, "queue", reason)
    preempted = case.serving.preemptions if case.serving else None
    if preempted:
        reason = f"{preempted:,.0f} requests were put back because the KV cache was full"
        return Refusal(action, "preemptions", reason)
    if case.figures.verdict.name == "saturated":
        return Refusal(action, "saturated", f"it is saturated: {case.figures.verdict.reason}")
    return None
