"""Times as people type them: ``18:00``, ``Mon 08:00``, ``tomorrow 08:00``, ``3h``, ISO 8601."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta, tzinfo

from analyzer.config.values import parse_duration

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

FORMS = "18:00, tomorrow 08:00, Mon 08:00, 2026-12-24T18:00, 2026-12-24T18:00+01:00, 3h, 2d"

_CLOCK = re.compile(r"(?:(today|tomorrow|[a-z]{3,9})\s+)?([0-9]{1,2}):([0-9]{2})", re.IGNORECASE)

_LONGEST = timedelta(days=366)


class BadTime(ValueError):
    """Text that is no time, or one that is past; the message is one line."""


def parse_until(text: str, now: datetime, zone: tzinfo) -> datetime:
    """The aware UTC time that ``text`` means, after ``now``.

    Times without an offset are in ``zone``; one without a day is the next that comes. A local time
    that a clock change skips is the same time after it. Raises ``BadTime``.
    """
    found = _read(" ".join(text.split()), now, zone)
    if found is None:
        raise BadTime(f'expected a time such as {FORMS}, got "{_clean(text)}"')
    found = found.astimezone(UTC).replace(microsecond=0)
    if found <= now:
        raise BadTime(f'"{_clean(text)}" is {found:%Y-%m-%d %H:%M} UTC, which is past')
    if found - now > _LONGEST:
        raise BadTime(f'"{_clean(text)}" is more than a year away')
    return found


def _read(text: str, now: datetime, zone: tzinfo) -> datetime | None:
    clock = _CLOCK.fullmatch(text)
    try:
        if clock:
            return _of_clock(clock, now.astimezone(zone), zone)
        if re.fullmatch(r"\+?[0-9.]+[a-z]+", text):
            return now + parse_duration(text.removeprefix("+"))
        found = datetime.fromisoformat(text)
        return found if found.tzinfo else _local(found, zone)
    except (ValueError, OverflowError):
        return None


def _of_clock(clock: re.Match[str], local: datetime, zone: tzinfo) -> datetime | None:
    day, hour, minute = (clock[1] or "").lower(), int(clock[2]), int(clock[3])
    at = time(hour, minute)
    if day in ("", "today", "tomorrow"):
        ahead = 1 if day == "tomorrow" else 0
        found = _local(datetime.combine(local.date() + timedelta(days=ahead), at), zone)
        if not day and found <= local:
            found = _local(datetime.combine(local.date() + timedelta(days=1), at), zone)
        return found
    index = next((i for i, name in enumerate(DAYS) if day.startswith(name)), None)
    if index is None:
        return None
    ahead = (index - local.weekday()) % 7
    found = _local(datetime.combine(local.date() + timedelta(days=ahead), at), zone)
    if found <= local:
        found = _local(datetime.combine(local.date() + timedelta(days=ahead + 7), at), zone)
    return found


def _local(naive: datetime, zone: tzinfo) -> datetime:
    # Through UTC and back, because a skipped local time is not equal to itself.
    return naive.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)


def _clean(text: str) -> str:
    return "".join(char if char.isprintable() else "�" for char in text)[:80]
