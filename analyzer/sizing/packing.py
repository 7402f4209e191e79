"""Which nodes can leave once some pods are gone: GPUs are paid for by the node.

A node can leave when each of its pods has gone, belongs to the node (a daemon), or can move to
another node that is fit for it and has room. Nodes without GPUs are not known here, so pods that
need no GPU are taken to stay among the nodes that have some.

Only what a change adds counts. First all nodes leave that can leave without it. From where the pods
are then, the pods of the change are removed, and those nodes count that can leave in addition: they
need the change, and leave together with the others. Packing anew from the beginning would count
nodes for luck: first-fit may come out better or worse for reasons that have nothing to do with the
change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analyzer.model import Node, Placed, WorkloadKey
from analyzer.sizing.bound import Bound
from analyzer.sizing.fitness import Mask
from analyzer.sizing.room import Layout, State

TRIES = 8
"""Nodes without a removed pod that are tried for one change, those that hold least: pods may move
from there into the room that was left. On nodes alike the first of them tells for all."""


@dataclass(frozen=True, slots=True)
class Move:
    """A pod that has to run on another node (of the same cluster) for a node to leave."""

    pod: Placed
    to: str


@dataclass(frozen=True, slots=True)
class Freed:
    """What a change lets leave, of the clusters that it is about.

    ``nodes`` leave in addition to ``before``, which can leave without the change too. ``removed``
    are the pods that were chosen to go; ``moves`` are made once those of ``Packing.moves`` are,
    and stand in the place of those for the same pod. ``bound`` is at least as many nodes as any
    packing after the change could let leave in all.
    """

    nodes: tuple[Node, ...] = ()
    before: tuple[Node, ...] = ()
    removed: tuple[Placed, ...] = ()
    moves: tuple[Move, ...] = ()
    bound: int = 0

    @property
    def bound_of_more(self) -> int:
        """At least as many nodes as any packing could let leave on account of the change."""
        return self.bound - len(self.before)


def leaving(
    nodes: Sequence[Node], placed: Iterable[Placed], removed: Mapping[WorkloadKey, int]
) -> Freed:
    """The nodes that can leave when this many pods of these workloads are gone. To weigh several
    changes against the same nodes, make one ``Packing``."""
    return Packing(nodes, placed).leaving(removed)


class Packing:
    """The nodes and pods of any number of clusters, packed as tightly as first-fit can, ready to
    weigh changes, each against the same present. A pod on a node that is not given counts
    nowhere."""

    def __init__(self, nodes: Sequence[Node], placed: Iterable[Placed]) -> None:
        on: dict[str, list[Node]] = defaultdict(list)
        pods: dict[str, list[Placed]] = defaultdict(list)
        for node in nodes:
            on[node.cluster].append(node)
        for pod in placed:
            pods[pod.workload.cluster].append(pod)
        self._clusters = {name: _Cluster(mine, pods[name]) for name, mine in sorted(on.items())}

    @property
    def before(self) -> tuple[Node, ...]:
        """The nodes that can leave as things are."""
        return tuple(node for one in self._clusters.values() for node in one.before)

    @property
    def moves(self) -> tuple[Move, ...]:
        """What has to move for that."""
        return tuple(move for one in self._clusters.values() for move in one.moves)

    def leaving(self, removed: Mapping[WorkloadKey, int]) -> Freed:
        """As the function of this name. A workload that is not known, and a number below one,
        change nothing; more pods than there are mean all. Pods of daemons are never removed: they
        leave with their node."""
        by_cluster: dict[str, dict[WorkloadKey, int]] = defaultdict(dict)
        for key, count in sorted(removed.items()):
            if key.cluster in self._clusters:
                by_cluster[key.cluster][key] = count
        parts = [self._clusters[name].leaving(mine) for name, mine in by_cluster.items()]
        return Freed(
            nodes=tuple(node for part in parts for node in part.nodes),
            before=tuple(node for part in parts for node in part.before),
            removed=tuple(pod for part in parts for pod in part.removed),
            moves=tuple(move for part in parts for move in part.moves),
            bound=sum(part.bound for part in parts),
        )


class _Cluster:
    def __init__(self, nodes: Sequence[Node], placed: Iterable[Placed]) -> None:
        self._layout = Layout(nodes, placed)
        self._packed = State.now(self._layout)
        # From the end: what holds least is the easiest to empty, and nobody moves there first.
        kept_by = {at: self._packed.empty(at) for at in reversed(range(len(nodes)))}
        self._kept_by = {at: pod for at, pod in kept_by.items() if pod is not None}
        self.before = self._gone(~self._packed.there)
        self.moves = self._moves(self._packed)
        self._where = list(self._layout.home)
        for pod, at in self._packed.moved.items():
            self._where[pod] = at
        self._by_workload: dict[WorkloadKey, list[int]] = defaultdict(list)
        for at, placed_pod in enumerate(self._layout.pods):
            self._by_workload[placed_pod.workload].append(at)
        self._bound = Bound(self._layout, self._by_workload)
        self._lacking = np.full_like(self._layout.capacity, np.inf)
        for at, pod in self._kept_by.items():
            if not self._layout.stays[pod]:
                self._lacking[:, at] = self._layout.requests[pod] - self._layout.slack

    def leaving(self, removed: Mapping[WorkloadKey, int]) -> Freed:
        state = self._packed.copy()
        gone = [pod for key in removed for pod in self._chosen(key, removed)]
        for pod in gone:
            state.remove(pod, self._where[pod])
        touched = {self._where[pod] for pod in gone}
        for at in sorted(touched, key=lambda at: (self._load(state.on[at]), -at)):
            state.empty(at)
        for at in self._others(state, touched):
            state.empty(at)
        return Freed(
            nodes=self._gone(self._packed.there & ~state.there),
            before=self.before,
            removed=tuple(self._layout.pods[pod] for pod in gone),
            moves=self._moves(state),
            bound=self._bound.after(removed),
        )

    def _chosen(self, key: WorkloadKey, removed: Mapping[WorkloadKey, int]) -> list[int]:
        """The pods of a workload that go: those whose nodes then hold least, if nothing keeps
        these nodes."""
        mine, count = self._by_workload.get(key, []), max(removed[key], 0)
        if count >= len(mine):
            return mine
        by_node: dict[int, list[int]] = defaultdict(list)
        for pod in mine:
            by_node[self._where[pod]].append(pod)

        def left(at: int) -> tuple[bool, float, int]:
            others = [pod for pod in self._packed.on[at] if not self._goes(pod, key, removed)]
            fixed = any(self._layout.stays[pod] for pod in others)
            return fixed, self._load((*others, *by_node[at][count:])), -at

        order = [
            pod
            for at in sorted(by_node, key=left)
            for pod in sorted(by_node[at], key=lambda pod: (not self._layout.stays[pod], pod))
        ]
        return order[:count]

    def _goes(self, pod: int, key: WorkloadKey, removed: Mapping[WorkloadKey, int]) -> bool:
        """Whether a pod is of this workload, or of one that goes as a whole."""
        workload = self._layout.pods[pod].workload
        whole = removed.get(workload, 0) >= len(self._by_workload[workload])
        return workload == key or whole

    def _others(self, state: State, touched: set[int]) -> list[int]:
        """Nodes that no pod is removed from and that may leave nevertheless: what kept them has
        room now where one was."""
        room = [state.free[:, at] for at in touched if state.there[at]]
        if not room:
            return []
        most = np.max(room, axis=0)
        may = (self._lacking <= most[:, None]).all(axis=0) & state.there
        found = [int(at) for at in np.flatnonzero(may)[::-1] if at not in touched]
        return found[:TRIES]

    def _load(self, pods: Iterable[int]) -> float:
        return sum(self._layout.sizes[pod] for pod in pods)

    def _gone(self, left: Mask) -> tuple[Node, ...]:
        nodes = (self._layout.nodes[at] for at in np.flatnonzero(left))
        return tuple(sorted(nodes, key=lambda node: node.name))

    def _moves(self, state: State) -> tuple[Move, ...]:
        pods, nodes = self._layout.pods, self._layout.nodes
        return tuple(Move(pods[pod], nodes[at].name) for pod, at in sorted(state.moved.items()))
