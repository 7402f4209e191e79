"""Which pods of a workload go when only some do: those that let nodes leave."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from analyzer.sizing.fitness import Mask
from analyzer.sizing.room import State

TRIES = 8
"""Nodes that are tried for whether moves could empty them, for one workload, those that would hold
least first: where these cannot be emptied, those that hold more hardly can."""


def choose(state: State, pods: Iterable[int], count: int, easy: Mask) -> list[int]:
    """So many of these pods. ``easy`` are the nodes that could be emptied with all their pods.

    First those that empty nodes as they are, from where there are fewest: no other choice of
    these pods empties more nodes. Then those whose nodes moves can empty once they are gone, of
    the nodes that are not easy. Then those whose nodes hold least, if nothing keeps these nodes.
    """
    layout = state.layout
    groups: dict[int, list[int]] = defaultdict(list)
    for pod in sorted(pods, key=lambda pod: (not layout.stays[pod], pod)):
        groups[layout.home[pod]].append(pod)
    gone: list[int] = []
    for at in sorted(groups, key=lambda at: (len(groups[at]), -at)):
        if len(state.on[at]) == len(groups[at]) <= count - len(gone):
            gone += groups.pop(at)
    if len(gone) == count:
        return gone
    order = _by_what_is_left(state, groups, count - len(gone))
    hard = [at for at in order if not easy[at]]
    for at in (*_emptied_by_moves(state, gone, [groups[at] for at in hard[:TRIES]], count), *order):
        gone += groups.pop(at, ())
    return gone[:count]


def _by_what_is_left(state: State, groups: dict[int, list[int]], count: int) -> list[int]:
    def left(at: int) -> tuple[bool, float, int]:
        rest = _without(state.on[at], groups[at][:count])
        fixed = any(state.layout.stays[pod] for pod in rest)
        return fixed, state.layout.load(rest), -at

    return sorted(groups, key=left)


def _emptied_by_moves(
    state: State, gone: Sequence[int], groups: Sequence[Sequence[int]], count: int
) -> list[int]:
    """The nodes of these groups of pods that moves can empty one after the other, as long as there
    are pods to go. One that took pods from another counts too, if it could pass them on: in earnest
    all pods go before any moves, and those find that room at once."""
    tried = state.copy()
    tried.remove(gone)
    found: list[int] = []
    budget = count - len(gone)
    for group in groups:
        at, go = state.layout.home[group[0]], group[:budget]
        if not go:
            break
        if tried.places(at, _without(tried.on[at], go))[1] is None:
            tried.remove(go)
            tried.empty(at)
            found.append(at)
            budget -= len(go)
    return found


def _without(pods: Iterable[int], gone: Sequence[int]) -> list[int]:
    return [pod for pod in pods if pod not in gone]
