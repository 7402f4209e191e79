"""Local wall time as UTC, and windows as intervals of UTC.

Where the clock is put forward, a time that it skips is the moment of the jump. Where it is put
back, a start is the first and an end the second of the two moments that it shows. So a window
holds every moment at which its clock shows a time inside it.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from analyzer.sleep.daysoff import days_off

Interval = tuple[datetime, datetime]
"""Aware UTC; the start belongs to it, the end does not."""


def first_instant(local: datetime, zone: tzinfo) -> datetime:
    """When a window that starts at the naive ``local`` begins, aware UTC."""
    early, late = _both(local, zone)
    return early if early <= late else _jump(local, zone, late, early)


def last_instant(local: datetime, zone: tzinfo) -> datetime:
    """When a window that ends at the naive ``local`` is over, aware UTC."""
    early, late = _both(local, zone)
    return late if early <= late else _jump(local, zone, late, early)


def _both(local: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """The two readings of PEP 495: equal for a time shown once, reversed for one never shown."""
    aware = local.replace(tzinfo=zone)
    return aware.astimezone(UTC), aware.replace(fold=1).astimezone(UTC)


def _jump(local: datetime, zone: tzinfo, low: datetime, high: datetime) -> datetime:
    """The moment between ``low`` and ``high`` at which the clock jumps over ``local``."""

    def is_over(second: int) -> bool:
        at = low + timedelta(seconds=second)
        return at.astimezone(zone).replace(tzinfo=None) > local

    seconds = range(int((high - low).total_seconds()) + 1)
    return low + timedelta(seconds=bisect.bisect_left(seconds, True, key=is_over))


def interval(start: datetime, end: datetime, zone: tzinfo) -> Interval | None:
    """From one naive local time to another; None when the clock skips all of it."""
    begin, over = first_instant(start, zone), last_instant(end, zone)
    return (begin, over) if begin < over else None


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """Sorted and disjoint: those that overlap or touch are one."""
    result: list[Interval] = []
    for begin, over in sorted(intervals):
        if result and begin <= result[-1][1]:
            result[-1] = (result[-1][0], max(over, result[-1][1]))
        else:
            result.append((begin, over))
    return result


@dataclass(frozen=True, slots=True)
class Weekly:
    """A window on days of the week, 0 = Monday.

    ``start`` and ``end`` are what the clock shows, counted from the midnight at which the day
    begins; an end after the next midnight is above 24 h. No window starts on the days off that
    ``holidays`` names.
    """

    days: frozenset[int]
    start: timedelta
    end: timedelta
    zone: tzinfo
    holidays: str = ""

    def on(self, day: date) -> Interval | None:
        """The window that starts on this local date, None when none does."""
        if day.weekday() not in self.days:
            return None
        if self.holidays and day in days_off(self.holidays, day.year):
            return None
        midnight = datetime.combine(day, time.min)
        return interval(midnight + self.start, midnight + self.end, self.zone)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a text asks for: weekly windows, and fixed ones in addition, merged."""

    weekly: tuple[Weekly, ...] = ()
    fixed: tuple[Interval, ...] = ()

    def within(self, begin: datetime, over: datetime) -> list[Interval]:
        """The merged intervals between two moments, clipped to them."""
        # Clocks are at most a day off UTC, and a window ends on the day after its own.
        first, last = begin.date().toordinal() - 3, over.date().toordinal() + 1
        days = [date.fromordinal(ordinal) for ordinal in range(first, last + 1)]
        started = (one.on(day) for one in self.weekly for day in days)
        found = [each for each in started if each is not None]
        clipped = ((max(a, begin), min(b, over)) for a, b in [*found, *self.fixed])
        return merged((a, b) for a, b in clipped if a < b)
