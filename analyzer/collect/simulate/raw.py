"""A raw series, and the moments at which an exporter is scraped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Values = npt.NDArray[np.float32] | npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class RawSeries:
    """One series as scraped: ``times_s`` are Unix seconds, ascending, as long as ``values``.

    Arrays may be views that other series share: never write to them.
    """

    name: str
    labels: Mapping[str, str]
    times_s: Floats
    values: Values


def constant(value: float, times_s: Floats) -> Values:
    """``value`` at every time, in the memory of one number."""
    return np.broadcast_to(np.float64(value), times_s.shape)


@dataclass(frozen=True, eq=False, slots=True)
class Clock:
    """When one kind of exporter is scraped over the whole life of the fleet, on ``times_s``.

    A series is made over all of it and cut to ``shown`` (start and end, in seconds) at the end, so
    that a sample does not depend on the window it is looked at through.
    """

    times_s: Floats
    shown: tuple[float, float]

    def during(self, start_s: float, end_s: float) -> Floats:
        """A view of the times in ``(start_s, end_s]``."""
        first, stop = np.searchsorted(self.times_s, (start_s, end_s), side="right")
        return self.times_s[first:stop]

    def show(
        self, name: str, labels: Mapping[str, str], times_s: Floats, values: Values
    ) -> Iterator[RawSeries]:
        """The series as far as it is shown: one, or none when that leaves nothing."""
        first, stop = np.searchsorted(times_s, self.shown, side="right")
        if stop > first:
            yield RawSeries(name, labels, times_s[first:stop], values[first:stop])


def merged(series: Iterable[RawSeries]) -> Iterator[RawSeries]:
    """Series with the same labels joined in the order of time; they do not overlap."""
    groups: dict[tuple[str, tuple[tuple[str, str], ...]], list[RawSeries]] = {}
    for one in series:
        groups.setdefault((one.name, tuple(sorted(one.labels.items()))), []).append(one)
    for (name, _), parts in groups.items():
        if len(parts) == 1:
            yield parts[0]
            continue
        parts.sort(key=lambda each: float(each.times_s[0]))
        times_s = np.concatenate([each.times_s for each in parts])
        yield RawSeries(
            name, parts[0].labels, times_s, np.concatenate([each.values for each in parts])
        )
