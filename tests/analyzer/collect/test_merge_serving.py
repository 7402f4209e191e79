"""How much of a workload's inference servers was heard, which every queue guard rests on."""

from __future__ import annotations

import numpy as np
import pytest

from analyzer.collect.facts import ServingReading
from analyzer.collect.merge import merge_serving
from analyzer.model import StepArray, WorkloadKey

KEY = WorkloadKey("c", "llm", "Deployment", "chat-production")


def row(*values: float) -> StepArray:
    return np.array(values, dtype=np.float32)


def reading(pod: str, waiting: StepArray) -> ServingReading:
    four = row(4, 4, 4, 4)
    return ServingReading("llm", pod, "m", four, waiting, waiting, four / 10)


SPEAKS, SILENT = row(0, 0, 0, 0), row(np.nan, np.nan, np.nan, np.nan)


def test_one_of_four_replicas_is_a_quarter_heard() -> None:
    found = merge_serving(KEY, [reading("a", SPEAKS)], pods=row(4, 4, 4, 4))
    assert found.heard.tolist() == pytest.approx([0.25] * 4)


def test_a_server_that_does_not_tell_its_queue_is_not_heard() -> None:
    found = merge_serving(KEY, [reading("a", SILENT)], pods=row(1, 1, 1, 1))
    assert found.heard.tolist() == [0.0] * 4


def test_a_queue_told_for_half_the_time_is_half_heard() -> None:
    found = merge_serving(KEY, [reading("a", row(0, 0, np.nan, np.nan))], pods=row(1, 1, 1, 1))
    assert found.heard.tolist() == [1.0, 1.0, 0.0, 0.0]


def test_a_group_whose_leader_alone_speaks_is_heard() -> None:
    found = merge_serving(KEY, [reading("leader", SPEAKS)])
    assert found.heard.tolist() == [1.0] * 4
