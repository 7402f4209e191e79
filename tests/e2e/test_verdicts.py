"""What the figures are taken to mean, from real samples; captured ones where they lie."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.conftest import Engine
from tests.e2e.inference import Traffic, serve
from tests.e2e.oracle import p95, step_means
from tests.e2e.run import Told, analyse, check, close, program
from tests.e2e.scenes import A100, H100, USD, Floats, Scene, Span, Truth
from tests.openmetrics import RawSeries

DATA = Path(os.environ.get("GPU_THRIFT_DATA") or Path(__file__).parents[3] / "shared" / "data")

SERVERS: dict[str, tuple[float, Traffic, str, str]] = {
    "queue-production": (0.3, Traffic(waiting=0.4), "right-sized", "queue-at-low-use"),
    "flooded-production": (0.3, Traffic(waiting=7), "saturated", "queue"),
    "full-production": (0.3, Traffic(kv_cache=0.95), "saturated", "kv-cache"),
    "kv-busy-production": (0.3, Traffic(kv_cache=0.85), "right-sized", "kv-cache-at-low-use"),
    "slow-production": (0.3, Traffic(ttft_s=4), "right-sized", "latency-at-low-use"),
    "stutter-production": (0.3, Traffic(itl_s=0.4), "right-sized", "latency-at-low-use"),
    "calm-production": (0.3, Traffic(), "underused", "low-mean"),
    "zero-production": (0.0, Traffic(0, 0, 0, requests_a_minute=0), "idle", "no-work"),
    "trickle-production": (0.0, Traffic(0, 0, 0, requests_a_minute=0.2), "underused", "low-mean"),
}
"""Name: mean use, traffic, verdict, its code. One request waiting in two of five samples is a
queue that a mean of 0.4 shows."""

PLAIN = {
    "busy-production": (np.full(1, 0.99), "saturated", "gpu"),
    "steady-production": (np.full(1, 0.6), "right-sized", "in-range"),
    "asleep-production": (np.zeros(1), "idle", "no-work"),
}


def servers(span: Span) -> Scene:
    scene = Scene("servers", span)
    scene.node("a100-1", len(SERVERS))
    for index, (name, (mean, traffic, *_)) in enumerate(SERVERS.items()):
        scene.workload(name, USD[A100])
        pod = scene.pod(name, "a100-1")
        if name == "queue-production":
            waiting = (scene.rng.random(span.times().size) < 0.4).astype(float)
            traffic = Traffic(waiting=waiting)  # noqa: PLW2901
        scene.gpu(f"GPU-{index}", [pod], mean, index=str(index))
        serve(scene, pod, traffic)
    return scene


def plain(span: Span) -> Scene:
    scene = Scene("plain", span)
    scene.node("a100-1", 8)
    times_s = span.times()
    for index, (name, (use, *_)) in enumerate(PLAIN.items()):
        scene.workload(name, USD[A100])
        pod = scene.pod(name, "a100-1")
        scene.gpu(f"GPU-{index}", [pod], np.resize(use, times_s.size), index=str(index))
    scene.workload("embed-dev", USD[A100], app_kubernetes_io_environment="production")
    scene.gpu("GPU-7", [scene.pod("embed-dev", "a100-1")], 0.2, index="7")
    scene.workload("mystery", USD[A100])
    scene.gpu("GPU-8", [scene.pod("mystery", "a100-1")], 0.2, index="8")
    scene.workload("newcomer-production", USD[A100])
    pod = scene.pod("newcomer-production", "a100-1", hours=(28, 48.2))
    scene.gpu("GPU-9", [pod], 0.2, index="9")
    scene.workload("unmeasured-production", USD[A100])
    scene.pod("unmeasured-production", "a100-1")
    return scene


def liao(span: Span, scale: int, replicas: int = 1) -> Scene:
    """A real load test on repeat for 25 hours, scraped every 15 s, the same on every replica."""
    scene = Scene(f"liao-{scale}", span, every_s=15)
    hours = (23, 48.2)
    times_s = span.times(15, hours)
    gpu = pd.read_csv(DATA / "vllm_liao_gpu_scale100-200.csv").query("scale == @scale")
    engine = pd.read_csv(DATA / "vllm_liao_engine_scale100-200.csv").query("scale == @scale")
    scene.node("a10g-1", replicas)
    scene.workload("chat-production", 1.006, replicas=replicas)
    use = tiled(gpu, "gpu_util_pct", times_s) / 100
    names = {"num_running": "running", "num_pending": "waiting", "kv_cache_pct": "kv_cache"}
    gauges = {name: tiled(engine, column, times_s) for column, name in names.items()}
    gauges["kv_cache"] = gauges["kv_cache"] / 100
    LIAO[scale] = (times_s, gauges["waiting"])
    for index in range(replicas):
        # The series of a ReplicaSet can be written only once.
        pod = scene.pod("chat-production", "a10g-1", hours=hours, replica_set=f"7c9f{index}")
        where = {"index": str(index), "times_s": times_s}
        scene.gpu(f"GPU-l{index}", [pod], use, model="NVIDIA A10G", every_s=15, **where)
        serve(scene, pod, Traffic(**gauges), every_s=15)
    return scene


def tiled(frame: pd.DataFrame, column: str, times_s: Floats) -> Floats:
    """The column's latest value at each time, the run repeated for ever."""
    at = frame["time_s"].to_numpy()
    moments = at[0] + (times_s - times_s[0]) % (at[-1] - at[0])
    return frame[column].to_numpy(dtype=float)[np.searchsorted(at, moments, side="right") - 1]


