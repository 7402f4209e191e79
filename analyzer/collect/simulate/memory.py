"""A metric store over raw series in memory, with the arithmetic of PromQL.

A query means what ``<across> by (<by>) (<over>_over_time(metric{where}[300s-1ms]))`` means at the
end of each step: step ``i`` folds the samples of ``(start + 300 i, start + 300 (i + 1)]``. Growth
of a counter is extrapolated to the edges of the span, as ``increase`` does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from analyzer.collect.simulate.raw import RawSeries
from analyzer.collect.store import Across, Matcher, Over, Query, Sample, Series
from analyzer.model import STEP_S, Notice, StepArray, Window

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
LabelPairs = tuple[tuple[str, str], ...]


class Source(Protocol):
    """Raw series by metric name, made when they are asked for."""

    def names(self) -> Iterable[str]:
        """Every metric name that the source may have."""

    def series(self, name: str) -> Iterable[RawSeries]:
        """The series of one name; no two with the same labels."""


class _Listed:
    def __init__(self, series: Iterable[RawSeries]) -> None:
        self._by_name: dict[str, list[RawSeries]] = {}
        for one in series:
            self._by_name.setdefault(one.name, []).append(one)

    def names(self) -> Iterable[str]:
        return self._by_name

    def series(self, name: str) -> Iterable[RawSeries]:
        return self._by_name.get(name, ())


class MemoryStore:
    """A ``MetricStore`` over ``series``: a finished collection, or a source asked name by name."""

    def __init__(self, series: Iterable[RawSeries] | Source, cluster: str) -> None:
        self.cluster = cluster
        self._source: Source = _Listed(series) if isinstance(series, Iterable) else series

    def names(self, window: Window) -> frozenset[str]:
        edges = np.array([window.start.timestamp(), window.end.timestamp()])
        return frozenset(
            name
            for name in self._source.names()
            if any(np.ptp(_bounds(one, edges)) for one in self._source.series(name))
        )

    def steps(self, query: Query, window: Window) -> list[Series]:
        edges = window.start.timestamp() + STEP_S * np.arange(window.steps + 1, dtype=np.float64)
        return [
            Series(dict(labels), _float32(values)) for labels, values in self._fold(query, edges)
        ]

    def whole(self, query: Query, window: Window) -> list[Sample]:
        edges = np.array([window.start.timestamp(), window.end.timestamp()])
        return [Sample(dict(labels), float(value[0])) for labels, value in self._fold(query, edges)]

    def close(self) -> None:
        """Nothing is held open."""

    def warnings(self) -> list[Notice]:
        return []

    def _fold(self, query: Query, edges: Floats) -> list[tuple[LabelPairs, Floats]]:
        """Labels and one value a span between ``edges`` for each result, sorted by labels."""
        groups: dict[LabelPairs, _Group] = {}
        accepts = [_condition(each) for each in query.where]
        for one in self._matching(query.metric):
            if not all(accept(one) for accept in accepts):
                continue
            spans = _Spans.of(one, edges, fewest=2 if query.over == "increase" else 1)
            if not spans.at.size:
                continue
            values = _FOLDS[query.over](one, spans)
            key = _key(one, query)
            if key not in groups:
                groups[key] = _Group(len(edges) - 1, query.across)
            groups[key].add(spans.at, values)
        if query.summed:
            groups = _summed(groups, query.summed, len(edges) - 1)
        return [(key, groups[key].result()) for key in sorted(groups)]

    def _matching(self, metric: str) -> Iterator[RawSeries]:
        if not metric.startswith("~"):
            yield from self._source.series(metric)
            return
        pattern = re.compile(metric[1:])
        for name in self._source.names():
            if pattern.fullmatch(name):
                yield from self._source.series(name)


def _float32(values: Floats) -> StepArray:
    return values.astype(np.float32)


def _bounds(one: RawSeries, edges: Floats) -> Ints:
    """How many samples lie at or before each edge."""
    return np.searchsorted(one.times_s, edges, side="right")


def _condition(matcher: Matcher) -> Callable[[RawSeries], bool]:
    def value(one: RawSeries) -> str:
        return one.name if matcher.label == "__name__" else one.labels.get(matcher.label, "")

    wanted = matcher.op in ("=", "=~")
    if matcher.op in ("=", "!="):
        return lambda one: (value(one) == matcher.value) is wanted
    pattern = re.compile(matcher.value)
    return lambda one: (pattern.fullmatch(value(one)) is not None) is wanted


def _key(one: RawSeries, query: Query) -> LabelPairs:
    """The labels of the result. As in PromQL, only ``last`` keeps the metric's name."""
    labels: Mapping[str, str] = one.labels
    if query.over == "last":
        labels = {**labels, "__name__": one.name}
    return tuple((label, labels[label]) for label in sorted(query.by) if labels.get(label))


