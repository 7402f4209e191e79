"""Who held GPUs: requests over time, as shares of physical devices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from analyzer.collect.facts import CapacityReading, DeviceReading, NodeFact, PodFact, RequestReading
from analyzer.collect.holdings import (
    Request,
    Shares,
    holdings,
    most_asked,
    requests_from_metrics,
    requests_from_pods,
)
from analyzer.collect.kubestate import StateReadings
from tests.analyzer.collect.hand import END, HOUR, capacity, device, node, request, row, upto


def shares(
    *nodes: NodeFact,
    devices: tuple[DeviceReading, ...] = (),
    capacities: tuple[CapacityReading, ...] = (),
    asked: Mapping[tuple[str, str], float] | None = None,
) -> Shares:
    by_name = {each.name: each for each in nodes}
    return Shares(by_name, {"n1": list(devices)}, capacities, asked or {})


def told(*requests: RequestReading, **changes: Any) -> list[Request]:
    named = changes.pop("named", {})
    return requests_from_metrics(StateReadings(requests=requests, **changes), HOUR, named)


class TestRequestsFromMetrics:
    def test_a_pod_that_came_and_went_counts_for_its_time(self) -> None:
        (found,) = told(request(samples=upto(3, 5)))
        # Alone it is also all that was heard; three steps it is.
        assert found.part.tolist() == upto(3).tolist()

    def test_while_kube_state_metrics_is_silent_the_gpu_exporter_tells(self) -> None:
        quiet = row(5)
        quiet[:4] = 0
        name = ("ml", "a")
        (found,) = told(request(samples=quiet), named={name: row(1)})
        assert (found.name, found.part.tolist()) == (name, [1.0] * 12)

    def test_silence_of_kube_state_metrics_does_not_end_a_request(self) -> None:
        quiet = row(5)
        quiet[4:7] = 0
        gone = upto(4, 5)
        stays, left = told(request(samples=quiet), request("b", samples=gone))
        assert stays.part.tolist() == [1.0] * 12
        assert left.part.tolist() == upto(4).tolist()

    def test_capacities_tell_a_pods_end_from_the_exporters_silence(self) -> None:
        quiet = row(5)
        quiet[4:7] = 0
        # The same gap in the pod's samples: nodes were told of meanwhile, so the pod was away.
        (away,) = told(request(samples=quiet), capacities=(capacity(),))
        assert away.part.sum() == pytest.approx(9)
        (silent,) = told(request(samples=quiet), capacities=(capacity(samples=quiet),))
        assert silent.part.sum() == pytest.approx(12)

    def test_a_pod_older_than_the_exporters_first_word_held_its_gpus_before(self) -> None:
        # Heard from minute 30, started at minute 12.5: half of step 2 and steps 3 to 11 = 9.5.
        started = {("ml", "a", "uid-a"): HOUR.start.timestamp() + 750}
        (found,) = told(request(samples=upto(6, 0, 5)), started=started)
        assert found.part.sum() == pytest.approx(9.5)

    def test_a_finished_pod_holds_nothing_though_its_request_is_still_listed(self) -> None:
        # Ended 17 min 30 s in: three whole steps and half of the fourth.
        ended = {("ml", "a", "uid-a"): HOUR.start.timestamp() + 1050}
        (found,) = told(request(), ended=ended)
        assert found.part.tolist() == pytest.approx([1, 1, 1, 0.5, *[0] * 8])

    def test_the_end_of_another_pod_of_that_name_does_not_count(self) -> None:
        ended = {("ml", "a", "uid-older"): HOUR.start.timestamp()}
        (found,) = told(request(), ended=ended)
        assert found.part.sum() == 12

    def test_an_end_without_uid_counts_for_the_pod(self) -> None:
        ended = {("ml", "a", ""): HOUR.start.timestamp() + 300}
        (found,) = told(request(), ended=ended)
        assert found.part.sum() == pytest.approx(1)

    def test_a_pod_on_no_node_holds_nothing(self) -> None:
        assert told(request(node="")) == []

    def test_the_node_may_be_known_from_elsewhere(self) -> None:
        (found,) = told(request(node=""), pod_nodes={("ml", "a"): "n7"})
        assert found.node == "n7"


class TestRequestsFromPods:
    def pod(self, **changes: object) -> PodFact:
        fields = {
            "namespace": "ml",
            "name": "a",
            "uid": "u",
            "node": "n1",
            "gpus": {"nvidia.com/gpu": 2.0},
            "scheduled_at": END - timedelta(minutes=30),
        }
        return PodFact(**(fields | changes))  # type: ignore[arg-type]

    def test_a_pod_counts_since_it_was_scheduled(self) -> None:
        (found,) = requests_from_pods([self.pod()], HOUR)
        assert (found.count, found.part.tolist()) == (2.0, [0.0] * 6 + [1.0] * 6)

    def test_a_pod_counts_until_it_ended(self) -> None:
        (found,) = requests_from_pods([self.pod(ended_at=END - timedelta(minutes=12.5))], HOUR)
        # From minute 30 to 47.5: three steps and a half.
        assert found.part.sum() == pytest.approx(3.5)

    @pytest.mark.parametrize(
        "changes",
        [
            {"node": ""},
            {"scheduled_at": None},
            {"scheduled_at": END + timedelta(hours=1)},
            {"ended_at": END - timedelta(hours=2), "scheduled_at": END - timedelta(hours=3)},
            {"ended_at": END - timedelta(minutes=40)},
            {"gpus": {}},
        ],
    )
    def test_a_pod_that_held_nothing_in_the_window_is_left_out(
        self, changes: dict[str, datetime | str]
    ) -> None:
        assert requests_from_pods([self.pod(**changes)], HOUR) == []


class TestShares:
    def test_a_whole_gpu_is_one(self) -> None:
        share = shares(node(), devices=(device(),)).of("n1", "nvidia_com_gpu")
        assert (share.of_device, share.time_sliced) == (1.0, False)

    @pytest.mark.parametrize("resource", ["nvidia_com_mig_3g_40gb", "nvidia.com/mig-3g.40gb"])
    def test_a_mig_instance_is_its_slices(self, resource: str) -> None:
        found = shares(node(nvidia_com_gpu_product="NVIDIA-A100-SXM4-80GB"))
        assert found.of("n1", resource).of_device == pytest.approx(3 / 7)

    def test_the_single_strategy_is_known_from_the_product(self) -> None:
        found = shares(node(nvidia_com_gpu_product="NVIDIA-A100-SXM4-80GB-MIG-1g.10gb"))
        assert found.of("n1", "nvidia_com_gpu").of_device == pytest.approx(1 / 7)

    def test_the_single_strategy_is_known_from_the_devices(self) -> None:
        cut = device(mig_id="1", mig_profile="2g.20gb")
        assert shares(devices=(cut,)).of("n1", "nvidia_com_gpu").of_device == pytest.approx(2 / 7)

    def test_the_replicas_label_tells_time_slices(self) -> None:
        share = shares(node(nvidia_com_gpu_replicas="4")).of("n1", "nvidia_com_gpu")
        assert (share.of_device, share.time_sliced) == (0.25, True)

    @pytest.mark.parametrize("told", ["1", "0", "x", ""])
    def test_a_replicas_label_that_says_nothing_says_nothing(self, told: str) -> None:
        found = shares(node(nvidia_com_gpu_replicas=told), devices=(device(),))
        assert found.of("n1", "nvidia_com_gpu").of_device == 1.0

    def test_more_asked_for_than_there_are_devices_proves_slices(self) -> None:
        found = shares(
            devices=(device(),),
            capacities=(capacity(4),),
            asked={("n1", "nvidia_com_gpu"): 2.0},
        )
        # Four units over one device.
        assert found.of("n1", "nvidia_com_gpu").of_device == 0.25

    def test_more_units_than_devices_seen_is_a_device_unseen_not_a_slice(self) -> None:
        found = shares(
            devices=(device(),), capacities=(capacity(4),), asked={("n1", "nvidia_com_gpu"): 1.0}
        )
        assert found.of("n1", "nvidia_com_gpu").of_device == 1.0

    def test_units_that_do_not_divide_are_not_guessed_at(self) -> None:
        two = (device("gpu0"), device("gpu1"))
        found = shares(
            devices=two, capacities=(capacity(3),), asked={("n1", "nvidia_com_gpu"): 3.0}
        )
        assert found.of("n1", "nvidia_com_gpu").of_device == 1.0

    def test_an_unknown_node_holds_whole_gpus(self) -> None:
        assert shares().of("nowhere", "nvidia_com_gpu").of_device == 1.0

    @pytest.mark.parametrize(
        ("labels", "model"),
        [
            ({"nvidia_com_gpu_product": "Tesla-T4"}, "Tesla-T4"),
            ({"amd_com_gpu_product_name": "MI300X"}, "MI300X"),
            ({"cloud_google_com_gke_accelerator": "nvidia-l4"}, "seen"),
            ({}, "seen"),
        ],
    )
    def test_the_model_is_the_labels_then_the_devices(
        self, labels: dict[str, str], model: str
    ) -> None:
        found = shares(node(**labels), devices=(device(gpu_model="seen"),))
        assert found.model("n1") == model

    def test_the_accelerator_label_stands_in_for_devices_unseen(self) -> None:
        assert shares(node(cloud_google_com_gke_accelerator="nvidia-l4")).model("n1") == "nvidia-l4"
        assert shares().model("n1") == ""


class TestHoldings:
    def asked(self, pod: str, count: float, resource: str = "nvidia_com_gpu") -> Request:
        return Request(("ml", pod), "n1", resource, count, row(1))

    def test_containers_of_a_pod_add_up(self) -> None:
        (held,) = holdings([self.asked("a", 1), self.asked("a", 2)], shares(), HOUR)
        assert (held.per_pod, held.allocated.tolist()) == (3.0, [3.0] * 12)

    def test_slices_of_one_device_are_billed_once(self) -> None:
        four = [self.asked(pod, 1) for pod in "abcd"]
        held = holdings(four, shares(node(nvidia_com_gpu_replicas="4")), HOUR)
        assert sum(h.allocated[0] for h in held) == pytest.approx(1.0)
        assert all(h.shared for h in held)

    def test_the_most_asked_for_at_once_is_over_time(self) -> None:
        first = Request(("ml", "a"), "n1", "nvidia.com/gpu", 2.0, upto(6))
        then = Request(("ml", "b"), "n1", "nvidia_com_gpu", 3.0, upto(6, 0.0, 1.0))
        # One after the other, never together; both spellings are one resource.
        assert most_asked([first, then], HOUR) == {("n1", "nvidia_com_gpu"): 3.0}
