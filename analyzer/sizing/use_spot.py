"""The same GPUs for less, on nodes that may be taken away."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from analyzer.advice import Fact, Recommendation, Refusal, Saving
from analyzer.config.sizing import UseSpotConfig
from analyzer.pricing import Price, comparable
from analyzer.sizing import confidence
from analyzer.sizing.case import STEP_H, WEEK_H, Case
from analyzer.sizing.money import per_month

ACTION: Final = "use-spot"

_NEVER = ("production", "unknown")
"""Environments that no configuration can send to spot nodes."""


def use_spot(case: Case, config: UseSpotConfig) -> Recommendation | Refusal:
    """Frees no GPU-hour: what it is worth is the difference in price."""
    lacking = case.missing(ACTION) or _unfit(case, config)
    if lacking:
        return lacking
    prices = _prices(case)
    if isinstance(prices, Refusal):
        return prices
    now, spot = prices
    less = now.usd_per_gpu_hour - spot.usd_per_gpu_hour
    discount = less / now.usd_per_gpu_hour
    hours = _on_demand_hours(case)
    return Recommendation(
        action=ACTION,
        before="on-demand",
        after="spot",
        reason=(
            f"a GPU-hour costs ${spot.usd_per_gpu_hour:.2f} instead of "
            f"${now.usd_per_gpu_hour:.2f} ({discount:.0%} less) on spot "
            f"nodes{_vendors(now, spot)}. "
            "They can be taken away at any time, and models load for 5-20 minutes until they "
            "answer again"
        ),
        saving=Saving(0.0, per_month(hours, less)),
        confidence=confidence.combined(
            (
                confidence.of_coverage(case),
                confidence.of_history(case),
                confidence.of_prices(discount, one_vendor=not _vendors(now, spot)),
            )
        ),
        evidence=_evidence(case, (now, spot), discount, hours),
    )


def _vendors(now: Price, spot: Price) -> str:
    """Names both where they are not one vendor's: the catalogue has spot prices of few."""
    return "" if comparable(now, spot) else f" (prices of {now.source} and {spot.source})"


def _unfit(case: Case, config: UseSpotConfig) -> Refusal | None:
    environment = case.figures.environment
    if environment in _NEVER or environment not in config.environments:
        allowed = ", ".join(e for e in config.environments if e not in _NEVER) or "none"
        reason = f"its environment is {environment}; on spot nodes may run: {allowed}"
        return Refusal(ACTION, "environment", reason)
    if case.node_class.spot:
        return Refusal(ACTION, "spot-already", "it runs on spot nodes already")
    return None


def _prices(case: Case) -> tuple[Price, Price] | Refusal:
    """What a GPU-hour costs now and on spot."""
    node = case.node_class
    model = node.gpu_model or "a GPU of unknown model"
    quote, other = case.prices.quote(node), case.prices.quote(replace(node, spot=True))
    if other is None or other.note:
        reason = (
            f"no spot price for {model}: set spot under [[pricing.prices]], "
            "or spot_discount under [pricing]"
        )
        return Refusal(ACTION, "no-spot-price", reason)
    if quote is None:
        reason = f"no price for {model}: set on_demand under [[pricing.prices]]"
        return Refusal(ACTION, "no-price", reason)
    now, spot = quote.price, other.price
    if not spot.usd_per_gpu_hour < now.usd_per_gpu_hour:
        reason = (
            f"a GPU-hour on spot costs ${spot.usd_per_gpu_hour:.2f}, "
            f"no less than ${now.usd_per_gpu_hour:.2f} on-demand"
        )
        return Refusal(ACTION, "not-cheaper", reason)
    return now, spot


def _on_demand_hours(case: Case) -> float:
    """GPU-hours a week that it held on nodes that are not spot."""
    held = sum(
        float(np.nansum(u.allocated, dtype=np.float64)) for u in case.use if not u.node_class.spot
    )
    return held * STEP_H * WEEK_H / case.span_h


def _evidence(
    case: Case, prices: tuple[Price, Price], discount: float, hours: float
) -> dict[str, Fact]:
    now, spot = prices
    return {
        "on_demand_usd_per_gpu_hour": round(now.usd_per_gpu_hour, 4),
        "on_demand_source": now.source,
        "on_demand_as_of": now.as_of.isoformat() if now.as_of else None,
        "spot_usd_per_gpu_hour": round(spot.usd_per_gpu_hour, 4),
        "spot_source": spot.source,
        "spot_as_of": spot.as_of.isoformat() if spot.as_of else None,
        "discount": round(discount, 4),
        "on_demand_gpu_hours_per_week": round(hours, 2),
        "environment": case.figures.environment,
        "history_hours": round(case.span_h, 2),
    }
