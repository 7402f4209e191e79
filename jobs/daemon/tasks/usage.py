"""Writes down what an hour used, so that history outlives the samples it was made from."""

from __future__ import annotations

from datetime import datetime, timedelta

from analyzer.history import hours_of
from analyzer.model import Window
from jobs.ledger.usage import SqlUsage
from jobs.periods import Period
from jobs.reading import Analyse, check_failed

KEPT = timedelta(days=800)
"""Two years and a bit: a year, and the one that it is compared with."""


def run_once(period: Period, analyse: Analyse, usage: SqlUsage, now: datetime) -> int:
    """Records the hour of ``period``. Returns the number of clusters that were.

    Raises ``PartlyDone`` when some could not be read, after the others were recorded.
    """
    analysis = analyse(Window(period.begin, period.end))
    hours = hours_of(analysis)
    usage.record(hours)
    usage.prune(now - KEPT)
    check_failed(analysis, f"usage of {period.key} is not recorded")
    return len(hours)
