"""Whatever is read, advice is finite, one plan a workload, and frees no more than is held."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from analyzer.config.sizing import SizingConfig
from analyzer.model import GpuUse, Node, NodeClass, Placed, Serving, Snapshot, Workload
from analyzer.pricing import PriceBook
from analyzer.sizing.advise import Sizing
from benchmarks.fleets import fleet
from tests import builders
from tests.analyzer.sizing.checks import (
    DEVELOPMENT,
    calm,
    check,
    only,
    reduced,
    refusal,
    silent,
)
from tests.analyzer.sizing.snapshots import (
    PRICES,
    SPAN,
    book,
    decided,
    flat,
    made,
    snapshot,
    snapshots,
)

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


def scaled(use: GpuUse, by: Any) -> GpuUse:
    return replace(
        use, allocated=use.allocated * by, observed=use.observed * by, work=use.work * by
    )


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(snapshots(), PRICES)
def test_any_snapshot_at_any_price(facts: Snapshot, prices: PriceBook) -> None:
    check(facts, decided(facts, Sizing(prices=prices)))


def on_nodes(part: tuple[Workload, GpuUse, Serving], cluster: str = "main") -> dict[str, Any]:
    """A node of one GPU for each replica."""
    key, room = part[0].key, {"nvidia.com/gpu": 1.0, "pods": 10.0}
    nodes = [Node(cluster, f"n{i}", part[1].node_class, room, 1.0) for i in range(4)]
    placed = [Placed(key, f"p{i}", f"n{i}", {"nvidia.com/gpu": 1.0}) for i in range(4)]
    return {"nodes": tuple(nodes), "placed": tuple(placed)}


@pytest.mark.parametrize("price", [math.nan, math.inf, -math.inf, -3.43, 1e300])
def test_a_price_that_can_be_none_is_not_known(price: float) -> None:
    part = calm()
    use = only(snapshot(part, **on_nodes(part)), Sizing(prices=book(price)))
    saving = reduced(use).saving
    assert saving.gpu_hours_per_week == pytest.approx(2 * 168)
    assert (saving.worth_usd_per_month, saving.usd_per_month) == (None, None)
    assert saving.nodes_freed == 2
    assert (use.cost_usd, use.idle_cost_usd) == (None, None)
    assert refusal(use, "smaller-gpu").code == "gpu-unknown"


def test_nothing_is_worth_nothing() -> None:
    part = calm()
    use = only(snapshot(part, **on_nodes(part)), Sizing(prices=book(0.0)))
    saving = reduced(use).saving
    assert (saving.worth_usd_per_month, saving.usd_per_month, use.cost_usd) == (0, 0, 0)


@pytest.mark.parametrize("spot", [math.nan, math.inf, -1.0])
def test_a_spot_price_that_can_be_none_advises_no_spot(spot: float) -> None:
    part = made(DEVELOPMENT, 0.2)
    use = only(snapshot(part), Sizing(prices=book(3.43, spot)))
    assert refusal(use, "use-spot").code == "no-spot-price"
    on_spot = replace(part[1], node_class=NodeClass("A100 80GB", spot=True))
    assert (
        only(snapshot((part[0], on_spot, part[2])), Sizing(prices=book(3.43, spot))).cost_usd
        is None
    )


def test_one_sample_is_too_short() -> None:
    one = np.zeros(SPAN.steps, np.float32)
    one[-1] = 1.0
    workload, use, serving = calm()
    use = replace(
        use, **{name: getattr(use, name) * one for name in ("allocated", "observed", "work")}
    )
    found = only(snapshot((workload, use, serving)))
    assert found.advice.recommendations == ()
    assert {one.code for one in found.advice.refusals if one.action != "add-replicas"} == {
        "short-history"
    }


def test_nothing_at_all() -> None:
    found = check(snapshot(), decided(snapshot()))
    assert found.workloads == ()
    assert found.savings is not None
    assert found.savings.gpu_hours_per_week == 0


def test_ten_thousand_workloads() -> None:
    facts = replace(fleet(10_000, days=0.25), nodes=(), placed=())
    config = SizingConfig(min_history=timedelta(hours=6))
    found = decided(facts, Sizing(config=config))
    assert len(found.workloads) == 10_000
    plans = [one.advice.plan for one in found.workloads if one.advice.plan]
    assert {"reduce-replicas", "smaller-gpu", "use-spot"} <= {one.action for one in plans}
    freed = sum(p.saving.gpu_hours_per_week for p in plans if p.action != "add-replicas")
    assert found.savings is not None
    assert found.savings.gpu_hours_per_week == pytest.approx(freed)
    assert freed <= found.totals.gpu_hours * 28


def test_a_gpu_of_another_model_in_mid_week_begins_anew() -> None:
    workload, use, serving = calm()
    early = flat(0.0)
    early[: SPAN.steps // 2] = 1.0
    parts = [
        replace(scaled(use, when), node_class=NodeClass(model))
        for model, when in (("A100 80GB", early), ("L40S", 1 - early))
    ]
    found = only(snapshot((workload, use, serving), use=tuple(parts)))
    assert found.gpu_hours == pytest.approx(4 * 168)
    assert refusal(found).code == refusal(found, "smaller-gpu").code == "short-history"


def test_a_server_that_told_nothing_proves_nothing() -> None:
    workload, use, serving = made(DEVELOPMENT, 0.0)
    mute = silent(replace(serving, requests=None), slice(None))
    found = only(snapshot((workload, use, mute)))
    assert {one.action for one in found.advice.recommendations} <= {"use-spot"}
    assert refusal(found).code == "low-serving-coverage"
    assert refusal(found, "sleep-overnight").code == "no-night"


@pytest.mark.parametrize("odd", [math.inf, -math.inf, -1.0, math.nan])
@pytest.mark.parametrize("name", ["running", "waiting", "kv_cache"])
def test_absurd_samples_are_gaps(name: str, odd: float) -> None:
    workload, use, serving = calm()
    array = getattr(serving, name).copy()
    array[::20] = odd
    found = reduced(only(snapshot((workload, use, replace(serving, **{name: array})))))
    assert found.after == 2
    assert found.evidence["gap_hours"] == pytest.approx(101 / 12, abs=0.01)


def test_a_cache_that_is_more_than_full_is_full() -> None:
    found = only(snapshot(calm(kv_cache=flat(40.0))))
    assert (found.verdict.name, found.serving and found.serving.kv_cache_p95) == ("saturated", 1.0)


def test_use_alone_and_serving_alone() -> None:
    part = calm()
    assert refusal(only(snapshot(part, serving=()))).code == "no-inference-metrics"
    alone = only(snapshot(part, use=()))
    assert (alone.advice.recommendations, alone.advice.refusals) == ((), ())
    assert (
        check(snapshot(part, workloads=()), decided(snapshot(part, workloads=()))).workloads == ()
    )


@pytest.mark.parametrize("replicas", [None, 0, -1])
def test_nobody_knows_how_many_replicas(replicas: int | None) -> None:
    for level in (0.2, 0.97):
        workload, *rest = calm(level)
        found = only(snapshot((replace(workload, replicas=replicas), *rest)))
        assert refusal(found).code == "no-replicas"
        assert not found.advice.recommendations


@pytest.mark.parametrize("replicas", [10**6, 2**31 - 1])
def test_more_replicas_than_there_can_be(replicas: int) -> None:
    for level in (0.2, 0.97):
        workload, *rest = calm(level)
        only(snapshot((replace(workload, replicas=replicas), *rest)))


@pytest.mark.parametrize("gpus", [None, math.nan, math.inf, 0.0, -1.0])
def test_nobody_knows_the_gpus_of_a_replica(gpus: float | None) -> None:
    workload, *rest = calm()
    found = only(snapshot((replace(workload, gpus_per_replica=gpus), *rest)))
    assert not found.advice.recommendations
    assert refusal(found).code == "no-replicas"


def test_replicas_with_half_a_gpu_each() -> None:
    workload, use, serving = calm()
    half = replace(
        use, **{name: getattr(use, name) / 2 for name in ("allocated", "observed", "work")}
    )
    found = only(snapshot((replace(workload, gpus_per_replica=0.5), half, serving)))
    assert reduced(found).saving.gpu_hours_per_week == pytest.approx(2 * 0.5 * 168)
    assert refusal(found, "share-gpu").code == "not-one-gpu"
    assert refusal(found, "smaller-gpu").code == "model-unknown"


def test_names_of_no_length() -> None:
    empty = builders.key("", "", "", "")
    found = decided(snapshot(made(empty, 0.2)))
    assert [one.workload.key for one in found.workloads] == [empty]
    assert reduced(found.workloads[0]).after == 2


def test_who_is_there_twice_counts_once() -> None:
    part = made(DEVELOPMENT, 0.2, replicas=1)
    twice = snapshot(part, workloads=(part[0], part[0]))
    found = only(twice)
    assert found.gpu_hours == pytest.approx(168)
    assert refusal(found, "share-gpu").code == "no-partner"
    assert decided(twice).savings == decided(snapshot(part)).savings


def test_a_cluster_that_failed_takes_nothing_from_the_others() -> None:
    part = calm()
    whole = snapshot(part, clusters=("main", "other"), failed={"other": "no answer"})
    assert only(whole).advice == only(snapshot(part)).advice


def test_nodes_of_one_cluster_say_nothing_of_another() -> None:
    here, there = calm(), made(builders.key("chat", "production", cluster="other"), 0.2)
    facts = snapshot(here, there, clusters=("main", "other"), **on_nodes(here))
    found = check(facts, decided(facts))
    savings = [reduced(use).saving for use in found.workloads]
    assert [one.nodes_freed for one in savings] == [2, None]
    assert savings[1].usd_per_month is None
    assert found.savings is not None
    assert found.savings.gpu_hours_per_week == pytest.approx(4 * 168)
    assert (found.savings.nodes_freed, found.savings.usd_per_month) == (None, None)
