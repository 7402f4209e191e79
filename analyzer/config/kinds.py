"""The kinds of value a key may have: each parses one, and says what it accepts.

A kind raises ``Wrong`` with the message; the reader adds file, table and key. The same texts make
up the reference in docs/configuration.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar, Protocol

from analyzer.config.place import quoted, shown
from analyzer.config.values import Pattern, parse_duration


class Wrong(ValueError):
    """A value that is not accepted. The message says what is, and what was found."""


def wrong(expected: str, value: object) -> Wrong:
    return Wrong(f"expected {expected}, got {shown(value)}")


class Kind(Protocol):
    """What a key accepts. ``type`` and ``range`` are for people."""

    @property
    def type(self) -> str: ...

    @property
    def range(self) -> str: ...

    def parse(self, value: object) -> object:
        """The typed value; raises ``Wrong``."""


@dataclass(frozen=True, slots=True)
class Text:
    """A string. ``must`` is a regular expression for the whole of it, ``range`` the same in
    words; ``hidden`` keeps a value out of messages because it may be a misplaced secret."""

    must: str = r"[^\x00-\x1f\x7f]*"
    range: str = "any"
    hidden: bool = False
    type: ClassVar[str] = "string"

    def parse(self, value: object) -> str:
        if isinstance(value, str) and re.fullmatch(self.must, value) and value.isprintable():
            return value
        expected = "a string" if self.range == "any" else f"a string ({self.range})"
        if self.hidden and isinstance(value, str):
            raise Wrong(f"expected {expected}; the value is not shown")
        raise wrong(expected, value)


@dataclass(frozen=True, slots=True)
class Flag:
    type: ClassVar[str] = "boolean"
    range: ClassVar[str] = "true or false"

    def parse(self, value: object) -> bool:
        if isinstance(value, bool):
            return value
        raise wrong(self.range, value)


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number, both ends included."""

    low: int
    high: int
    type: ClassVar[str] = "whole number"

    @property
    def range(self) -> str:
        return f"{self.low}–{self.high}"

    def parse(self, value: object) -> int:
        if (
            isinstance(value, int)
            and not isinstance(value, bool)
            and self.low <= value <= self.high
        ):
            return value
        raise wrong(f"a whole number between {self.low} and {self.high}", value)


@dataclass(frozen=True, slots=True)
class Number:
    """A number; ``high`` is included, ``low`` unless ``above``."""

    low: float
    high: float
    above: bool = False
    type: ClassVar[str] = "number"

    @property
    def range(self) -> str:
        if self.above:
            return f"above {self.low:g}, at most {self.high:g}"
        return f"{self.low:g}–{self.high:g}"

    def parse(self, value: object) -> float:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            inside = self.low < value if self.above else self.low <= value
            if inside and value <= self.high:
                return float(value)
        between = f"between {self.low:g} and {self.high:g}"
        raise wrong(f"a number {self.range if self.above else between}", value)


@dataclass(frozen=True, slots=True)
class Duration:
    """A timedelta, both ends included, written as ``"30s"``."""

    low: str
    high: str
    example: str
    type: ClassVar[str] = "duration"

    @property
    def range(self) -> str:
        return f"{self.low}–{self.high}"

    def parse(self, value: object) -> object:
        expected = f'a duration such as "{self.example}" between {self.low} and {self.high}'
        try:
            duration = parse_duration(value) if isinstance(value, str) else None
        except ValueError as error:
            raise wrong(expected, value) from error
        low, high = parse_duration(self.low), parse_duration(self.high)
        if duration is not None and low <= duration <= high:
            return duration
        raise wrong(expected, value)


@dataclass(frozen=True, slots=True)
class Day:
    type: ClassVar[str] = "date"
    range: ClassVar[str] = "ISO date"

    def parse(self, value: object) -> date:
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        # date.fromisoformat alone would also take "20260906" and "2026-W36-7".
        if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            try:
                return date.fromisoformat(value)
            except ValueError as error:
                raise wrong("a date such as 2026-09-06", value) from error
        raise wrong("a date such as 2026-09-06", value)


@dataclass(frozen=True, slots=True)
class Texts:
    """A list of strings, none of them empty; lower-cased when case does not matter."""

    lower: bool = False
    type: ClassVar[str] = "list of strings"
    range: ClassVar[str] = "no empty string"

    def parse(self, value: object) -> tuple[str, ...]:
        texts = strings(value, "a list of strings")
        return tuple(text.lower() for text in texts) if self.lower else texts


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]
    type: ClassVar[str] = "string"

    @property
    def range(self) -> str:
        return " or ".join(f"`{word}`" for word in self.words)

    def parse(self, value: object) -> str:
        if isinstance(value, str) and value in self.words:
            return value
        raise wrong(_either(self.words), value)


@dataclass(frozen=True, slots=True)
class Choices:
    """A list of some of a few words, each once."""

    words: tuple[str, ...]
    type: ClassVar[str] = "list of strings"

    @property
    def range(self) -> str:
        return ", ".join(f"`{word}`" for word in self.words)

    def parse(self, value: object) -> tuple[str, ...]:
        expected = f"a list of {_either(self.words)}"
        texts = strings(value, expected)
        for index, text in enumerate(texts):
            if text not in self.words:
                raise Wrong(f"expected {expected}, got {shown(text)} as entry {index}")
        return tuple(dict.fromkeys(texts))


def _either(words: tuple[str, ...]) -> str:
    return " or ".join(f'"{word}"' for word in words)


@dataclass(frozen=True, slots=True)
class Patterns:
    """A list of globs and ``re:`` expressions."""

    type: ClassVar[str] = "list of patterns"
    range: ClassVar[str] = "globs, or regular expressions after `re:`"

    def parse(self, value: object) -> tuple[Pattern, ...]:
        patterns = []
        for text in strings(value, 'a list of patterns such as "*-prod" or "re:prod-[0-9]+"'):
            try:
                patterns.append(Pattern(text))
            except ValueError as error:
                raise Wrong(f"{quoted(text)} is not a valid pattern: {error}") from error
        return tuple(patterns)


def strings(value: object, expected: str) -> tuple[str, ...]:
    """``value`` as strings that are neither empty nor unprintable; ``Wrong`` otherwise."""
    if not isinstance(value, list):
        raise wrong(expected, value)
    for index, item in enumerate(value):
        if not isinstance(item, str) or not item.strip() or not item.isprintable():
            raise Wrong(f"expected {expected}, got {shown(item)} as entry {index}")
    return tuple(value)


@dataclass(frozen=True, slots=True)
class Map:
    """A table of strings. ``must_key`` and ``must_value`` are regular expressions, ``range`` the
    same in words. Values are never shown: they may be misplaced secrets."""

    must_key: str
    must_value: str
    range: str
    type: ClassVar[str] = "table of strings"

    def parse(self, value: object) -> dict[str, str]:
        if not isinstance(value, dict):
            raise Wrong(f"expected a table of strings ({self.range})")
        for name, text in value.items():
            if not re.fullmatch(self.must_key, name):
                raise Wrong(
                    f"expected a table of strings ({self.range}), got the key {quoted(name)}"
                )
            if not isinstance(text, str) or not re.fullmatch(self.must_value, text):
                told = (
                    "; the value is not shown" if isinstance(text, str) else f", got {shown(text)}"
                )
                raise Wrong(f"{quoted(name)}: expected a string ({self.range}){told}")
        return dict(value)
