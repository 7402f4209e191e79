"""Idle workloads, and all that may make one look idle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analyzer.advice import Recommendation, Refusal
from analyzer.sizing.case import Case, Floor
from analyzer.sizing.remove import remove
from tests.analyzer.sizing.cases import A100, UNPRICED, book, case, served
from tests.builders import distribution, gpu_use, node_class, serving_figures, verdict, window


def idle(**changes: Any) -> Case:
    return case(**({"verdict": verdict("idle", "mean use 0.0%")} | changes))


def advised(one: Case) -> Recommendation:
    found = remove(one)
    assert isinstance(found, Recommendation), found
    return found


def refused(one: Case) -> str:
    found = remove(one)
    assert isinstance(found, Refusal)
    assert found.action == "remove"
    return found.code


def test_all_its_gpu_hours_are_freed() -> None:
    found = advised(idle(replicas=2, allocated=2.0))
    assert (found.before, found.after) == (2, 0)
    # 2 GPUs x 168 h; x $3.43 x 730 / 168 a month.
    assert found.saving.gpu_hours_per_week == pytest.approx(336)
    assert found.saving.worth_usd_per_month == pytest.approx(336 * 3.43 * 730 / 168)
    assert found.saving.worth_usd_per_month == pytest.approx(5007.80)
    assert found.saving.usd_per_month is None
    assert found.saving.nodes_freed is None


def test_a_week_is_what_it_holds_while_it_is_there() -> None:
    # In a window of 14 days it is there for 7.5, on 3 GPUs.
    span = window(14 * 24)
    held = np.zeros(span.steps)
    held[-2160:] = 3
    found = advised(idle(span=span, allocated=held))
    assert found.saving.gpu_hours_per_week == pytest.approx(3 * 168)
    assert found.evidence["history_hours"] == 180


@pytest.mark.parametrize("environment", ["production", "staging", "development", "unknown"])
def test_it_is_advice_in_any_environment(environment: str) -> None:
    found = advised(idle(environment=environment))
    assert ("standby" in found.reason) == (environment in ("production", "unknown"))


@pytest.mark.parametrize("price", [np.nan, np.inf, -np.inf, -1.0])
def test_a_price_that_cannot_be_leaves_the_advice_without_a_worth(price: float) -> None:
    found = advised(idle(prices=book(price)))
    assert found.saving.worth_usd_per_month is None
    assert found.saving.gpu_hours_per_week == pytest.approx(168)
    assert advised(idle(node=UNPRICED)).saving.worth_usd_per_month is None


def test_what_costs_nothing_is_worth_nothing() -> None:
    assert advised(idle(prices=book(0.0))).saving.worth_usd_per_month == 0


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("underused", "in-use"),
        ("right-sized", "in-use"),
        ("saturated", "in-use"),
        ("unknown", "unknown"),
    ],
)
def test_only_what_is_idle(name: Any, code: str) -> None:
    assert refused(case(verdict=verdict(name))) == code


@pytest.mark.parametrize(("replicas", "code"), [(0, "asleep"), (None, "no-replicas")])
def test_something_has_to_be_there(replicas: int | None, code: str) -> None:
    assert refused(idle(replicas=replicas)) == code


def one_step(value: float) -> np.ndarray[Any, Any]:
    values = np.zeros(window().steps)
    values[1000] = value
    return values


@pytest.mark.parametrize(
    "asked",
    [
        {"requests": 1.0},
        {"generation_tokens": 3.0},
        {"prompt_tokens": 3.0},
        {"running": one_step(0.05)},
        {"waiting": one_step(0.05)},
        {"waiting_peak": one_step(1)},
        {"generated": one_step(2)},
        {"finished": one_step(1)},
    ],
    ids=lambda asked: next(iter(asked)),
)
def test_a_single_request_in_the_week_is_use(asked: dict[str, Any]) -> None:
    assert refused(idle(serving=served(**asked))) == "in-use"


def test_a_server_that_was_heard_and_said_nothing_is_idle() -> None:
    found = advised(idle(serving=served()))
    assert found.confidence.level == "medium"  # One week only.
    assert "0 requests" in found.confidence.reasons[2]
    assert found.evidence["requests"] == 0


def test_a_server_that_was_not_heard_proves_nothing() -> None:
    silent = served(running=np.nan)
    assert refused(idle(serving=silent)) == "low-serving-coverage"
    assert refused(idle(serving=served(), coverage=0.5)) == "low-coverage"


def test_figures_without_the_server_that_there_is_prove_nothing() -> None:
    one = case(verdict=verdict("idle"), serving=served())
    for coverage in (0.89, np.nan):
        odd = idle(serving=served())
        object.__setattr__(odd.figures, "serving", serving_figures(coverage=coverage))
        assert refused(odd) == "low-serving-coverage"
    object.__setattr__(one.figures, "serving", None)
    assert refused(one) == "low-serving-coverage"


def test_what_is_missing_for_any_advice_is_missing_for_this() -> None:
    assert refused(idle(exists=False)) == "gone"
    assert refused(idle(span=window(1 / 12))) == "short-history"
    assert refused(idle(allocated=np.nan, coverage=None)) == "short-history"
    assert refused(idle(observed=np.nan, coverage=None)) == "no-gpu-metrics"
    assert refused(idle(observed=0.5)) == "low-coverage"
    assert refused(idle(coverage=float("nan"))) == "low-coverage"


def test_a_change_of_gpu_in_mid_week_is_still_one_workload() -> None:
    early, late = np.zeros(2016), np.zeros(2016)
    early[:1008], late[1008:] = 1, 1
    use = (
        gpu_use(allocated=early, work=0.0, node=node_class("H100 SXM 80GB")),
        gpu_use(allocated=late, work=0.0, node=A100),
    )
    found = advised(idle(use=use))
    assert found.saving.gpu_hours_per_week == pytest.approx(168)
    # At the price of what it has now.
    assert found.saving.worth_usd_per_month == pytest.approx(730 * 3.43)


def test_restarts_every_hour_leave_it_idle() -> None:
    held = np.ones(2016)
    held[::12] = 0
    found = advised(idle(allocated=held))
    assert found.saving.gpu_hours_per_week == pytest.approx(154, abs=0.2)


def test_two_weeks_of_a_silent_server_are_sure() -> None:
    span = window(14 * 24)
    found = advised(idle(span=span, serving=served(span=span), floor=Floor()))
    assert found.confidence.level == "high"
    standby = idle(span=span, serving=served(span=span), environment="production")
    assert advised(standby).confidence.level == "medium"
    assert (
        advised(idle(utilisation=distribution(0.0, 0, 0, 0.009))).evidence["highest_use"] == 0.009
    )
