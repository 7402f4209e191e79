"""When jobs are due: each cadence is a sequence of periods, each with a name of its own.

A period's name is what the ledger knows it by, so it never depends on how late the job runs. Days
and weeks are those of a local calendar: a day has one period, whatever its clock does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Protocol

from analyzer.config import WeekTime
from analyzer.sleep.windows import first_instant

MINUTE, HOUR, DAY, WEEK = (
    timedelta(minutes=1),
    timedelta(hours=1),
    timedelta(days=1),
    timedelta(days=7),
)


@dataclass(frozen=True, slots=True)
class Period:
    """One time that a job has to run. ``begin`` and ``end`` bound what it is about, ``due`` is
    when it may start at the earliest; aware UTC. ``length`` is how long it may be tried."""

    key: str
    begin: datetime
    end: datetime
    due: datetime
    length: timedelta


class Cadence(Protocol):
    """``text`` tells it to people."""

    @property
    def text(self) -> str: ...

    @property
    def length(self) -> timedelta:
        """How long a period is, nominally."""

    def periods(self, after: datetime, upto: datetime) -> Iterator[Period]:
        """Those due after ``after`` and not after ``upto`` (aware UTC), in order."""


@dataclass(frozen=True, slots=True)
class EveryMinute:
    """Each whole minute."""

    length = MINUTE
    text = "every minute"

    def periods(self, after: datetime, upto: datetime) -> Iterator[Period]:
        at = after.replace(second=0, microsecond=0) + MINUTE
        while at <= upto:
            yield Period(f"{at:%Y-%m-%dT%H:%MZ}", at - MINUTE, at, at, MINUTE)
            at += MINUTE


@dataclass(frozen=True, slots=True)
class Hourly:
    """Each hour of UTC, ``delay`` after it is over. Named by its start."""

    delay: timedelta = timedelta(0)
    length = HOUR

    @property
    def text(self) -> str:
        return f"every hour, {self.delay.total_seconds() / 60:g} min past"

    def periods(self, after: datetime, upto: datetime) -> Iterator[Period]:
        end = (after - self.delay).replace(minute=0, second=0, microsecond=0)
        while end + self.delay <= upto:
            if end + self.delay > after:
                begin = end - HOUR
                yield Period(f"{begin:%Y-%m-%dT%H:00Z}", begin, end, end + self.delay, HOUR)
            end += HOUR


@dataclass(frozen=True, slots=True)
class Daily:
    """At a time of day of ``zone``: at the first moment of that date at which its clock shows the
    time or a later one. Named by the date; it is about the 24 hours before."""

    at: time
    zone: tzinfo
    delay: timedelta = timedelta(0)
    length = DAY

    @property
    def text(self) -> str:
        return f"every day at {self.at:%H:%M} {self.zone}"

    def periods(self, after: datetime, upto: datetime) -> Iterator[Period]:
        for day in _days(after - self.delay, upto, self.zone):
            moment = first_instant(datetime.combine(day, self.at), self.zone)
            due = moment + self.delay
            if after < due <= upto and _happened(day, moment, self.zone):
                yield Period(f"{day}", moment - DAY, moment, due, DAY)


@dataclass(frozen=True, slots=True)
class Weekly:
    """Once a week at a time of ``zone``; it is about the whole ISO week before, and named by it."""

    at: WeekTime
    zone: tzinfo
    delay: timedelta = timedelta(0)
    length = WEEK

    @property
    def text(self) -> str:
        return f"{self.at} {self.zone}"

    def periods(self, after: datetime, upto: datetime) -> Iterator[Period]:
        for day in _days(after - self.delay, upto, self.zone):
            if day.weekday() != self.at.weekday:
                continue
            moment = first_instant(datetime.combine(day, self.at.time), self.zone)
            due = moment + self.delay
            if after < due <= upto:
                monday = day - timedelta(days=day.weekday())
                begin, end = week(monday - WEEK, self.zone)
                yield Period(week_name(monday - WEEK), begin, end, due, WEEK)


def week(monday: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """The bounds of the week that starts on ``monday``, aware UTC; it may have 167 or 169 hours."""
    start, end = (datetime.combine(day, time()) for day in (monday, monday + WEEK))
    return first_instant(start, zone), first_instant(end, zone)


def week_name(day: date) -> str:
    """The ISO week of a day, such as ``2026-W47``."""
    year, number, _ = day.isocalendar()
    return f"{year}-W{number:02}"


def _days(after: datetime, upto: datetime, zone: tzinfo) -> Iterator[date]:
    """The local dates that may hold a moment between the two."""
    day = after.astimezone(zone).date()
    last = upto.astimezone(zone).date()
    while day <= last:
        yield day
        day += DAY


def _happened(day: date, moment: datetime, zone: tzinfo) -> bool:
    """Whether the calendar of ``zone`` has the day: Samoa had no 30 December in 2011."""
    return moment.astimezone(zone).date() == day


def next_period(cadence: Cadence, after: datetime) -> Period:
    """The first that is due after ``after``."""
    # A day may be missing from a calendar altogether.
    horizon = after.astimezone(UTC) + 2 * cadence.length + 3 * DAY
    return next(cadence.periods(after, horizon))
