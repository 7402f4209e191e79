"""More replicas: only for what is short of room, and what they cost."""

from __future__ import annotations

from typing import Any

import pytest

from analyzer.advice import Recommendation, Refusal
from analyzer.analysis import Verdict
from analyzer.config.sizing import ReplicasConfig
from analyzer.sizing.add_replicas import add_replicas
from tests import builders
from tests.analyzer.sizing.loads import A100, case, served

QUEUE = Verdict("saturated", "queue", "p95 of waiting requests is 40.0")
CACHE = Verdict("saturated", "kv-cache", "p95 of KV-cache use is 92%")
FULL = {"kv_cache": 0.93, "kv_peak": 0.93, "kv_mean": 0.93}


def asked(verdict: Verdict = QUEUE, **serving: Any) -> Recommendation | Refusal:
    use = [builders.gpu_use(allocated=4.0, work=2.0, node=builders.node_class(A100))]
    return add_replicas(case(served(**serving), verdict=verdict, use=use), ReplicasConfig())


def test_what_waits_would_have_run() -> None:
    """Forty run and forty wait on four caches that are 93 % full: eight would be as full, nine at
    82.7 %, ten at 74.4 %. Six more A100s are 1,008 GPU-hours a week and $15,023 a month."""
    found = asked(waiting=40.0, **FULL)
    assert isinstance(found, Recommendation)
    assert (found.before, found.after) == (4, 10)
    assert found.saving.gpu_hours_per_week == -6 * 168
    assert found.saving.worth_usd_per_month == pytest.approx(-6 * 3.43 * 730)
    assert found.saving.usd_per_month == found.saving.worth_usd_per_month
    assert found.replay is not None
    assert [t.meets for t in found.replay.trials] == [False] * 6 + [True]


def test_a_full_cache_needs_more_without_a_queue() -> None:
    """92 % on four are 73.6 % on five."""
    found = asked(CACHE, kv_cache=0.92, kv_peak=0.92, kv_mean=0.92)
    assert isinstance(found, Recommendation)
    assert found.after == 5


def test_who_is_not_short_of_room_needs_none() -> None:
    found = asked(Verdict("underused", "low-mean", "mean use 10%"))
    assert isinstance(found, Refusal)
    assert found.code == "not-saturated"


def test_a_queue_that_no_number_would_end() -> None:
    found = asked(waiting=4_000.0, **FULL)
    assert isinstance(found, Refusal)
    assert found.code == "not-by-replicas"
    assert "not even 16 replicas" in found.reason


def test_gpu_work_alone_tells_no_demand() -> None:
    found = asked(Verdict("saturated", "gpu", "mean use 97%"))
    assert isinstance(found, Refusal)
    assert found.code == "not-saturated"
