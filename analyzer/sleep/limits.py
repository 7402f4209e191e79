"""How much one run may put to sleep, and when it may put nothing to sleep at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from analyzer.sleep.model import Decided, Leave, Sleep

FEW = 4
"""Below this many workloads, half of them gone is nothing unusual."""


@dataclass(frozen=True, slots=True)
class Limits:
    """At most these in one run; shares are 0-1."""

    workloads: int
    gpus: float
    production_drop: float
    shrink: float


@dataclass(frozen=True, slots=True)
class Census:
    """How many workloads one list held, and how many of them are production."""

    workloads: int
    production: int


def cap(decided: Iterable[Decided], limits: Limits) -> list[Decided]:
    """The decisions with the Sleeps beyond the limits left for the next run, in order."""
    kept, workloads, gpus = [], 0, 0.0
    for one in decided:
        if isinstance(one.decision, Sleep):
            asked = one.target.gpus
            if workloads + 1 > limits.workloads or gpus + asked > limits.gpus:
                told = f"{limits.workloads} workloads or {limits.gpus:g} GPUs a run"
                one = replace(one, decision=Leave("over-limit", f"beyond {told}"))  # noqa: PLW2901
            else:
                workloads, gpus = workloads + 1, gpus + asked
        kept.append(one)
    return kept


def refusal(before: Mapping[str, Census], now: Mapping[str, Census], limits: Limits) -> str:
    """Why this run may put nothing to sleep, empty when it may.

    Both map what was listed to what it held; only lists read both times are compared, so that a
    list that failed is no shrinkage.
    """
    both = before.keys() & now.keys()
    was = _sum(before[scope] for scope in both)
    is_ = _sum(now[scope] for scope in both)
    if was.workloads >= FEW and is_.workloads <= was.workloads * (1 - limits.shrink):
        return f"{is_.workloads} workloads are listed, {was.workloads} were before"
    share_was, share_is = _share(was), _share(is_)
    if share_was and share_is < share_was * (1 - limits.production_drop):
        return (
            f"production is {share_is:.0%} of the workloads ({is_.production} of {is_.workloads}), "
            f"it was {share_was:.0%} ({was.production} of {was.workloads})"
        )
    return ""


def _sum(many: Iterable[Census]) -> Census:
    counted = list(many)
    return Census(sum(one.workloads for one in counted), sum(one.production for one in counted))


def _share(census: Census) -> float:
    return census.production / census.workloads if census.workloads else 0.0
