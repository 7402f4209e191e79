"""How much of a workload's inference servers was heard, which every queue guard rests on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analyzer.collect.facts import ServingReading
from analyzer.collect.merge import merge_serving
from analyzer.model import Cache, StepArray, WorkloadKey

KEY = WorkloadKey("c", "llm", "Deployment", "chat-production")


def row(*values: float) -> StepArray:
    return np.array(values, dtype=np.float32)


ARRAYS = (
    "running",
    "waiting",
    "waiting_peak",
    "kv_cache",
    "kv_peak",
    "finished",
    "prompted",
    "generated",
)


def reading(pod: str, waiting: StepArray, **changes: Any) -> ServingReading:
    fields: dict[str, Any] = dict.fromkeys(ARRAYS, row(4, 4, 4, 4)) | {"waiting": waiting}
    return ServingReading("llm", pod, "m", **(fields | changes))


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


def test_pods_that_tell_running_and_waiting_are_counted() -> None:
    half = row(0, 0, np.nan, np.nan)
    found = merge_serving(KEY, [reading("a", SPEAKS), reading("b", half), reading("c", SILENT)])
    assert found.speaking is not None
    assert found.speaking.dtype == np.float32
    assert found.speaking.tolist() == [2, 2, 1, 1]


def test_the_fullest_pod_peaks() -> None:
    found = merge_serving(
        KEY,
        [
            reading("a", SPEAKS, kv_peak=row(0.2, 0.9, np.nan, np.nan)),
            reading("b", SPEAKS, kv_peak=row(0.5, 0.1, 0.3, np.nan)),
        ],
    )
    np.testing.assert_array_equal(found.kv_peak, row(0.5, 0.9, 0.3, np.nan))


@pytest.mark.parametrize("name", ["finished", "prompted", "generated"])
def test_what_pods_counted_adds_up_and_is_missing_where_none_counted(name: str) -> None:
    found = merge_serving(
        KEY,
        [
            reading("a", SPEAKS, **{name: row(1, 20, np.nan, np.nan)}),
            reading("b", SPEAKS, **{name: row(2, np.nan, 300, np.nan)}),
        ],
    )
    np.testing.assert_array_equal(getattr(found, name), row(3, 20, 300, np.nan))


def test_the_smallest_cache_stands_for_all() -> None:
    caches = (Cache(9000, 0.9, "auto"), Cache(8000, 0.8, "auto"), Cache())
    pods = [reading(str(i), SPEAKS, cache=cache) for i, cache in enumerate(caches)]
    assert merge_serving(KEY, pods).cache == Cache(8000, None, "auto")


DAY = np.ones(288, dtype=np.float32)


def test_the_mean_of_all_caches_and_how_much_fuller_the_most_loaded_one_was() -> None:
    """Two replicas at 60 and 20 % for a day: 40 % on average, the fuller one 1.5 times that. A
    third, there for two hours at 100 %, shows chance and no habit."""
    brief = np.full(288, np.nan, dtype=np.float32)
    brief[:24] = 1.0
    caches = {"a": 0.6 * DAY, "b": 0.2 * DAY, "c": brief}
    found = merge_serving(
        KEY,
        [
            reading(
                pod,
                0 * DAY,
                kv_cache=cache,
                **dict.fromkeys([n for n in ARRAYS if n not in ("kv_cache", "waiting")], DAY),
            )
            for pod, cache in caches.items()
        ],
    )
    assert found.kv_mean is not None
    assert found.kv_mean[0] == pytest.approx(0.6)
    assert found.kv_mean[-1] == pytest.approx(0.4)
    assert found.lean == pytest.approx(0.6 * 288 / (0.6 * 24 + 0.4 * 264), rel=1e-4)


def test_of_less_than_half_a_day_no_habit_is_told() -> None:
    assert merge_serving(KEY, [reading("a", SPEAKS)]).lean is None
