"""Nodes and pods by hand, a checker that shares nothing with the packing, and the best packing of
tiny clusters by trying all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Any

from analyzer.model import Node, NodeClass, Placed, Requirement, Taint, WorkloadKey
from analyzer.sizing.packing import Freed, Packing

H100, L4 = NodeClass("H100 SXM 80GB"), NodeClass("L4")
GIB = 1024**3
Place = tuple[str, str, str]
"""Cluster, namespace and name of a pod."""


def key(name: str, cluster: str = "c") -> WorkloadKey:
    return WorkloadKey(cluster, "ml", "Deployment", name)


def node(name: str, **more: Any) -> Node:
    """8 GPUs, 64 cores, 512 GiB, 110 pods; ``allocatable`` is changed, the rest replaced."""
    allocatable = {"cpu": 64.0, "memory": 512.0 * GIB, "pods": 110.0, "nvidia.com/gpu": 8.0}
    fields: dict[str, Any] = {"cluster": "c", "name": name, "node_class": H100, "gpus": 8.0}
    return Node(**(fields | more | {"allocatable": allocatable | more.get("allocatable", {})}))


def pod(workload: str, on: str, gpus: float = 0.0, **more: Any) -> Placed:
    """One core, 1 GiB; ``name``, ``cluster`` and ``requests`` may be given."""
    requests = {"cpu": 1.0, "memory": 1.0 * GIB, "pods": 1.0, **more.pop("requests", {})}
    if gpus:
        requests["nvidia.com/gpu"] = gpus
    name = more.pop("name", f"{workload}-0")
    return Placed(key(workload, more.pop("cluster", "c")), name, on, requests, **more)


def names(nodes: Sequence[Node]) -> list[str]:
    return [one.name for one in nodes]


def _place(one: Placed) -> Place:
    return one.workload.cluster, one.workload.namespace, one.pod


def check(nodes: Sequence[Node], placed: Sequence[Placed], packing: Packing, freed: Freed) -> None:
    """That the nodes can really leave, the witness being the moves, and only by the change."""
    assert _names(packing.before) == _empty(nodes, placed)
    assert _names(freed.before) <= _names(packing.before)
    gone = _names(packing.before) | _names(freed.nodes)
    assert len(gone) == len(packing.before) + len(freed.nodes)
    where = {_place(one): one.node for one in placed}
    for one in freed.removed:
        assert not one.daemon
        del where[_place(one)]
    assert len({_place(move.pod) for move in freed.moves}) == len(freed.moves)
    for move in freed.moves:
        cluster = move.pod.workload.cluster
        assert (cluster, where[_place(move.pod)]) in _names(freed.nodes)
        assert (cluster, move.to) not in gone
        where[_place(move.pod)] = move.to
    _feasible(nodes, placed, where, gone)
    emptied = _names(emptied_by(nodes, placed, freed.removed))
    assert emptied <= _names(freed.nodes)
    for node in freed.nodes:
        easy = empties_as_it_is(node, nodes, placed)
        idle = node in idled_by(placed, freed.removed, nodes)
        assert (node.cluster, node.name) in emptied or idle or not easy, node.name


def _names(nodes: Sequence[Node]) -> set[tuple[str, str]]:
    return {(node.cluster, node.name) for node in nodes}


def _empty(nodes: Sequence[Node], placed: Sequence[Placed]) -> set[tuple[str, str]]:
    return _names(nodes) - {(one.workload.cluster, one.node) for one in placed if not one.daemon}


def emptied_by(
    nodes: Sequence[Node], placed: Sequence[Placed], removed: Sequence[Placed]
) -> list[Node]:
    """The nodes that hold pods, and none but daemons without those that are removed."""
    gone = {_place(one) for one in removed}
    empty = _empty(nodes, [one for one in placed if _place(one) not in gone])
    empty -= _empty(nodes, placed)
    return [node for node in nodes if (node.cluster, node.name) in empty]


def idled_by(
    placed: Sequence[Placed], removed: Sequence[Placed], nodes: Sequence[Node]
) -> list[Node]:
    """The nodes that a pod is removed from and of whose GPUs none is asked for any more."""
    gone = {_place(one) for one in removed}
    touched = {(one.workload.cluster, one.node) for one in removed}
    used = {
        (one.workload.cluster, one.node)
        for one in placed
        if _place(one) not in gone
        and not one.daemon
        and one.requests.get("nvidia.com/gpu", 0.0) > 0
    }
    return [node for node in nodes if (node.cluster, node.name) in touched - used]


def most_emptied(
    nodes: Sequence[Node], placed: Sequence[Placed], removed: Mapping[WorkloadKey, int]
) -> int:
    """The most nodes that are empty for any choice of the pods that go, and were not before."""
    kept = _remaining(placed, removed)
    return max(len(_empty(nodes, rest)) for rest in kept) - len(_empty(nodes, placed))


def empties_as_it_is(node: Node, nodes: Sequence[Node], placed: Sequence[Placed]) -> bool:
    """Whether all pods of a node find room on others that hold pods, without any change, each on
    the first that has some: nodes with a pinned pod first, then the fullest; large pods first."""
    here = [one for one in nodes if one.cluster == node.cluster]
    mine = [one for one in placed if one.workload.cluster == node.cluster]
    movable = sorted(
        (one for one in mine if not one.daemon),
        key=lambda one: (-_size(one, here), one.workload, one.pod),
    )

    def rank(target: Node) -> tuple[bool, float, str]:
        on = [one for one in movable if one.node == target.name]
        pinned = any(one.pinned for one in on)
        return not pinned, -sum(_size(one, here) for one in on), target.name

    holding = {one.node for one in movable} - {node.name}
    targets = sorted((one for one in here if one.name in holding), key=rank)
    on_it = {one.name: [p for p in mine if p.node == one.name] for one in targets}
    for one in movable:
        if one.node != node.name:
            continue
        fitting = (
            t for t in targets if fit(t, one, here) and holds(t, [*on_it[t.name], one], [one])
        )
        target = next(fitting, None)
        if target is None or one.pinned:
            return False
        on_it[target.name].append(one)
    return True


def _size(one: Placed, nodes: Sequence[Node]) -> float:
    largest = {r: max(node.allocatable.get(r, 0.0) for node in nodes) for r in one.requests}
    return max((asked / largest[r] for r, asked in one.requests.items() if largest[r]), default=0.0)


def _feasible(
    nodes: Sequence[Node],
    placed: Sequence[Placed],
    where: Mapping[Place, str],
    gone: set[tuple[str, str]],
) -> None:
    for target in nodes:
        name = target.cluster, target.name
        here = [
            one
            for one in placed
            if one.workload.cluster == target.cluster and where.get(_place(one)) == target.name
        ]
        if name in gone:
            assert all(one.daemon for one in here)
            continue
        came = [one for one in here if one.node != target.name]
        for one in came:
            assert not one.daemon
            assert not one.pinned
            assert fit(target, one, nodes)
        assert holds(target, here, came)


def holds(target: Node, pods: Sequence[Placed], came: Sequence[Placed]) -> bool:
    """Whether there is room for those that came; what is there already may be too much."""
    total: Counter[str] = Counter()
    for one in pods:
        for resource, amount in one.requests.items():
            total[resource] += amount  # type: ignore[assignment]
    asked = {resource for one in came for resource, amount in one.requests.items() if amount}
    return all(total[r] <= target.allocatable.get(r, 0) + 1e-6 for r in asked)


def fit(target: Node, one: Placed, nodes: Sequence[Node]) -> bool:
    """Whether a pod could move there from its node, one of these, whatever the room."""
    if one.requests.get("nvidia.com/gpu", 0.0) > 0:
        cluster = one.workload.cluster
        home = next(n for n in nodes if (n.cluster, n.name) == (cluster, one.node))
        if home.node_class.gpu_model != target.node_class.gpu_model:
            return False
    labels = {**target.labels, "metadata.name": target.name}
    wanted = not one.terms or any(all(_met(r, labels) for r in term) for term in one.terms)
    return target.schedulable and wanted and all(_covered(t, one) for t in target.taints)


def _covered(taint: Taint, one: Placed) -> bool:
    for t in one.tolerations:
        same_key = (t.exists and not t.key) or t.key == taint.key
        same_value = t.exists or t.value == taint.value
        if same_key and same_value and (not t.effect or t.effect == taint.effect):
            return True
    return False


def _met(requirement: Requirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    if requirement.operator == "In":
        return value in requirement.values
    if requirement.operator == "NotIn":
        return value not in requirement.values
    if requirement.operator == "Exists":
        return value is not None
    if requirement.operator == "DoesNotExist":
        return value is None
    if value is None or not value.isdigit():
        return False
    limit = int(requirement.values[0])
    return int(value) > limit if requirement.operator == "Gt" else int(value) < limit


def best(
    nodes: Sequence[Node], placed: Sequence[Placed], removed: Mapping[WorkloadKey, int]
) -> int:
    """The most nodes that can leave, whichever pods go and wherever the others move."""
    return max(_best(nodes, rest) for rest in _remaining(placed, removed))


def _remaining(
    placed: Sequence[Placed], removed: Mapping[WorkloadKey, int]
) -> Iterator[list[Placed]]:
    choices = []
    for workload, count in removed.items():
        pods = [one for one in placed if one.workload == workload and not one.daemon]
        choices.append(list(combinations(pods, min(count, len(pods)))))
    for gone in product(*choices):
        ids = {id(one) for group in gone for one in group}
        yield [one for one in placed if id(one) not in ids]


def _best(nodes: Sequence[Node], placed: Sequence[Placed]) -> int:
    for count in range(len(nodes), 0, -1):
        for stay in combinations(nodes, len(nodes) - count):
            if _packs(stay, placed, nodes):
                return count
    return 0


def _packs(stay: Sequence[Node], placed: Sequence[Placed], nodes: Sequence[Node]) -> bool:
    kept = {one.name for one in stay}
    fixed = [one for one in placed if one.node in kept and (one.daemon or one.pinned)]
    free = [one for one in placed if not one.daemon and not one.pinned]
    if any(one.pinned and one.node not in kept and not one.daemon for one in placed):
        return False
    options = [[n for n in stay if n.name == one.node or fit(n, one, nodes)] for one in free]
    return any(_fits(stay, free, fixed, targets) for targets in product(*options))


def _fits(
    stay: Sequence[Node],
    free: Sequence[Placed],
    fixed: Sequence[Placed],
    targets: Sequence[Node],
) -> bool:
    for target in stay:
        here = [one for one, to in zip(free, targets, strict=True) if to is target]
        came = [one for one in here if one.node != target.name]
        if not holds(target, [*here, *(one for one in fixed if one.node == target.name)], came):
            return False
    return True
