"""The annotations of ``gpu-thrift.io``: what people ask for, and what sleep has to remember.

A wish that cannot be read is never guessed at: it is named, and its workload stays awake.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from analyzer.sleep.model import Memory, Setting, Target
from analyzer.sleep.schedule import BadSchedule, Schedule, parse_schedule

PREFIX = "gpu-thrift.io/"

AWAKE = f"{PREFIX}awake"
EXCLUDE = f"{PREFIX}exclude"
EXCLUDE_UNTIL = f"{PREFIX}exclude-until"
KEEP_AWAKE_UNTIL = f"{PREFIX}keep-awake-until"
SLEEP_REPLICAS = f"{PREFIX}sleep-replicas"
WAKE_PRIORITY = f"{PREFIX}wake-priority"
"""Wishes, on a workload or its namespace; the workload's own come first."""

REPLICAS = f"{PREFIX}replicas"
PREVIOUS = f"{PREFIX}previous"
ASLEEP_SINCE = f"{PREFIX}asleep-since"
ASLEEP_BY = f"{PREFIX}asleep-by"
WAKE_AT = f"{PREFIX}wake-at"
SLEPT_TO = f"{PREFIX}slept-to"
"""Memory, on a workload while it sleeps. ``replicas`` is for kinds that count them, ``previous``
for the others."""

MEMORY = (REPLICAS, PREVIOUS, ASLEEP_SINCE, ASLEEP_BY, WAKE_AT, SLEPT_TO)

UNSET = "unset"
"""How a memory says that the field was absent."""

MAX_REPLICAS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds where no annotation says otherwise."""

    awake: str
    timezone: str
    holidays: str = ""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the annotations of a workload and its namespace ask for.

    ``sleep_replicas`` is the number that sleep leaves. ``bad`` names each annotation that cannot
    be read, with what is expected; the rest of a wish with any is not to be acted upon.
    """

    schedule: Schedule
    excluded: str = ""
    exclude_until: datetime | None = None
    keep_awake_until: datetime | None = None
    sleep_replicas: int = 0
    wake_priority: int = 0
    bad: tuple[str, ...] = ()


_TRUE, _FALSE = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0", ""})


def read_wishes(own: Mapping[str, str], namespace: Mapping[str, str], defaults: Defaults) -> Wishes:
    """The wishes of one workload: each annotation of its own, else of its namespace.

    A bad annotation of a namespace is a bad one of each of its workloads that has none itself.
    """
    reader = _Reader(own, namespace, defaults)
    return Wishes(
        schedule=reader.schedule(),
        excluded=reader.excluded(),
        exclude_until=reader.moment(EXCLUDE_UNTIL),
        keep_awake_until=reader.moment(KEEP_AWAKE_UNTIL),
        sleep_replicas=reader.whole(SLEEP_REPLICAS, 0, MAX_REPLICAS),
        wake_priority=reader.whole(WAKE_PRIORITY, -1_000_000, 1_000_000),
        bad=tuple(reader.bad),
    )


class _Reader:
    def __init__(
        self, own: Mapping[str, str], namespace: Mapping[str, str], defaults: Defaults
    ) -> None:
        self.own, self.namespace, self.defaults = own, namespace, defaults
        self.bad: list[str] = []

    def _find(self, name: str) -> tuple[str | None, str]:
        if name in self.own:
            return str(self.own[name]).strip(), name
        if name in self.namespace:
            return str(self.namespace[name]).strip(), f"namespace annotation {name}"
        return None, name

    def schedule(self) -> Schedule:
        text, where = self._find(AWAKE)
        default = _schedule(self.defaults.awake, self.defaults.timezone, self.defaults.holidays)
        if text is None:
            return default
        try:
            return _schedule(text, self.defaults.timezone, self.defaults.holidays)
        except BadSchedule as error:
            self.bad.append(f"{where}: {error}")
            return default

    def excluded(self) -> str:
        text, where = self._find(EXCLUDE)
        if text is None or text.lower() in _FALSE:
            return ""
        if text.lower() not in _TRUE:
            self.bad.append(f'{where}: expected "true" or "false", got {_shown(text)}')
            return ""
        return where

    def moment(self, name: str) -> datetime | None:
        text, where = self._find(name)
        if not text:
            return None
        found = parse_moment(text)
        if found is None:
            self.bad.append(
                f"{where}: expected a time with its offset such as 2026-12-24T18:00:00+01:00, "
                f"got {_shown(text)}"
            )
        return found

    def whole(self, name: str, low: int, high: int) -> int:
        text, where = self._find(name)
        if not text:
            return 0
        found = _whole(text)
        if found is None or not low <= found <= high:
            self.bad.append(
                f"{where}: expected a whole number from {low} to {high}, got {_shown(text)}"
            )
            return 0
        return found


