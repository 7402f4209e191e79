"""Prices that overrule the dated defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from analyzer.config.kinds import Day, Map, Number, Text
from analyzer.config.reader import Many, Problem, Section, about


@dataclass(frozen=True, slots=True)
class PriceConfig(Section):
    """One price, and which GPUs it is for: all of the given selectors must match."""

    on_demand: float = field(
        metadata=about(Number(0, 1000, above=True), "On-demand price, USD per GPU-hour.")
    )
    as_of: date = field(metadata=about(Day(), "The day the price was true; shown beside dollars."))
    gpu: str = field(
        default="",
        metadata=about(
            Text(), 'GPU model, as in the catalogue or as the exporter reports it; "" = any.'
        ),
    )
    instance_type: str = field(
        default="", metadata=about(Text(), 'Instance type of the node; "" = any.')
    )
    node_labels: Mapping[str, str] = field(
        default_factory=dict,
        metadata=about(
            Map(r"\S+", r"[^\x00-\x1f\x7f]*", "label = value"), "Labels that the node must carry."
        ),
    )
    spot: float | None = field(
        default=None,
        metadata=about(Number(0, 1000, above=True), "Spot price, USD per GPU-hour; unset = none."),
    )
    source: str = field(
        default="configured",
        metadata=about(
            Text(r".*\S.*", "not empty"), "Where the price is from; shown beside dollars."
        ),
    )

    def problem(self) -> Problem | None:
        if not (self.gpu or self.instance_type or self.node_labels):
            return Problem("gpu", "missing; set at least one of gpu, instance_type, node_labels")
        return None


@dataclass(frozen=True, slots=True)
class PricingConfig(Section):
    """What a GPU-hour costs where the dated defaults are not right."""

    spot_discount: float = field(
        default=0.0,
        metadata=about(
            Number(0, 0.95),
            "Discount on the on-demand price for a spot node whose GPU has no spot price; "
            "0 charges on-demand, and the report says so.",
        ),
    )
    prices: tuple[PriceConfig, ...] = field(
        default=(), metadata=about(Many(PriceConfig), "Prices that overrule the defaults.")
    )

    def problem(self) -> Problem | None:
        for index, price in enumerate(self.prices):
            for earlier, other in enumerate(self.prices[:index]):
                if _selects(price) == _selects(other):
                    return Problem(
                        "gpu",
                        f"same gpu, instance_type and node_labels as pricing.prices.{earlier}; "
                        "keep one of them",
                        ("prices", str(index)),
                    )
        return None


def _selects(price: PriceConfig) -> tuple[str, str, Mapping[str, str]]:
    return price.gpu.lower(), price.instance_type, price.node_labels
