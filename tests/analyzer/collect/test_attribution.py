"""Whose work a GPU did."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from analyzer.collect.attribution import Attribution, Attributor
from analyzer.collect.facts import DeviceReading
from analyzer.collect.holdings import Holding, PodName
from analyzer.model import StepArray
from tests.analyzer.collect.hand import HOUR, device, row, upto

A, B = ("ml", "a"), ("ml", "b")
EXPORTER = ("gpu-operator", "nvidia-dcgm-exporter-x7x2p")


def hold(
    pod: PodName = A, allocated: StepArray | None = None, node: str = "n1", shared: bool = False
) -> Holding:
    held = row(1) if allocated is None else allocated
    return Holding(*pod, node, held, float(held.max()), shared)


def found(held: Sequence[Holding], *devices: DeviceReading) -> Attribution:
    nodes = {d.uuid: d.hosts[0] for d in devices if d.hosts}
    return Attributor(held, nodes, lambda pod: pod, HOUR).attribute(devices)


def hours(array: StepArray) -> float:
    return float(array.sum()) / 12


class TestNamedDevices:
    def test_a_device_that_names_its_pod_is_that_pods(self) -> None:
        use = found([hold()], device(pods=(A,))).use[A]
        # One GPU for one hour, half busy.
        assert (hours(use.observed), hours(use.work)) == pytest.approx((1.0, 0.5))

    def test_a_pod_label_that_is_no_holder_is_no_workload(self) -> None:
        result = found([hold()], device(pods=(EXPORTER,), mean=row(0.0)))
        assert EXPORTER not in result.use

    def test_the_exporters_own_name_does_not_hide_the_holder(self) -> None:
        use = found([hold()], device(pods=(A, EXPORTER))).use
        assert list(use) == [A]

    def test_missing_samples_are_not_observed(self) -> None:
        samples = upto(6, 10)
        mean = np.where(samples > 0, 0.5, np.nan).astype(np.float32)
        use = found([hold()], device(pods=(A,), mean=mean, samples=samples)).use[A]
        assert (hours(use.observed), hours(use.work)) == pytest.approx((0.5, 0.25))

    def test_two_devices_of_a_pod_add_up(self) -> None:
        use = found(
            [hold(allocated=row(2))],
            device("g0", pods=(A,), mean=row(1.0)),
            device("g1", pods=(A,), mean=row(0.0)),
        ).use[A]
        assert (hours(use.observed), hours(use.work)) == pytest.approx((2.0, 1.0))


class TestRejoin:
    """The kubelet's pod-resources call failed: the device goes on without its labels."""

    def halves(self, **second: object) -> tuple[DeviceReading, DeviceReading]:
        named = device(pods=(A,), samples=upto(6, 10), mean=upto(6, 0.5, np.nan))
        lost = device(samples=upto(6, 0, 10), mean=upto(6, np.nan, 0.5), **second)  # type: ignore[arg-type]
        return named, lost

    def test_a_device_that_lost_its_labels_stays_with_its_pod(self) -> None:
        use = found([hold()], *self.halves()).use[A]
        assert (hours(use.observed), hours(use.work)) == pytest.approx((1.0, 0.5))

    def test_also_when_it_names_its_exporter_instead(self) -> None:
        use = found([hold()], *self.halves(pods=(EXPORTER,))).use[A]
        assert hours(use.observed) == pytest.approx(1.0)

    def test_labels_that_came_late_count_from_before(self) -> None:
        lost = device(samples=upto(6, 10), mean=upto(6, 0.5, np.nan))
        named = device(pods=(A,), samples=upto(6, 0, 10), mean=upto(6, np.nan, 0.5))
        assert hours(found([hold()], lost, named).use[A].observed) == pytest.approx(1.0)

    def test_the_pod_before_goes_before_the_pod_after(self) -> None:
        def part(first: int, stop: int, value: float, rest: float = 0.0) -> StepArray:
            made = row(rest)
            made[first:stop] = value
            return made

        use = found(
            [hold(A), hold(B)],
            device(pods=(A,), samples=part(0, 4, 10), mean=row(0.5)),
            device(samples=part(4, 8, 10), mean=row(0.5)),
            device(pods=(B,), samples=part(8, 12, 10), mean=row(0.5)),
        ).use
        # A: steps 0-7, B: steps 8-11.
        assert hours(use[A].observed) == pytest.approx(8 / 12)
        assert hours(use[B].observed) == pytest.approx(4 / 12)

    def test_a_pod_that_is_gone_gets_no_more(self) -> None:
        result = found([hold(allocated=upto(6))], *self.halves())
        assert hours(result.use[A].observed) == pytest.approx(0.5)
        # The device was busy with nobody to have asked for it: that is said.
        assert len(result.unowned) == 1

    def test_an_idle_device_without_a_pod_is_not_worth_a_word(self) -> None:
        assert found([hold()], device(pods=(A,)), device("g1", mean=row(0.0))).unowned == ()


