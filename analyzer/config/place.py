"""Where in the configuration something is wrong, and how to say so on one line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, time

from analyzer.errors import ConfigError

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}")
_LONGEST_VALUE = 60


def one_line(text: str) -> str:
    """``text`` with everything that could break a line or a terminal escaped."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def quoted(text: str) -> str:
    """``text`` between double quotes, shortened when long, always one line."""
    if len(text) > _LONGEST_VALUE:
        text = text[:_LONGEST_VALUE] + "…"
    return one_line(json.dumps(text, ensure_ascii=False))


def type_of(value: object) -> str:
    """What a reader of TOML calls the type of ``value``."""
    names: tuple[tuple[type | tuple[type, ...], str], ...] = (
        (bool, "a boolean"),
        (str, "a string"),
        ((int, float), "a number"),
        (list, "a list"),
        (dict, "a table"),
        ((date, time), "a date or time"),
    )
    return next((name for types, name in names if isinstance(value, types)), "something else")


def shown(value: object) -> str:
    """``value`` as it would be written in TOML, as far as that is short."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < 10**18):
        return str(value)
    return type_of(value)


def bare(key: str) -> str:
    """A key as it would be written in TOML."""
    return key if _BARE_KEY.fullmatch(key) else quoted(key)


def listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


@dataclass(frozen=True, slots=True)
class Place:
    """A file, a table in it and a key of that table; either of the latter may be empty."""

    file: str
    table: tuple[str, ...] = ()
    key: str = ""

    def into(self, *names: str) -> Place:
        return replace(self, table=(*self.table, *names), key="")

    def at(self, key: str) -> Place:
        return replace(self, key=key)

    def parent(self) -> Place:
        """The last table taken for a key: of ``[a.b]``, the key ``b`` of ``[a]``."""
        return replace(self, table=self.table[:-1], key="".join(self.table[-1:]))

    def error(self, message: str) -> ConfigError:
        """The error to raise: one line with the file, the table, the key and the message."""
        names = [bare(name) for name in self.table]
        if len(names) > 6:
            names = [*names[:3], "…", *names[-2:]]
        where = " ".join(
            part
            for part in (f"[{'.'.join(names)}]" if names else "", self.key and bare(self.key))
            if part
        )
        return ConfigError(one_line(": ".join(p for p in (self.file, where, message) if p)))
