"""What servers counted in each step, how full their caches were and how much these hold, as it is
recorded from real servers, against the raw samples."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from analyzer.collect import recording
from analyzer.model import UNTOLD, Cache, Serving, Snapshot
from tests.conftest import Engine
from tests.e2e.inference import SGLANG, VLLM, VLLM_UNDERSCORE, Names
from tests.e2e.oracle import STEP_S
from tests.e2e.run import config_for, program
from tests.e2e.scenes import A10G, USD, Floats, Pod, Scene, Span
from tests.openmetrics import RawSeries

INFO = {
    "num_gpu_blocks": "27651",
    "block_size": "16",
    "gpu_memory_utilization": "0.9",
    "cache_dtype": "auto",
}
RESTARTS = (5 + 130 / 3600, 17 + 190 / 3600, 17 + 490 / 3600, 40 + 250 / 3600)
"""Hours; each in the middle of a step."""


@dataclass(frozen=True, eq=False)
class Told:
    """One pod's samples: gauges, and what was counted between each sample and the one before."""

    times_s: Floats
    gauges: dict[str, Floats]
    counted: dict[str, Floats]


@dataclass(eq=False)
class Case:
    """A cluster with one workload; ``pods`` are its samples."""

    scene: Scene
    names: Names
    pods: list[Told] = field(default_factory=list)

    def serve(self, pod: Pod, info: dict[str, str], restarts: tuple[float, ...] = ()) -> None:
        """The series of one pod. Its load goes up and down within half a day."""
        scene, names = self.scene, self.names
        times_s = scene.span.times(60, pod.hours)
        size = times_s.size
        own = {"pod": pod.name, "namespace": pod.namespace, "model_name": "m", "engine": "0"}
        wave = 1 + 0.5 * np.sin(2 * np.pi * times_s / 43_200 + len(self.pods))
        kv = np.where(scene.rng.random(size) < 0.02, 0.9, 0.3 * wave)
        gauges = {"running": np.round(6 * wave), "waiting": np.zeros(size), "kv_cache": kv}
        for what, values in gauges.items():
            scene.add(getattr(names, what), times_s, values, **own)
        counted = {"requests": 30 * wave, "prompt": 21_000 * wave, "generation": 7_500 * wave}
        for what, events in counted.items():
            total = self.counter(times_s, events, restarts)
            reasons = names.reasons if what == "requests" else ("",)
            for reason, share in zip(reasons, (0.75, 0.25) if reasons[1:] else (1,), strict=True):
                scene.add(
                    getattr(names, what), times_s, share * total, finished_reason=reason, **own
                )
        if info:
            told = {key: own[key] for key in ("pod", "namespace", "engine")} | info
            name = "vllm:cache_config_info" if ":" in names.running else "vllm_cache_config_info"
            scene.add(name, times_s, 1.0, **told)
        self.pods.append(Told(times_s, gauges, counted))

    def counter(self, times_s: Floats, events: Floats, restarts: tuple[float, ...]) -> Floats:
        """It stood at a million when the samples begin, and at nothing after each restart."""
        total = 1e6 + np.cumsum(events)
        for hour in restarts:
            after = times_s > self.scene.span.at(hour)
            total[after] -= total[after][0] - events[after][0]
        return total


def case(name: str, span: Span, names: Names = VLLM) -> Case:
    scene = Scene(name, span)
    scene.node("a10g-1", 4)
    scene.workload("chat-production", USD[A10G])
    return Case(scene, names)


def pod(of: Case, number: int = 0, hours: tuple[float, float] | None = None) -> Pod:
    made = of.scene.pod("chat-production", "a10g-1", name=f"chat-production-{number}", hours=hours)
    of.scene.gpu(f"GPU-{number}", [made], 0.4, model=A10G, index=str(number))
    return made


def doubled(of: Case) -> Case:
    """An HA pair scrapes everything, the second thirteen seconds later."""
    of.scene.series = [
        RawSeries(
            one.name,
            {**one.labels, "prometheus_replica": replica},
            np.asarray(one.times_s) + shift_s,
            one.values,
        )
        for one in of.scene.series
        for replica, shift_s in (("a", 0.0), ("b", 13.0))
    ]
    return of


def cases(span: Span) -> list[Case]:
    made = {name: case(name, span) for name in ("plain", "restarted", "pair", "pods", "untold")}
    made["underscore"] = case("underscore", span, VLLM_UNDERSCORE)
    made["sglang"] = case("sglang", span, SGLANG)
    made["plain"].serve(pod(made["plain"]), INFO)
    made["underscore"].serve(pod(made["underscore"]), INFO)
    made["restarted"].serve(pod(made["restarted"]), INFO, RESTARTS)
    made["pair"].serve(pod(made["pair"]), INFO, RESTARTS)
    doubled(made["pair"])
    # The second pod is there for half of the time, and holds less.
    smaller = INFO | {"num_gpu_blocks": "20000", "gpu_memory_utilization": "0.8"}
    made["pods"].serve(pod(made["pods"], 0), INFO)
    made["pods"].serve(pod(made["pods"], 1, (10, 34)), smaller)
    made["untold"].serve(pod(made["untold"]), dict.fromkeys(INFO, "None"))
    made["sglang"].serve(pod(made["sglang"]), {})
    made["sglang"].scene.add(
        "sglang:max_total_num_tokens", span.times(60), 471_258.0,
        pod="chat-production-0", namespace="inference", model_name="m", tp_rank="0",
    )  # fmt: skip
    return list(made.values())


