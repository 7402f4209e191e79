"""What is left out of a page of the weekly report that would be too large. Pure.

A workload with advice is some two kilobytes when all is told of it, so that 500 of them with their
pictures would be half as large again as a page may be. The most urgent stay in full, as many as
there is room for; of the rest is told in brief what to do and why.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from reports.page_workloads import Advised, Place

LARGEST = 1_000_000
"""Bytes of a page are fewer: it is attached to messages and opened on phones, and a megabyte takes
two seconds at 4 Mbit/s. Bytes count as in files: a million, not 1,048,576."""


@dataclass(frozen=True, slots=True)
class Written:
    """The places as they stand on the page, and how many of them are told ``in_brief``, or
    ``barely``."""

    text: str
    in_brief: int
    barely: int


def fitted(
    places: Sequence[Place], first: AbstractSet[str], room: int, write: Callable[[Place], str]
) -> Written:
    """Every place, in at most ``room`` bytes of UTF-8 where that can be.

    All are in full, or some in full and the rest in brief, or some in brief and the rest barely
    told; those that ``first`` names are in full whatever comes. Where not even that fits, all
    others are barely told.
    """
    order = [n for n, one in enumerate(places) if one.at not in first]
    full = [write(one) for one in places]
    texts = _shortened(full, lambda n: write(_brief(places[n])), order, room)
    in_brief = {n for n, text in enumerate(texts) if text != full[n]}
    least = _shortened(texts, lambda n: write(_bare(places[n])), order, room)
    barely = {n for n, text in enumerate(least) if text != texts[n]}
    return Written("".join(least), len(in_brief - barely), len(barely))


def _shortened(
    texts: Sequence[str], shorter: Callable[[int], str], order: Sequence[int], room: int
) -> list[str]:
    """From the last of ``order`` on, until there is room."""
    made, size = list(texts), sum(_size(text) for text in texts)
    for n in reversed(order):
        if size <= room:
            break
        less = shorter(n)
        size += _size(less) - _size(made[n])
        made[n] = less
    return made


def _size(text: str) -> int:
    return len(text.encode())


def _brief(place: Place) -> Place:
    """Without evidence and what makes its confidence; one trial that decided, one that would not
    do; of alternatives what they are and why, and of refusals nothing beside a plan."""
    return replace(
        place,
        advised=tuple(_in_brief(one) for one in place.advised),
        refused=() if place.plan else place.refused,
    )


def _in_brief(one: Advised) -> Advised:
    less = replace(one, why="", evidence="", trials=(), replayed="")
    return less if one.plan else replace(less, effect="", figures=())


def _bare(place: Place) -> Place:
    """The facts, and what is advised with its effect."""
    least = (replace(_in_brief(one), reason="", confidence="", tried="") for one in place.advised)
    return replace(place, drawn=None, refused=(), advised=tuple(least))
