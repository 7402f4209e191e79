"""Gaps and time without any load prove nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analyzer.analysis import WorkloadUse
from tests.analyzer.sizing.checks import calm, only, reduced, refusal, silent
from tests.analyzer.sizing.snapshots import SPAN, flat, office, snapshot

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


def test_a_restart_every_hour_leaves_too_little() -> None:
    workload, use, serving = calm()
    minute = np.arange(SPAN.steps) % 12
    found = only(snapshot((workload, use, silent(serving, minute < 2))))
    assert refusal(found).code == "low-serving-coverage"


@pytest.mark.parametrize(("gaps", "advised"), [(0.08, True), (0.12, False)])
def test_a_week_with_many_gaps_is_refused(gaps: float, advised: bool) -> None:
    workload, use, serving = calm()
    lost = np.zeros(SPAN.steps, bool)
    lost[: int(gaps * SPAN.steps)] = True
    found = only(
        snapshot((workload, use, silent(serving, np.random.default_rng(1).permutation(lost))))
    )
    assert bool(found.advice.recommendations) is advised
    if advised:
        assert reduced(found).after == 2
    else:
        assert refusal(found).code == "low-serving-coverage"


def of_present(use: WorkloadUse) -> Any:
    """The load, replayed on as many replicas as there are."""
    answers = [*use.advice.recommendations, *use.advice.refusals]
    [replay] = [a.replay for a in answers if a.action == "reduce-replicas" and a.replay]
    return replay.trials[0]


def test_time_without_load_lowers_no_p95() -> None:
    always = only(snapshot(calm(0.5)))
    worked = only(snapshot(calm(0.5, course=office())))
    assert of_present(always).kv_p95 == of_present(worked).kv_p95 == pytest.approx(0.5)


def test_time_without_load_excuses_no_saturated_minute() -> None:
    """Five minutes of a week's 10,080 are allowed (0.1 %), of 50 hours' 3,000 they are not."""
    for course, meets in ((flat(1.0), True), (office(), False)):
        part = calm(0.5, course=course)
        burst = part[2].kv_cache.copy()
        burst[12 * 12] = 0.95
        full = replace(part[2], kv_cache=burst, kv_peak=burst, kv_mean=burst)
        trial = of_present(only(snapshot((part[0], part[1], full))))
        assert trial.saturated_minutes == pytest.approx(5)
        assert trial.meets is meets, trial.broken


def test_less_than_a_day_of_load_proves_nothing() -> None:
    few = office()
    few[2 * 288 :] = 0.0
    found = only(snapshot(calm(course=few)))
    assert refusal(found).code == refusal(found, "smaller-gpu").code == "little-load"
    more = office()
    more[3 * 288 :] = 0.0
    assert reduced(only(snapshot(calm(course=more)))).after == 2