LIAO: dict[int, tuple[Floats, Floats]] = {}
SERIES = re.compile(r"^(\w+)\{(.*)\} (\S+)$")


def captured(span: Span, name: str, file: str) -> Scene:
    """A real exposition, scraped every minute for 25 hours."""
    scene = Scene(name, span)
    times_s = span.times(60, (23, 48.2))
    for line in (DATA / "exposition" / file).read_text().splitlines():
        found = SERIES.match(line)
        if found and found[1] in CAPTURED:
            labels = dict(re.findall(r'(\w+)="([^"]*)"', found[2]))
            scene.series.append(
                RawSeries(
                    found[1],
                    {"cluster": name, **{k: v for k, v in labels.items() if v}},
                    times_s,
                    np.full(times_s.size, float(found[3])),
                )
            )
    return scene


CAPTURED = ("DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_PROF_GR_ENGINE_ACTIVE", "DCGM_FI_DEV_FB_USED")
VLLM_POD = "vllm-agg-0-vllmdecodeworker-s65j5"


def h100s(span: Span) -> Scene:
    scene = captured(span, "aicr", "dcgm_aicr_h100x8_vllm_pod.prom")
    times_s = span.times(60, (23, 48.2))
    where = {"namespace": "dynamo-workload"}
    scene.request(VLLM_POD, "gpu-node-1", 1, times_s=times_s, **where)
    scene.truths[VLLM_POD] = Truth(USD[H100])
    return scene


@dataclass(frozen=True)
class Fleet:
    told: Told
    scenes: dict[str, Scene]
    url: str

    def check(self, cluster: str, name: str) -> dict[str, object]:
        return check(self.told, self.scenes[cluster], name)


