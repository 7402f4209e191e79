"""What advice takes off the bill: only nodes that can leave do, less what has to be had instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from analyzer.advice import HOURS_A_MONTH, Recommendation, Savings
from analyzer.model import Node, Snapshot, WorkloadKey
from analyzer.pricing import PriceBook
from analyzer.sizing.packing import Freed, Packing

MOVED = frozenset({"smaller-gpu", "use-spot", "remove", "sleep-overnight"})
"""Actions after which none of the workload's pods is where it is now."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One recommendation for one workload. ``instead_usd`` is what a month of the GPUs costs that
    it needs in place of those it has; ``asleep`` (0-1) the part of the time in which nodes can
    leave, 1 for good; ``pods`` how many of its pods go, None where the action tells."""

    key: WorkloadKey
    advice: Recommendation
    instead_usd: float | None = 0.0
    asleep: float = 1.0
    pods: int | None = None

    @property
    def is_nightly(self) -> bool:
        return self.advice.action == "sleep-overnight"


class Bill:
    """Weighs advice against the nodes of one snapshot. Clusters whose nodes nobody read have no
    answer."""

    def __init__(self, snapshot: Snapshot, prices: PriceBook) -> None:
        self._prices = prices
        self._packing = Packing(snapshot.nodes, snapshot.placed)
        self._known = {node.cluster for node in snapshot.nodes}
        self._pods: dict[WorkloadKey, int] = {}
        for pod in snapshot.placed:
            if not pod.daemon:
                self._pods[pod.workload] = self._pods.get(pod.workload, 0) + 1

    def priced(self, plan: Plan) -> Recommendation:
        """The recommendation with what it alone takes off the bill."""
        if plan.advice.action == "add-replicas" or plan.key.cluster not in self._known:
            return plan.advice
        freed = self._packing.leaving(self._removed([plan]))
        saving = replace(
            plan.advice.saving,
            nodes_freed=len(freed.nodes),
            usd_per_month=_less(self._worth(freed.nodes, plan.asleep), plan.instead_usd),
        )
        return replace(plan.advice, saving=saving)

    def shared(self, plans: Sequence[Plan]) -> list[Plan]:
        """The plans of one group, which only together free anything: evenly split. The GPUs that
        it goes on sharing are some of those it has, whichever let most nodes leave."""
        known = all(plan.key.cluster in self._known for plan in plans)
        if not plans or not known:
            return [replace(plan, instead_usd=0.0, pods=0) for plan in plans]
        tried = [(leaver, self._packing.leaving(leaver)) for leaver in self._leavers(plans)]
        leaver, freed = max(tried, key=lambda one: len(one[1].nodes))
        usd = self._worth(freed.nodes, 1.0)
        each = None if usd is None else usd / len(plans)
        return [
            replace(
                plan,
                advice=replace(
                    plan.advice,
                    saving=replace(
                        plan.advice.saving, nodes_freed=len(freed.nodes), usd_per_month=each
                    ),
                ),
                instead_usd=0.0,
                pods=leaver.get(plan.key, 0),
            )
            for plan in plans
        ]

    def _leavers(self, plans: Sequence[Plan]) -> Iterable[Mapping[WorkloadKey, int]]:
        """Pods that may go from their GPUs, by workload: as many as GPUs are freed, beginning with
        each of the members in turn."""
        evidence = plans[0].advice.evidence
        before, after = evidence.get("gpus_before"), evidence.get("gpus_after")
        count = before - after if isinstance(before, int) and isinstance(after, int) else 0
        for first in range(len(plans)):
            left: int = count
            leaver: dict[WorkloadKey, int] = {}
            for plan in (*plans[first:], *plans[:first]):
                leaver[plan.key] = min(left, self._pods.get(plan.key, 0))
                left -= leaver[plan.key]
            yield leaver

    def together(self, plans: Sequence[Plan]) -> Savings:
        """What all plans free, each GPU and each node once."""
        more = [plan.advice.saving for plan in plans if plan.advice.action == "add-replicas"]
        less = [plan for plan in plans if plan.advice.action != "add-replicas"]
        found = Savings(
            gpu_hours_per_week=sum(plan.advice.saving.gpu_hours_per_week for plan in less),
            worth_usd_per_month=_known_sum(plan.advice.saving.worth_usd_per_month for plan in less),
            usd_per_month=None,
            nodes_freed=None,
            added_gpu_hours_per_week=-sum(saving.gpu_hours_per_week for saving in more),
            added_usd_per_month=_less(0.0, _sum(saving.worth_usd_per_month for saving in more)),
        )
        # Of clusters of which one was not read, a part of the bill is not the bill.
        if not self._known or any(plan.key.cluster not in self._known for plan in less):
            return found
        lasting = [plan for plan in less if not plan.is_nightly]
        nights = [plan for plan in less if plan.is_nightly]
        for_good = self._packing.leaving(self._removed(lasting))
        at_night = self._nightly(lasting, nights, for_good)
        part = sum(plan.asleep for plan in nights) / len(nights) if nights else 0.0
        usd = _sum([self._worth(for_good.nodes, 1.0), self._worth(at_night, part)])
        return replace(
            found,
            usd_per_month=_less(usd, _sum(plan.instead_usd for plan in less)),
            nodes_freed=len(for_good.nodes),
            nodes_bound=max(for_good.bound_of_more, 0),
            nodes_freed_at_night=len(at_night),
        )

    def _nightly(
        self, lasting: Sequence[Plan], nights: Sequence[Plan], for_good: Freed
    ) -> list[Node]:
        if not nights:
            return []
        all_gone = self._packing.leaving(self._removed([*lasting, *nights]))
        gone = {(node.cluster, node.name) for node in for_good.nodes}
        more = [node for node in all_gone.nodes if (node.cluster, node.name) not in gone]
        # Packed anew, other nodes may leave than for good: no more leave at night than in all.
        return more[: max(0, len(all_gone.nodes) - len(for_good.nodes))]

    def _removed(self, plans: Iterable[Plan]) -> Mapping[WorkloadKey, int]:
        return {plan.key: self._count(plan) for plan in plans}

    def _count(self, plan: Plan) -> int:
        advice = plan.advice
        if plan.pods is not None:
            return plan.pods
        if advice.action in MOVED:
            return self._pods.get(plan.key, 0)
        before, after = advice.before, advice.after
        fewer = before - after if isinstance(before, int) and isinstance(after, int) else 0
        if not isinstance(before, int) or before <= 0:
            return 0
        # A replica may be several pods.
        return round(fewer * max(1.0, self._pods.get(plan.key, 0) / before))

    def _worth(self, nodes: Iterable[Node], part: float) -> float | None:
        """A month of these nodes, for this part of the time; None when one has no price."""
        total = 0.0
        for node in nodes:
            quote = self._prices.quote(node.node_class)
            if quote is None:
                return None
            total += node.gpus * quote.price.usd_per_gpu_hour * HOURS_A_MONTH * part
        return total


def _less(usd: float | None, instead: float | None) -> float | None:
    return None if usd is None or instead is None else usd - instead


def _sum(parts: Iterable[float | None]) -> float | None:
    """None when any part is."""
    total = 0.0
    for part in parts:
        if part is None:
            return None
        total += part
    return total


def _known_sum(parts: Iterable[float | None]) -> float | None:
    known = [part for part in parts if part is not None]
    return sum(known) if known else None
