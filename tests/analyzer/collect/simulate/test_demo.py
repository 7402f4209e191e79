"""The demo fleet: the same each time, and true to what each workload is there for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from analyzer.collect.simulate import Exposition, Fleet, RawSeries, demo_fleet, exposition
from analyzer.model import Window

END = datetime(2026, 11, 23, 9, 7, tzinfo=UTC)
UTIL = "DCGM_FI_DEV_GPU_UTIL"


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return demo_fleet(7, END)


@pytest.fixture(scope="module")
def shown(fleet: Fleet) -> Exposition:
    return exposition(fleet, fleet.window)


def of(shown: Exposition, name: str, label: str, start: str) -> list[RawSeries]:
    return [one for one in shown.series(name) if one.labels.get(label, "").startswith(start)]


def utilisation(shown: Exposition, app: str) -> np.ndarray:
    return np.concatenate([one.values for one in of(shown, UTIL, "exported_pod", app + "-")])


def served(shown: Exposition, name: str, app: str) -> np.ndarray:
    return np.concatenate([one.values for one in of(shown, f"vllm:{name}", "pod", app + "-")])


def test_the_same_seed_and_end_give_the_same_samples() -> None:
    day = Window.ending(END, timedelta(days=1))
    first, again = (exposition(demo_fleet(3, END), day) for _ in range(2))
    assert first.names() == again.names()
    for name in first.names():
        for one, other in zip(first.series(name), again.series(name), strict=True):
            assert one.labels == other.labels
            np.testing.assert_array_equal(one.times_s, other.times_s)
            np.testing.assert_array_equal(one.values, other.values)


def test_another_seed_gives_other_samples() -> None:
    day = Window.ending(END, timedelta(days=1))
    one, other = (exposition(demo_fleet(seed, END), day) for seed in (3, 4))
    assert not np.array_equal(utilisation(one, "llama-70b"), utilisation(other, "llama-70b"))


def test_a_sample_does_not_depend_on_the_window_it_is_seen_through(
    fleet: Fleet, shown: Exposition
) -> None:
    day = Window.ending(END, timedelta(days=1))
    for name in (UTIL, "vllm:prompt_tokens_total", "kube_pod_status_phase"):
        whole = {tuple(sorted(one.labels.items())): one for one in shown.series(name)}
        part = list(exposition(fleet, day).series(name))
        assert part
        for one in part:
            full = whole[tuple(sorted(one.labels.items()))]
            first = int(np.searchsorted(full.times_s, one.times_s[0]))
            np.testing.assert_array_equal(full.values[first : first + one.values.size], one.values)


def test_every_series_is_sound(fleet: Fleet, shown: Exposition) -> None:
    start_s, end_s = fleet.window.start.timestamp(), fleet.window.end.timestamp()
    for name in shown.names():
        seen = set()
        for one in shown.series(name):
            key = tuple(sorted(one.labels.items()))
            assert key not in seen, (name, key)
            seen.add(key)
            assert one.name == name
            assert one.values.shape == one.times_s.shape
            assert np.isfinite(one.values).all()
            assert (np.diff(one.times_s) > 0).all(), (name, key)
            assert start_s < one.times_s[0]
            assert one.times_s[-1] <= end_s
        assert seen, name


def test_the_fleet_has_as_many_gpus_as_its_nodes_say(fleet: Fleet) -> None:
    assert fleet.gpus == 54
    assert {pod.app.namespace for pod in fleet.pods} == {"llm-serving", "platform-ml", "research"}


def test_no_gpu_is_held_by_two_pods_unless_it_is_sliced(fleet: Fleet) -> None:
    held: dict[object, list[tuple[float, float]]] = {}
    for pod in fleet.pods:
        for device in pod.devices:
            if device.node != "gpu-t4-1":
                held.setdefault(device, []).append((pod.scheduled_s, pod.ended_s))
    for spans in held.values():
        spans.sort()
        assert all(one[1] <= other[0] for one, other in pairwise(spans))


@pytest.mark.parametrize(
    ("app", "low", "high"),
    [
        ("llama-70b-production", 55, 75),
        ("vicuna-13b-production", 15, 21),
        ("codellama-34b-production", 25, 35),
        ("qwen-72b-production", 85, 100),
        ("mixtral-8x7b-production", 0, 0),
        ("mistral-7b-development", 5, 20),
    ],
)
def test_mean_utilisation_is_what_the_roster_promises(
    shown: Exposition, app: str, low: float, high: float
) -> None:
    assert low <= utilisation(shown, app).mean() <= high


def test_the_queue_waits_at_thirty_percent(shown: Exposition) -> None:
    waiting = served(shown, "num_requests_waiting", "codellama-34b")
    assert 0.01 <= (waiting >= 1).mean() <= 0.2


def test_the_saturated_deployment_has_a_full_cache_and_a_queue(shown: Exposition) -> None:
    assert np.percentile(served(shown, "kv_cache_usage_perc", "qwen-72b"), 50) > 0.9
    assert served(shown, "num_requests_waiting", "qwen-72b").mean() > 5


def test_the_idle_deployment_finishes_no_request(shown: Exposition) -> None:
    for one in of(shown, "vllm:request_success_total", "pod", "mixtral-8x7b"):
        assert np.ptp(one.values) == 0


def test_requests_at_work_are_those_that_the_tokens_take_time_for(shown: Exposition) -> None:
    # Little: tokens a second times the mean time of one. A log-logistic of shape 4 has a mean of
    # pi/4 / sin(pi/4) medians; 34 ms is the median at the peak, 70 % of it without load.
    for one in of(shown, "vllm:generation_tokens_total", "pod", "llama-70b"):
        pod = one.labels["pod"]
        [running] = of(shown, "vllm:num_requests_running", "pod", pod)
        [usage] = of(shown, "vllm:kv_cache_usage_perc", "pod", pod)
        grown = np.diff(one.values)
        a_second = grown[grown >= 0].sum() / (60 * (grown >= 0).sum())
        demand = (usage.values.mean() / 0.68) ** (1 / 0.8)
        each_s = 0.034 * (0.7 + 0.3 * demand) * (np.pi / 4) / np.sin(np.pi / 4)
        assert running.values.mean() == pytest.approx(a_second * each_s, rel=0.05)


def test_caches_hold_what_the_model_leaves_of_the_memory(shown: Exposition) -> None:
    tokens = {
        one.labels["pod"]: int(one.labels["num_gpu_blocks"]) * int(one.labels["block_size"])
        for one in shown.series("vllm:cache_config_info")
    }
    # 0.9 of 22.5 GiB (L4) less 13.5 GiB of weights and 1 GiB for the rest leaves 5.74 GiB; a token
    # takes 2 x 32 layers x 8 heads x 128 x 2 bytes = 128 KiB.
    [mistral] = {size for pod, size in tokens.items() if pod.startswith("mistral-7b-production")}
    assert mistral == pytest.approx(5.74 * 2**20 / 128, rel=0.005)
    # 0.9 of 80 GiB (A100) less 32.85 GiB of weights in FP8 and 1.5 GiB leaves 37.65 GiB on each of
    # two; a token takes 2 x 80 x 4 x 128 x 2 bytes = 160 KiB on each.
    [llama] = {size for pod, size in tokens.items() if pod.startswith("llama-70b")}
    assert llama == pytest.approx(37.65 * 2**20 / 160, rel=0.005)


def test_every_cache_has_room_for_the_requests_at_work(fleet: Fleet, shown: Exposition) -> None:
    """A request holds its prompt and, on average, half of what it will generate."""
    sizes = {
        one.labels["pod"]: int(one.labels["num_gpu_blocks"]) * int(one.labels["block_size"])
        for one in shown.series("vllm:cache_config_info")
    } | {
        one.labels["pod"]: float(one.values[0])
        for one in shown.series("sglang:max_total_num_tokens")
    }
    loads = {pod.name: pod.app.load for pod in fleet.pods}
    for pod, tokens in sizes.items():
        load = loads[pod]
        busiest = float(load.running(np.ones(1))[0])
        held = busiest * (load.prompt_tokens + load.generation_tokens / 2)
        assert held <= load.kv_cache * tokens, pod


def test_a_crash_resets_the_counters_of_one_pod(shown: Exposition) -> None:
    falls = {
        one.labels["pod"]: int((np.diff(one.values) < 0).sum())
        for one in shown.series("vllm:prompt_tokens_total")
    }
    assert sorted(falls.values())[-2:] == [0, 1]
    [crashed] = [pod for pod, count in falls.items() if count]
    assert crashed.startswith("llama-70b-production-")


def test_buckets_never_fall_from_one_bound_to_the_next(shown: Exposition) -> None:
    pod = of(shown, "vllm:num_requests_running", "pod", "codellama")[0].labels["pod"]
    buckets = of(shown, "vllm:time_to_first_token_seconds_bucket", "pod", pod)
    buckets.sort(key=lambda one: float(one.labels["le"]))
    assert (np.diff([one.values for one in buckets], axis=0) >= 0).all()
    [stop, *_] = of(shown, "vllm:request_success_total", "pod", pod)
    assert buckets[-1].values[-1] > stop.values[-1]


def test_the_autoscaler_goes_from_six_to_three_each_night(shown: Exposition) -> None:
    [replicas] = of(shown, "kube_deployment_spec_replicas", "deployment", "mistral-7b-production")
    hour = (replicas.times_s % 86_400) / 3600
    assert set(replicas.values[(hour > 7.1) & (hour < 21.9)].tolist()) == {6}
    assert set(replicas.values[(hour > 22.1) | (hour < 6.9)].tolist()) == {3}
    devices = of(shown, UTIL, "exported_pod", "mistral-7b-production")
    pods = {one.labels["exported_pod"] for one in devices}
    assert len(pods) > 3 * 28


def test_an_exporter_is_silent_for_forty_hours(fleet: Fleet, shown: Exposition) -> None:
    for one in of(shown, UTIL, "exported_pod", "rerank-7b-production"):
        assert np.diff(one.times_s).max() == pytest.approx(40 * 3600 + 60, abs=60)


def test_for_an_hour_one_node_names_no_pod(shown: Exposition) -> None:
    running = [
        one
        for one in of(shown, UTIL, "exported_pod", "vicuna-13b-production")
        if one.times_s[-1] > END.timestamp() - 600
    ]
    gaps_s = [(one.labels["Hostname"], np.diff(one.times_s).max()) for one in running]
    assert sorted(gaps_s) == [
        ("gpu-a100-1", 3660),
        ("gpu-a100-1", 3660),
        ("gpu-a100-2", 60),
        ("gpu-a100-2", 60),
    ]
    node = of(shown, UTIL, "Hostname", "gpu-a100-1")
    bare = [one for one in node if "exported_pod" not in one.labels]
    assert max(one.values.max() for one in bare) > 0


def test_free_gpus_carry_the_exporters_own_pod(shown: Exposition) -> None:
    free = [one for one in of(shown, UTIL, "Hostname", "gpu-h100-1") if one.labels["gpu"] == "7"]
    assert [set(one.labels) & {"exported_pod", "exported_namespace"} for one in free] == [set()]
    assert free[0].labels["namespace"] == "gpu-operator"
    assert free[0].values.max() == 0


def test_mig_instances_have_no_utilisation_but_an_engine(shown: Exposition) -> None:
    assert of(shown, UTIL, "Hostname", "onprem-mig-1") == []
    engines = of(shown, "DCGM_FI_PROF_GR_ENGINE_ACTIVE", "Hostname", "onprem-mig-1")
    assert len({one.labels["GPU_I_ID"] for one in engines}) == 7
    assert len({one.labels["UUID"] for one in engines}) == 1


def test_pods_on_a_sliced_gpu_each_show_the_whole_device(shown: Exposition) -> None:
    one, *others = of(shown, UTIL, "exported_pod", "notebooks-")
    assert len(others) == 2
    for other in others:
        np.testing.assert_array_equal(one.values[-1000:], other.values[-1000:])


def test_a_deleted_deployment_ends_everywhere(fleet: Fleet, shown: Exposition) -> None:
    deleted_s = fleet.window.start.timestamp() + 14 * 86_400
    for name, label in (
        ("kube_deployment_spec_replicas", "deployment"),
        ("kube_pod_owner", "pod"),
        ("kube_replicaset_owner", "replicaset"),
        (UTIL, "exported_pod"),
    ):
        ends = [one.times_s[-1] for one in of(shown, name, label, "vicuna-7b-development")]
        assert ends
        assert max(ends) == pytest.approx(deleted_s, abs=60)


def test_a_completed_job_is_listed_for_hours_after_it_released_its_gpu(shown: Exposition) -> None:
    [request] = of(shown, "kube_pod_container_resource_requests", "pod", "finetune-mistral-7b")
    [completed] = of(shown, "kube_pod_completion_time", "pod", "finetune-mistral-7b")
    [util] = of(shown, UTIL, "exported_pod", "finetune-mistral-7b")
    ended_s = completed.values[0]
    assert request.times_s[-1] - ended_s == pytest.approx(6 * 3600, abs=60)
    assert util.times_s[-1] == pytest.approx(ended_s, abs=60)
    phases = {one.labels["phase"]: one for one in of(shown, "kube_pod_status_phase", "pod", "fine")}
    assert len(phases) == 5
    after = phases["Succeeded"].times_s > ended_s + 1
    assert (phases["Succeeded"].values[after] == 1).all()
    assert (phases["Running"].values[after] == 0).all()
