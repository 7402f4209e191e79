"""Room on the nodes of one cluster, and emptying a node by moving its pods to the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from analyzer.model import Node, Placed
from analyzer.sizing.fitness import Fitness, Mask

Amounts = npt.NDArray[np.float64]

PRECISION = 1e-9
"""Of a resource's largest amount: what sums of tenths of a core may be off by."""


class Layout:
    """Nodes of one cluster and the pods on them that have to go somewhere when their node leaves.

    Pods are numbered with the largest first, nodes in the order in which room is sought: first
    those with a pod that cannot move, which stay anyway, then the fullest. What daemons take is
    no room. Amounts are resource by node, or pod by resource, in the units of ``allocatable``.
    """

    def __init__(self, nodes: Sequence[Node], placed: Iterable[Placed]) -> None:
        known = {node.name for node in nodes}
        here = [pod for pod in placed if pod.node in known]
        names = {name for node in nodes for name in node.allocatable}
        names |= {name for pod in here for name in pod.requests}
        self._rows = {name: row for row, name in enumerate(sorted(names))}
        largest = [max((n.allocatable.get(r, 0.0) for n in nodes), default=0.0) for r in self._rows]
        self._largest = np.array(largest)
        self.slack = PRECISION * np.maximum(self._largest, 1.0)
        daemons = [pod for pod in here if pod.daemon]
        self._number([pod for pod in here if not pod.daemon])
        self._order(nodes)
        self.capacity = np.array(
            [[node.allocatable.get(name, 0.0) for node in self.nodes] for name in self._rows]
        ).reshape(len(self._rows), len(self.nodes))
        for pod in daemons:
            self.capacity[:, self._at[pod.node]] -= self._amounts(pod)
        self.home = [self._at[pod.node] for pod in self.pods]
        self.used = np.zeros_like(self.capacity)
        for number, at in enumerate(self.home):
            self.used[:, at] += self.requests[number]
        self._settle()

    def _number(self, pods: list[Placed]) -> None:
        pods = sorted(pods, key=lambda pod: (pod.workload, pod.pod))
        asked = np.array([self._amounts(pod) for pod in pods]).reshape(len(pods), len(self._rows))
        # The largest part of any one resource that a pod takes of the largest node.
        share = np.divide(asked, self._largest, out=np.zeros_like(asked), where=self._largest > 0)
        sizes = share.max(axis=1, initial=0.0)
        order = np.argsort(-sizes, kind="stable")
        self.pods = [pods[number] for number in order]
        self.requests: Amounts = asked[order]
        self.sizes: list[float] = sizes[order].tolist()

    def _order(self, nodes: Sequence[Node]) -> None:
        load = {node.name: 0.0 for node in nodes}
        fixed: set[str] = set()
        for pod, size in zip(self.pods, self.sizes, strict=True):
            load[pod.node] += size
            if pod.pinned:
                fixed.add(pod.node)
        self.nodes = sorted(nodes, key=lambda n: (n.name not in fixed, -load[n.name], n.name))
        self._at = {node.name: at for at, node in enumerate(self.nodes)}

    def _settle(self) -> None:
        """Where each pod could run at all, and which can run nowhere but where they are."""
        fitness = Fitness(self.nodes)
        self.open = np.array([node.schedulable for node in self.nodes], dtype=bool)
        self.fit = [fitness.of(pod) for pod in self.pods]
        self.needs: list[list[tuple[int, float, float]]] = [
            [
                (row, amount, amount - float(self.slack[row]))
                for row, amount in enumerate(asked)
                if amount > 0
            ]
            for asked in self.requests.tolist()
        ]
        self.stays = [
            bool(pod.pinned) or not self._could_move(at) for at, pod in enumerate(self.pods)
        ]

    def _could_move(self, pod: int) -> bool:
        places = self.places(pod, self.capacity)
        return int(places.sum()) > int(places[self.home[pod]])

    def places(self, pod: int, free: Amounts) -> Mask:
        """The nodes that are fit for a pod and have this much room for it."""
        found = self.fit[pod].copy()
        for row, _, least in self.needs[pod]:
            found &= free[row] >= least
        return found

    def load(self, pods: Iterable[int]) -> float:
        """How much these pods hold, in nodes as large as the largest."""
        return sum(self.sizes[pod] for pod in pods)

    def _amounts(self, pod: Placed) -> Amounts:
        found = np.zeros(len(self._rows))
        for name, amount in pod.requests.items():
            found[self._rows[name]] = amount
        return found


@dataclass
class State:
    """Who is where while nodes are emptied. ``on`` are each node's pods, the largest first;
    ``there`` is False for a node that has left, and for one that is empty from the beginning;
    ``moved`` is where a pod went since the copy, ``took`` the nodes that pods went to, which stay
    for that."""

    layout: Layout
    free: Amounts
    there: Mask
    on: list[tuple[int, ...]]
    moved: dict[int, int] = field(default_factory=dict)
    took: set[int] = field(default_factory=set)

    @classmethod
    def now(cls, layout: Layout) -> State:
        on: list[list[int]] = [[] for _ in layout.nodes]
        for pod, at in enumerate(layout.home):
            on[at].append(pod)
        there = np.array([bool(pods) for pods in on], dtype=bool)
        return cls(layout, layout.capacity - layout.used, there, [tuple(pods) for pods in on])

    def copy(self) -> State:
        return State(self.layout, self.free.copy(), self.there.copy(), list(self.on))

    def remove(self, pods: Iterable[int]) -> None:
        """Takes pods that have not moved away for good. The nodes that this empties leave."""
        for pod in pods:
            at = self.layout.home[pod]
            self.free[:, at] += self.layout.requests[pod]
            self.on[at] = tuple(one for one in self.on[at] if one != pod)
            self.there[at] = bool(self.on[at])

    def places(
        self, at: int, pods: Iterable[int], shut: Mask | None = None
    ) -> tuple[list[int], int | None]:
        """Where these pods of a node would go if it left, each to the first node that is fit, has
        room and is not shut, and the first pod that has no place, None when all have one."""
        pods = list(pods)
        kept = next((pod for pod in pods if self.layout.stays[pod]), None)
        if kept is not None:
            return [], kept
        before: list[tuple[int, Amounts]] = []
        usable = self.there.copy() if shut is None else self.there & ~shut
        usable[at] = False
        for pod in pods:
            places = self.layout.places(pod, self.free) & usable
            target = int(places.argmax())
            if not places[target]:
                kept = pod
                break
            before.append((target, self.free[:, target].copy()))
            self.free[:, target] -= self.layout.requests[pod]
        for where, room in reversed(before):
            self.free[:, where] = room
        return [where for where, _ in before], kept

    def empty(self, at: int, shut: Mask | None = None) -> bool:
        """Moves every pod of a node, the largest first, and lets the node leave. When a pod has no
        place, or one has come, all stays as it is."""
        if at in self.took:
            return False
        targets, kept = self.places(at, self.on[at], shut)
        if kept is not None:
            return False
        for pod, target in zip(self.on[at], targets, strict=True):
            self.free[:, target] -= self.layout.requests[pod]
            self.on[target] = tuple(sorted((*self.on[target], pod)))
            self.moved[pod] = target
            self.took.add(target)
        self.on[at] = ()
        self.there[at] = False
        return True
