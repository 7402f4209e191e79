"""All that the rules are told of one workload."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from analyzer.advice import Action, Refusal
from analyzer.analysis import WorkloadUse
from analyzer.model import STEP_S, GpuUse, NodeClass, Serving, Window, WorkloadKey
from analyzer.pricing import PriceBook
from analyzer.sizing.demand import held_steps
from analyzer.sizing.models import Known, Unknown

STEP_H = STEP_S / 3600
WEEK_H = 168.0
GROUPED = frozenset({"LeaderWorkerSet"})
"""Kinds of which one replica is several pods that serve as one."""
_SLACK_H = 1.0
"""A window of just the history that is asked for is enough, though pods need a while to start."""


@dataclass(frozen=True, slots=True)
class Floor:
    """The ``[sizing]`` section's part for all rules: coverage (0-1) and length of history."""

    coverage: float = 0.9
    history: timedelta = timedelta(days=7)


@dataclass(frozen=True, eq=False, slots=True)
class Case:
    """The facts of one workload. ``use`` is not empty, ``model`` what its server runs, ``sleeps``
    why no schedule is to be advised (it has one, or a person said no), empty when it may be."""

    figures: WorkloadUse
    use: tuple[GpuUse, ...]
    serving: Serving | None
    window: Window
    prices: PriceBook
    model: Known | Unknown
    floor: Floor = Floor()
    sleeps: str = ""

    @property
    def key(self) -> WorkloadKey:
        return self.figures.workload.key

    @property
    def replicas(self) -> int | None:
        return self.figures.workload.replicas

    @property
    def per_replica(self) -> float:
        """GPUs of one replica; 0 when nobody told. Where replicas are groups of pods, what it held
        in the end over their number."""
        told = self.figures.workload.gpus_per_replica
        if told is None or not math.isfinite(told) or told <= 0:
            return 0.0
        if self.key.kind in GROUPED and self.replicas:
            held = sum(float(u.allocated[-1]) for u in self.use)
            return max(told, held / self.replicas)
        return told

    @property
    def node_class(self) -> NodeClass:
        """Where it ran last; where it ran on several, on the one with most of its GPUs."""
        return max(
            sorted(self.use, key=lambda u: u.node_class),
            key=lambda u: (held_steps(u.allocated)[1], float(u.allocated.sum(dtype=np.float64))),
        ).node_class

    @property
    def usd_per_gpu_hour(self) -> float | None:
        quote = self.prices.quote(self.node_class)
        return quote.price.usd_per_gpu_hour if quote else None

    @property
    def span_h(self) -> float:
        """Hours from the first to the last step in which it held a GPU."""
        spans = [held_steps(u.allocated) for u in self.use]
        first, last = min(s[0] for s in spans), max(s[1] for s in spans)
        return max(0, last - first + 1) * STEP_H

    @property
    def gpu_hours_per_week(self) -> float:
        """What it held, as of a week of the time between first and last."""
        return self.figures.gpu_hours * WEEK_H / self.span_h if self.span_h else 0.0

    def missing(self, action: Action) -> Refusal | None:
        """What is missing for any advice at all, None when nothing is."""
        figures, needed = self.figures, self.floor.history.total_seconds() / 3600
        if figures.workload.exists is False:
            return Refusal(action, "gone", "it is not there any more")
        if not self.span_h >= needed - min(_SLACK_H, 0.1 * needed):
            reason = f"only {self.span_h:.1f} h of history, at least {needed:g} h needed"
            return Refusal(action, "short-history", reason)
        if figures.coverage is None:
            return Refusal(action, "no-gpu-metrics", "no GPU metrics for any of its pods")
        if not figures.coverage >= self.floor.coverage:
            reason = (
                f"GPU metrics cover {figures.coverage:.1%} of its GPU time, "
                f"at least {self.floor.coverage:.0%} needed"
            )
            return Refusal(action, "low-coverage", reason)
        return None