@pytest.fixture(scope="module")
def fleet(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    span = Span.until_now()
    scenes = [servers(span), plain(span)]
    if DATA.is_dir():
        scenes += [liao(span, 100), liao(span, 200), h100s(span)]
        scenes.append(captured(span, "kops", "dcgm_kops_l4_idle.prom"))
    url = engine(series for scene in scenes for series in scene.series)
    told = analyse(scenes, url, tmp_path_factory.mktemp("verdicts"))
    return Fleet(told, {scene.cluster: scene for scene in scenes}, url)


@pytest.fixture
def data() -> Path:
    if not DATA.is_dir():
        pytest.skip(f"no captured data at {DATA}; GPU_THRIFT_DATA may name another place")
    return DATA


@pytest.mark.parametrize("name", SERVERS)
def test_queue_cache_and_latency_overrule_a_low_mean(fleet: Fleet, name: str) -> None:
    one = fleet.check("servers", name)
    _, _, verdict, code = SERVERS[name]
    assert (one["verdict"], one["verdict_code"]) == (verdict, code), one["reason"]


@pytest.mark.parametrize("name", PLAIN)
def test_without_a_server_the_mean_decides(fleet: Fleet, name: str) -> None:
    one = fleet.check("plain", name)
    _, verdict, code = PLAIN[name]
    assert (one["verdict"], one["verdict_code"]) == (verdict, code)


def test_a_production_label_beats_a_development_name(fleet: Fleet) -> None:
    one = fleet.told.workload("plain", "embed-dev")
    assert one["environment"] == "production"
    assert "development" in one["environment_reason"]


def test_no_sign_of_an_environment_is_unknown(fleet: Fleet) -> None:
    assert fleet.told.workload("plain", "mystery")["environment"] == "unknown"


def test_twenty_hours_are_too_short_for_a_verdict(fleet: Fleet) -> None:
    one = fleet.check("plain", "newcomer-production")
    assert (one["verdict"], one["verdict_code"]) == ("unknown", "short-history")


def test_a_workload_that_nobody_measures_is_unknown_and_still_costs(fleet: Fleet) -> None:
    one = fleet.told.workload("plain", "unmeasured-production")
    assert (one["verdict"], one["utilisation"]) == ("unknown", None)
    assert one["idle_cost_usd"] is None
    assert one["cost_usd"] == close(48 * 3.43)


@pytest.mark.parametrize("scale", [100, 200])
def test_a_real_server_with_a_queue_is_not_underused(fleet: Fleet, scale: int, data: Path) -> None:
    one = fleet.check(f"liao-{scale}", "chat-production")
    times_s, waiting = LIAO[scale]
    expected = p95(step_means(times_s, waiting, *fleet.told.span_s))
    assert one["serving"]["waiting_p95"] == close(expected)
    assert one["environment"] == "production"
    assert one["utilisation"]["mean"] < 0.5, "this run would not need a guard"
    assert one["verdict"] not in ("underused", "idle", "unknown"), one["reason"]


def test_a_captured_node_has_one_workload_and_seven_free_gpus(fleet: Fleet, data: Path) -> None:
    assert list(fleet.told.workloads("aicr")) == [VLLM_POD]
    one = fleet.told.workload("aicr", VLLM_POD)
    assert one["gpu_hours"] == close(25)
    assert one["cost_usd"] == close(25 * 6.88)
    assert one["coverage"] == close(1)
    assert one["verdict"] == "idle"
    assert fleet.told.pool("aicr")["unallocated_gpu_hours"] == close(7 * 25)
    assert fleet.told.pool("aicr")["unallocated_cost_usd"] == close(7 * 25 * 6.88)


def test_a_captured_idle_gpu_is_unallocated_and_no_workload(fleet: Fleet, data: Path) -> None:
    assert fleet.told.workloads("kops") == {}
    assert fleet.told.pool("kops")["unallocated_gpu_hours"] == close(25)
    assert fleet.told.pool("kops")["unallocated_cost_usd"] == close(25 * 0.805)


def flagged(fleet: Fleet, *more: str) -> tuple[int, set[tuple[str, str]]]:
    options = ("--no-cluster", "--window", "2d", "--format", "json", *more)
    done = program("--config", fleet.told.config, "flag", *options)
    found = json.loads(done.stdout)["workloads"]
    return done.returncode, {(w["name"], w["verdict"]) for w in found}


def test_flag_names_idle_and_underused_production_alone_and_exits_3(fleet: Fleet) -> None:
    expected = {("asleep-production", "idle"), ("embed-dev", "underused")}
    chosen = ("--cluster", "plain")
    assert flagged(fleet, *chosen) == (0, expected)
    assert flagged(fleet, *chosen, "--fail-on", "underused") == (3, expected)
    assert flagged(fleet, *chosen, "--fail-on", "idle") == (3, expected)


def test_a_recording_gives_the_identical_document(fleet: Fleet, tmp_path: Path) -> None:
    file = tmp_path / "recording"
    chosen = ("--no-cluster", "--window", "2d", "--cluster", "servers", "--cluster", "plain")
    done = program("--config", fleet.told.config, "record", file, *chosen)
    assert done.returncode == 0, done.stderr
    replayed, again = (
        program("--config", fleet.told.config, "analyze", "--recording", file, "--format", "json")
        for _ in range(2)
    )
    assert replayed.stdout == again.stdout
    document = json.loads(replayed.stdout)
    options = ("--format", "json", *chosen)
    live = json.loads(program("--config", fleet.told.config, "analyze", *options).stdout)
    if live["window"] != document["window"]:
        pytest.skip("the window moved on between two runs")
    for one in (document, live):
        del one["generated_at"]
    assert document == live
