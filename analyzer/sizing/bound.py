"""The most nodes of a cluster that any packing at all could free: proven, not searched for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analyzer.model import WorkloadKey
from analyzer.sizing.fitness import Mask
from analyzer.sizing.room import Amounts, Layout


class Bound:
    """Bounds for one layout.

    A node with a pod that cannot move stays. The pods that are left need, resource by resource, at
    least as many nodes as the roomiest ones that together hold so much. The resource that asks for
    most nodes decides.
    """

    def __init__(self, layout: Layout, by_workload: Mapping[WorkloadKey, list[int]]) -> None:
        self._layout, self._by_workload = layout, by_workload
        # Nothing is moved to a cordoned node, but what is on one may stay, as may what is on a
        # node that has too little room for it.
        room = np.where(layout.open, layout.capacity, layout.used)
        self._room = np.maximum(room, layout.used)
        self._roomiest = np.argsort(-self._room, axis=1, kind="stable")
        self._needed = layout.requests.sum(axis=0)
        self._fixed = np.zeros(len(layout.nodes), dtype=np.int64)
        for pod, stays in enumerate(layout.stays):
            self._fixed[layout.home[pod]] += stays

    def after(self, removed: Mapping[WorkloadKey, int]) -> int:
        """How many nodes can be gone at most when so many pods of these workloads are removed,
        whichever they are."""
        needed, fixed = self._needed.copy(), self._fixed.copy()
        for key, count in removed.items():
            pods = self._by_workload.get(key, [])
            if count > 0 and pods:
                needed -= self._most(pods, count)
                for pod in pods:
                    # It may be this one that is removed.
                    fixed[self._layout.home[pod]] -= self._layout.stays[pod]
        stay = fixed > 0
        missing = needed - self._room[:, stay].sum(axis=1) - self._layout.slack
        more = [self._nodes_for(row, lack, stay) for row, lack in enumerate(missing)]
        return len(stay) - int(stay.sum()) - max(more, default=0)

    def _most(self, pods: list[int], count: int) -> Amounts:
        """The most of each resource that ``count`` of these pods ask for."""
        asked: Amounts = self._layout.requests[pods]
        if count < len(pods):
            asked = np.sort(asked, axis=0)[-count:]
        total: Amounts = asked.sum(axis=0)
        return total

    def _nodes_for(self, row: int, missing: float, stay: Mask) -> int:
        """How many of the nodes that need not stay hold so much of one resource, at the least."""
        if missing <= 0:
            return 0
        order = self._roomiest[row]
        room = np.cumsum(self._room[row, order[~stay[order]]])
        return min(int(np.searchsorted(room, missing)) + 1, len(room))
