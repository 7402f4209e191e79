"""Windows of whole five-minute steps."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from analyzer.model import Notice, Window, WorkloadKey


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 11, 23, hour, minute, second, tzinfo=UTC)


def test_a_window_ends_at_the_last_whole_step() -> None:
    window = Window.ending(at(12, 4, 59), timedelta(hours=1))
    assert (window.start, window.end) == (at(11), at(12))


def test_a_window_that_ends_on_a_step_holds_it() -> None:
    assert Window.ending(at(12, 5), timedelta(minutes=5)) == Window(at(12), at(12, 5))


@pytest.mark.parametrize(
    ("length_s", "steps"),
    [(1, 1), (299, 1), (300, 1), (301, 2), (3600, 12), (0, 1), (-5, 1), (7 * 86400, 2016)],
)
def test_a_length_is_rounded_up_to_whole_steps(length_s: int, steps: int) -> None:
    window = Window.ending(at(12), timedelta(seconds=length_s))
    # 7 days x 24 x 12 = 2,016 steps.
    assert window.steps == steps
    assert window.hours == pytest.approx(steps / 12)


def test_a_moment_in_another_zone_gives_the_same_window() -> None:
    elsewhere = at(12, 3).astimezone(timezone(timedelta(hours=5, minutes=30)))
    window = Window.ending(elsewhere, timedelta(hours=1))
    assert window == Window.ending(at(12, 3), timedelta(hours=1))
    assert window.end.tzinfo is UTC


def test_a_windows_length_is_real_time_across_a_leap_day() -> None:
    window = Window.ending(datetime(2028, 3, 1, tzinfo=UTC), timedelta(days=2))
    assert window.start == datetime(2028, 2, 28, tzinfo=UTC)
    assert window.steps == 576


def test_arrays_of_a_window_are_float32_and_as_long_as_it() -> None:
    window = Window(at(11), at(12))
    assert window.zeros().tolist() == [0.0] * 12
    assert np.isnan(window.nan()).sum() == 12
    assert {window.zeros().dtype, window.nan().dtype} == {np.dtype(np.float32)}


def test_arrays_of_a_window_are_not_shared() -> None:
    window = Window(at(11), at(12))
    window.zeros()[0] = 1
    assert window.zeros()[0] == 0


def test_a_workload_is_written_with_its_cluster() -> None:
    assert str(WorkloadKey("eu", "ml", "Deployment", "chat")) == "eu/ml/Deployment/chat"


def test_workloads_sort_by_cluster_first() -> None:
    keys = [WorkloadKey("b", "a", "a", "a"), WorkloadKey("a", "z", "z", "z")]
    assert [key.cluster for key in sorted(keys)] == ["a", "b"]


def test_a_fact_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Notice("main", "code", "text").code = "other"  # type: ignore[misc]
