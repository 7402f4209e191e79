"""Query results into arrays, straight from the decoded answer.

What is no number here is none anywhere: NaN stays NaN, infinities become NaN and are reported,
native histograms are left out and reported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from analyzer.errors import BadAnswer
from analyzer.model import STEP_S, StepArray, Window

Labels = tuple[tuple[str, str], ...]
"""A label set as a key: sorted pairs, without the metric's name."""

Report = Callable[[str, str], None]
"""Called with a notice's code and message."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of steps of a window: ``count`` of them from step ``first`` on."""

    first: int
    count: int

    def halves(self) -> tuple[Piece, Piece]:
        left = self.count // 2
        return Piece(self.first, left), Piece(self.first + left, self.count - left)


@dataclass(frozen=True, slots=True)
class Decoder:
    """Reads results of one metric; ``place`` and ``metric`` name it in errors and reports."""

    place: str
    metric: str
    report: Report

    def into(
        self,
        results: Iterable[Mapping[str, Any]],
        window: Window,
        piece: Piece,
        arrays: dict[Labels, StepArray],
    ) -> None:
        """Write a range query's matrix into ``arrays``, adding a row of NaN for new labels.

        Threads may share ``arrays`` when their pieces differ: each writes its own steps.
        Raises ``BadAnswer`` for a result that is not a matrix on the window's steps.
        """
        grid = _Grid(self.place, window, piece)
        for result in results:
            with _Malformed(self.place), np.errstate(over="ignore"):
                labels = label_key(result["metric"])
                if "values" not in result and "histograms" in result:
                    self._histogram()
                    continue
                times, texts = zip(*result["values"], strict=True)
                at = grid.index(times)
                values = self._numbers(list(map(float, texts)))
            row = arrays.get(labels)
            if row is None:
                row = arrays.setdefault(labels, window.nan())
            row[at] = values

    def vector(self, results: Iterable[Mapping[str, Any]]) -> dict[Labels, float]:
        """An instant query's vector. Raises ``BadAnswer`` for a result that is none."""
        found: dict[Labels, float] = {}
        for result in results:
            with _Malformed(self.place):
                labels = label_key(result["metric"])
                if "value" not in result and "histogram" in result:
                    self._histogram()
                    continue
                found[labels] = float(result["value"][1])
        infinite = [labels for labels, value in found.items() if np.isinf(value)]
        for labels in infinite:
            found[labels] = float("nan")
        if infinite:
            self._infinite()
        return found

    def _numbers(self, values: list[float]) -> StepArray:
        numbers = np.asarray(values).astype(np.float32)
        infinite = np.isinf(numbers)
        if infinite.any():
            numbers[infinite] = np.nan
            self._infinite()
        return numbers

    def _infinite(self) -> None:
        self.report("infinite-value", f"{self.metric} has infinite values, which count as missing")

    def _histogram(self) -> None:
        self.report("native-histogram", f"{self.metric} is a native histogram, which is not read")


class _Grid:
    """Where times fall among the steps of a piece. Most series of an answer carry the same times,
    so those of the one before are remembered."""

    def __init__(self, place: str, window: Window, piece: Piece) -> None:
        self._place, self._piece = place, piece
        self._start_s = window.start.timestamp()
        self._times: tuple[float, ...] = ()
        self._index: npt.NDArray[np.intp] = np.zeros(0, dtype=np.intp)

    def index(self, times: tuple[float, ...]) -> npt.NDArray[np.intp]:
        """The step of the window that each time ends. Raises ``BadAnswer`` for any other time."""
        if times != self._times:
            at = np.asarray(times, dtype=np.float64) - self._start_s
            index = np.rint(at / STEP_S) - 1
            on_step = np.abs(at - (index + 1) * STEP_S) < 0.5
            first, count = self._piece.first, self._piece.count
            if not (on_step & (index >= first) & (index < first + count)).all():
                raise BadAnswer(f"{self._place} answered for times that were not asked for")
            self._index, self._times = index.astype(np.intp), times
        return self._index


class _Malformed:
    """Turns what a result of the wrong shape raises into ``BadAnswer``."""

    def __init__(self, place: str) -> None:
        self._place = place

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KeyError | TypeError | ValueError | IndexError | AttributeError):
            raise BadAnswer(
                f"{self._place} answered with results of an unknown shape; is this a Prometheus?"
            ) from error


def names_of(place: str, results: Iterable[Mapping[str, Any]]) -> list[str]:
    """The metric name of each result that has one."""
    with _Malformed(place):
        return [str(r["metric"]["__name__"]) for r in results if "__name__" in r["metric"]]


def label_key(metric: Mapping[str, str]) -> Labels:
    """Some engines keep the metric's name where Prometheus drops it."""
    pairs = [(name, value) for name, value in metric.items() if name != "__name__"]
    if not all(isinstance(value, str) for _, value in pairs):
        raise TypeError("a label value is not text")
    return tuple(sorted(pairs))
