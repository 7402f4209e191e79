"""Public holidays of a country or a part of one, from the package ``holidays``."""

from __future__ import annotations

import difflib
import re
from datetime import date
from functools import lru_cache

from analyzer.config.place import quoted

_CODE = re.compile(r"([A-Z]{2})(?:-(.+))?")
_MOST_NAMED = 20
_EXAMPLE = 'a country such as "DE" or a part of one such as "DE-BY"'


@lru_cache(maxsize=4096)
def days_off(code: str, year: int) -> frozenset[date]:
    """The public holidays of that year, of a code in which ``problem`` found nothing wrong."""
    import holidays  # noqa: PLC0415 (slow to load, and most schedules have none)

    country, _, part = code.partition("-")
    # A calendar of its own for each year: one that is filled while others read it misses days.
    return frozenset(holidays.country_holidays(country, subdiv=part or None, years=year))


@lru_cache(maxsize=1024)
def problem(code: str) -> str:
    """What is wrong with a country's code, one line; empty when nothing is."""
    import holidays  # noqa: PLC0415

    match = _CODE.fullmatch(code)
    if not match:
        return _no_country(code)
    try:
        parts = holidays.country_holidays(match[1])
    except NotImplementedError:
        return _no_country(code)
    names = [*parts.subdivisions, *parts.subdivisions_aliases]
    return "" if match[2] is None or match[2] in names else _no_part(match[1], code, names)


def _no_country(code: str) -> str:
    from holidays.registry import COUNTRIES  # noqa: PLC0415

    known: dict[str, str] = {}
    for name, codes in COUNTRIES.items():
        known |= {name.replace("_", " "): codes[1], codes[1].lower(): codes[1]}
    country, dash, part = code.partition("-")
    near = difflib.get_close_matches(country.strip().lower(), known, 1, 0.8)
    hint = f"; did you mean {quoted(known[near[0]] + dash + part)}?" if near else ""
    return f"expected {_EXAMPLE}, got {quoted(code)}{hint}"


def _no_part(country: str, code: str, names: list[str]) -> str:
    if not names:
        return f'expected {_EXAMPLE}, got {quoted(code)}; {country} has no parts: write "{country}"'
    lower = {name.lower(): name for name in names}
    near = difflib.get_close_matches(code[3:].lower(), lower, 3, 0.5)
    meant = " or ".join(quoted(f"{country}-{lower[name]}") for name in near)
    hint = f"; did you mean {meant}?" if near else ""
    listed = ", ".join(names[:_MOST_NAMED]) + ("…" if len(names) > _MOST_NAMED else "")
    return f"expected {_EXAMPLE}, got {quoted(code)}{hint}; parts of {country}: {listed}"
