"""Values that TOML has no type for: durations and name patterns."""

from __future__ import annotations

import fnmatch
import re
import warnings
from dataclasses import dataclass, field
from datetime import timedelta

_UNIT_MS = {
    "w": 604_800_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
    "ms": 1,
}
_PART = re.compile(r"([0-9]{1,9})(ms|[smhdw])")
_DURATION = re.compile(rf"(?:{_PART.pattern}){{1,6}}")


def parse_duration(text: str) -> timedelta:
    """``"7d"``, ``"90s"``, ``"200ms"`` or ``"1h30m"`` as a timedelta; ValueError otherwise."""
    if not _DURATION.fullmatch(text):
        raise ValueError("not a duration")
    total_ms = sum(int(count) * _UNIT_MS[unit] for count, unit in _PART.findall(text))
    try:
        return timedelta(milliseconds=total_ms)
    except OverflowError as error:
        raise ValueError("not a duration that fits") from error


def format_duration(duration: timedelta) -> str:
    """The shortest way to write a duration in one unit: ``"7d"``, ``"90s"``, ``"0s"``."""
    total_ms = round(duration / timedelta(milliseconds=1))
    if total_ms == 0:
        return "0s"
    unit = next(unit for unit, size in _UNIT_MS.items() if unit != "w" and total_ms % size == 0)
    return f"{total_ms // _UNIT_MS[unit]}{unit}"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A shell glob, or after ``re:`` a regular expression; either must match the whole text.

    Case counts, as it does in Kubernetes names. Raises ValueError, with what is wrong, when the
    expression cannot be compiled.
    """

    text: str
    _regex: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        expression = self.text.removeprefix("re:")
        if not expression:
            raise ValueError("empty")
        if expression == self.text:
            expression = fnmatch.translate(expression)
        object.__setattr__(self, "_regex", _compiled(expression))

    def matches(self, text: str) -> bool:
        """Whether the whole of ``text`` matches."""
        return self._regex.fullmatch(text) is not None


def _compiled(expression: str) -> re.Pattern[str]:
    try:
        # Python warns on stderr of sets it may read differently one day; not our user's matter.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.compile(expression)
    except re.error as error:
        raise ValueError(f"{error.msg} at position {error.pos}") from error
    except (RecursionError, OverflowError) as error:
        raise ValueError("too deep or too large") from error