@dataclass(frozen=True, slots=True)
class _Spans:
    """Where a series has samples: spans ``at``, each from sample ``first`` up to ``stop``, over
    ``(from_s, to_s]``."""

    at: Ints
    first: Ints
    stop: Ints
    from_s: Floats
    to_s: Floats

    @classmethod
    def of(cls, one: RawSeries, edges: Floats, fewest: int) -> _Spans:
        bounds = _bounds(one, edges)
        at = np.flatnonzero(np.diff(bounds) >= fewest)
        return cls(at, bounds[:-1][at], bounds[1:][at], edges[:-1][at], edges[1:][at])

    def reduce(self, fold: np.ufunc, values: Floats) -> Floats:
        """``fold`` of the values of each span.

        ``reduceat`` folds from one index to the next: every other result is what lies between
        the spans.
        """
        padded = np.append(values[: self.stop[-1]], 0.0)
        pairs = np.column_stack((self.first, self.stop)).ravel()
        folded: Floats = fold.reduceat(padded, pairs)[::2]
        return folded


def _average(one: RawSeries, spans: _Spans) -> Floats:
    return spans.reduce(np.add, one.values.astype(np.float64)) / (spans.stop - spans.first)


def _count(_one: RawSeries, spans: _Spans) -> Floats:
    return (spans.stop - spans.first).astype(np.float64)


def _highest(one: RawSeries, spans: _Spans) -> Floats:
    return spans.reduce(np.fmax, one.values.astype(np.float64))


def _latest(one: RawSeries, spans: _Spans) -> Floats:
    return one.values[spans.stop - 1].astype(np.float64)


def _increase(one: RawSeries, spans: _Spans) -> Floats:
    """Growth between consecutive samples of a span (after a reset the new value counts whole),
    extrapolated to the whole span.

    One sample alone says nothing of growth, so a span has at least two.
    """
    now = one.values.astype(np.float64)
    growth = np.zeros_like(now)
    delta = np.diff(now)
    growth[1:] = np.where(delta < 0, now[1:], delta)
    growth[spans.first] = 0
    grown = spans.reduce(np.add, growth)
    return grown * _stretch(one.times_s, now[spans.first], grown, spans)


def _stretch(times_s: Floats, begun: Floats, grown: Floats, spans: _Spans) -> Floats:
    """How much longer a span is than the time between its first and last sample, by the rules of
    PromQL's ``increase``: a gap at an edge of more than 1.1 intervals between samples is taken for
    an absence and half an interval is added, and no counter is traced back to below zero.
    """
    first_s, last_s = times_s[spans.first], times_s[spans.stop - 1]
    sampled_s = last_s - first_s
    between_s = sampled_s / (spans.stop - spans.first - 1)

    def edge(gap_s: Floats) -> Floats:
        return np.where(gap_s < 1.1 * between_s, gap_s, between_s / 2)

    counts = (grown > 0) & (begun >= 0)
    since_zero_s = np.full_like(sampled_s, np.inf)
    np.divide(sampled_s * begun, grown, out=since_zero_s, where=counts)
    # The range that is asked for is a millisecond short of the span.
    before_s = np.minimum(edge(first_s - spans.from_s - 0.001), since_zero_s)
    return (sampled_s + before_s + edge(spans.to_s - last_s)) / sampled_s


_FOLDS: dict[Over, Callable[[RawSeries, _Spans], Floats]] = {
    "avg": _average,
    "count": _count,
    "max": _highest,
    "last": _latest,
    "increase": _increase,
}


class _Group:
    """Series that agree on the kept labels, merged span by span; a span nobody filled is NaN."""

    def __init__(self, spans: int, across: Across) -> None:
        self._across = across
        self._value = np.full(spans, np.nan)
        self._series = np.zeros(spans, dtype=np.int32)

    def add(self, at: Ints, values: Floats) -> None:
        here = self._value[at]
        if self._across == "max":
            self._value[at] = np.fmax(here, values)
            return
        self._value[at] = np.where(self._series[at] > 0, here + values, values)
        self._series[at] += 1

    def result(self) -> Floats:
        if self._across != "avg":
            return self._value
        return self._value / np.maximum(self._series, 1)


def _summed(
    groups: Mapping[LabelPairs, _Group], labels: tuple[str, ...], spans: int
) -> dict[LabelPairs, _Group]:
    """The groups' results added up where they differ in ``labels`` alone."""
    totals: dict[LabelPairs, _Group] = {}
    for key, group in groups.items():
        kept = tuple(pair for pair in key if pair[0] not in labels)
        values = group.result()
        at = np.flatnonzero(~np.isnan(values))
        totals.setdefault(kept, _Group(spans, "sum")).add(at, values[at])
    return totals
