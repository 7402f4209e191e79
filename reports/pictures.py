"""A chart of the weekly report as it is handed to those that show it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Drawing:
    """One chart, twice as PNG: on a ``light`` and on a ``dark`` ground. ``alt`` says in words what
    it shows; ``head`` and ``rows`` are its figures as a table."""

    name: str
    title: str
    alt: str
    light: bytes
    dark: bytes
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
