"""The week of a workload as the page of the weekly report holds it: a few characters that the
page's own script draws, as a page of 500 workloads has to stay small. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from analyzer.analysis import Analysis
from analyzer.rhythm import HOUR, Hours
from reports.text import UNKNOWN

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"
"""A use of 0-1 in 64 levels, one character an hour: finer than a chart of 100 px can show."""

GAP = "."
"""Stands for an hour that was not measured."""


DAY = 24
"""Hours after which replicas may be the same again."""

AGAIN = "*"
"""Stands for the replicas of the day before."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A week as the script reads it, an hour after the other, of which ``one~hours~`` stands for a
    run. ``use`` has a digit an hour; ``replicas`` a figure below ten as ``2`` or ``1.50``, another
    in brackets, ``?`` for none known and ``*`` for that of the day before; ``asleep`` has spans of
    ``from~to`` in hours, divided by commas. Where there are none, it is empty."""

    use: str
    replicas: str
    asleep: str


def days(analysis: Analysis) -> str:
    """The days of the window on the report's clock: ``0 Mon 16,24 Tue 17`` with the hours from its
    start at which each begins. A day on which the clock is changed has an hour more or less."""
    window, zone = analysis.window, ZoneInfo(analysis.timezone)
    at = window.start.astimezone(zone)
    found = []
    while at < window.end:
        # Subtraction within one zone would leave out a change of the clock.
        begin = (at.astimezone(window.start.tzinfo) - window.start) / HOUR
        found.append(f"{begin:g} {at:%a} {at.day}")
        tomorrow = at.date() + timedelta(days=1)
        at = at.replace(
            year=tomorrow.year, month=tomorrow.month, day=tomorrow.day, hour=0, minute=0, fold=0
        )
    return ",".join(found)


def drawn(week: Hours) -> Drawn:
    """The hours of one workload for the script."""
    replicas = [_replicas(one) for one in week.replicas]
    return Drawn(
        _runs(map(_digit, week.use)),
        min(_runs(replicas), _runs(_as_before(replicas)), key=len),
        ",".join(f"{begin:.4g}~{end:.4g}" for begin, end in week.asleep),
    )


def _as_before(hours: Sequence[str]) -> list[str]:
    """An autoscaler does much the same every day."""
    before = [*[""] * DAY, *hours]
    return [AGAIN if one == other else one for one, other in zip(hours, before, strict=False)]


def _runs(values: Iterable[str]) -> str:
    """Each run as whichever takes less room: counted, or repeated."""
    counted = ((value, len(list(same))) for value, same in groupby(values))
    return "".join(min(one * number, f"{one}~{number}~", key=len) for one, number in counted)


def _digit(use: float | None) -> str:
    """A little is not nothing."""
    if use is None:
        return GAP
    level = round(min(max(use, 0.0), 1.0) * (len(DIGITS) - 1))
    return DIGITS[max(level, 1) if use > 0 else 0]


def _replicas(replicas: float | None) -> str:
    if replicas is None or not math.isfinite(replicas):
        return UNKNOWN
    shown = f"{replicas:.3g}"
    if len(shown) == 1:
        return shown
    fixed = f"{replicas:.2f}"
    # A digit, a point and two more end by themselves. A little is not nothing.
    return fixed if len(fixed) == 4 and replicas >= 0.005 else f"({shown})"
