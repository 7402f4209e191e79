"""GPUs and nodes that there were, by class, against what was asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from analyzer.collect.facts import CapacityReading, DeviceReading
from analyzer.collect.holdings import Holding, Shares
from analyzer.collect.kubestate import StateReadings
from analyzer.collect.pools import pools
from analyzer.collect.readings import Readings
from analyzer.model import NodeClass, Pool
from tests.analyzer.collect.hand import HOUR, capacity, device, row, upto

H100, L4 = NodeClass("H100"), NodeClass("L4")
CLASSES = {"n1": H100, "n2": H100, "n3": L4}


def found(
    capacities: Sequence[CapacityReading] = (),
    held: Sequence[Holding] = (),
    devices: dict[str, list[DeviceReading]] | None = None,
) -> list[Pool]:
    read = Readings("main", HOUR, state=StateReadings(capacities=tuple(capacities)))
    shares = Shares({}, devices or {}, capacities, {})
    return pools(read, shares, devices or {}, held, CLASSES)


def holding(node: str, gpus: float) -> Holding:
    return Holding("ml", "a", node, row(gpus), gpus)


def test_nodes_are_counted_while_they_offer_gpus() -> None:
    leaves = capacity(8.0, node="n2", samples=upto(6, 5.0))
    [both] = found([capacity(4.0), leaves])
    assert (both.cluster, both.node_class) == ("main", H100)
    np.testing.assert_array_equal(both.present, upto(6, 12.0, 4.0))
    assert both.nodes is not None
    np.testing.assert_array_equal(both.nodes, upto(6, 2.0, 1.0))
    assert both.nodes.dtype == both.present.dtype == np.float32


def test_a_node_with_two_resources_is_one_node() -> None:
    # Seven 1g.10gb are seven eighths or sevenths of a GPU, in any case of the same node.
    [one] = found([capacity(4.0), capacity(7.0, resource="nvidia_com_mig_1g_10gb")])
    assert one.nodes is not None
    assert set(one.nodes) == {1.0}
    assert one.present[0] > 4.0


def test_a_silent_exporter_takes_no_node_away() -> None:
    silent = row(5.0)
    silent[4:8] = 0
    [one] = found([capacity(8.0, samples=silent)])
    assert one.nodes is not None
    assert set(one.nodes) == {1.0}


def test_a_node_that_tells_no_capacity_is_counted_by_its_devices() -> None:
    devices = {"n1": [device("a"), device("b"), device("a", names_pods=False)]}
    [one] = found(devices=devices)
    assert (set(one.present), set(one.nodes if one.nodes is not None else ())) == ({2.0}, {1.0})
    # Of a node that tells it, devices tell nothing more.
    [one] = found([capacity(8.0)], devices=devices)
    assert set(one.present) == {8.0}
    assert found(devices={"n1": [device("")]}) == []


def test_classes_are_told_apart() -> None:
    made = found([capacity(8.0), capacity(2.0, node="n3")])
    assert [(one.node_class, one.present[0]) for one in made] == [(H100, 8.0), (L4, 2.0)]


def test_free_gpus_of_one_node_do_not_make_up_for_another() -> None:
    made = [capacity(8.0), capacity(8.0, node="n2")]
    [one] = found(made, [holding("n1", 12.0), holding("n2", 1.0)])
    # Eight of the twelve, and one.
    assert set(one.allocated) == {9.0}


@pytest.mark.parametrize("count", [0.0, -1.0])
def test_a_node_without_gpus_is_in_no_pool(count: float) -> None:
    assert found([capacity(count)]) == []