@dataclass(frozen=True, eq=False)
class Read:
    snapshot: Snapshot
    cases: dict[str, Case]

    def serving(self, name: str) -> Serving:
        (found,) = [one for one in self.snapshot.serving if one.workload.cluster == name]
        return found

    def folded(self, one: Told, values: Floats, fold: np.ufunc) -> Floats:
        """The samples of each step; NaN without any."""
        start_s = self.snapshot.window.start.timestamp()
        steps = self.snapshot.window.steps
        step = (np.ceil((one.times_s - start_s) / STEP_S) - 1).astype(int)
        found = np.full(steps, np.nan)
        for at in range(steps):
            inside = values[step == at]
            if inside.size:
                found[at] = fold.reduce(inside)
        return found

    def across(self, name: str, what: str, within: np.ufunc, pods: np.ufunc) -> Floats:
        """Folded within each step and then over the pods; NaN where there is no sample at all."""
        each = []
        for one in self.cases[name].pods:
            values = {**one.gauges, **one.counted}[what]
            each.append(self.folded(one, values, within))
        stacked = np.stack(each)
        missing = np.isnan(stacked).all(axis=0)
        nothing = -np.inf if pods is np.maximum else 0.0
        total = pods.reduce(np.where(np.isnan(stacked), nothing, stacked), axis=0)
        return np.where(missing, np.nan, total)


@pytest.fixture(scope="module")
def read(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Read:
    home = tmp_path_factory.mktemp("steps")
    made = {one.scene.cluster: one for one in cases(Span.until_now())}
    url = engine(series for one in made.values() for series in one.scene.series)
    config = config_for(made, url, home / "config.toml")
    done = program("--config", config, "record", home / "r", "--no-cluster", "--window", "2d")
    assert done.returncode == 0, done.stderr[-3000:]
    return Read(recording.load(home / "r"), made)


ALL = ("plain", "restarted", "pair", "pods", "untold", "underscore", "sglang")
COUNTED = {"finished": "requests", "prompted": "prompt", "generated": "generation"}
TOTALS = {
    "finished": "requests",
    "prompted": "prompt_tokens",
    "generated": "generation_tokens",
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("what", COUNTED)
def test_each_step_counts_what_its_samples_count(read: Read, name: str, what: str) -> None:
    got = getattr(read.serving(name), what)
    expected = read.across(name, COUNTED[what], np.add, np.add)
    settled = np.ones(expected.size, dtype=bool)
    for one in read.cases[name].pods:
        # When a pod comes or goes, the server guesses what its samples do not show.
        there = ~np.isnan(read.folded(one, one.times_s, np.add))
        edges = np.flatnonzero(np.diff(there))
        settled[edges] = settled[edges + 1] = False
    assert settled.mean() > 0.99
    # Load moves by up to 2.5 % from one step to the next: a step too early would show.
    np.testing.assert_allclose(got[settled], expected[settled], rtol=0.01)
    assert np.nansum(got) == pytest.approx(np.nansum(expected), rel=0.002)
    assert np.nansum(got) == pytest.approx(getattr(read.serving(name), TOTALS[what]), rel=0.002)


@pytest.mark.parametrize("name", ALL)
def test_the_highest_sample_of_the_fullest_replica_is_its_peak(read: Read, name: str) -> None:
    expected = read.across(name, "kv_cache", np.maximum, np.maximum)
    assert (expected == 0.9).mean() > 0.05
    np.testing.assert_allclose(read.serving(name).kv_peak, expected, rtol=1e-6)


@pytest.mark.parametrize("name", ALL)
def test_pods_that_speak_are_counted(read: Read, name: str) -> None:
    expected = sum(
        ~np.isnan(read.folded(one, one.gauges["running"], np.add)) for one in read.cases[name].pods
    )
    np.testing.assert_array_equal(read.serving(name).speaking, expected)
    assert set(expected) == ({1, 2} if name == "pods" else {1})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain", Cache(27_651 * 16, 0.9, "auto")),
        ("underscore", Cache(27_651 * 16, 0.9, "auto")),
        ("restarted", Cache(27_651 * 16, 0.9, "auto")),
        ("pair", Cache(27_651 * 16, 0.9, "auto")),
        # The smaller of two; their shares of memory differ.
        ("pods", Cache(20_000 * 16, None, "auto")),
        ("untold", UNTOLD),
        ("sglang", Cache(471_258)),
    ],
)
def test_the_size_of_the_cache_is_read(read: Read, name: str, expected: Cache) -> None:
    assert read.serving(name).cache == expected
