"""Steps of a window as half hours of the local week, and spans of awake half hours on the clock.

Half hour 0 of a day begins at midnight, half hour 0 of a week on Monday. What the clock shows
counts: on the day it is put back one half hour is seen twice, on the day it is put forward never.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from analyzer.model import STEP_S, Window
from analyzer.sizing.demand import Floats, Mask

DAY = 48
WEEK = 7 * DAY
WORKDAYS = 5
MINUTES = 30

Indices = npt.NDArray[np.int_]


@dataclass(frozen=True, eq=False, slots=True)
class Folding:
    """The half hour of the week in which each step begins and the one in which it ends: the same
    one, unless the zone is off UTC by an odd number of minutes."""

    first: Indices
    last: Indices

    def any(self, steps: Mask) -> Mask:
        """Half hours of the week that hold any of these steps."""
        found: Mask = np.zeros(WEEK, dtype=bool)
        found[self.first[steps]] = True
        found[self.last[steps]] = True
        return found

    def mean(self, values: Floats, part: slice) -> Floats:
        """The mean of each half hour of the week over the steps of ``part``; 0 where none is."""
        at = self.first[part]
        count = np.bincount(at, minlength=WEEK)
        mean: Floats = np.bincount(at, values[part], WEEK) / np.maximum(count, 1)
        return mean

    def days(self, part: slice) -> tuple[float, float]:
        """How many days from Monday to Friday, and of weekends, the steps of ``part`` make."""
        seen = self.first[part]
        workdays = int((seen < WORKDAYS * DAY).sum())
        each = 86_400 / STEP_S
        return workdays / each, (seen.size - workdays) / each


@lru_cache(maxsize=16)
def folding(window: Window, zone: tzinfo) -> Folding:
    """Kept, because thousands of workloads share a window."""
    first = [window.start + timedelta(seconds=STEP_S * i) for i in range(window.steps)]
    over = timedelta(seconds=STEP_S - 1)
    return Folding(
        np.array([_half_hour(at, zone) for at in first], dtype=np.int_),
        np.array([_half_hour(at + over, zone) for at in first], dtype=np.int_),
    )


def _half_hour(at: datetime, zone: tzinfo) -> int:
    local = at.astimezone(zone)
    return local.weekday() * DAY + (local.hour * 60 + local.minute) // MINUTES


@dataclass(frozen=True, slots=True)
class Span:
    """Awake half hours of a day: ``length`` of them from ``start`` on, past midnight where that
    is more than the day holds; at most 48."""

    start: int
    length: int

    @property
    def text(self) -> str:
        """``07:30-20:00``, as awake windows are written."""
        end = (self.start + self.length - 1) % DAY + 1
        return f"{clock(self.start)}-{clock(end)}"

    def widened(self, margin: timedelta) -> Span:
        """With a margin on both sides, rounded outwards to half hours."""
        more = -(-int(margin.total_seconds()) // (60 * MINUTES))
        if self.length + 2 * more >= DAY:
            return Span(0, DAY)
        return Span((self.start - more) % DAY, self.length + 2 * more)

    def awake(self, days: Sequence[int]) -> Mask:
        """The half hours of a week that are awake when this span begins on each of these days
        (0 = Monday)."""
        found: Mask = np.zeros(WEEK, dtype=bool)
        begins = np.array(days, dtype=np.int_)[:, None] * DAY + self.start
        found[(begins + np.arange(self.length)) % WEEK] = True
        return found


def span_of(used: Mask) -> Span:
    """The smallest span on a clock that holds every half hour that is ``used`` on any of the given
    days (a multiple of 48 half hours, one at least of them used). Of several, the one whose night
    begins first after noon."""
    at = np.unique(np.flatnonzero(used) % DAY)
    quiet = np.diff(np.append(at, at[0] + DAY)) - 1
    begins = (at + 1 - DAY // 2) % DAY
    best = min(range(at.size), key=lambda i: (-int(quiet[i]), int(begins[i])))
    return Span(int(at[(best + 1) % at.size]), DAY - int(quiet[best]))


def clock(half_hour: int) -> str:
    return f"{half_hour // 2:02}:{half_hour % 2 * MINUTES:02}"