def _schedule(text: str, zone: str, holidays: str) -> Schedule:
    """Parsed once: thousands of workloads share a few texts."""
    key = (text, zone, holidays)
    if key not in _PARSED:
        if len(_PARSED) >= _MOST_PARSED:
            _PARSED.clear()
        _PARSED[key] = parse_schedule(text, zone, holidays)
    return _PARSED[key]


_PARSED: dict[tuple[str, str, str], Schedule] = {}
_MOST_PARSED = 10_000


def parse_moment(text: str) -> datetime | None:
    """An ISO 8601 time with its offset as aware UTC; None when it is none, or has no offset: a
    guess at the zone could be hours off."""
    try:
        found = datetime.fromisoformat(text.strip())
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _whole(text: str) -> int | None:
    # int() alone would also take "1_000" and digits of other scripts.
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 10:
        return None
    return int(text)


def _shown(text: str) -> str:
    clean = "".join(char if char.isprintable() else "�" for char in text)
    return f'"{clean[:80]}…"' if len(clean) > 80 else f'"{clean}"'


def write_memory(memory: Memory, counts: bool) -> dict[str, str | None]:
    """The annotations that remember; None removes one that a former sleep may have left."""
    before = UNSET if memory.before is None else _setting_text(memory.before)
    return {
        REPLICAS: before if counts else None,
        PREVIOUS: None if counts else before,
        ASLEEP_SINCE: memory.since.isoformat(timespec="seconds"),
        ASLEEP_BY: memory.by,
        WAKE_AT: memory.wake_at.isoformat(timespec="seconds") if memory.wake_at else "",
        SLEPT_TO: _setting_text(memory.slept_to) if counts else None,
    }


def _setting_text(setting: Setting) -> str:
    return str(setting).lower() if isinstance(setting, bool) else str(setting)


def has_memory(annotations: Mapping[str, str]) -> bool:
    """Whether any trace of a sleep is on the object, readable or not."""
    return any(name in annotations for name in MEMORY)


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the annotations of a sleep tell. ``has_wake_at`` is False where they do not say when it
    is due, which is not the same as never."""

    memory: Memory
    has_wake_at: bool


def read_memory(
    annotations: Mapping[str, str], target: Target, stand_in: Memory
) -> Remembered | None:
    """What the annotations remember, None when they do not tell the setting.

    ``stand_in`` is for what else they lack.
    """
    counts = target.counts
    known, before = _before(annotations.get(REPLICAS if counts else PREVIOUS), target.stop, counts)
    if not known:
        return None
    slept_to = _whole(annotations.get(SLEPT_TO, "")) if counts else target.stop
    told = annotations.get(WAKE_AT)
    wake_at = parse_moment(told or "")
    memory = Memory(
        before=before,
        since=parse_moment(annotations.get(ASLEEP_SINCE, "")) or stand_in.since,
        by=annotations.get(ASLEEP_BY) or stand_in.by,
        wake_at=wake_at,
        slept_to=stand_in.slept_to if slept_to is None else slept_to,
    )
    return Remembered(memory, told == "" or wake_at is not None)


def _before(text: str | None, stop: Setting, counts: bool) -> tuple[bool, Setting]:
    """Whether ``text`` tells a setting, and which."""
    if text is None:
        return False, None
    if text == UNSET:
        return True, None
    if counts:
        found = _whole(text)
        return found is not None and 0 < found <= MAX_REPLICAS, found
    if isinstance(stop, bool):
        return text in ("true", "false"), text == "true"
    # An annotation of another tool, given back as it was.
    return True, text


def keep_awake(until: datetime) -> dict[str, str | None]:
    """The annotation that keeps a workload awake until then."""
    return {KEEP_AWAKE_UNTIL: until.isoformat(timespec="seconds")}


def forget_memory() -> dict[str, str | None]:
    """Removes every annotation of a sleep."""
    return dict.fromkeys(MEMORY)
