"""The port to a metric store: what the readers may ask, whoever answers.

A query is a value, so that the same reader runs on Prometheus, on anything that speaks PromQL
and on the simulator. Rendering to PromQL is the adapter's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from analyzer.model import Notice, StepArray, Window

Over = Literal["avg", "count", "max", "last", "increase"]
"""How one raw series is folded over a span: mean, number of samples, highest, latest value, or
growth of a counter with resets taken into account."""

Across = Literal["avg", "max", "sum"]
"""How series that agree on the kept labels are merged, after folding (so a counter's resets are
seen series by series)."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """One label condition, as in PromQL. ``value`` is raw text (or a regex); adapters escape it."""

    label: str
    value: str
    op: Literal["=", "!=", "=~", "!~"] = "="


@dataclass(frozen=True, slots=True)
class Query:
    """Fold every matching series with ``over``, then merge by the labels in ``by``.

    A label of ``by`` that a series does not carry is left out of its result. What differs only in
    labels of ``summed`` (some of ``by``) is added up in the end, so that duplicates are merged
    before parts of one thing become one result.
    """

    metric: str
    over: Over
    by: tuple[str, ...]
    across: Across = "max"
    where: tuple[Matcher, ...] = ()
    summed: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Series:
    """One result over the steps of a window. ``values`` has NaN where there was no sample."""

    labels: Mapping[str, str]
    values: StepArray


@dataclass(frozen=True, slots=True)
class Sample:
    """One result over a whole window."""

    labels: Mapping[str, str]
    value: float


class MetricStore(Protocol):
    """Answers queries about one cluster. Raises ``SourceError`` when it cannot."""

    def names(self, window: Window) -> frozenset[str]:
        """Names of the metrics that exist in the window and that the readers know how to use."""

    def steps(self, query: Query, window: Window) -> list[Series]:
        """The query folded over each five-minute step."""

    def whole(self, query: Query, window: Window) -> list[Sample]:
        """The query folded over the whole window."""

    def warnings(self) -> list[Notice]:
        """What the server warned of so far (partial results and the like), each once."""

    def close(self) -> None:
        """Lets go of connections."""
