"""What one hour used, in figures that may be added up over any span later.

Sums only: GPU-hours, dollars and counts of an hour add up to those of a week, while means and
percentiles would not. None means "not known", as everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from analyzer.analysis import Analysis, PoolUse, WorkloadUse
from analyzer.model import WorkloadKey

_KNOWN = 0.5
"""The part of an hour that must have been heard for it to be recorded."""


@dataclass(frozen=True, slots=True)
class UsedBy:
    """One workload in one hour. ``work`` is GPU-hours of work within ``observed_gpu_hours``, so
    that the two make the mean utilisation (0-1); money is US dollars."""

    key: WorkloadKey
    environment: str
    team: str | None
    model: str | None
    gpu_model: str | None
    gpu_hours: float
    observed_gpu_hours: float
    work: float
    cost_usd: float | None
    idle_cost_usd: float | None
    requests: float | None = None
    prompt_tokens: float | None = None
    generation_tokens: float | None = None


@dataclass(frozen=True, slots=True)
class Unused:
    """GPUs of one model in one hour: present, and asked for by nobody."""

    gpu_model: str
    present_gpu_hours: float
    unallocated_gpu_hours: float
    unallocated_cost_usd: float | None


@dataclass(frozen=True, slots=True)
class UsedHour:
    """One cluster in the hour that starts at ``begin`` (aware UTC)."""

    cluster: str
    begin: datetime
    workloads: tuple[UsedBy, ...] = ()
    pools: tuple[Unused, ...] = ()


def hours_of(analysis: Analysis) -> list[UsedHour]:
    """Of each cluster that was read what the analysis found. Its window has to be one hour."""
    if analysis.window.hours != 1:
        raise ValueError(f"expected a window of one hour, got {analysis.window.hours:g}")
    return [
        UsedHour(
            cluster,
            analysis.window.start,
            tuple(
                _used(one)
                for one in analysis.workloads
                if one.workload.key.cluster == cluster and one.gpu_hours > 0
            ),
            tuple(_unused(one) for one in analysis.pools if one.cluster == cluster),
        )
        for cluster in analysis.clusters
        # An hour of silence is missing, not free.
        if cluster not in analysis.failed and analysis.heard_hours.get(cluster, 1.0) >= _KNOWN
    ]


def _used(one: WorkloadUse) -> UsedBy:
    mean = one.utilisation.mean if one.utilisation is not None else 0.0
    serving = one.serving
    return UsedBy(
        key=one.workload.key,
        environment=one.environment,
        team=one.team,
        model=one.model,
        gpu_model=one.gpu_model,
        gpu_hours=one.gpu_hours,
        observed_gpu_hours=one.observed_gpu_hours if one.utilisation is not None else 0.0,
        work=mean * one.observed_gpu_hours,
        cost_usd=one.cost_usd,
        idle_cost_usd=one.idle_cost_usd,
        requests=serving.requests if serving else None,
        prompt_tokens=serving.prompt_tokens if serving else None,
        generation_tokens=serving.generation_tokens if serving else None,
    )


def _unused(pool: PoolUse) -> Unused:
    return Unused(
        pool.node_class.gpu_model,
        pool.present_gpu_hours,
        pool.unallocated_gpu_hours,
        pool.unallocated_cost_usd,
    )
