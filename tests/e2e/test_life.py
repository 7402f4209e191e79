"""Pods that come and go, samples that are missing or twice there: GPU time is neither lost nor
made up."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from tests.conftest import Engine
from tests.e2e.run import Told, analyse, check, close
from tests.e2e.scenes import A100, H100, L4, USD, Held, Pod, Scene, Span, Truth, Worked
from tests.openmetrics import RawSeries


def churn(span: Span) -> Scene:
    """One A100 through the hands of pods that live 30 to 90 minutes; a ReplicaSet each 12 h."""
    scene = Scene("churn", span)
    scene.node("a100-1", 1)
    scene.workload("chat-production", USD[A100])
    pods, hour = [], -0.9
    while hour < 48.2:
        end = min(hour + float(scene.rng.uniform(0.5, 1.5)), 48.2)
        of = f"rs{int(max(hour, 0) // 12)}"
        hours, name = (hour, end), f"chat-production-{of}-p{len(pods):03d}"
        pods.append(scene.pod("chat-production", "a100-1", name=name, hours=hours, replica_set=of))
        hour = end
    scene.gpu("GPU-c", pods, 0.3)
    return scene


def gone(span: Span) -> Scene:
    """A Deployment that is there beside one deleted after 26 of 48 hours, with nobody left to
    say who owned its pods but the past."""
    scene = Scene("gone", span)
    scene.node("h100-1", 2)
    scene.workload("chat-production", USD[H100])
    scene.gpu("GPU-g0", [scene.pod("chat-production", "h100-1")], 0.6, model=H100)
    scene.truths["trial-production"] = Truth(USD[H100])
    pod = scene.pod("trial-production", "h100-1", hours=(-0.9, 26))
    scene.gpu("GPU-g1", [pod], 0.4, model=H100, index="1")
    later = span.times(60, (26, 48.2))
    scene.gpu("GPU-g1", [], 0.0, node="h100-1", model=H100, index="1", times_s=later)
    return scene


def unequal(span: Span) -> Scene:
    """A pod of four hours at 90 % beside one of two days at 20 %."""
    scene = Scene("unequal", span)
    scene.node("a100-1", 2)
    scene.workload("chat-production", USD[A100])
    scene.gpu("GPU-u0", [scene.pod("chat-production", "a100-1")], 0.2)
    short = scene.pod("chat-production", "a100-1", hours=(20, 24))
    scene.gpu("GPU-u1", [short], np.full(span.times().size, 0.9), index="1")
    return scene


def twice(span: Span) -> Scene:
    """An HA pair: every series from replica a and, 13 s later, from b. From hour 10 to 16 b is
    down, from 20 to 23 a is."""
    scene = Scene("ha", span)
    scene.node("a100-1", 3)
    scene.workload("chat-production", USD[A100])
    pod = scene.pod("chat-production", "a100-1", 2)
    for index, mean in enumerate((0.15, 0.35)):
        scene.gpu(f"GPU-h{index}", [pod], mean, index=str(index))
    scene.gpu("GPU-h2", [], 0.0, node="a100-1", index="2")
    down = {"a": (20, 23), "b": (10, 16)}
    pair = []
    for one in scene.series:
        times_s, values = np.asarray(one.times_s), np.asarray(one.values)
        for replica, shift_s in (("a", 0.0), ("b", 13.0)):
            first, last = (span.at(hour) for hour in down[replica])
            up = (times_s < first) | (times_s > last)
            labels = {**one.labels, "prometheus_replica": replica}
            pair.append(RawSeries(one.name, labels, times_s[up] + shift_s, values[up]))
    scene.series = pair
    return scene


def without(times_s: np.ndarray, span: Span, first: float, last: float) -> np.ndarray:
    return times_s[(times_s <= span.at(first)) | (times_s > span.at(last))]


def silent_exporter(span: Span) -> Scene:
    scene = Scene("silent-exporter", span)
    scene.node("a100-1", 1)
    scene.workload("chat-production", USD[A100])
    pod = scene.pod("chat-production", "a100-1")
    scene.gpu("GPU-s", [pod], 0.2, times_s=without(span.times(), span, 20, 26))
    return scene


def short_silence(span: Span) -> Scene:
    scene = Scene("short-silence", span)
    scene.node("a100-1", 1)
    scene.workload("chat-production", USD[A100])
    pod = scene.pod("chat-production", "a100-1")
    scene.gpu("GPU-s", [pod], 0.2, times_s=without(span.times(), span, 20, 23))
    return scene


def silent_state(span: Span) -> Scene:
    """kube-state-metrics says nothing for five hours; pods and nodes were there all the same."""
    scene = Scene("silent-state", span)
    scene.node("a100-1", 2)
    scene.workload("chat-production", USD[A100])
    pod = scene.pod("chat-production", "a100-1")
    cut = []
    for one in scene.series:
        kept = without(np.asarray(one.times_s), span, 30, 35)
        cut.append(replace(one, times_s=kept, values=np.asarray(one.values)[: kept.size]))
    scene.series = cut
    scene.gpu("GPU-k", [pod], 0.2)
    return scene


def lost_names(span: Span) -> Scene:
    """For two hours the exporter cannot ask the kubelet, and names no pod."""
    scene = Scene("lost-names", span)
    scene.node("a100-1", 1)
    scene.workload("chat-production", USD[A100])
    pod = scene.pod("chat-production", "a100-1")
    times_s = span.times()
    use = scene.load(times_s, 0.4)
    lost = (times_s > span.at(12)) & (times_s <= span.at(14))
    scene.gpu("GPU-l", [pod], use[~lost], times_s=times_s[~lost])
    scene.gpu("GPU-l", [], use[lost], node="a100-1", times_s=times_s[lost])
    scene.truths["chat-production"].worked.append(Worked(times_s[lost], use[lost], 1.0))
    return scene


def intervals(name: str, gpu_s: float, state_s: float, span: Span) -> Scene:
    scene = Scene(name, span, every_s=state_s)
    scene.node("l4-1", 1)
    scene.workload("chat-production", USD[L4])
    scene.gpu("GPU-i", [scene.pod("chat-production", "l4-1")], 0.3, model=L4, every_s=gpu_s)
    return scene


def ended(span: Span) -> Scene:
    """A Job done after 30 hours, its pod still listed; pods that wait for a node."""
    scene = Scene("ended", span)
    scene.node("a100-1", 3)
    times_s = span.times()
    scene.request("train-1-abc", "a100-1", 1)
    scene.state("kube_pod_owner", scene.slow(), 1, namespace="inference", pod="train-1-abc",
                owner_kind="Job", owner_name="train-1", owner_is_controller="true")  # fmt: skip
    over_s = span.at(30)
    where = {"namespace": "inference", "pod": "train-1-abc", "uid": "uid-train-1-abc"}
    for phase, on in (("Running", times_s <= over_s), ("Succeeded", times_s > over_s)):
        scene.add("kube_pod_status_phase", times_s, on.astype(float), phase=phase, **where)
    until = span.times(60, (-1, 30))
    scene.truths["train-1"] = Truth(USD[A100], held=[Held(until, 1.0)])
    scene.gpu("GPU-e0", [Pod("inference", "train-1-abc", "a100-1", "train-1", (-1, 30))], 0.9)
    scene.gpu("GPU-e0", [], 0.0, node="a100-1", times_s=span.times(60, (30, 48.2)))

    scene.workload("stuck-production", USD[A100])
    scene.pod("stuck-production", "")
    # The same pod, first without a node and from hour 6 on with one.
    scene.workload("late-production", USD[A100])
    name = "late-production-7c9f-x0"
    scene.request(name, "", 1, times_s=span.times(60, (-1, 6)))
    pod = scene.pod("late-production", "a100-1", name=name, hours=(6, 48.2))
    scene.gpu("GPU-e1", [pod], 0.3, index="1")
    return scene


INTERVALS = {"15-60": (15, 60), "30-30": (30, 30), "60-15": (60, 15), "45-60": (45, 60)}


@dataclass(frozen=True)
class Fleet:
    told: Told
    scenes: dict[str, Scene]

    def check(self, cluster: str, name: str, **known: float) -> dict[str, object]:
        return check(self.told, self.scenes[cluster], name, **known)


@pytest.fixture(scope="module")
def fleet(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    span = Span.until_now()
    made = (churn, gone, unequal, twice, silent_exporter, short_silence, silent_state, lost_names,
            ended)  # fmt: skip
    scenes = [make(span) for make in made]
    scenes += [intervals(name, *every, span) for name, every in INTERVALS.items()]
    url = engine(series for scene in scenes for series in scene.series)
    told = analyse(scenes, url, tmp_path_factory.mktemp("life"))
    return Fleet(told, {scene.cluster: scene for scene in scenes})


def test_pods_of_an_hour_each_add_up_to_their_deployment(fleet: Fleet) -> None:
    assert list(fleet.told.workloads("churn")) == ["chat-production"]
    one = fleet.check("churn", "chat-production")
    assert one["gpu_hours"] == close(48)
    assert one["coverage"] == close(1)
    assert one["verdict"] == "underused"


def test_a_deployment_that_is_gone_still_counts(fleet: Fleet) -> None:
    one = fleet.check("gone", "trial-production")
    assert one["kind"] == "Deployment"
    assert one["gpu_hours"] == close(26)
    assert one["cost_usd"] == close(26 * 6.88)
    assert one["replicas"] is None
    pool = fleet.told.pool("gone")
    assert pool["unallocated_gpu_hours"] == close(22)


def test_a_pod_of_four_hours_weighs_four_hours(fleet: Fleet) -> None:
    one = fleet.check("unequal", "chat-production")
    assert one["gpu_hours"] == close(52)
    assert one["verdict"] == "underused"


def test_an_ha_pair_counts_once_also_while_one_of_it_is_down(fleet: Fleet) -> None:
    one = fleet.check("ha", "chat-production", gpu_hours=96, coverage=1, cost_usd=96 * 3.43)
    assert one["verdict"] == "underused"
    assert fleet.told.pool("ha")["unallocated_gpu_hours"] == close(48)


def test_six_silent_hours_of_the_exporter_leave_the_verdict_open(fleet: Fleet) -> None:
    one = fleet.check("silent-exporter", "chat-production")
    assert one["gpu_hours"] == close(48)
    assert one["coverage"] == close(42 / 48)
    assert one["verdict"] == "unknown"
    assert "cover 88%" in str(one["reason"])


def test_three_silent_hours_are_not_idle_hours(fleet: Fleet) -> None:
    one = fleet.check("short-silence", "chat-production")
    assert one["coverage"] == close(45 / 48)
    assert one["verdict"] == "underused"


def test_five_silent_hours_of_kube_state_metrics_lose_no_gpu_hours(fleet: Fleet) -> None:
    one = fleet.check("silent-state", "chat-production", gpu_hours=48, cost_usd=48 * 3.43,
                      coverage=1)  # fmt: skip
    assert one["verdict"] == "underused"
    assert fleet.told.pool("silent-state")["unallocated_gpu_hours"] == close(48)


def test_work_stays_with_its_pod_while_the_exporter_forgets_the_name(fleet: Fleet) -> None:
    assert fleet.check("lost-names", "chat-production")["coverage"] == close(1)
    assert "unowned-work" not in fleet.told.warnings("lost-names")


@pytest.mark.parametrize("name", INTERVALS)
def test_any_scrape_interval_covers_the_whole_window(fleet: Fleet, name: str) -> None:
    one = fleet.check(name, "chat-production", coverage=1.0)
    assert one["gpu_hours"] == close(48)


def test_a_job_holds_no_gpu_once_it_has_succeeded(fleet: Fleet) -> None:
    one = fleet.check("ended", "train-1")
    assert one["kind"] == "Job"
    assert one["gpu_hours"] == close(30)


def test_a_pod_without_a_node_holds_no_gpu(fleet: Fleet) -> None:
    stuck = fleet.told.workloads("ended").get("stuck-production", {"gpu_hours": 0})
    assert stuck["gpu_hours"] == 0
    assert fleet.check("ended", "late-production")["gpu_hours"] == close(42)
    # 3 GPUs over 48 h less the Job's 30 and the late pod's 42.
    assert fleet.told.pool("ended")["unallocated_gpu_hours"] == close(144 - 30 - 42)
