"""The store in memory and a real Prometheus give the same answers from the same samples."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pytest
import requests

from analyzer.collect.simulate import MemoryStore, RawSeries, demo_fleet, exposition
from analyzer.collect.store import Matcher, Query
from analyzer.model import Window
from tests.analyzer.collect.simulate.test_demo import END
from tests.conftest import Engine

Labels = frozenset[tuple[str, str]]
FLEET = demo_fleet(11, END)
CRASH = FLEET.window.start + timedelta(days=16.6)
DAY = Window.ending(CRASH + timedelta(hours=10), timedelta(days=1))
"""Llama's server crashes within, and so do its counters."""


def small() -> Iterator[RawSeries]:
    """Two deployments of one node, a day: about 70,000 samples."""
    shown = exposition(FLEET, DAY)
    for name, label, start in (
        ("DCGM_FI_DEV_GPU_UTIL", "Hostname", "gpu-a100-1"),
        ("DCGM_FI_DEV_GPU_UTIL", "Hostname", "gpu-l4-1"),
        ("kube_pod_container_resource_requests", "pod", "mistral-7b-production"),
        ("vllm:num_requests_waiting", "pod", "codellama"),
        ("vllm:kv_cache_usage_perc", "pod", "llama-70b"),
        ("vllm:prompt_tokens_total", "pod", "llama-70b"),
        ("vllm:request_success_total", "pod", "llama-70b"),
    ):
        for one in shown.series(name):
            if one.labels.get(label, "").startswith(start):
                yield one


RAW = list(small())
EXACT = [
    Query("DCGM_FI_DEV_GPU_UTIL", "avg", ("UUID", "exported_pod")),
    Query("DCGM_FI_DEV_GPU_UTIL", "avg", ("Hostname",), "avg"),
    Query("DCGM_FI_DEV_GPU_UTIL", "count", ("Hostname",), "sum"),
    Query("DCGM_FI_DEV_GPU_UTIL", "max", (), "max", (Matcher("exported_pod", "", "!="),)),
    Query("DCGM_FI_DEV_GPU_UTIL", "count", ("gpu",), "max", (Matcher("exported_pod", ""),)),
    Query("DCGM_FI_DEV_GPU_UTIL", "max", ("gpu",), "sum", (Matcher("Hostname", "gpu-a", "!~"),)),
    Query("kube_pod_container_resource_requests", "last", ("pod", "node", "resource")),
    Query("kube_pod_container_resource_requests", "count", ("pod", "node"), "max"),
    Query("~vllm[:_]num_requests_waiting", "avg", ("pod",), "sum"),
    Query("~vllm[:_]num_requests_waiting", "max", ("pod",), "sum"),
    Query(
        "vllm:kv_cache_usage_perc", "max", ("namespace",), "max", (Matcher("pod", "l.*-.+", "=~"),)
    ),
    Query("vllm:prompt_tokens_total", "increase", ("pod", "model_name")),
    Query("vllm:request_success_total", "increase", ("finished_reason",), "sum"),
    Query(
        "vllm:request_success_total", "increase", ("pod", "finished_reason"),
        summed=("finished_reason",),
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def url(prometheus: Engine) -> str:
    return prometheus(RAW)


def promql(query: Query, span_ms: int) -> str:
    conditions = [f'{m.label}{m.op}"{m.value}"' for m in query.where]
    name = query.metric
    if name.startswith("~"):
        conditions.append(f'__name__=~"{name[1:]}"')
        name = ""
    selector = f"{name}{{{','.join(conditions)}}}[{span_ms}ms]"
    fold = "increase" if query.over == "increase" else f"{query.over}_over_time"
    merged = f"{query.across} by ({','.join(query.by)}) ({fold}({selector}))"
    return f"sum without ({','.join(query.summed)}) ({merged})" if query.summed else merged


def ask(url: str, path: str, **params: str | float) -> list[dict]:
    answer = requests.get(f"{url}/api/v1/{path}", params=params, timeout=30)
    answer.raise_for_status()
    return answer.json()["data"]["result"]


def range_of(url: str, query: Query) -> dict[Labels, np.ndarray]:
    start_s = DAY.start.timestamp()
    found = {}
    for one in ask(
        url,
        "query_range",
        query=promql(query, 299_999),
        start=start_s + 300,
        end=DAY.end.timestamp(),
        step=300,
    ):
        values = np.full(DAY.steps, np.nan)
        for at_s, text in one["values"]:
            values[round((at_s - start_s) / 300) - 1] = float(text)
        found[frozenset(one["metric"].items())] = values
    return found


@pytest.mark.parametrize("query", EXACT, ids=str)
def test_each_step_is_what_prometheus_says(url: str, query: Query) -> None:
    expected = range_of(url, query)
    found = MemoryStore(RAW, "here").steps(query, DAY)
    assert expected
    assert {frozenset(one.labels.items()) for one in found} == set(expected)
    for one in found:
        np.testing.assert_allclose(
            one.values, expected[frozenset(one.labels.items())], rtol=1e-6, atol=1e-4
        )


def instant(url: str, query: Query) -> dict[Labels, float]:
    span_ms = round(DAY.hours * 3_600_000) - 1
    answer = ask(url, "query", query=promql(query, span_ms), time=DAY.end.timestamp())
    return {frozenset(one["metric"].items()): float(one["value"][1]) for one in answer}


@pytest.mark.parametrize("query", EXACT, ids=str)
def test_the_whole_window_is_what_prometheus_says(url: str, query: Query) -> None:
    found = MemoryStore(RAW, "here").whole(query, DAY)
    assert {frozenset(one.labels.items()): one.value for one in found} == pytest.approx(
        instant(url, query), rel=1e-6, abs=1e-4
    )


@pytest.mark.parametrize("name", ["vllm:prompt_tokens_total", "vllm:request_success_total"])
def test_counters_that_are_compared_are_reset_by_a_crash(name: str) -> None:
    assert any((np.diff(one.values) < 0).any() for one in RAW if one.name == name)
