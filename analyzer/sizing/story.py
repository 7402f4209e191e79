"""The whole story of one workload, for a person who doubts a piece of advice: its load over time,
and what the replay makes of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analyzer.advice import Replay
from analyzer.analysis import Analysis, WorkloadUse
from analyzer.config.sizing import SizingConfig
from analyzer.model import Snapshot, StepArray, Window, WorkloadKey
from analyzer.sizing.advise import Sizing, cases_of
from analyzer.sizing.case import Case
from analyzer.sizing.demand import Floats, observe, summed
from analyzer.sizing.reduce_replicas import target_of
from analyzer.sizing.replay import fullest_then


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


def story(snapshot: Snapshot, analysis: Analysis, key: WorkloadKey, settings: Sizing) -> Story:
    """The story of ``key``, which ``analysis`` of ``snapshot`` has. Pure."""
    use = next(one for one in analysis.workloads if one.workload.key == key)
    cases = cases_of(snapshot, replace(analysis, workloads=(use,)), settings)
    told = empty(use, analysis.window, thresholds(settings.config))
    return _told(cases[0], told, settings) if cases else told


def empty(use: WorkloadUse, window: Window, decided: dict[str, float | str] | None = None) -> Story:
    """A story without any metric."""
    nothing = window.nan()
    return Story(use, window, nothing, nothing, nothing, nothing, None, None, decided or {})


def thresholds(config: SizingConfig) -> dict[str, float | str]:
    """What advice on replicas and GPUs is held to, by configuration key."""
    found: dict[str, float | str] = {
        "sizing.coverage_floor": config.coverage_floor,
        "sizing.min_history": f"{config.min_history.total_seconds() / 86400:g} d",
    }
    for name in ("kv_p95", "saturated_at", "saturated_share", "queue_share", "certainty", "busy"):
        found[f"sizing.replicas.{name}"] = getattr(config.replicas, name)
    found["sizing.smaller_gpu.kv_headroom"] = config.smaller_gpu.kv_headroom
    objective = config.smaller_gpu.itl_p95.total_seconds()
    found["sizing.smaller_gpu.itl_p95"] = f"{objective * 1000:g} ms" if objective else "as seen now"
    return found


def _told(case: Case, story: Story, settings: Sizing) -> Story:
    observed = summed(u.observed for u in case.use)
    work = summed(u.work for u in case.use)
    busy = np.where(observed > 0, work / np.maximum(observed, 1e-9), np.nan).astype(np.float32)
    serving = case.serving
    if serving is None:
        return Story(story.use, story.window, busy, *_rest(story), None, None, story.thresholds)
    kv_then, then = None, _tried(story.use)
    if then is not None and case.per_replica:
        kv_then = _then(case, then, settings)
    return Story(
        use=story.use,
        window=story.window,
        busy=busy,
        kv=serving.kv_cache if serving.kv_peak is None else serving.kv_peak,
        running=serving.running,
        waiting=serving.waiting_peak,
        kv_then=kv_then,
        then=None if kv_then is None else then,
        thresholds=story.thresholds,
    )


def _rest(story: Story) -> tuple[StepArray, StepArray, StepArray]:
    return story.kv, story.running, story.waiting


def _tried(use: WorkloadUse) -> int | None:
    """The number of replicas that is advised, else the next one that was tried and refused."""
    for advice in use.advice.recommendations:
        if advice.replay is not None and isinstance(advice.after, int):
            return advice.after
    replays: list[Replay] = [r.replay for r in use.advice.refusals if r.replay is not None]
    counts = [trial.replicas for replay in replays for trial in replay.trials[1:2]]
    return counts[0] if counts else None


def _then(case: Case, count: int, settings: Sizing) -> StepArray | None:
    assert case.serving is not None  # noqa: S101 - asked by the caller
    demand = observe(list(case.use), case.serving, case.per_replica)
    if not demand.at.size:
        return None
    target = target_of(case, settings.config.replicas, settings.itl_p95, demand)
    found: Floats = np.full(case.window.steps, np.nan)
    found[demand.at] = fullest_then(demand, count, target)
    return found.astype(np.float32)
