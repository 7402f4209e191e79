"""GPU models of a node that keeps its name while its machine is replaced, through the join."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analyzer.collect.facts import DeviceReading, KubeFacts, NodeFact, ObjectRef
from analyzer.collect.join import ClusterFacts, Join, JoinSettings
from analyzer.collect.kubestate import StateReadings
from analyzer.collect.pools import NodeClasses
from analyzer.collect.readings import Readings
from analyzer.model import NodeClass, StepArray
from analyzer.sizing.demand import on_present_model
from tests.analyzer.collect.hand import HOUR, capacity, device, request, row, upto

H100 = "NVIDIA H100 80GB HBM3"
OLD, NEW = NodeClass("A100 80GB"), NodeClass("H100 SXM 80GB")
A, B = ("ml", "a"), ("ml", "b")
FIRST, THEN = upto(7), upto(7, 0.0, 1.0)
"""Seven steps, and the five after them."""

CHANGED = (
    device("gpu0", pods=(A,), samples=FIRST * 10),
    device("gpu1", pods=(B,), samples=THEN * 10, gpu_model=H100),
)


def joined(*devices: DeviceReading, second: str = "b", **labels: str) -> ClusterFacts:
    """Pods of one Deployment, one GPU each on n1: "a" first, then ``second``."""
    web = ObjectRef("ml", "Deployment", "web")
    kube = KubeFacts(
        owners={ObjectRef("ml", "Pod", name): web for name in "ab"},
        nodes={"n1": NodeFact("n1", labels, {"nvidia.com/gpu": 8.0})},
    )
    first, then = (
        request(pod, uid=uid, samples=samples * 5)
        for pod, uid, samples in (("a", "uid-1", FIRST), (second, "uid-2", THEN))
    )
    state = StateReadings(requests=(first, then), capacities=(capacity(),))
    readings = Readings("c", HOUR, devices, state=state, kube=kube)
    return Join(readings, JoinSettings(NodeClasses(), lambda name: False)).facts()


def allocated(facts: ClusterFacts) -> dict[NodeClass, list[float]]:
    return {one.node_class: one.allocated.tolist() for one in facts.use}


@pytest.mark.parametrize("devices", [CHANGED, CHANGED[::-1]])
def test_pods_are_on_the_model_that_names_them(devices: tuple[DeviceReading, ...]) -> None:
    facts = joined(*devices)
    assert allocated(facts) == {OLD: FIRST.tolist(), NEW: THEN.tolist()}
    for one in facts.use:
        # Measured all the time, half busy.
        assert one.observed.tolist() == one.allocated.tolist()
        assert one.work.tolist() == (one.allocated / 2).tolist()
    assert on_present_model(list(facts.use)).tolist() == [False] * 7 + [True] * 5
    assert [node.node_class for node in facts.nodes] == [NEW]


def test_more_devices_of_the_old_model_change_nothing() -> None:
    idle = [device(f"idle{at}", samples=FIRST * 10, mean=row(0)) for at in range(3)]
    facts = joined(*CHANGED, *idle)
    assert allocated(facts) == {OLD: FIRST.tolist(), NEW: THEN.tolist()}
    assert [node.node_class for node in facts.nodes] == [NEW]


def test_two_models_at_once_are_told_apart() -> None:
    beside = [device(f"idle{at}", mean=row(0)) for at in range(2)]
    facts = joined(*CHANGED, *beside)
    assert allocated(facts) == {OLD: FIRST.tolist(), NEW: THEN.tolist()}
    assert [node.node_class for node in facts.nodes] == [OLD]


def test_a_label_that_names_the_product_stands() -> None:
    facts = joined(*CHANGED, **{"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"})
    assert allocated(facts) == {NEW: row(1).tolist()}
    assert [node.node_class for node in facts.nodes] == [NEW]


ONE: dict[str, Any] = {"gpu_model": H100, "samples": THEN * 10}


@pytest.mark.parametrize(
    ("now", "part"),
    [
        # Named by both models, by no device, by one of no model, and in other words for the same.
        ([device("gpu1", pods=(B,), **ONE), device("gpu2", pods=(B,), samples=row(1))], row(1)),
        ([device("gpu1", **ONE)], row(1)),
        ([device("gpu1", pods=(B,), **ONE | {"gpu_model": ""})], row(1)),
        ([device("gpu1", pods=(B,), **ONE | {"gpu_model": "A100-SXM4-80GB"})], row(1)),
    ],
)
def test_else_a_pod_is_on_its_nodes_model(now: list[DeviceReading], part: StepArray) -> None:
    old = [device(f"gpu0{at}", pods=(A,), samples=FIRST * 10) for at in range(2)]
    assert allocated(joined(*old, *now)) == {OLD: part.tolist()}


def test_one_model_all_the_time_is_one() -> None:
    facts = joined(device(pods=(A,)), device("gpu1", pods=(B,), samples=THEN * 10))
    assert allocated(facts) == {OLD: row(1).tolist()}
    assert np.array_equal(on_present_model(list(facts.use)), row(1) > 0)
