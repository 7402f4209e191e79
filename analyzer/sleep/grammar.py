"""The text of awake windows, such as ``Mon-Fri 08:00-20:00 Europe/Berlin, Sat 10:00-14:00``.

Windows are separated by commas: ``[Days] HH:MM-HH:MM [Zone]``, where days without times go with
the next times, or ``2026-12-24T08:00-2026-12-24T20:00 [Zone]``. ``always`` and ``never`` stand
alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

from analyzer.config.place import quoted
from analyzer.config.zone import Zone, zone_of
from analyzer.sleep.daysoff import problem
from analyzer.sleep.windows import Interval, Rules, Weekly, first_instant, last_instant, merged

MAX_CHARACTERS = 1000
FIRST_YEAR, LAST_YEAR = 1970, 2999

_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAYS = {name: n for n, day in enumerate(_WEEK) for name in (day, day[:3])}
_EVERY_DAY = frozenset(range(7))
_DAY = timedelta(hours=24)

_TIMES = re.compile(r"([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})")
_STAMP = (
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)"
    r"(Z|[+-][0-9]{2}:[0-5][0-9])?"
)
_RANGE = re.compile(f"{_STAMP}-{_STAMP}")
_DATED = re.compile(r"[0-9]{4}-.*|[0-9].*T.*")

_WINDOW = "Mon-Fri 08:00-20:00 Europe/Berlin"
_RANGE_EXAMPLE = "2026-12-24T08:00-2026-12-24T20:00"


class BadSchedule(ValueError):
    """A text that names no schedule: one line with the text, the place and an example."""


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    place: int
    """Characters before it in the whole text."""


def read_rules(text: str, zone: str, holidays: str) -> Rules:
    """What ``text`` asks for, with the zone of the windows that name none, and the country or
    part of one without weekly windows on its public holidays. Raises ``BadSchedule``."""
    opened = _zone(zone)
    if isinstance(opened, str):
        raise BadSchedule(f"{quoted(text)}: its default zone: {opened}")
    wrong = problem(holidays) if holidays else ""
    if wrong:
        raise BadSchedule(f"{quoted(text)}: its holidays: {wrong}")
    reader = _Reader(text, opened, holidays)
    reader.read()
    return Rules(tuple(reader.weekly), tuple(merged(reader.fixed)))


@lru_cache(maxsize=1024)
def _zone(name: str) -> tzinfo | str:
    """The zone, or what is wrong with its name."""
    try:
        return zone_of(Zone().parse(name))
    except ValueError as error:
        return str(error)


@dataclass(slots=True)
class _Reader:
    text: str
    zone: tzinfo
    holidays: str
    weekly: list[Weekly] = field(default_factory=list)
    fixed: list[Interval] = field(default_factory=list)
    waiting: list[tuple[_Word, frozenset[int]]] = field(default_factory=list)
    """Days whose times are yet to come."""

    def read(self) -> None:
        self._check_characters()
        if self.text.lower() == "always":
            # Not a window of any day, so no holiday interrupts it.
            self.weekly.append(Weekly(_EVERY_DAY, timedelta(0), _DAY, UTC))
        elif self.text.lower() != "never":
            for words in self._entries():
                self._entry(words)
            if self.waiting:
                last = self.waiting[-1][0]
                raise self._bad(last, "times after the days", f"{last.text} 08:00-20:00")

    def _check_characters(self) -> None:
        if len(self.text) > MAX_CHARACTERS:
            beyond = _Word(self.text[MAX_CHARACTERS:], MAX_CHARACTERS)
            raise self._bad(beyond, f"at most {MAX_CHARACTERS:,} characters", _WINDOW)
        for place, char in enumerate(self.text):
            if not char.isprintable():
                raise self._bad(_Word(char, place), "printable characters only", _WINDOW)

    def _entries(self) -> Iterator[list[_Word]]:
        place = 0
        for entry in self.text.split(","):
            words = [_Word(m[0], place + m.start()) for m in re.finditer(r"\S+", entry)]
            if not words:
                raise self._bad(_Word("", place), "a window", _WINDOW)
            yield words
            place += len(entry) + 1

    def _entry(self, words: list[_Word]) -> None:
        if not words[0].text[0].isdigit():
            self.waiting.append((words[0], self._days(words[0])))
            if len(words) == 1:
                return
            words = words[1:]
        times, *rest = words
        if _DATED.fullmatch(times.text):
            self._range(times, rest)
        else:
            start, end = self._times(times)
            days = [each for _, each in self.waiting] or [_EVERY_DAY]
            zone = self._zone(rest)
            self.weekly.append(Weekly(frozenset().union(*days), start, end, zone, self.holidays))
        self.waiting.clear()

    def _days(self, word: _Word) -> frozenset[int]:
        first, dash, last = word.text.lower().partition("-")
        begin, end = _DAYS.get(first), _DAYS.get(last if dash else first)
        if begin is not None and end is not None:
            return frozenset((begin + n) % 7 for n in range((end - begin) % 7 + 1))
        if word.text.lower() in ("always", "never"):
            raise self._bad(word, "always or never alone, or windows", _WINDOW)
        raise self._bad(word, "days, from Mon to Sun, or HH:MM-HH:MM", _WINDOW)

    def _zone(self, words: list[_Word]) -> tzinfo:
        """The zone among the words after the times; there is at most one."""
        opened = _zone(words[0].text) if words else self.zone
        if isinstance(opened, str):
            raise BadSchedule(f"{self._place(words[0])}: {opened}")
        if len(words) > 1:
            expected = "a comma before the next window"
            raise self._bad(words[1], expected, f"{_WINDOW}, Sat 10:00-14:00")
        return opened

    def _times(self, word: _Word) -> tuple[timedelta, timedelta]:
        match = _TIMES.fullmatch(word.text)
        if not match:
            raise self._bad(word, "HH:MM-HH:MM", _WINDOW)
        numbers = [int(each) for each in match.groups()]
        start, end = (timedelta(hours=h, minutes=m) for h, m in (numbers[:2], numbers[2:]))
        if max(numbers[1], numbers[3]) > 59 or end > _DAY or start >= _DAY:
            raise self._bad(word, "a start up to 23:59 and an end up to 24:00", _WINDOW)
        if start == end:
            expected = "an end other than the start; the whole day is 00:00-24:00"
            raise self._bad(word, expected, "Mon-Fri 00:00-24:00")
        return start, end if start < end else end + _DAY

    def _range(self, word: _Word, rest: list[_Word]) -> None:
        if self.waiting:
            raise self._bad(word, "no days before a range of dates", _RANGE_EXAMPLE)
        match = _RANGE.fullmatch(word.text)
        if not match:
            raise self._bad(word, "a range of dates and times", _RANGE_EXAMPLE)
        zone = self._zone(rest)
        try:
            start = _stamp(match[1], match[2])
            end = _stamp(match[4], match[5], is_end=True)
            begin = first_instant(start, _offset(match[3]) or zone)
            over = last_instant(end, _offset(match[6]) or zone)
        except (ValueError, OverflowError):
            expected = f"dates that exist, from {FIRST_YEAR} to {LAST_YEAR}, and times to 23:59"
            raise self._bad(word, expected, _RANGE_EXAMPLE) from None
        in_zone = not (match[3] or match[6])
        if end <= start if in_zone else over <= begin:
            raise self._bad(word, "an end after the start", _RANGE_EXAMPLE)
        # The clock may skip all of it.
        if begin < over:
            self.fixed.append((begin, over))

    def _place(self, word: _Word) -> str:
        return f"{quoted(self.text)}: at character {word.place + 1}"

    def _bad(self, word: _Word, expected: str, example: str) -> BadSchedule:
        got = quoted(word.text) if word.text else "nothing"
        return BadSchedule(
            f'{self._place(word)}: expected {expected}, such as "{example}", got {got}'
        )


def _stamp(day: str, clock: str, is_end: bool = False) -> datetime:
    """Naive local time. Raises ``ValueError`` for one that no calendar or clock shows."""
    if not FIRST_YEAR <= int(day[:4]) <= LAST_YEAR:
        raise ValueError(day)
    if is_end and clock in ("24:00", "24:00:00"):
        return datetime.fromisoformat(day) + _DAY
    # Newer Pythons read 24:00 as the next midnight.
    if clock.startswith("24"):
        raise ValueError(clock)
    return datetime.fromisoformat(f"{day}T{clock}")


def _offset(text: str | None) -> tzinfo | None:
    """A fixed offset from UTC. Raises ``ValueError`` from 24 h."""
    if text is None:
        return None
    if text == "Z":
        return UTC
    size = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return timezone(-size if text[0] == "-" else size)
