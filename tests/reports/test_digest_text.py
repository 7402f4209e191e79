"""The sentences of the weekly report."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from analyzer.advice import Saving, Savings
from analyzer.followed import Accepted, Followed
from analyzer.nights import Late, Left, Nights
from analyzer.sleep.model import NotDone
from reports import digest_text as say
from reports.digest import Action, ModelCost, Realised
from reports.sections import Names
from tests.builders import (
    NOW,
    analysis,
    key,
    node_class,
    notice,
    pool_use,
    price_used,
    recommendation,
    unknown_use,
    workload_use,
)
from tests.reports.bare_weeks import digest, week

NAMES = Names(analysis())
NIGHTS = Nights(5, 4, 0, 1, 2, 100.0, 250.0, 0.0)


@pytest.mark.parametrize(
    ("saving", "said"),
    [
        (
            Saving(336.0, 1000.0, 500.0, 1),
            "frees 336 GPU-h a week, worth $1,000.00 a month; "
            "the bill falls by $500.00 a month (1 node can leave)",
        ),
        (
            Saving(336.0, 1000.0, 0.0, 0),
            "frees 336 GPU-h a week, worth $1,000.00 a month; the bill stays: no node can leave",
        ),
        (
            Saving(336.0, 1000.0, 0.0, 2),
            "frees 336 GPU-h a week, worth $1,000.00 a month; the bill stays",
        ),
        (
            Saving(5.0, None, None, None),
            "frees 5.0 GPU-h a week, no price known; what the bill loses is not known",
        ),
        (
            Saving(336.0, 1000.0, -20.0, 0),
            "frees 336 GPU-h a week, worth $1,000.00 a month; the bill rises by $20.00 a month",
        ),
        (Saving(0.0, 0.0, 70.0, None), "the bill falls by $70.00 a month"),
        (
            Saving(0.0, 0.0, 0.0, 0),
            "frees no GPU-h, worth $0.00 a month; the bill stays: no node can leave",
        ),
        (
            Saving(-168.0, -500.0, -500.0, None),
            "takes 168 GPU-h a week more; the bill rises by $500.00 a month",
        ),
        (
            Saving(-168.0, -500.0, -80.0, None),
            "takes 168 GPU-h a week more, worth $500.00 a month; the bill rises by $80.00 a month",
        ),
    ],
)
def test_what_is_freed_and_what_the_bill_loses_are_two_things(saving: Saving, said: str) -> None:
    assert say.effect(recommendation(saving=saving)) == said


def test_an_action_is_told_as_it_would_be_done() -> None:
    action = Action(workload_use(), recommendation(before=8, after=4))
    assert say.what(action) == "reduce-replicas 8 → 4"
    assert say.needed(action, NAMES).startswith("inference/chat-70b: reduce-replicas 8 → 4: frees ")


def together(count: int, savings: Savings | None) -> str:
    action = Action(workload_use(), recommendation())
    return say.together(digest(analysis=analysis(savings=savings), actions=(action,) * count))


@pytest.mark.parametrize(
    ("savings", "said"),
    [
        (
            Savings(336.0, 1000.0, 500.0, 1),
            "worth $1,000.00 a month; the bill would fall by $500.00 a month, as 1 node can leave.",
        ),
        (
            Savings(336.0, 1000.0, 0.0, 0),
            "worth $1,000.00 a month; the bill would fall by $0.00 a month.",
        ),
        (
            Savings(336.0, 1000.0, -30.5, 0),
            "worth $1,000.00 a month; the bill would rise by $30.50 a month.",
        ),
        (
            Savings(336.0, 1000.0, -0.001, 0),
            "worth $1,000.00 a month; the bill would fall by $0.00 a month.",
        ),
        (
            Savings(336.0, None, None, None),
            "at prices that are not known; what the bill loses is not known: the Kubernetes API "
            "was not read everywhere.",
        ),
    ],
)
def test_all_advice_together_counts_each_gpu_once(savings: Savings, said: str) -> None:
    assert together(2, savings) == f"All 2 recommendations together free 336 GPU-h a week, {said}"


def test_one_piece_of_advice_is_not_summed() -> None:
    assert together(1, Savings(336.0, 1000.0, 500.0, 1)) == ""
    assert together(2, None) == ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "$6,380.24 idle of $9,246.72, 99% measured"),
        ({"cost_usd": None, "idle_cost_usd": None}, "no price known, 99% measured"),
        ({"idle_cost_usd": None, "coverage": 0.0}, "$9,246.72, 0% measured"),
        ({"coverage": None}, "$6,380.24 idle of $9,246.72, ? measured"),
    ],
)
def test_a_flag_has_its_money_its_coverage_and_its_reason(
    changes: dict[str, Any], said: str
) -> None:
    shown = say.flagged(workload_use(**changes), NAMES)
    assert shown == f"inference/chat-70b: underused, {said}. The figures say underused."


def test_sleep_is_told_with_what_the_bill_lost() -> None:
    made = digest(nights=replace(NIGHTS, left=Left(2, 60.0, 130.0)))
    assert say.sleeping(made) == (
        "2 workloads: slept 5×, woken 4×, 1 asleep at the end",
        "100 GPU-h not held, worth $250.00",
        "up to 2 nodes left meanwhile: 60 GPU-h that nobody paid for, $130.00",
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "whether nodes left meanwhile is not known"),
        (Left(0, 0.0, None), "no node left meanwhile, so the bill is what it was"),
        (
            Left(None, 8.0, None),
            "nodes left meanwhile: 8.0 GPU-h that nobody paid for, no price known",
        ),
        (Left(1, 8.0, 0.0), "up to 1 node left meanwhile: 8.0 GPU-h that nobody paid for, $0.00"),
    ],
)
def test_nodes_that_left_are_told_apart_from_hours_not_held(found: Left | None, said: str) -> None:
    assert say.left(found) == said


def test_no_sleep_and_no_ledger_are_two_things() -> None:
    assert say.sleeping(digest(nights=None)) == ("No ledger could tell what slept.",)
    none = Nights(0, 0, 0, 0, 0, 0.0, 0.0, 0.0)
    assert say.sleeping(digest(nights=none)) == ("Nothing was put to sleep.",)
    undone = NotDone(key(), NOW, "sleep", "skipped", "busy")
    assert len(say.sleeping(digest(nights=replace(none, not_done=(undone,))))) == 3


def test_who_was_late_is_told_on_the_local_clock() -> None:
    woken = datetime(2026, 11, 17, 6, 30, tzinfo=UTC)
    late = Late(key(), woken, woken + timedelta(minutes=95), "no node")
    zone = "Asia/Kolkata"
    assert say.late(late, NAMES, zone) == (
        "inference/chat-70b: woken Tue 12:00, ready Tue 13:35: no node"
    )
    never = replace(late, ready_at=None)
    assert say.late(never, NAMES, "UTC") == (
        "inference/chat-70b: woken Tue 06:30, not seen ready: no node"
    )


def test_what_was_not_done_is_told_with_the_reason() -> None:
    undone = NotDone(key(), datetime(2026, 11, 17, 20, 30, tzinfo=UTC), "sleep", "skipped", "busy")
    assert say.not_done(undone, NAMES, "Asia/Kolkata") == (
        "inference/chat-70b: sleep skipped Wed 02:00: busy"
    )
    assert say.not_done(replace(undone, detail=""), NAMES, "UTC") == (
        "inference/chat-70b: sleep skipped Tue 20:30"
    )


def test_free_gpus_are_of_a_class_of_node() -> None:
    pool = pool_use(node=node_class("L4", pool="batch"), cost=None)
    assert say.unallocated(pool, NAMES) == "batch (L4): 1,344 of 2,688 GPU-h, ?"
    several = Names(analysis(clusters=("main", "west")))
    assert say.unallocated(pool_use(), several).startswith("main: H100 SXM 80GB: ")


@pytest.mark.parametrize(
    ("cost", "said"),
    [
        (
            ModelCost("m", 2, 0, 4e8, 200.0, 0.5, 0.9),
            "m: $0.50 a million tokens; 400.0 million for $200.00, 90% heard",
        ),
        (
            ModelCost("m", 2, 1, 4e8, 200.0, 0.5, 0.9),
            "m: $0.50 a million tokens; 400.0 million for $200.00, 90% heard; 1 more workload "
            "told of no tokens",
        ),
        (
            ModelCost("m", 1, 0, 0.0, 200.0, None, 0.9),
            "m: not known (no tokens); 0.0 million for $200.00, 90% heard",
        ),
        (
            ModelCost("m", 1, 0, 4e6, None, None, None),
            "m: not known (some GPU has no price); 4.0 million for ?, ? heard",
        ),
        (ModelCost("m", 0, 3, 0.0, None, None, None), "m: not known (no workload counts tokens)"),
    ],
)
def test_a_model_has_its_price_and_what_it_is_of(cost: ModelCost, said: str) -> None:
    assert say.model(cost) == said


def entry(realised: float | None = 90.0, note: str = "", **changes: Any) -> Followed:
    fields: dict[str, Any] = {
        "key": key(),
        "action": "reduce-replicas",
        "before": "4",
        "after": "2",
        "first_seen": NOW,
        "last_seen": NOW,
        "state": "accepted",
        "state_since": NOW,
        "predicted": Saving(336.0, 100.0, 50.0, 1),
        "plan": True,
        "accepted": Accepted(NOW, usd_per_month=realised, note=note),
    }
    return Followed(**(fields | changes))


@pytest.mark.parametrize(
    ("usd", "said"),
    [(90.0, "$90.00 a month less"), (-5.0, "$5.00 a month more"), (-0.001, "$0.00 a month less")],
)
def test_what_advice_brought_stands_against_what_was_promised(usd: float, said: str) -> None:
    found = Realised((entry(usd), entry(None, "not yet: x")), 1, 100.0, usd)
    assert say.realised(found, NAMES)[0] == (
        f"{said} is held than before, where $100.00 were predicted (1 of 2 measured)"
    )
    assert len(say.realised(found, NAMES)) == 3


def test_without_a_measured_one_there_is_no_sum() -> None:
    assert say.realised(None, NAMES) == ("No ledger could tell what was followed.",)
    none = "No recommendation was followed in the last 13 weeks."
    assert say.realised(Realised((), 0, 0.0, 0.0), NAMES) == (none,)
    assert say.realised(Realised((entry(None),), 0, 0.0, 0.0), NAMES) == (
        say.followed(entry(None), NAMES),
    )


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (entry(), "predicted $100.00 a month, realised $90.00 a month"),
        (entry(-5.0), "predicted $100.00 a month, realised -$5.00 a month"),
        (entry(None, "not yet: x"), "predicted $100.00 a month, realised not known: not yet: x"),
        (entry(None), "predicted $100.00 a month, realised not known: not yet"),
        (entry(accepted=None), "predicted $100.00 a month, realised not known: not yet"),
        (
            entry(predicted=Saving(1.0, None, None, None)),
            "predicted ? a month, realised $90.00 a month",
        ),
    ],
)
def test_followed_advice_is_told_with_both_figures(one: Followed, said: str) -> None:
    assert say.followed(one, NAMES) == f"inference/chat-70b: reduce-replicas 4 → 2: {said}"


def test_what_is_not_known_is_told_with_the_reason() -> None:
    made = digest(
        week(hours=84.0),
        analysis=analysis(
            unknown_use(), failed={"west": "no answer"}, notices=(notice("Odd."), notice("Odd."))
        ),
        problems=("the ledger is locked",),
    )
    names = Names(made.analysis)
    assert say.unknowns(made, names) == (
        "west: no answer",
        "No figure here includes them.",
        "the ledger is locked",
        "Not compared with other weeks: 2026-W47: 84 of 168 h are known.",
        "main/inference/new-model: No GPU metric carries its name.",
        "main: Odd.",
    )
    assert say.unknowns(digest(week(), week(1)), NAMES) == ()


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        ((), "No price is known for these GPUs."),
        (
            (price_used(), price_used("L4", 0.8, as_of=date(2026, 1, 2))),
            "Prices of 2026-01-02 or later: AWS on-demand.",
        ),
        (
            (price_used(), price_used("L4", 0.8, as_of=None, source="ours")),
            "Prices of 2026-09-06 or later, some without a date: AWS on-demand, ours.",
        ),
        ((price_used(as_of=None),), "Prices without a date: AWS on-demand."),
    ],
)
def test_dollars_come_with_date_and_source(prices: Any, said: str) -> None:
    assert say.prices(digest(analysis=analysis(prices=prices))) == said
