"""Which nodes can leave, by hand; a checker verifies the moves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from analyzer.model import Node, Placed, Requirement, Taint, Toleration
from analyzer.sizing.packing import Freed, Packing, leaving
from tests.analyzer.sizing.packings import (
    H100,
    L4,
    check,
    key,
    names,
    node,
    pod,
)


def freed(nodes: list[Node], placed: list[Placed], **removed: int) -> Freed:
    """What leaves when so many pods of each workload go, checked."""
    packing = Packing(nodes, placed)
    keys = {key(name): count for name, count in removed.items()}
    found = packing.leaving(keys)
    check(nodes, placed, packing, found)
    assert leaving(nodes, placed, keys) == found
    return found


TWO = [node("n1"), node("n2")]
FULL = [pod("a", "n1", 4), pod("b", "n1", 4), pod("c", "n2", 4), pod("d", "n2", 4)]


def test_of_two_nodes_half_empty_one_leaves() -> None:
    found = freed(TWO, FULL, a=1, d=1)
    assert len(found.nodes) == 1
    assert (found.before, found.bound, found.bound_of_more) == ((), 1, 1)
    assert [move.pod.workload.name for move in found.moves] in (["b"], ["c"])
    # The other half of the room is where it was: one workload alone lets no node leave.
    assert freed(TWO, FULL, a=1).nodes == ()
    assert freed(TWO, FULL).nodes == ()


def test_the_worked_example_of_the_decisions() -> None:
    nodes = [node("n1"), node("n2"), node("n3")]
    web = [pod("chat", f"n{at}", 4, name=f"chat-{at}") for at in (1, 2, 3)]
    others = [
        pod("rank", "n1", 4),
        pod("eval", "n2", 2),
        pod("label", "n3", 2),
        pod("index", "n3", requests={"cpu": 50.0}),
    ]
    # 12 + 4 + 2 + 2 = 20 of 24 GPUs are held, which takes three nodes of 8.
    now = freed(nodes, [*web, *others], chat=0)
    assert (now.before, now.nodes, now.bound) == ((), (), 0)
    # One replica less: 16 GPUs, two nodes at the least. n1 is full, n3 has 2 GPUs left for eval.
    one = freed(nodes, [*web, *others], chat=1)
    assert [gone.node for gone in one.removed] == ["n2"]
    assert [(move.pod.pod, move.to) for move in one.moves] == [("eval-0", "n3")]
    assert (names(one.nodes), one.bound) == (["n2"], 1)
    # Two less: 12 GPUs, two nodes still.
    two = freed(nodes, [*web, *others], chat=2)
    assert (len(two.nodes), two.bound) == (1, 1)
    # n1 has 64 - 31 = 33 cores left for index, n2 64 - 21 = 43; n3 has 64 - 52 = 12 for eval.
    more = {"rank": 30.0, "eval": 20.0}
    busy = [
        replace(one, requests={**one.requests, "cpu": more.get(one.workload.name, 1.0)})
        for one in others[:3]
    ]
    none = freed(nodes, [*web, *busy, others[3]], chat=1)
    # 2 + 30 + 20 + 1 + 50 = 103 cores are two nodes' worth, so the bound does not see it.
    assert (none.nodes, none.bound) == ((), 1)


def test_the_worked_example_of_nodes_that_need_no_advice() -> None:
    nodes = [node("n1"), node("n2"), node("n3")]
    placed = [pod("rank", "n1", 4), pod("old", "n2", 2)]
    found = freed(nodes, placed, old=1)
    # One node would do for all: of the two that 4 GPUs of rank do not need, n3 is empty anyway.
    assert (names(found.before), names(found.nodes), found.bound) == (["n3"], ["n2"], 2)
    # old's 2 GPUs and job's 1 fit beside rank's 4 with old or without.
    assert freed(nodes, [*placed, pod("job", "n2", 1)], old=1).nodes == ()
    # A job of 3 does only without old: 4 + 2 + 3 = 9.
    late = freed(nodes, [*placed, pod("job", "n2", 3)], old=1)
    assert (names(late.nodes), [move.to for move in late.moves]) == (["n2"], ["n1"])


def test_an_empty_node_leaves_without_the_change_and_takes_nothing() -> None:
    nodes = [*TWO, node("n3"), node("n4", schedulable=False)]
    placed = [*FULL, pod("agent", "n3", daemon=True)]
    found = freed(nodes, placed, a=1)
    # b finds no room on n2, and n3, where it would, has left.
    assert (names(found.before), found.nodes, found.moves) == (["n3", "n4"], (), ())
    # b, c and d are left, 12 GPUs on nodes of 8.
    assert (found.bound, found.bound_of_more) == (2, 0)


def test_a_node_that_is_emptied_counts_though_its_pods_could_have_moved() -> None:
    placed = [pod("a", "n1", 4), pod("b", "n2", 4)]
    found = freed(TWO, placed, a=1)
    assert (found.before, names(found.nodes), found.moves) == ((), ["n1"], ())
    assert names(freed(TWO, placed, a=1, b=1).nodes) == ["n1", "n2"]
    assert freed(TWO, placed).nodes == ()


def test_a_node_whose_pods_could_all_have_moved_before_is_not_the_changes_merit() -> None:
    placed = [pod("a", "n1", 2), pod("c", "n1", 1), pod("b", "n2", 4)]
    found = freed(TWO, placed, a=1)
    assert (found.nodes, found.bound_of_more) == ((), 1)
    # With one GPU less on n2, a and c could not both have moved.
    tight = [*placed, pod("d", "n2", 2, pinned="claims devices")]
    assert names(freed(TWO, tight, a=1).nodes) == ["n1"]


def test_a_node_that_took_a_pod_stays() -> None:
    nodes = [node("n1"), node("n2"), node("n3")]
    gone = [pod("a", "n1", 5), pod("b", "n2", 6), pod("c", "n3", 4)]
    stay = [pod("d", "n1", 1), pod("e", "n2", 2), pod("f", "n3", 3)]
    found = freed(nodes, [*gone, *stay], a=1, b=1, c=1)
    # d moves to n2, the fullest. So it is n3 that leaves next, though n2 would hold less.
    assert names(found.nodes) == ["n1", "n3"]
    assert {move.to for move in found.moves} == {"n2"}


def test_a_node_that_holds_nothing_else_leaves_with_its_workload() -> None:
    agents = [pod("agent", name, daemon=True, name=f"agent-{name}") for name in ("n1", "n2")]
    placed = [pod("a", "n1", 8), pod("b", "n2", 8), *agents]
    found = freed(TWO, placed, a=1)
    assert names(found.nodes) == ["n1"]
    assert found.moves == ()
    assert [one.pod for one in found.removed] == ["a-0"]


def test_pods_without_gpus_need_room_elsewhere_too() -> None:
    placed = [pod("a", "n1", 8), pod("b", "n2", 8)]
    assert names(freed(TWO, [*placed, pod("c", "n1")], a=1).nodes) == ["n1"]
    for request in ({"cpu": 63.5}, {"memory": 511.5 * 2**30}, {"example.com/nic": 1.0}):
        assert freed(TWO, [*placed, pod("c", "n1", requests=request)], a=1).nodes == ()
    few = [node("n1"), node("n2", allocatable={"pods": 1.0})]
    stays = pod("b", "n2", 8, pinned="claims devices")
    assert freed(few, [placed[0], stays, pod("c", "n1")], a=1).nodes == ()


def test_a_pod_with_gpus_moves_only_to_the_model_that_it_has() -> None:
    # By its requests b fits beside c, and no selector forbids it.
    placed = [pod("a", "n1", 6), pod("b", "n1", 2), pod("c", "n2", 4)]
    spot = replace(H100, pool="other", spot=True)
    same = freed([node("n1"), node("n2", node_class=spot)], placed, a=1)
    assert (names(same.nodes), [move.to for move in same.moves]) == (["n1"], ["n2"])
    other = freed([node("n1"), node("n2", node_class=L4)], placed, a=1)
    assert (other.nodes, other.bound) == ((), 0)


def test_a_pod_without_gpus_moves_to_any_model() -> None:
    placed = [pod("a", "n1", 8), pod("b", "n1"), pod("c", "n2", 4)]
    found = freed([node("n1"), node("n2", node_class=L4)], placed, a=1)
    assert (names(found.nodes), [move.to for move in found.moves]) == (["n1"], ["n2"])


@pytest.mark.parametrize(
    ("target", "mover", "leaves"),
    [
        ({}, {"terms": ((Requirement("zone", "In", ("a", "b")),),)}, False),
        ({"labels": {"zone": "b"}}, {"terms": ((Requirement("zone", "In", ("a", "b")),),)}, True),
        ({"labels": {"zone": "c"}}, {"terms": ((Requirement("zone", "NotIn", ("a",)),),)}, True),
        ({}, {"terms": ((Requirement("zone", "NotIn", ("a",)),),)}, True),
        ({"labels": {"zone": "a"}}, {"terms": ((Requirement("zone", "NotIn", ("a",)),),)}, False),
        ({"labels": {"old": ""}}, {"terms": ((Requirement("old", "Exists"),),)}, True),
        ({"labels": {"old": ""}}, {"terms": ((Requirement("old", "DoesNotExist"),),)}, False),
        ({"labels": {"gen": "10"}}, {"terms": ((Requirement("gen", "Gt", ("9",)),),)}, True),
        ({"labels": {"gen": "10"}}, {"terms": ((Requirement("gen", "Lt", ("9",)),),)}, False),
        ({"labels": {"gen": "x"}}, {"terms": ((Requirement("gen", "Gt", ("9",)),),)}, False),
        ({"labels": {"gen": "1"}}, {"terms": ((Requirement("gen", "Near", ("1",)),),)}, False),
        ({}, {"terms": ((Requirement("metadata.name", "In", ("n2",)),),)}, True),
        ({}, {"terms": ((Requirement("metadata.name", "In"),),)}, False),
        (
            {"labels": {"x": "1"}},
            {"terms": ((Requirement("y", "Exists"),), (Requirement("x", "Exists"),))},
            True,
        ),
        ({"taints": (Taint("gpu"),)}, {}, False),
        ({"taints": (Taint("gpu"),)}, {"tolerations": (Toleration("gpu", exists=True),)}, True),
        ({"taints": (Taint("gpu", "1"),)}, {"tolerations": (Toleration("gpu", "2"),)}, False),
        ({"taints": (Taint("gpu", "1"),)}, {"tolerations": (Toleration("gpu", "1"),)}, True),
        ({"taints": (Taint("gpu"), Taint("x"))}, {"tolerations": (Toleration("gpu"),)}, False),
        (
            {"taints": (Taint("x", effect="NoExecute"),)},
            {"tolerations": (Toleration("x", effect="NoSchedule"),)},
            False,
        ),
        ({"taints": (Taint("x"),)}, {"tolerations": (Toleration(exists=True),)}, True),
        ({"schedulable": False}, {}, False),
        ({}, {"pinned": "affinity to other pods"}, False),
        ({}, {"daemon": True}, True),
    ],
)
def test_where_a_pod_may_go(target: dict[str, Any], mover: dict[str, Any], leaves: bool) -> None:
    nodes = [node("n1"), node("n2", **target)]
    # What stays on n2 cannot leave it, so that the mover has to come there.
    stays = pod("b", "n2", 4, pinned="no controller would start it again")
    found = freed(nodes, [pod("a", "n1", 8), stays, pod("c", "n1", **mover)], a=1)
    assert names(found.nodes) == (["n1"] if leaves else [])
    assert found.bound == (1 if leaves else 0)


def test_a_cordoned_node_can_leave_and_gets_nothing() -> None:
    nodes = [node("n1", schedulable=False), node("n2")]
    placed = [pod("a", "n1", 4), pod("b", "n1", 4), pod("c", "n2", 4)]
    assert names(freed(nodes, placed, a=1).nodes) == ["n1"]


def test_a_pinned_pod_that_is_removed_keeps_nothing() -> None:
    placed = [pod("a", "n1", 4, pinned="uses a volume claim"), pod("b", "n2", 4)]
    assert freed(TWO, placed, a=0).bound == 1
    assert freed(TWO, [*placed, pod("c", "n2", 4)], a=1).nodes == (TWO[0],)


def test_those_pods_go_whose_node_is_then_the_easiest_to_empty() -> None:
    nodes = [node(f"n{at}") for at in range(1, 4)]
    web = [pod("web", f"n{at}", 4, name=f"web-{at}") for at in (1, 2, 3)]
    rest = [pod("x", "n1", 4), pod("y", "n2", 4, pinned="claims devices"), pod("z", "n3", 1)]
    found = freed(nodes, [*web, *rest, pod("v", "n3", 2), pod("u", "n3", 1)], web=1)
    assert [one.pod for one in found.removed] == ["web-3"]
    small = freed(nodes, [*web, *rest], web=2)
    assert "web-3" in {one.pod for one in small.removed}


def test_those_pods_go_first_that_empty_nodes_as_they_are() -> None:
    nodes = [node(f"n{at}") for at in range(1, 5)]
    on = ["n1", "n1", "n1", "n2", "n2", "n3", "n4"]
    web = [pod("web", at, 2, name=f"web-{number}") for number, at in enumerate(on)]
    # Beside the one on n3 there is little, but something; old goes as a whole.
    placed = [*web, pod("x", "n3"), pod("y", "n4", 6, pinned="claims devices"), pod("old", "n1", 2)]
    assert names(freed(nodes, placed, web=2).nodes) == ["n2"]
    assert names(freed(nodes, placed, web=4, old=1).nodes) == ["n2", "n3"]
    assert names(freed(nodes, placed, web=5, old=1).nodes) == ["n1", "n2"]
    # n3's two pods could have moved to n2 before; but no GPU of n3 is in use any more.
    assert names(freed(nodes, placed, web=7, old=1).nodes) == ["n1", "n2", "n3"]


def test_those_pods_go_next_whose_nodes_need_them_gone() -> None:
    nodes = [node("n1"), node("n2"), node("n3")]
    web = [pod("web", "n1", 6, name="web-1"), pod("web", "n2", 2, name="web-2")]
    placed = [
        *web,
        pod("x", "n1", 2),
        pod("k", "n3", 5, pinned="claims devices"),
        pod("y", "n2", 1),
    ]
    found = freed(nodes, placed, web=1)
    # n2 holds less, but could have been emptied anyway.
    assert ([one.pod for one in found.removed], names(found.nodes)) == (["web-1"], ["n1"])
    # Nor does half of what fills n4 help once n5's is chosen.
    placed += [pod("web", "n4", 4, name="web-3"), pod("web", "n4", 4, name="web-4")]
    placed.append(pod("web", "n5", 8, name="web-5"))
    two = freed([*nodes, node("n4"), node("n5")], placed, web=2)
    assert names(two.nodes) == ["n1", "n5"]


def test_of_two_nodes_that_need_each_other_only_one_is_chosen_from() -> None:
    taint = Taint("gpu")
    nodes = [node("n1"), node("n2"), node("n3"), node("n4", taints=(taint,))]
    web = [pod("web", f"n{at}", gpus, name=f"web-{at}") for at, gpus in ((1, 5), (2, 5), (3, 6))]
    rest = [pod("x", "n1", 1), pod("y", "n2", 2), pod("k", "n4", 5, pinned="claims devices")]
    last = pod("z", "n3", 2, tolerations=(Toleration("gpu", exists=True),))
    found = freed(nodes, [*web, *rest, last], web=2)
    # x has room only beside y, and z only beside k.
    assert {one.pod for one in found.removed} == {"web-1", "web-3"}
    assert names(found.nodes) == ["n1", "n3"]


def test_room_that_was_left_may_let_another_node_leave() -> None:
    keeps = pod("keeps", "n1", 4, pinned="spread over a topology")
    found = freed(TWO, [keeps, pod("a", "n1", 4), pod("b", "n2", 4), pod("c", "n2")], a=1)
    assert names(found.nodes) == ["n2"]
    assert {move.to for move in found.moves} == {"n1"}


def test_clusters_with_the_same_names_are_apart() -> None:
    east = [node("n1", cluster="east"), node("n2", cluster="east")]
    west = [node("n1", cluster="west"), node("n2", cluster="west")]
    placed = [pod("a", "n1", 8, cluster="east"), pod("a", "n1", 8, cluster="west")]
    placed += [pod("b", "n2", 8, cluster="east"), pod("b", "n2", 8, cluster="west")]
    packing = Packing([*east, *west], placed)
    found = packing.leaving({key("a", "west"): 1})
    check([*east, *west], placed, packing, found)
    assert [(one.cluster, one.name) for one in found.nodes] == [("west", "n1")]
    assert found.bound == 1
    both = packing.leaving({key("a", "west"): 1, key("b", "east"): 1})
    assert [(one.cluster, one.name) for one in both.nodes] == [("east", "n2"), ("west", "n1")]
    assert both.bound == 2


def test_what_is_not_known_changes_nothing() -> None:
    assert leaving([], [], {key("a"): 1}) == Freed()
    found = freed(TWO, [*FULL, pod("far", "elsewhere", 4)], ghost=3, far=1, a=0, b=-1)
    assert (found.nodes, found.removed, found.bound) == ((), (), 0)
    assert leaving(TWO, FULL, {key("a", "other"): 1}) == Freed()
    assert len(freed(TWO, FULL, a=99, b=99).nodes) == 1


def test_the_order_in_which_things_are_given_does_not_matter() -> None:
    nodes = [node(f"n{at}") for at in range(6)]
    placed = [pod(f"w{at}", f"n{at % 6}", 1 + at % 4) for at in range(14)]
    removed = {key("w0"): 1, key("w7"): 1, key("w3"): 1}
    one = leaving(nodes, placed, removed)
    other = leaving(nodes[::-1], placed[::-1], dict(reversed(removed.items())))
    assert one == other


def test_tenths_of_cores_add_up() -> None:
    nodes = [node("n1", allocatable={"cpu": 0.3}), node("n2", allocatable={"cpu": 0.3})]
    placed = [pod("a", "n1", requests={"cpu": 0.2})]
    placed += [
        pod("b", "n2", requests={"cpu": 0.1}, name=f"b-{at}", pinned="claims devices")
        for at in range(2)
    ]
    placed.append(pod("c", "n1", requests={"cpu": 0.1}))
    assert names(freed(nodes, placed, a=1).nodes) == ["n1"]
