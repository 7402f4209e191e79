"""One plan a workload, its alternatives, and what all plans take off the bill."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

import numpy as np
import pytest

from analyzer.advice import Advice, Recommendation
from analyzer.analysis import Analysis
from analyzer.config import Config
from analyzer.config.jobs import JobsConfig
from analyzer.config.sizing import SizingConfig
from analyzer.model import (
    Cache,
    GpuUse,
    Node,
    Placed,
    Serving,
    Snapshot,
    Workload,
    WorkloadKey,
)
from analyzer.sizing.advise import Sizing, advised
from analyzer.usage import analyse
from jobs.wiring import decide_settings, sizing_settings
from tests import builders
from tests.analyzer.sizing.loads import A100, served

SPAN = builders.window()
NODE = builders.node_class(A100, instance_type="p4de.24xlarge")
USD = 3.43


def workload(name: str, replicas: int, environment: str = "production", **changes: Any) -> Workload:
    labels = {"environment": environment}
    fields: dict[str, Any] = {"replicas": replicas, "gpus_per_replica": 1.0, "labels": labels}
    return builders.workload(name, **(fields | changes))


def use(of: WorkloadKey, gpus: Any, busy: Any = 0.1, node: Any = NODE) -> GpuUse:
    held = builders.steps(gpus, SPAN)
    return builders.gpu_use(of, allocated=held, work=held * busy, node=node, span=SPAN)


def told(of: WorkloadKey, **changes: Any) -> Serving:
    return replace(served(SPAN, **changes), workload=of)


def pods(of: WorkloadKey, *on: str, cpu: float = 4.0, pinned: str = "") -> list[Placed]:
    asked = {"cpu": cpu, "memory": 2e10, "pods": 1.0, "nvidia.com/gpu": 1.0}
    return [Placed(of, f"{of.name}-{n}", node, asked, pinned=pinned) for n, node in enumerate(on)]


def node(name: str, gpus: float = 4.0, **changes: Any) -> Node:
    has = {"cpu": 48.0, "memory": 1e12, "pods": 110.0, "nvidia.com/gpu": gpus}
    return Node("main", name, NODE, has, gpus, **changes)


def asked(snapshot: Snapshot, **settings: Any) -> Analysis:
    analysis = analyse(snapshot, decide_settings(Config()), SPAN.end)
    return advised(snapshot, analysis, Sizing(**settings))


def of(analysis: Analysis, name: str) -> Advice:
    return next(w for w in analysis.workloads if w.workload.key.name == name).advice


def plan(analysis: Analysis, name: str) -> Recommendation:
    found = of(analysis, name).plan
    assert found is not None, of(analysis, name)
    return found


CHAT = workload("chat-production", 4)
IDLE = workload("old-production", 2)
DEV = workload("try-dev", 2, "development")
DAY = np.array([8 * 12 <= step % 288 < 18 * 12 for step in range(SPAN.steps)])


def fleet(**changes: Any) -> Snapshot:
    """Production of four that needs two, production of two that is idle, and two in development
    that work by day. Two nodes of three GPUs, full, and one of two, the old model's, whose pods
    cannot move into room that others leave."""
    fields: dict[str, Any] = {
        "workloads": (CHAT, IDLE, DEV),
        "use": (
            use(CHAT.key, 4),
            use(IDLE.key, 2, 0.0),
            use(DEV.key, 2, np.where(DAY, 0.3, 0.0)),
        ),
        "serving": (told(CHAT.key),),
        "nodes": (node("n1", 3.0), node("n2", 3.0), node("n3", 2.0)),
        "placed": (
            *pods(CHAT.key, "n1", "n1", "n2", "n2"),
            *pods(IDLE.key, "n3", "n3", pinned="uses a volume claim"),
            *pods(DEV.key, "n1", "n2"),
        ),
    }
    return builders.snapshot(SPAN, **(fields | changes))


def test_each_workload_has_one_plan() -> None:
    found = asked(fleet())
    plans = {w.workload.key.name: w.advice for w in found.workloads}
    assert {name: one.plan.action for name, one in plans.items() if one.plan} == {
        "chat-production": "reduce-replicas",
        "old-production": "remove",
        "try-dev": "sleep-overnight",
    }
    for one in plans.values():
        assert [r.plan for r in one.recommendations] == [True] + [False] * (
            len(one.recommendations) - 1
        )
    assert [r.action for r in plans["try-dev"].recommendations] == ["sleep-overnight", "use-spot"]


def test_the_bill_falls_only_by_nodes_that_can_leave() -> None:
    """Two of chat's four go: development's pod beside them finds no other room, so no node leaves.
    The idle one frees its node of two GPUs: 2 x $3.43 x 730 h."""
    found = asked(fleet())
    chat = plan(found, "chat-production").saving
    assert (chat.nodes_freed, chat.usd_per_month) == (0, 0)
    assert chat.worth_usd_per_month == pytest.approx(2 * USD * 730)
    old = plan(found, "old-production").saving
    assert old.nodes_freed == 1
    assert old.usd_per_month == pytest.approx(2 * USD * 730)


def test_together_plans_free_what_none_frees_alone() -> None:
    """Without two of chat's and both of development's, two pods are left: they fit one node."""
    rules = SizingConfig(rules=("reduce-replicas", "remove", "sleep-overnight"))
    found = asked(fleet(), config=rules)
    assert found.savings is not None
    assert found.savings.nodes_freed == 1, "the idle one's, for good"
    assert found.savings.nodes_freed_at_night == 1
    night = 1 - 11 / 24 * 5 / 7
    assert plan(found, "try-dev").after == "Mon-Sun 07:30-18:30 UTC"
    night = 13 / 24
    expected = 2 * USD * 730 + 3 * USD * 730 * night
    assert found.savings.usd_per_month == pytest.approx(expected, rel=0.01)
    hours = 2 * 168 + 2 * 168 + 2 * 168 * night
    assert found.savings.gpu_hours_per_week == pytest.approx(hours, rel=0.01)


def test_moving_to_spot_costs_until_a_node_can_leave() -> None:
    """Its two pods leave two nodes that others keep: nothing leaves, and spot is paid for."""
    spot = plan(asked(fleet(), config=SizingConfig(rules=("use-spot",))), "try-dev").saving
    assert spot.nodes_freed == 0
    assert spot.worth_usd_per_month == pytest.approx(2 * (3.43 - 0.68) * 730)
    assert spot.usd_per_month == pytest.approx(-2 * 0.68 * 730)


def test_without_nodes_the_bill_is_not_known() -> None:
    found = asked(fleet(nodes=(), placed=()))
    saving = plan(found, "chat-production").saving
    assert (saving.nodes_freed, saving.usd_per_month) == (None, None)
    assert saving.worth_usd_per_month == pytest.approx(2 * USD * 730)
    assert found.savings is not None
    assert (found.savings.nodes_freed, found.savings.usd_per_month) == (None, None)


def test_more_replicas_go_before_everything_else_and_stand_apart() -> None:
    full = told(CHAT.key, kv_cache=0.95, kv_peak=0.95, kv_mean=0.95, waiting=5.0)
    found = asked(fleet(serving=(full,)))
    one = plan(found, "chat-production")
    assert one.action == "add-replicas"
    assert found.savings is not None
    assert found.savings.added_gpu_hours_per_week == -one.saving.gpu_hours_per_week
    assert found.savings.added_usd_per_month == pytest.approx(-one.saving.worth_usd_per_month)
    assert found.savings.gpu_hours_per_week > 0


def test_rules_that_are_not_asked_say_nothing() -> None:
    found = asked(fleet(), config=SizingConfig(rules=("remove",)))
    for name in ("chat-production", "old-production", "try-dev"):
        advice = of(found, name)
        assert {one.action for one in (*advice.recommendations, *advice.refusals)} == {"remove"}


@pytest.mark.parametrize(
    ("annotations", "asleep"),
    [
        ({"gpu-thrift.io/awake": "Mon-Fri 08:00-20:00"}, frozenset()),
        ({"gpu-thrift.io/exclude": "true"}, frozenset()),
        ({"gpu-thrift.io/replicas": "2", "gpu-thrift.io/asleep-since": "x"}, frozenset()),
        ({}, frozenset({"development"})),
    ],
)
def test_what_has_a_schedule_is_advised_none(annotations: dict[str, str], asleep: Any) -> None:
    dev = replace(DEV, annotations=annotations)
    found = asked(fleet(workloads=(CHAT, IDLE, dev)), asleep=asleep)
    codes = {r.action: r.code for r in of(found, "try-dev").refusals}
    assert codes["sleep-overnight"] == "scheduled"


def small(name: str, early: bool) -> tuple[Workload, GpuUse, Serving]:
    one = workload(name, 1, server={"model": "meta-llama/Llama-3.2-1B", "max-model-len": "8192"})
    busy = np.where(DAY if early else ~DAY, 0.3, 0.02)
    serving = replace(
        told(one.key, replicas=1, kv_cache=0.02, kv_peak=0.03, kv_mean=0.02, cache=Cache(2e6)),
        model="meta-llama/Llama-3.2-1B",
    )
    return one, use(one.key, 1, busy), serving


def test_a_group_shares_when_that_is_worth_more_than_what_each_could_do() -> None:
    parts = [small("one-production", True), small("two-production", False)]
    whole = builders.snapshot(
        SPAN,
        workloads=tuple(p[0] for p in parts),
        use=tuple(p[1] for p in parts),
        serving=tuple(p[2] for p in parts),
        nodes=(node("n1", 1.0), node("n2", 1.0)),
        placed=(*pods(parts[0][0].key, "n1"), *pods(parts[1][0].key, "n2")),
    )
    shared = asked(whole, config=SizingConfig(rules=("share-gpu",)))
    assert [plan(shared, p[0].key.name).action for p in parts] == ["share-gpu"] * 2
    assert shared.savings is not None
    assert shared.savings.gpu_hours_per_week == pytest.approx(168), "one GPU of two, once"
    assert shared.savings.worth_usd_per_month == pytest.approx(USD * 730)
    both = asked(whole)
    actions = [r.action for r in of(both, "one-production").recommendations]
    assert actions == ["share-gpu", "smaller-gpu"], "an L4 each would be cheaper, but is a guess"
    assert both.savings is not None
    assert both.savings.gpu_hours_per_week == pytest.approx(168)


def test_no_workload_no_savings() -> None:
    found = asked(builders.snapshot(SPAN))
    assert found.savings is not None
    assert found.savings.gpu_hours_per_week == 0


def wishing(one: Workload, **said: str) -> Workload:
    """The workload with these annotations of gpu-thrift."""
    return replace(
        one, annotations={f"gpu-thrift.io/{k.replace('_', '-')}": v for k, v in said.items()}
    )


@pytest.mark.parametrize("text", ["use-spot", "Use-Spot, remove"])
def test_what_is_rejected_is_never_the_plan_and_the_next_best_is(text: str) -> None:
    found = asked(fleet(workloads=(CHAT, IDLE, wishing(DEV, reject=text))))
    assert [(r.action, r.plan, r.withheld) for r in of(found, "try-dev").recommendations] == [
        ("sleep-overnight", True, ""),
        ("use-spot", False, "rejected by gpu-thrift.io/reject"),
    ]
    rules = SizingConfig(rules=("reduce-replicas", "remove", "sleep-overnight"))
    assert found.savings == asked(fleet(), config=rules).savings


def test_what_is_rejected_altogether_is_in_no_total() -> None:
    both = (wishing(CHAT, reject="ALL"), IDLE, wishing(DEV, reject="all"))
    found = asked(fleet(workloads=both))
    assert of(found, "chat-production").plan is None
    assert of(found, "try-dev").plan is None
    assert found.savings is not None
    assert found.savings.gpu_hours_per_week == pytest.approx(2 * 168), "the idle one's"


def test_a_snooze_withholds_everything_until_its_time() -> None:
    """It is 12:00 UTC: 13:00 is still to come there, and over two hours to the east."""
    end = SPAN.end
    snoozed = wishing(IDLE, snooze_until=f"{end:%Y-%m-%d}T13:00")
    whole = fleet(workloads=(CHAT, snoozed, DEV), taken_at=end.replace(hour=12, minute=0))
    zone = timezone(timedelta(hours=2))
    assert of(asked(whole), "old-production").plan is None
    [one] = of(asked(whole), "old-production").recommendations
    assert one.withheld == f"snoozed until {end:%Y-%m-%d} 13:00 UTC"
    assert plan(asked(whole, snooze_zone=zone), "old-production").withheld == ""


def test_snooze_dates_are_of_the_same_zone_as_those_of_flags() -> None:
    made = sizing_settings(replace(Config(), jobs=JobsConfig(timezone="Asia/Kathmandu")))
    assert (str(made.snooze_zone), made.zone_name) == ("Asia/Kathmandu", "UTC")


@pytest.mark.parametrize("who", [0, 1])
def test_a_group_of_which_one_will_not_share_is_no_plan(who: int) -> None:
    parts = [small("one-production", True), small("two-production", False)]
    workloads = [p[0] for p in parts]
    workloads[who] = wishing(workloads[who], reject="share-gpu")
    whole = builders.snapshot(
        SPAN,
        workloads=tuple(workloads),
        use=tuple(p[1] for p in parts),
        serving=tuple(p[2] for p in parts),
    )
    found = asked(whole, config=SizingConfig(rules=("share-gpu",)))
    told = [of(found, p[0].key.name).recommendations for p in parts]
    assert [(one.action, one.plan) for [one] in told] == [("share-gpu", False)] * 2
    assert [bool(one.withheld) for [one] in told] == [who == 0, who == 1]
    assert found.savings is not None
    assert found.savings.gpu_hours_per_week == 0
