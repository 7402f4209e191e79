"""Which nodes can leave once some pods are gone: GPUs are paid for by the node.

The cluster is taken as it is, each pod where it is now. A node that holds nothing but daemons can
leave without any change. Of the others, a change lets a node leave

- that it empties: all its pods but daemons are removed. That they might have moved to other nodes
  before is no objection, for nothing drains a node while its GPUs are in use;
- whose remaining pods can move to nodes that stay, if they could not all have moved before (where
  they could, it takes no change), or if they use none of its GPUs any more.

Pods move only to nodes that hold pods and go on doing so. A node that is empty, now or by the
change, takes none: it leaves for certain, and would have to stay for what it takes. A node that
takes pods stays. Nodes without GPUs are not known here, so pods that need no GPU are taken to stay
among the nodes that have some.

What whole workloads empty, more of them empty too, and the more pods of one workload go, the more
nodes are emptied, or as many. Several workloads of which a part goes are chosen from one after the
other, which need not be the best choice. Of nodes that need moves a larger change may let fewer
leave: a node that it empties takes no pods.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analyzer.model import Node, Placed, WorkloadKey
from analyzer.sizing.bound import Bound
from analyzer.sizing.choice import choose
from analyzer.sizing.fitness import Mask, asks_for_gpus
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

    ``nodes`` leave on account of the change, beside ``before``, which are empty without it.
    ``removed`` are the pods that were chosen to go, ``moves`` what the others have to do for it.
    ``bound`` is at least as many nodes as any packing after the change could let leave in all,
    those of ``before`` among them.
    """

    nodes: tuple[Node, ...] = ()
    before: tuple[Node, ...] = ()
    removed: tuple[Placed, ...] = ()
    moves: tuple[Move, ...] = ()
    bound: int = 0

    @property
    def bound_of_more(self) -> int:
        """At least as many nodes as any packing after the change could let leave beside those that
        are empty without it."""
        return self.bound - len(self.before)


def leaving(
    nodes: Sequence[Node], placed: Iterable[Placed], removed: Mapping[WorkloadKey, int]
) -> Freed:
    """The nodes that can leave when this many pods of these workloads are gone. To weigh several
    changes against the same nodes, make one ``Packing``."""
    return Packing(nodes, placed).leaving(removed)


class Packing:
    """The nodes and pods of any number of clusters, ready to weigh changes, each against the same
    present. A pod on a node that is not given counts nowhere."""

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
        """The nodes that hold nothing but daemons now."""
        return tuple(node for one in self._clusters.values() for node in one.before)

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
        self._now = State.now(self._layout)
        self.before = self._gone(~self._now.there)
        self._by_workload: dict[WorkloadKey, list[int]] = defaultdict(list)
        for at, placed_pod in enumerate(self._layout.pods):
            self._by_workload[placed_pod.workload].append(at)
        self._bound = Bound(self._layout, self._by_workload)
        self._holds_gpu = [asks_for_gpus(pod) for pod in self._layout.pods]
        # Nodes that could be emptied without a change, and what keeps the others lacks.
        self._easy = np.zeros(len(nodes), dtype=bool)
        self._lacking = np.full_like(self._layout.capacity, np.inf)
        for at, pods in enumerate(self._now.on):
            kept = self._now.places(at, pods)[1]
            self._easy[at] = kept is None
            if kept is not None and not self._layout.stays[kept]:
                self._lacking[:, at] = self._layout.requests[kept] - self._layout.slack

    def leaving(self, removed: Mapping[WorkloadKey, int]) -> Freed:
        state = self._now.copy()
        gone = self._remove(state, removed)
        touched = {self._layout.home[pod] for pod in gone}
        self._empty(state, [at for at in touched if state.there[at] and self._counts(state, at)])
        for at in self._others(state, touched):
            state.empty(at)
        return Freed(
            nodes=self._gone(self._now.there & ~state.there),
            before=self.before,
            removed=tuple(self._layout.pods[pod] for pod in gone),
            moves=self._moves(state),
            bound=self._bound.after(removed),
        )

    def _counts(self, state: State, at: int) -> bool:
        """Whether a node's leaving is the change's doing. A node whose GPUs are in use is drained
        by nobody, even if its pods would fit elsewhere; one whose GPUs are all free is."""
        return not self._easy[at] or not any(self._holds_gpu[pod] for pod in state.on[at])

    def _remove(self, state: State, removed: Mapping[WorkloadKey, int]) -> list[int]:
        """Takes the pods away that go. Workloads that go as a whole come first: of the others,
        what goes depends on what is left."""
        gone: list[int] = []
        parts: list[tuple[list[int], int]] = []
        for key, count in removed.items():
            pods = self._by_workload.get(key, [])
            if count >= len(pods):
                gone += pods
            elif count > 0:
                parts.append((pods, count))
        state.remove(gone)
        for pods, count in parts:
            chosen = choose(state, pods, count, self._easy)
            state.remove(chosen)
            gone += chosen
        return gone

    def _empty(self, state: State, hard: Sequence[int]) -> None:
        """Those that hold least first. At first none of them takes what another one held: it would
        have to stay for that."""
        order = sorted(hard, key=lambda at: (self._layout.load(state.on[at]), -at))
        shut = np.zeros_like(state.there)
        shut[order] = True
        left = [at for at in order if not state.empty(at, shut)]
        for at in left:
            state.empty(at)

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

    def _gone(self, left: Mask) -> tuple[Node, ...]:
        nodes = (self._layout.nodes[at] for at in np.flatnonzero(left))
        return tuple(sorted(nodes, key=lambda node: node.name))

    def _moves(self, state: State) -> tuple[Move, ...]:
        pods, nodes = self._layout.pods, self._layout.nodes
        return tuple(Move(pods[pod], nodes[at].name) for pod, at in sorted(state.moved.items()))