class TestTrimming:
    def test_no_pod_is_observed_on_more_than_it_held(self) -> None:
        # The exporter names the pod through all of step 6, half of which it was there.
        held = upto(6)
        held[6] = 0.5
        use = found([hold(allocated=held)], device(pods=(A,), samples=upto(7, 10))).use[A]
        assert hours(use.observed) == pytest.approx(6.5 / 12)
        assert hours(use.work) == pytest.approx(3.25 / 12)

    def test_a_device_named_by_two_exporters_labels_at_once_is_counted_once(self) -> None:
        twice = device(pods=(A,)), device(pods=(A,), hosts=("n1", "other"))
        assert hours(found([hold()], *twice).use[A].observed) == pytest.approx(1.0)


class TestSharing:
    def test_slices_of_a_nodes_only_device_split_its_time_not_its_use(self) -> None:
        held = [hold(pod, row(0.5), shared=True) for pod in (A, B)]
        # The exporter names only A; the device was 80 % busy.
        use = found(held, device(pods=(A,), mean=row(0.8))).use
        for pod in (A, B):
            assert hours(use[pod].observed) == pytest.approx(0.5)
            assert hours(use[pod].work) == pytest.approx(0.4)

    def test_a_device_copied_to_every_pod_is_not_summed(self) -> None:
        held = [hold(pod, row(0.5), shared=True) for pod in (A, B)]
        use = found(held, device(pods=(A,), mean=row(0.8)), device(pods=(B,), mean=row(0.8))).use
        assert hours(use[A].work + use[B].work) == pytest.approx(0.8)

    def test_a_mig_instance_is_its_share_of_the_device(self) -> None:
        cut = device(pods=(A,), mig_id="1", mig_profile="3g.40gb", mean=row(1.0))
        use = found([hold(allocated=row(3 / 7))], cut).use[A]
        assert hours(use.observed) == pytest.approx(3 / 7)
        assert hours(use.work) == pytest.approx(3 / 7)


class TestExportersThatNameNoPods:
    def bare(self, uuid: str, busy: float = 0.5) -> DeviceReading:
        return device(uuid, exporter="nvidia_gpu_exporter", names_pods=False, mean=row(busy))

    def test_a_node_held_whole_by_one_workload_is_its_own(self) -> None:
        use = found([hold(allocated=row(2))], self.bare("g0", 0.2), self.bare("g1", 0.6)).use[A]
        # 2 GPUs, mean (0.2 + 0.6) / 2 = 0.4: 0.8 GPU-hours of work.
        assert (hours(use.observed), hours(use.work)) == pytest.approx((2.0, 0.8))

    @pytest.mark.parametrize(
        "held", [[hold()], [hold(), hold(B)]], ids=["partly held", "two workloads"]
    )
    def test_a_node_that_is_not_one_workloads_alone_is_not_guessed_at(
        self, held: list[Holding]
    ) -> None:
        result = found(held, self.bare("g0"), self.bare("g1"))
        assert result.unsplit == ("n1",)
        assert all(hours(use.observed) == 0 for use in result.use.values())

    def test_a_node_that_nobody_holds_is_no_matter(self) -> None:
        assert found([hold(node="n2")], self.bare("g0")).use == {}


class TestSeriesWithoutDevice:
    def test_a_series_of_a_pod_stands_for_all_its_gpus(self) -> None:
        use = found([hold(allocated=row(4))], device("", pods=(A,), mean=row(0.25))).use[A]
        assert (hours(use.observed), hours(use.work)) == pytest.approx((4.0, 1.0))

    def test_a_series_of_nobody_is_left_out(self) -> None:
        assert found([hold()], device("", pods=(("x", "y"),))).use == {}
