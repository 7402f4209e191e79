"""Advice by the program as a person runs it, on loads whose right answer is worked out by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from reports.export import schema
from tests.conftest import Engine
from tests.e2e.inference import VLLM
from tests.e2e.run import Told, analyse, close, program
from tests.e2e.scenes import A100, USD, Floats, Scene, Span
from tests.e2e.test_verdicts import DATA, liao

DAYS = 8
EVERY_S = 60.0

VALIDATOR = Draft202012Validator(schema())


@dataclass(frozen=True)
class Load:
    """What each replica does, at all times or by the sample; ``level`` (0-1) is of its GPU's time
    and of its KV cache, at 20 requests when full."""

    level: float | Floats
    waiting: float | Floats = 0.0
    replicas: int = 4
    hours: tuple[float, float] | None = None


def loads(times_s: Floats) -> dict[str, Load]:
    hour, weekday = times_s / 3600 % 24, (times_s // 86_400 + 3) % 7
    office = (hour > 9.2) & (hour < 16.7) & (weekday < 5)
    peak = (hour > 12) & (hour < 12.25)
    now_and_then = (np.arange(times_s.size) % 20 == 0).astype(float)
    return {
        "roomy-production": Load(0.21),
        "queue-production": Load(0.21, now_and_then),
        "full-production": Load(0.95, 10.0, replicas=2),
        "idle-production": Load(0.0, replicas=1),
        "office-dev": Load(np.where(office, 0.5, 0.0), replicas=1),
        "peak-production": Load(np.where(peak, 0.85, 0.09)),
        "new-production": Load(0.21, replicas=2, hours=(100, 24 * DAYS + 0.2)),
    }


def scene_of(span: Span) -> Scene:
    scene = Scene("advice", span, every_s=EVERY_S)
    times_s = span.times(EVERY_S)
    scene.node("a100-1", 24)
    gpu = 0
    for name, load in loads(times_s).items():
        scene.workload(name, USD[A100], replicas=load.replicas)
        for _ in range(load.replicas):
            serve(scene, name, load, gpu)
            gpu += 1
    return scene


def serve(scene: Scene, workload: str, load: Load, gpu: int) -> None:
    """One replica: its GPU and its server."""
    # The series of a ReplicaSet can be written only once.
    pod = scene.pod(workload, "a100-1", hours=load.hours, replica_set=f"7c9f{gpu}")
    times_s = scene.span.times(EVERY_S, load.hours)
    level, waiting = (
        np.broadcast_to(np.asarray(values, dtype=float), times_s.shape)
        for values in (load.level, load.waiting)
    )
    scene.gpu(f"GPU-{gpu}", [pod], level, every_s=EVERY_S, times_s=times_s, index=str(gpu))
    own = {"pod": pod.name, "namespace": pod.namespace, "model_name": "our-8b", "engine": "0"}
    for name, values in (
        (VLLM.running, np.round(20 * level)),
        (VLLM.waiting, waiting),
        (VLLM.kv_cache, level),
        (VLLM.requests, np.cumsum(300 * level)),
        (VLLM.prompt, np.cumsum(200_000 * level)),
        (VLLM.generation, np.cumsum(60_000 * level)),
    ):
        scene.add(name, times_s, values, **own)


@pytest.fixture(scope="module")
def told(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Told:
    scene = scene_of(Span.until_now(24 * DAYS))
    url = engine(scene.series)
    return analyse([scene], url, tmp_path_factory.mktemp("advice"), window=f"{DAYS}d")


def advice(told: Told, name: str) -> dict[str, dict[str, Any]]:
    """Recommendations by their action."""
    found = told.workload("advice", name)["recommendations"]
    return {one["action"]: one for one in found}


def refusals(told: Told, name: str, cluster: str = "advice") -> dict[str, dict[str, Any]]:
    return {one["action"]: one for one in told.workload(cluster, name)["refusals"]}


def test_the_document_keeps_its_contract(told: Told) -> None:
    VALIDATOR.validate(told.document)
    plans = [
        one
        for workload in told.document["workloads"]
        for one in workload["recommendations"]
        if one["plan"]
    ]
    freed = sum(p["gpu_hours_freed_per_week"] for p in plans if p["action"] != "add-replicas")
    assert told.document["savings"]["gpu_hours_freed_per_week"] == close(freed)


def test_four_replicas_a_fifth_full_are_two_too_many(told: Told) -> None:
    """Two are 42 % full; one were 84 %, and less than 80 % is wanted."""
    one = advice(told, "roomy-production")["reduce-replicas"]
    assert (one["from"], one["to"], one["plan"]) == (4, 2, True)
    assert one["gpu_hours_freed_per_week"] == close(2 * 168)
    assert one["worth_usd_per_month"] == close(2 * 3.43 * 730)
    levels = {trial["replicas"]: trial["kv_cache_p95"] for trial in one["replay"]["trials"]}
    assert levels == {n: close(0.84 / n) for n in (4, 3, 2, 1)}
    assert one["evidence"]["gap_hours"] < 1


def test_with_a_queue_none_is_given_up(told: Told) -> None:
    assert advice(told, "queue-production") == {}
    assert refusals(told, "queue-production")["reduce-replicas"]["code"] == "queue"


def test_who_is_full_gets_more(told: Told) -> None:
    """19 run and 10 wait on each of two at 95 %: 0.95 × 29 ÷ 19 × 2 = 2.9 caches. Three were 97 %
    full, four are 73 %."""
    one = advice(told, "full-production")["add-replicas"]
    assert (one["from"], one["to"], one["plan"]) == (2, 4, True)
    levels = {trial["replicas"]: trial["kv_cache_p95"] for trial in one["replay"]["trials"]}
    assert levels[4] == close(0.725)
    assert levels[3] == close(2.9 / 3)
    assert told.document["savings"]["gpu_hours_added_per_week"] == close(2 * 168)


def test_who_does_nothing_can_go(told: Told) -> None:
    one = advice(told, "idle-production")["remove"]
    assert (one["from"], one["to"], one["plan"]) == (1, 0, True)
    assert one["gpu_hours_freed_per_week"] == close(168)


def test_development_in_office_hours_sleeps_at_night(told: Told) -> None:
    """Used from 9:12 to 16:42, in half hours 9:00-17:00, and half an hour on either side: 9 of 24
    hours on five days, so that 168 - 45 = 123 hours of a week are slept through."""
    one = advice(told, "office-dev")["sleep-overnight"]
    assert (one["from"], one["to"]) == ("always", "Mon-Fri 08:30-17:30 UTC")
    assert one["gpu_hours_freed_per_week"] == close(123)


def test_a_quarter_of_an_hour_a_day_forbids_to_reduce(told: Told) -> None:
    """Its mean is 10 %, and one replica's p95 would be 36 %; but three replicas would be 113 %
    full at noon."""
    assert told.workload("advice", "peak-production")["utilisation"]["mean"] == close(0.098, 0.002)
    assert advice(told, "peak-production") == {}
    one = refusals(told, "peak-production")["reduce-replicas"]
    assert one["code"] == "needed"
    trials = {trial["replicas"]: trial for trial in one["replay"]["trials"]}
    assert trials[3]["kv_cache_max"] == close(0.85 * 4 / 3)
    assert trials[3]["kv_cache_p95"] == close(0.12)
    assert not trials[3]["meets"]


def test_four_days_are_too_short_for_any_advice(told: Told) -> None:
    assert advice(told, "new-production") == {}
    found = {action: one["code"] for action, one in refusals(told, "new-production").items()}
    assert found.pop("add-replicas") == "not-saturated"
    assert set(found.values()) == {"short-history"}, found


def explained(told: Told, name: str, *more: str) -> str:
    options = ("--no-cluster", "--window", f"{DAYS}d", *more)
    done = program("--config", told.config, "explain", name, *options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_explain_tells_what_decided(told: Told) -> None:
    text = " ".join(explained(told, "roomy-production").split())
    assert "reduce-replicas" in text
    assert "4 → 2" in text
    one = json.loads(explained(told, "peak-production", "--format", "json"))
    assert {r["action"]: r["code"] for r in one["refusals"]}["reduce-replicas"] == "needed"


@pytest.fixture(scope="module")
def measured(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Real load tests on two replicas, with a day of history as enough for advice."""
    if not DATA.is_dir():
        pytest.skip(f"no captured data at {DATA}; GPU_THRIFT_DATA may name another place")
    span = Span.until_now()
    scenes = [liao(span, scale, replicas=2) for scale in (100, 200)]
    url = engine(series for scene in scenes for series in scene.series)
    home: Path = tmp_path_factory.mktemp("measured")
    return analyse(scenes, url, home, '[sizing]\nmin_history = "24h"\n')


@pytest.mark.parametrize("scale", [100, 200])
def test_a_real_server_with_a_queue_keeps_its_replicas(measured: Told, scale: int) -> None:
    one = measured.workload(f"liao-{scale}", "chat-production")
    assert one["utilisation"]["mean"] < 0.5, "this run would not need a guard"
    assert not {r["action"] for r in one["recommendations"]} - {"add-replicas"}
    found = refusals(measured, "chat-production", f"liao-{scale}")
    assert found["reduce-replicas"]["code"] == "queue", found["reduce-replicas"]
