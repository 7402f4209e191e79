"""Inference figures of every server and age of its names, through restarts and short lives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tests.conftest import Engine
from tests.e2e.inference import (
    SGLANG,
    VLLM,
    VLLM_OLD,
    VLLM_UNDERSCORE,
    Names,
    Served,
    Traffic,
    serve,
)
from tests.e2e.run import Told, analyse, check, close
from tests.e2e.scenes import A10G, USD, Scene, Span
from tests.openmetrics import RawSeries

SPELLINGS = {
    "vllm": VLLM,
    "vllm-old": VLLM_OLD,
    "vllm-underscore": VLLM_UNDERSCORE,
    "sglang": SGLANG,
}
RESTARTS = (5.3, 17.9, 18.4, 40.0)


def traffic(span: Span, scene: Scene, restarts: tuple[float, ...] = ()) -> Traffic:
    """Half the day quiet, the other half with a few requests waiting now and then."""
    times_s = span.times()
    day = np.sin(2 * np.pi * times_s / 86400)
    return Traffic(
        running=np.round(6 + 5 * day),
        waiting=np.where(day > 0.8, scene.rng.poisson(1.2, times_s.size), 0).astype(float),
        kv_cache=np.clip(0.35 + 0.3 * day + scene.rng.normal(0, 0.02, times_s.size), 0, 1),
        restarts=restarts,
    )


def server(name: str, names: Names, span: Span, restarts: tuple[float, ...] = ()) -> Scene:
    scene = Scene(name, span)
    scene.node("a10g-1", 1)
    scene.workload("chat-production", USD[A10G])
    pod = scene.pod("chat-production", "a10g-1")
    scene.gpu("GPU-v", [pod], 0.4, model=A10G)
    SERVED[name] = [serve(scene, pod, traffic(span, scene, restarts), names)]
    return scene


def short_lives(span: Span) -> Scene:
    """Pods of some ninety minutes, each with counters of its own from zero."""
    scene = Scene("short-lives", span)
    scene.node("a10g-1", 1)
    scene.workload("chat-production", USD[A10G])
    edges = np.arange(-0.9, 48.2, 1.55)
    pods = [
        scene.pod("chat-production", "a10g-1", hours=(float(a), float(b)))
        for a, b in zip(edges, [*edges[1:], 48.2], strict=True)
    ]
    scene.gpu("GPU-v", pods, 0.4, model=A10G)
    SERVED["short-lives"] = [serve(scene, pod, Traffic()) for pod in pods]
    return scene


def doubled(span: Span) -> Scene:
    """An HA pair scrapes the server; nothing may be counted twice."""
    scene = server("doubled", VLLM, span, RESTARTS)
    pair = []
    for one in scene.series:
        for replica, shift_s in (("a", 0.0), ("b", 13.0)):
            labels = {**one.labels, "prometheus_replica": replica}
            pair.append(RawSeries(one.name, labels, np.asarray(one.times_s) + shift_s, one.values))
    scene.series = pair
    return scene


SERVED: dict[str, list[Served]] = {}


@dataclass(frozen=True)
class Fleet:
    told: Told
    scenes: dict[str, Scene]

    def check(self, cluster: str) -> dict[str, object]:
        """Everything of the workload and of its server, against the samples."""
        one = check(self.told, self.scenes[cluster], "chat-production")
        pods, span = SERVED[cluster], self.told.span_s
        totals = {
            what: sum(pod.total(what, *span) for pod in pods)
            for what in ("requests", "prompt", "generation")
        }
        got = one["serving"]
        assert got["requests"] == close(totals["requests"])
        assert got["prompt_tokens"] == close(totals["prompt"])
        assert got["generation_tokens"] == close(totals["generation"])
        millions = (totals["prompt"] + totals["generation"]) / 1e6
        assert got["usd_per_million_tokens"] == close(48 * USD[A10G] / millions)
        if len(pods) == 1:
            assert got["waiting_p95"] == close(pods[0].p95("waiting", *span))
            assert got["kv_cache_p95"] == close(pods[0].p95("kv_cache", *span))
            assert got["running_p95"] == close(pods[0].p95("running", *span))
        return one


@pytest.fixture(scope="module")
def fleet(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    SERVED.clear()
    span = Span.until_now()
    scenes = [server(name, names, span) for name, names in SPELLINGS.items()]
    scenes += [server("restarted", VLLM, span, RESTARTS), short_lives(span), doubled(span)]
    url = engine(series for scene in scenes for series in scene.series)
    told = analyse(scenes, url, tmp_path_factory.mktemp("serving"))
    return Fleet(told, {scene.cluster: scene for scene in scenes})


@pytest.mark.parametrize("name", SPELLINGS)
def test_every_spelling_gives_requests_tokens_and_queue(fleet: Fleet, name: str) -> None:
    one = fleet.check(name)
    assert one["model"] == "llama-8b"
    # Every request took 0.2 s to its first token: p95 inside the bucket from 0.1 s to 0.25 s.
    assert one["serving"]["ttft_p95_s"] == close(0.1 + 0.95 * 0.15)
    assert one["serving"]["itl_p95_s"] == close(0.95 * 0.05)


def test_tokens_survive_four_restarts_in_the_same_pod(fleet: Fleet) -> None:
    fleet.check("restarted")


def test_an_ha_pair_counts_no_token_twice(fleet: Fleet) -> None:
    fleet.check("doubled")


def test_tokens_of_short_lived_pods_add_up(fleet: Fleet) -> None:
    fleet.check("short-lives")
