"""The whole story of one workload, for a person who doubts a piece of advice: its load over time,
and what the replay makes of it."""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.analysis import WorkloadUse
from analyzer.model import StepArray, Window


@dataclass(frozen=True, eq=False, slots=True)
class Story:
    """Arrays have one element a step of the window, NaN where nothing was told or proven.

    ``busy`` is GPU work and ``kv`` the KV cache of the fullest replica (highest of the step), both
    0-1; ``kv_then`` is ``kv`` had there been ``then`` replicas, above 1 where it would not have
    sufficed, None where no number of replicas was tried. ``running`` and ``waiting`` are requests
    of all replicas. ``thresholds`` are those that decided, by the configuration key.
    """

    use: WorkloadUse
    window: Window
    busy: StepArray
    kv: StepArray
    running: StepArray
    waiting: StepArray
    kv_then: StepArray | None
    then: int | None
    thresholds: dict[str, float | str]


def empty(use: WorkloadUse, window: Window) -> Story:
    """A story without any metric."""
    nothing = window.nan()
    return Story(use, window, nothing, nothing, nothing, nothing, None, None, {})
