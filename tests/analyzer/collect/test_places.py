"""Which node a device is on."""

from __future__ import annotations

import pytest

from analyzer.collect.facts import NodeFact
from analyzer.collect.kubestate import StateReadings
from analyzer.collect.places import address, device_nodes
from tests.analyzer.collect.hand import device

NODES = {"n1": NodeFact("n1", addresses=("10.0.0.1",)), "n2": NodeFact("n2")}


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("10.0.0.7:9400", "10.0.0.7"),
        ("[fd00::7]:9400", "fd00::7"),
        ("fd00::7", "fd00::7"),
        ("n1", "n1"),
        ("", ""),
    ],
)
def test_the_host_of_a_target(target: str, host: str) -> None:
    assert address(target) == host


@pytest.mark.parametrize(
    ("hosts", "pods", "node"),
    [
        (("n1",), (("ml", "a"),), "n1"),
        (("ip-10",), (("ml", "a"),), "n2"),
        (("n1",), (), "n1"),
        (("10.0.0.1:9400",), (), "n1"),
        (("ip-10",), (("ops", "dcgm"),), "n2"),
        (("ip-10",), (), "ip-10"),
        ((), (), ""),
    ],
    ids=[
        "name before holder",
        "holder",
        "name",
        "address",
        "exporter's pod",
        "label as it is",
        "nothing",
    ],
)
def test_the_surest_word_settles_it(
    hosts: tuple[str, ...], pods: tuple[tuple[str, str], ...], node: str
) -> None:
    state = StateReadings(pod_nodes={("ops", "dcgm"): "n2"})
    made = device(hosts=hosts, pods=pods)
    assert device_nodes([made], {("ml", "a"): "n2"}, NODES, state) == {"gpu0": node}
