"""The pictures of the weekly report."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture as PNG files for light and dark backgrounds, what it shows in words (``alt``), and
    the same data as a small table."""

    name: str
    title: str
    alt: str
    light: bytes = field(repr=False)
    dark: bytes = field(repr=False)
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
