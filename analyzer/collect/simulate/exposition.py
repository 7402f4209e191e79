"""What real exporters would have shown of a fleet: raw series by metric name, made when asked for.

Made name by name, a metric costs what its own samples take and is forgotten afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from analyzer.collect.simulate import dcgm, kube, serving
from analyzer.collect.simulate.fleet import Fleet
from analyzer.collect.simulate.raw import Clock, RawSeries, merged
from analyzer.model import Window

__all__ = ["Exposition", "RawSeries", "exposition"]

OFFSETS_S = {"dcgm": 11.25, "kube": 23.5, "serving": 41.75}
"""Each exporter is scraped at its own moment, as Prometheus spreads its targets."""


class Exposition:
    """The series of ``fleet`` seen through ``window``, one sample every ``interval_s``."""

    def __init__(self, fleet: Fleet, window: Window, interval_s: float = 60.0) -> None:
        self._makers: dict[str, Callable[[], Iterator[RawSeries]]] = {}
        shown = (window.start.timestamp(), window.end.timestamp())
        start_s, end_s = fleet.span
        for part, offset_s in ((dcgm, "dcgm"), (kube, "kube"), (serving, "serving")):
            first_s = start_s + OFFSETS_S[offset_s] % interval_s
            times_s = np.arange(first_s, end_s, interval_s, dtype=np.float64)
            self._makers |= part.makers(fleet, Clock(times_s, shown))

    def names(self) -> tuple[str, ...]:
        """Every metric name, sorted."""
        return tuple(sorted(self._makers))

    def series(self, name: str) -> Iterator[RawSeries]:
        """The series of one metric that have samples in the window; none for a name unknown."""
        if name in self._makers:
            yield from merged(self._makers[name]())


def exposition(fleet: Fleet, window: Window, interval_s: float = 60.0) -> Exposition:
    """Raw series of ``fleet`` by metric name, generated lazily; ``window`` cuts what is shown."""
    return Exposition(fleet, window, interval_s)
