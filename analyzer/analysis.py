"""What the analysis says: one value a workload and a pool, and their totals.

Fractions are 0-1, money is US dollars over the window, times are aware UTC. None always means
"not known", never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from analyzer.advice import NONE, Advice, Savings
from analyzer.environment import Environment
from analyzer.model import NodeClass, Notice, Window, Workload

VerdictName = Literal["idle", "underused", "right-sized", "saturated", "unknown"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """``code`` is stable, for programs; ``reason`` is a sentence for people, with the figures."""

    name: VerdictName
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Distribution:
    """Utilisation (0-1). ``mean`` is GPU-seconds of work over GPU-seconds observed; the others
    are over five-minute steps of the workload as a whole."""

    mean: float
    p50: float
    p95: float
    max: float


@dataclass(frozen=True, slots=True)
class ServingFigures:
    """What the inference server counted over the window. ``waiting_p95`` is requests over all
    replicas, ``kv_cache_p95`` the fullest replica (0-1), ``coverage`` the part of the allocated
    steps in which the server was heard."""

    coverage: float
    requests: float | None = None
    prompt_tokens: float | None = None
    generation_tokens: float | None = None
    running_p95: float | None = None
    waiting_p95: float | None = None
    queue_share: float | None = None
    kv_cache_p95: float | None = None
    ttft_p95_s: float | None = None
    itl_p95_s: float | None = None
    preemptions: float | None = None
    usd_per_million_tokens: float | None = None


@dataclass(frozen=True, slots=True)
class PriceUsed:
    """A price that stands behind the figures."""

    gpu_model: str
    instance_type: str
    spot: bool
    usd_per_gpu_hour: float
    as_of: date | None
    source: str


@dataclass(frozen=True, slots=True)
class WorkloadUse:
    """One workload over the window."""

    workload: Workload
    environment: Environment
    environment_reason: str
    model: str | None
    team: str | None
    gpu_model: str | None
    gpu_hours: float
    observed_gpu_hours: float
    coverage: float | None
    history_hours: float
    cost_usd: float | None
    idle_cost_usd: float | None
    utilisation: Distribution | None
    serving: ServingFigures | None
    verdict: Verdict
    advice: Advice = NONE
    spot_share: float | None = None
    """The part of its GPU-hours (0-1) that was on spot nodes."""


@dataclass(frozen=True, slots=True)
class PoolUse:
    """GPUs of one class of node: present, and not asked for by any workload."""

    cluster: str
    node_class: NodeClass
    present_gpu_hours: float
    unallocated_gpu_hours: float
    unallocated_cost_usd: float | None


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over workloads and pools. Money sums what is priced; ``unpriced_gpu_hours`` is the
    rest, so that a sum is never mistaken for the whole."""

    gpu_hours: float
    cost_usd: float
    idle_cost_usd: float
    unpriced_gpu_hours: float
    unallocated_gpu_hours: float | None
    unallocated_cost_usd: float | None
    coverage: float | None


@dataclass(frozen=True, slots=True)
class Analysis:
    """Everything a report needs. ``failed`` maps a cluster that could not be read to the reason."""

    generated_at: datetime
    window: Window
    timezone: str
    clusters: tuple[str, ...]
    workloads: tuple[WorkloadUse, ...]
    pools: tuple[PoolUse, ...]
    totals: Totals
    prices: tuple[PriceUsed, ...]
    notices: tuple[Notice, ...]
    failed: Mapping[str, str] = field(default_factory=dict)
    savings: Savings | None = None
    """What all plans together free; None where no advice was asked for."""
    heard_hours: Mapping[str, float] = field(default_factory=dict)
    """As in the snapshot: how much of the window is known of each cluster."""
