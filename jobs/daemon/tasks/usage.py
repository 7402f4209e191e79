"""Writes down what an hour used, so that history outlives the samples it was made from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from analyzer.analysis import Analysis
from analyzer.errors import PartlyDone
from analyzer.history import hours_of
from analyzer.model import Window
from jobs.daemon.periods import Period
from jobs.ledger.usage import SqlUsage

KEPT = timedelta(days=800)
"""Two years and a bit: a year, and the one that it is compared with."""

Analyse = Callable[[Window], Analysis]
"""Reads and analyses a span of time; raises ``SourceError`` when no cluster answered."""


def run_once(period: Period, analyse: Analyse, usage: SqlUsage, now: datetime) -> int:
    """Records the hour of ``period``. Returns the number of clusters that were.

    Raises ``PartlyDone`` when some could not be read, after the others were recorded.
    """
    analysis = analyse(Window(period.begin, period.end))
    hours = hours_of(analysis)
    usage.record(hours)
    usage.prune(now - KEPT)
    if analysis.failed:
        told = "; ".join(f"{name}: {why}" for name, why in sorted(analysis.failed.items()))
        raise PartlyDone(f"usage of {period.key} is not recorded everywhere: {told}")
    return len(hours)
