"""A Prometheus that is younger than the window: what it did not see is missing, not absent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from analyzer.analysis import Analysis
from analyzer.collect.simulate import MemoryStore, RawSeries
from analyzer.collect.snapshot import ClusterSource, take_snapshot
from analyzer.config import Config
from analyzer.model import Window
from analyzer.usage import analyse
from jobs.wiring import decide_settings, read_settings

END = datetime(2026, 3, 8, tzinfo=UTC)
SEEN_H = 48
"""Prometheus holds two of the seven days."""


def series(scheduled_h_ago: float | None) -> list[RawSeries]:
    end_s = END.timestamp()
    times = np.arange(end_s - SEEN_H * 3600, end_s, 60.0) + 7
    pod = {"namespace": "llm", "pod": "chat-production-0", "uid": "u1"}
    shown = [
        RawSeries(
            "DCGM_FI_DEV_GPU_UTIL",
            {"UUID": "GPU-1", "modelName": "NVIDIA L4", "Hostname": "n1", **pod},
            times,
            np.full(times.size, 10.0),
        ),
        RawSeries(
            "kube_pod_container_resource_requests",
            {**pod, "container": "vllm", "node": "n1", "resource": "nvidia_com_gpu"},
            times,
            np.ones(times.size),
        ),
    ]
    if scheduled_h_ago is not None:
        at = np.full(times.size, end_s - scheduled_h_ago * 3600)
        shown.append(RawSeries("kube_pod_status_scheduled_time", pod, times, at))
    return shown


def analysed(shown: list[RawSeries]) -> Analysis:
    source = ClusterSource("c", lambda: MemoryStore(shown, "c"))
    window = Window.ending(END, timedelta(days=7))
    snapshot = take_snapshot([source], read_settings(Config()), window, END)
    return analyse(snapshot, decide_settings(Config()), END)


def test_a_pod_older_than_the_data_is_charged_for_all_its_time_and_not_judged() -> None:
    one = analysed(series(scheduled_h_ago=400)).workloads[0]
    # The whole window is allocated, 48 of its 168 hours are measured: 28.6 %.
    assert one.gpu_hours == pytest.approx(168, rel=0.01)
    assert one.coverage == pytest.approx(48 / 168, rel=0.01)
    assert (one.verdict.name, one.verdict.code) == ("unknown", "low-coverage")


def test_a_pod_as_young_as_the_data_is_judged_on_its_own_time() -> None:
    one = analysed(series(scheduled_h_ago=SEEN_H)).workloads[0]
    assert one.gpu_hours == pytest.approx(SEEN_H, rel=0.01)
    assert one.coverage == pytest.approx(1, abs=0.01)
    assert one.verdict.name == "underused"


def test_silence_of_kube_state_metrics_is_said() -> None:
    said = {notice.code: notice.message for notice in analysed(series(None)).notices}
    # 168 h less the 48 h that were seen.
    assert "first 120.0 h" in said["no-requests-heard"]
