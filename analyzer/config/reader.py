"""Turns tables into sections. What a key is called, accepts and means stands on its field."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from analyzer.config.kinds import Kind, Wrong
from analyzer.config.place import Place, bare, listed, type_of


@dataclass(frozen=True, slots=True)
class Problem:
    """Two keys that do not go together. ``table`` leads from the section to the key's table."""

    key: str
    message: str
    table: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """Base of the sections: a frozen dataclass whose fields with metadata are its keys."""

    def problem(self) -> Problem | None:
        """The first thing wrong between keys that are each right, or None."""
        return None


@dataclass(frozen=True, slots=True)
class One:
    """The key holds a table."""

    section: type[Section]


@dataclass(frozen=True, slots=True)
class Many:
    """The key holds an array of tables."""

    section: type[Section]
    may_be_empty: bool = True


S = TypeVar("S", bound=Section)


def about(kind: Kind | One | Many, doc: str) -> Mapping[str, Any]:
    """Metadata of a field that is a key: what it accepts and what it means."""
    return {"kind": kind, "doc": doc}


def keys(section: type[Section]) -> dict[str, dataclasses.Field[Any]]:
    """The fields of a section that are keys of the file; the others are filled in at load."""
    return {field.name: field for field in dataclasses.fields(section) if "kind" in field.metadata}


def read_section(section: type[S], table: object, place: Place) -> S:
    """A section from its table. Raises ``ConfigError`` for the first thing that is wrong."""
    if not isinstance(table, dict):
        raise place.error(f"expected a table, got {type_of(table)}")
    fields = keys(section)
    for name in table:
        if name not in fields:
            raise place.at(name).error(_unknown(name, fields))
    values = {
        name: _value(field.metadata["kind"], table[name], place.at(name))
        for name, field in fields.items()
        if name in table
    }
    for name, field in fields.items():
        if name not in values and _is_required(field):
            raise place.at(name).error(f"missing; it is required ({field.metadata['kind'].range})")
    read = section(**values)
    problem = read.problem()
    if problem:
        raise place.into(*problem.table).at(problem.key).error(problem.message)
    return read


def parse_option(section: type[Section], key: str, text: str, option: str) -> Any:
    """``text``, given as command-line ``option``, checked just as ``key`` of the file would be.

    Raises ``ConfigError`` that names the option.
    """
    return _value(keys(section)[key].metadata["kind"], text, Place(option))


def _value(kind: Kind | One | Many, value: object, place: Place) -> object:
    if isinstance(kind, One):
        return read_section(kind.section, value, place.into(place.key))
    if isinstance(kind, Many):
        return _sections(kind, value, place)
    try:
        return kind.parse(value)
    except Wrong as error:
        raise place.error(str(error)) from error


def _sections(kind: Many, value: object, place: Place) -> tuple[Section, ...]:
    if not isinstance(value, list):
        name = ".".join([*place.table, place.key])
        raise place.error(
            f"expected a list of tables, each headed [[{name}]], got {type_of(value)}"
        )
    if not value and not kind.may_be_empty:
        raise place.error("expected at least one entry, got an empty list")
    places = [place.into(place.key, str(index)) for index in range(len(value))]
    for here, table in zip(places, value, strict=True):
        if table == {}:
            raise here.error("the entry is empty; fill it in or remove it")
    return tuple(
        read_section(kind.section, table, here) for here, table in zip(places, value, strict=True)
    )


def _is_required(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _unknown(name: str, accepted: Mapping[str, dataclasses.Field[Any]]) -> str:
    near = difflib.get_close_matches(name.lower().replace("-", "_"), accepted, 1)
    if near:
        range_ = getattr(accepted[near[0]].metadata["kind"], "range", "")
        takes = f" It takes {range_}." if range_ else ""
        return f'unknown key; did you mean "{bare(near[0])}"?{takes}'
    return f"unknown key; accepted here: {listed(accepted)}"
