"""Sums over workloads and pools, of all of them or of some teams'."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from analyzer.analysis import Analysis, PoolUse, Totals, WorkloadUse


def totals(workloads: Sequence[WorkloadUse], pools: Sequence[PoolUse]) -> Totals:
    """Money sums what is priced; what nobody told is None."""
    gpu_hours = sum(w.gpu_hours for w in workloads)
    observed = sum(w.observed_gpu_hours for w in workloads)
    priced = [p.unallocated_cost_usd for p in pools if p.unallocated_cost_usd is not None]
    return Totals(
        gpu_hours=gpu_hours,
        cost_usd=sum(w.cost_usd for w in workloads if w.cost_usd is not None),
        idle_cost_usd=sum(w.idle_cost_usd for w in workloads if w.idle_cost_usd is not None),
        unpriced_gpu_hours=sum(w.gpu_hours for w in workloads if w.cost_usd is None),
        unallocated_gpu_hours=sum(p.unallocated_gpu_hours for p in pools) if pools else None,
        unallocated_cost_usd=sum(priced) if priced else None,
        coverage=min(1.0, observed / gpu_hours) if gpu_hours > 0 else None,
    )


def of_teams(analysis: Analysis, teams: Collection[str]) -> Analysis:
    """The part of an analysis that is these teams'.

    GPUs that nobody asked for belong to no team, and which nodes can leave is decided by all
    workloads together: both are left out.
    """
    mine = tuple(use for use in analysis.workloads if use.team in teams)
    keys = {use.workload.key for use in mine}
    named = {key.name for key in keys} | {str(key) for key in keys}
    others = {use.workload.key for use in analysis.workloads} - keys
    foreign = {key.name for key in others} | {str(key) for key in others}
    kept = tuple(
        one for one in analysis.notices if one.subject in named or one.subject not in foreign
    )
    return replace(
        analysis, workloads=mine, pools=(), totals=totals(mine, ()), notices=kept, savings=None
    )
