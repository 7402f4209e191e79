"""What holds of any advice, and where to find the answer of one rule."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from analyzer.advice import Recommendation, Refusal
from analyzer.analysis import Analysis, WorkloadUse
from analyzer.model import STEP_S, GpuUse, Serving, Snapshot, Workload
from analyzer.plausible import plausible
from analyzer.sizing.advise import Sizing
from reports.export import schema, to_json
from tests import builders
from tests.analyzer.sizing.snapshots import decided, made

VALIDATOR = Draft202012Validator(schema())
DEVELOPMENT = builders.key("chat", "development")
PRODUCTION = builders.key("chat", "production")


def not_finite(value: object, path: str = "") -> Iterator[str]:
    """Where a figure is that is neither finite nor None."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from not_finite(one, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for one in value:
            yield from not_finite(one, path)
    elif isinstance(value, float) and not math.isfinite(value):
        yield path


def held_per_week(facts: Snapshot, use: WorkloadUse) -> float:
    """GPU-hours as of a week of the time from the first to the last step with a GPU."""
    mine = [one.allocated for one in plausible(facts).use if one.workload == use.workload.key]
    steps = np.flatnonzero(np.sum(mine, axis=0, dtype=np.float64) > 1e-3) if mine else np.zeros(0)
    hours = (steps[-1] - steps[0] + 1) * STEP_S / 3600 if steps.size else 0.0
    return use.gpu_hours * 168 / hours if hours else 0.0


def check(facts: Snapshot, analysis: Analysis) -> Analysis:
    """Everything that holds of any advice."""
    assert analysis.savings is not None
    assert not list(not_finite(asdict(analysis.savings)))
    plans = []
    for use in analysis.workloads:
        assert not list(not_finite([asdict(one) for one in use.advice.recommendations]))
        assert not list(not_finite([asdict(one) for one in use.advice.refusals]))
        mine = [one for one in use.advice.recommendations if one.plan]
        assert len(mine) <= 1
        plans += mine
    freed = sum(one.saving.gpu_hours_per_week for one in plans if one.action != "add-replicas")
    assert analysis.savings.gpu_hours_per_week == pytest.approx(freed)
    held = sum(held_per_week(facts, use) for use in analysis.workloads)
    assert analysis.savings.gpu_hours_per_week <= held * (1 + 1e-6)
    leave = (analysis.savings.nodes_freed or 0) + (analysis.savings.nodes_freed_at_night or 0)
    assert leave <= len(facts.nodes)
    VALIDATOR.validate(json.loads(to_json(analysis)))
    return analysis


def only(facts: Snapshot, settings: Sizing | None = None) -> WorkloadUse:
    [use] = check(facts, decided(facts, settings)).workloads
    return use


def refusal(use: WorkloadUse, action: str = "reduce-replicas") -> Refusal:
    [found] = [one for one in use.advice.refusals if one.action == action]
    return found


def reduced(use: WorkloadUse) -> Recommendation:
    [found] = [one for one in use.advice.recommendations if one.action == "reduce-replicas"]
    return found


def calm(level: float = 0.2, **changes: Any) -> tuple[Workload, GpuUse, Serving]:
    """Four replicas in production, a fifth full all week."""
    return made(PRODUCTION, level, **changes)


def silent(serving: Serving, steps: Any) -> Serving:
    """Nothing told in these steps."""
    names = [n for n in Serving.__dataclass_fields__ if isinstance(getattr(serving, n), np.ndarray)]
    arrays = {name: getattr(serving, name).copy() for name in names}
    for name, array in arrays.items():
        array[steps] = 0.0 if name in ("heard", "speaking") else np.nan
    return replace(serving, **arrays)
