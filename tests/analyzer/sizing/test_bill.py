"""What plans together take off the bill, where nodes leave by turns."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analyzer.advice import Action, Confidence, Recommendation, Saving
from analyzer.model import WorkloadKey
from analyzer.pricing import PriceBook
from analyzer.sizing.bill import Bill, Plan
from tests import builders
from tests.analyzer.sizing.packings import key, node, pod

USD = 6.88


def plan(name: str, action: Action, hours: float = 168.0, **more: float) -> Plan:
    of: WorkloadKey = key(name)
    saving = Saving(hours, hours * USD * 730 / 168)
    advice = Recommendation(action, 1, 0, "it would do", saving, Confidence("high", ("1",)))
    return Plan(of, advice, **more)


def bill(*nodes: str, pods: list) -> Bill:  # type: ignore[type-arg]
    snapshot = builders.snapshot(nodes=tuple(node(name) for name in nodes), placed=tuple(pods))
    return Bill(snapshot, PriceBook())


def test_a_node_that_leaves_at_night_does_not_leave_beside_one_that_its_room_let_go() -> None:
    """When ``a`` goes, ``x`` moves beside ``d`` and n1 leaves for good. At night ``d`` is gone as
    well: n3 is empty instead, and ``x`` stays on n1. One node of two, by day and by night."""
    weighed = bill(
        "n1", "n2", "n3",
        pods=[
            pod("a", "n1", 4),
            pod("x", "n1", 2),
            pod("k", "n2", 8, pinned="claims devices"),
            pod("d", "n3", 6),
        ],
    )  # fmt: skip
    found = weighed.together([plan("a", "remove"), plan("d", "sleep-overnight", 84, asleep=0.5)])
    assert (found.nodes_freed, found.nodes_freed_at_night) == (1, 0)
    assert found.usd_per_month == pytest.approx(8 * USD * 730)


def test_what_is_needed_instead_is_paid_for() -> None:
    weighed = bill("n1", "n2", pods=[pod("a", "n1", 8), pod("b", "n2", 8)])
    moved = replace(plan("a", "use-spot", 0.0), instead_usd=1_000.0)
    assert weighed.priced(moved).saving.usd_per_month == pytest.approx(8 * USD * 730 - 1_000)
    assert weighed.together([moved]).usd_per_month == pytest.approx(8 * USD * 730 - 1_000)


def test_an_unknown_price_makes_the_sum_unknown() -> None:
    weighed = bill("n1", pods=[pod("a", "n1", 8)])
    moved = replace(plan("a", "smaller-gpu"), instead_usd=None)
    assert weighed.together([moved]).usd_per_month is None
    assert weighed.together([moved]).nodes_freed == 1


def test_a_cluster_that_was_not_read_makes_the_sum_unknown() -> None:
    weighed = bill("n1", pods=[pod("a", "n1", 8)])
    elsewhere = replace(plan("b", "remove"), key=key("b", "other"))
    found = weighed.together([plan("a", "remove"), elsewhere])
    assert (found.nodes_freed, found.usd_per_month) == (None, None)
    assert found.gpu_hours_per_week == 2 * 168
