"""Asking in smaller parts for what a server finds too much.

A range query is cut between its steps, which changes nothing. A query over a whole window is cut
into shorter ranges, each asked for series by series: only the fold of a single series can be put
together from parts, so merging by labels is then done here, as PromQL would.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from analyzer.collect.prometheus.answers import Answered, NoAnswer
from analyzer.collect.prometheus.decode import Labels, Piece
from analyzer.collect.prometheus.promql import FUNCTIONS
from analyzer.collect.store import Across, Query
from analyzer.errors import SourceError, TooMuch
from analyzer.model import STEP_S

PATIENCE = 3
"""How often a query that ran out of the server's time is halved. Each try may cost that whole
time again, so unlike one refused for its size it is not halved to the end; one that ran out of
our time is halved once."""

Vector = dict[Labels, float]


def cost(error: SourceError) -> int | None:
    """What halving after this error takes from the patience; None when it cannot help."""
    slow = isinstance(error, Answered | NoAnswer) and error.slow
    if isinstance(error, TooMuch):
        return 1 if slow else 0
    return PATIENCE if slow else None


@dataclass
class Pieces:
    """Reads pieces of one range query with ``read``, halving those that are refused.

    Threads share one: the size that a piece was refused at is not tried again by the others.
    """

    read: Callable[[Piece], None]
    largest: int = field(default=1 << 30)

    def fetch(self, piece: Piece, patience: int = PATIENCE) -> None:
        """Raises the server's refusal when a single step is too much."""
        if piece.count <= self.largest or piece.count == 1:
            try:
                self.read(piece)
            except SourceError as error:
                price = cost(error)
                if price is None or price > patience or piece.count == 1:
                    raise
                patience -= price
                self.largest = min(self.largest, piece.count - piece.count // 2)
            else:
                return
        for half in piece.halves():
            self.fetch(half, patience)


@dataclass(frozen=True)
class Whole:
    """A query over a whole window, from parts. ``ask(function, start_s, end_s)`` folds every
    series over ``(start_s, end_s]`` with a PromQL function, and merges nothing."""

    query: Query
    ask: Callable[[str, int, int], Vector]

    def merged(self, start_s: int, end_s: int, patience: int) -> Vector:
        """The query's result over ``(start_s, end_s]``, never asked for in one part."""
        if self.query.over == "avg":
            sums = self._halved("sum_over_time", start_s, end_s, patience)
            counts = self._halved("count_over_time", start_s, end_s, patience)
            series = {key: sums[key] / count for key, count in counts.items() if key in sums}
        else:
            series = self._halved(FUNCTIONS[self.query.over], start_s, end_s, patience)
        merged = _merge(series, self.query.by, self.query.across)
        if not self.query.summed:
            return merged
        kept = tuple(label for label in self.query.by if label not in self.query.summed)
        return _merge(merged, kept, "sum")

    def _series(self, function: str, start_s: int, end_s: int, patience: int) -> Vector:
        try:
            return self.ask(function, start_s, end_s)
        except SourceError as error:
            price = cost(error)
            if price is None or price > patience or end_s - start_s <= STEP_S:
                raise
            return self._halved(function, start_s, end_s, patience - price)

    def _halved(self, function: str, start_s: int, end_s: int, patience: int) -> Vector:
        if end_s - start_s <= STEP_S:
            return self.ask(function, start_s, end_s)
        middle_s = start_s + (end_s - start_s) // STEP_S // 2 * STEP_S
        early = self._series(function, start_s, middle_s, patience)
        late = self._series(function, middle_s, end_s, patience)
        for key, value in early.items():
            late[key] = _join(function, value, late[key]) if key in late else value
        return late


def _join(function: str, early: float, late: float) -> float:
    """One series' folds over two adjoining ranges as the fold over both."""
    if function == "max_over_time":
        return _highest([early, late])
    if function == "last_over_time":
        return late
    return early + late


def _merge(series: Mapping[Labels, float], by: tuple[str, ...], across: Across) -> Vector:
    groups: dict[Labels, list[float]] = defaultdict(list)
    for labels, value in series.items():
        groups[tuple(pair for pair in labels if pair[0] in by)].append(value)
    folds: dict[Across, Callable[[list[float]], float]]
    folds = {"sum": math.fsum, "max": _highest, "avg": lambda v: math.fsum(v) / len(v)}
    return {labels: folds[across](values) for labels, values in groups.items()}


def _highest(values: list[float]) -> float:
    """As PromQL's max: NaN only when there is nothing else."""
    return max((value for value in values if not math.isnan(value)), default=math.nan)
