"""Which nodes can leave, on any small cluster: a checker verifies the moves, and trying all tells
the best there is."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.model import Node, Placed, Requirement, Taint, Toleration, WorkloadKey
from analyzer.sizing.packing import Packing
from tests.analyzer.sizing.packings import (
    H100,
    L4,
    best,
    check,
    emptied_by,
    key,
    most_emptied,
    names,
    node,
    pod,
)

LABELS = st.sampled_from([{}, {"zone": "a"}, {"zone": "b", "gen": "3"}])
TAINTS = st.sampled_from([(), (Taint("gpu"),), (Taint("gpu"), Taint("x", "1", "NoExecute"))])
TERMS = st.sampled_from(
    [
        (),
        ((Requirement("zone", "In", ("a",)),),),
        ((Requirement("zone", "NotIn", ("a",)),),),
        ((Requirement("gen", "Gt", ("2",)),), (Requirement("zone", "DoesNotExist"),)),
    ]
)
TOLERATIONS = st.sampled_from(
    [(), (Toleration("gpu", exists=True),), (Toleration(exists=True),), (Toleration("x", "1"),)]
)


@st.composite
def clusters(draw: st.DrawFn, nodes: int, pods: int) -> tuple[list[Node], list[Placed]]:
    """Small nodes, often alike, and pods that may not all fit where they are."""
    plain = draw(st.booleans())
    made = [
        node(
            f"n{at}",
            allocatable={
                "cpu": draw(st.sampled_from([4.0, 4.0, 6.0])),
                "nvidia.com/gpu": draw(st.sampled_from([4.0, 8.0])),
                "pods": draw(st.sampled_from([3.0, 10.0])),
            },
            schedulable=draw(st.sampled_from([True, True, True, False])) or plain,
            labels={} if plain else draw(LABELS),
            taints=() if plain else draw(TAINTS),
            node_class=H100 if plain else draw(st.sampled_from([H100, H100, L4])),
        )
        for at in range(draw(st.integers(1, nodes)))
    ]
    placed = [
        pod(
            f"w{draw(st.integers(0, 2))}",
            f"n{draw(st.integers(0, len(made) - 1))}",
            draw(st.sampled_from([0, 0, 1, 2, 4])),
            name=f"p{at}",
            requests={"cpu": draw(st.sampled_from([0.1, 1.0, 2.0]))},
            daemon=draw(st.integers(0, 9)) == 0,
            pinned="x" if draw(st.integers(0, 9)) == 0 else "",
            terms=() if plain else draw(TERMS),
            tolerations=() if plain else draw(TOLERATIONS),
        )
        for at in range(draw(st.integers(0, pods)))
    ]
    return made, placed


REMOVED = st.dictionaries(st.sampled_from([key("w0"), key("w1"), key("w2")]), st.integers(0, 3))


@settings(max_examples=300, deadline=None)
@given(clusters(nodes=3, pods=5), REMOVED)
def test_never_more_than_the_best_packing_and_never_less_than_what_leaves(
    cluster: tuple[list[Node], list[Placed]], removed: dict[WorkloadKey, int]
) -> None:
    nodes, placed = cluster
    packing = Packing(nodes, placed)
    found = packing.leaving(removed)
    check(nodes, placed, packing, found)
    optimum = best(nodes, placed, removed)
    if removed:
        total = len(found.before) + len(found.nodes)
        assert total <= optimum <= found.bound
        assert len(found.nodes) <= optimum - len(found.before) <= found.bound_of_more
    parts = sum(
        0 < count < sum(one.workload == workload and not one.daemon for one in placed)
        for workload, count in removed.items()
    )
    emptied = len(emptied_by(nodes, placed, found.removed))
    assert emptied <= most_emptied(nodes, placed, removed)
    if parts <= 1:
        assert emptied == most_emptied(nodes, placed, removed)


@settings(max_examples=200, deadline=None)
@given(clusters(nodes=8, pods=16), st.permutations(["w0", "w1", "w2"]), st.integers(1, 8))
def test_the_more_goes_the_more_is_emptied(
    cluster: tuple[list[Node], list[Placed]], order: list[str], count: int
) -> None:
    nodes, placed = cluster
    packing = Packing(nodes, placed)

    def emptied(**removed: int) -> set[str]:
        found = packing.leaving({key(name): number for name, number in removed.items()})
        check(nodes, placed, packing, found)
        return set(names(emptied_by(nodes, placed, found.removed)))

    first, second, third = order
    whole: dict[str, int] = {first: 99}
    more: dict[str, int] = {first: 99, second: 99}
    assert emptied(**whole) | emptied(**{second: 99}) <= emptied(**more)
    for fewer, many in ((whole, whole), (whole, more)):
        assert len(emptied(**fewer, **{third: count - 1})) <= len(emptied(**many, **{third: count}))


@settings(max_examples=200, deadline=None)
@given(clusters(nodes=12, pods=40), REMOVED)
def test_what_leaves_can_leave(
    cluster: tuple[list[Node], list[Placed]], removed: dict[WorkloadKey, int]
) -> None:
    nodes, placed = cluster
    packing = Packing(nodes, placed)
    found = packing.leaving(removed)
    check(nodes, placed, packing, found)
    counts = dict.fromkeys(removed, 0)
    for one in found.removed:
        counts[one.workload] += 1
    for workload, count in removed.items():
        there = sum(one.workload == workload and not one.daemon for one in placed)
        assert counts[workload] == min(count, there)
    assert len(found.before) + len(found.nodes) <= found.bound or not removed
    assert found == packing.leaving(removed)
