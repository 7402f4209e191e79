"""Times of day and of the week, on a clock that the section names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time
from typing import ClassVar

from analyzer.config.kinds import wrong

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_TIME = r"([01][0-9]|2[0-3]):([0-5][0-9])"


@dataclass(frozen=True, slots=True)
class WeekTime:
    """``weekday`` is 0 for Monday."""

    weekday: int
    time: time

    def __str__(self) -> str:
        return f"{DAYS[self.weekday]} {self.time:%H:%M}"


@dataclass(frozen=True, slots=True)
class Daily:
    """A time of day."""

    type: ClassVar[str] = "string"
    range: ClassVar[str] = "HH:MM"

    def parse(self, value: object) -> time:
        found = re.fullmatch(_TIME, value) if isinstance(value, str) else None
        if found is None:
            raise wrong('a time of day such as "08:00"', value)
        return time(int(found[1]), int(found[2]))


@dataclass(frozen=True, slots=True)
class Weekly:
    """A day of the week and a time."""

    type: ClassVar[str] = "string"
    range: ClassVar[str] = "Day HH:MM"

    def parse(self, value: object) -> WeekTime:
        expected = 'a day and a time such as "Mon 09:00"'
        found = re.fullmatch(rf"([A-Za-z]+) {_TIME}", value) if isinstance(value, str) else None
        if found is None or found[1].title() not in DAYS:
            raise wrong(expected, value)
        return WeekTime(DAYS.index(found[1].title()), time(int(found[2]), int(found[3])))
