"""Spot nodes: for whom, and at what price."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from analyzer.advice import Recommendation, Refusal
from analyzer.config.sizing import UseSpotConfig
from analyzer.pricing import PriceBook
from analyzer.sizing.case import Case
from analyzer.sizing.use_spot import use_spot
from tests.analyzer.sizing.cases import A100, UNPRICED, book, case
from tests.builders import gpu_use, node_class, window

DEFAULT = UseSpotConfig()


def advised(one: Case, config: UseSpotConfig = DEFAULT) -> Recommendation:
    found = use_spot(one, config)
    assert isinstance(found, Recommendation), found
    return found


def refused(one: Case, config: UseSpotConfig = DEFAULT) -> Refusal:
    found = use_spot(one, config)
    assert isinstance(found, Refusal)
    assert found.action == "use-spot"
    return found


def test_it_is_worth_the_difference() -> None:
    found = advised(case(allocated=4.0))
    assert (found.before, found.after) == ("on-demand", "spot")
    assert found.saving.gpu_hours_per_week == 0
    # 4 x 168 = 672 GPU-hours a week, $3.43 - $0.68 = $2.75 each, 730 / 168 weeks a month.
    assert found.saving.worth_usd_per_month == pytest.approx(672 * 2.75 * 730 / 168)
    assert found.saving.worth_usd_per_month == pytest.approx(8030)
    assert "taken away at any time" in found.reason
    assert "5-20 minutes" in found.reason
    assert found.evidence["discount"] == 0.8017
    assert found.evidence["on_demand_source"] == "AWS on-demand"
    assert found.evidence["on_demand_as_of"] == "2026-11-09"
    assert found.evidence["spot_source"] == "Azure spot"
    assert found.evidence["spot_as_of"] is None


@pytest.mark.parametrize("environment", ["production", "unknown"])
def test_never_production_whatever_is_configured(environment: str) -> None:
    config = UseSpotConfig(environments=("production", "unknown", "development"))
    assert refused(case(environment=environment), config).code == "environment"


def test_staging_where_it_is_configured() -> None:
    staging = case(environment="staging")
    assert refused(staging).code == "environment"
    assert advised(staging, UseSpotConfig(environments=("staging",)))
    assert refused(case(), UseSpotConfig(environments=())).code == "environment"


def test_jobs_may() -> None:
    assert advised(case(kind="Job"))


def test_what_is_there_already() -> None:
    assert refused(case(node=replace(A100, spot=True))).code == "spot-already"


@pytest.mark.parametrize("node", [node_class("L4"), UNPRICED, node_class("")])
def test_without_a_spot_price_nothing_is_guessed(node: Any) -> None:
    found = refused(case(node=node))
    assert found.code == "no-spot-price"
    assert "[[pricing.prices]]" in found.reason
    assert "spot_discount" in found.reason


def test_a_configured_discount_is_a_price() -> None:
    found = advised(case(node=node_class("L4"), prices=PriceBook(spot_discount=0.6)))
    assert found.saving.worth_usd_per_month == pytest.approx(0.805 * 0.6 * 730)
    assert found.evidence["spot_source"] == "AWS on-demand less 60% for spot"


@pytest.mark.parametrize(
    ("on_demand", "spot", "code"),
    [
        (3.0, np.nan, "no-spot-price"),
        (3.0, np.inf, "no-spot-price"),
        (3.0, -1.0, "no-spot-price"),
        (3.0, None, "no-spot-price"),
        (np.nan, 1.0, "no-price"),
        (np.inf, 1.0, "no-price"),
        (-np.inf, 1.0, "no-price"),
        (-2.0, 1.0, "no-price"),
        (1.0, 1.0, "not-cheaper"),
        (1.0, 1.5, "not-cheaper"),
        (0.0, 0.0, "not-cheaper"),
        (0.0, 1.0, "not-cheaper"),
    ],
)
def test_prices_that_say_nothing(on_demand: float, spot: float | None, code: str) -> None:
    assert refused(case(prices=book(on_demand, spot))).code == code


def test_a_spot_price_of_nothing_is_a_price() -> None:
    found = advised(case(prices=book(2.0, 0.0)))
    assert found.saving.worth_usd_per_month == pytest.approx(2 * 730)
    assert found.evidence["discount"] == 1


def test_a_small_discount_is_little_to_rely_on() -> None:
    assert advised(case(prices=book(1.0, 0.9))).confidence.level == "low"
    assert advised(case(prices=book(2.0, 0.8))).confidence.level == "medium"


def test_prices_of_two_vendors_are_named_and_believed_little() -> None:
    """The catalogue's A100 costs $3.43 at AWS, on spot $0.68 at Azure."""
    found = advised(case())
    assert found.confidence.level == "low"
    assert "(prices of AWS on-demand and Azure spot)" in found.reason


def test_only_hours_on_demand_count() -> None:
    use = (
        gpu_use(allocated=3.0, node=A100),
        gpu_use(allocated=1.0, node=replace(A100, spot=True)),
    )
    found = advised(case(use=use))
    assert found.saving.worth_usd_per_month == pytest.approx(3 * 2.75 * 730)


def test_a_change_of_gpu_in_mid_week_is_priced_as_what_it_has_now() -> None:
    early, late = np.zeros(2016), np.zeros(2016)
    early[:1008], late[1008:] = 1, 1
    use = (gpu_use(allocated=early, node=node_class()), gpu_use(allocated=late, node=A100))
    assert advised(case(use=use)).saving.worth_usd_per_month == pytest.approx(2.75 * 730)


def test_what_is_missing_for_any_advice_is_missing_for_this() -> None:
    assert refused(case(span=window(1 / 12))).code == "short-history"
    assert refused(case(allocated=np.nan)).code == "short-history"
    assert refused(case(observed=np.nan, coverage=None)).code == "no-gpu-metrics"
    assert refused(case(exists=False)).code == "gone"
