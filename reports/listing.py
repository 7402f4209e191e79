"""A short table with lines below it: on a screen it fits the width, in a pipe it is one row a line
with tabs between the cells, and every other line begins with ``#``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.text import visible

if TYPE_CHECKING:
    from rich.console import Console

SCREEN_LINES = 12
"""Lines of a section shown on a screen; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and its lines."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """``columns`` whose names begin with ``>`` are figures, set to the right. The first column is
    the one that may fold."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    sections: Sequence[Section] = ()


def show(listing: Listing, console: Console) -> None:
    """Writes the listing to ``console``."""
    if console.is_terminal:
        _screen(listing, console)
    else:
        _pipe(listing, console)


def _pipe(listing: Listing, console: Console) -> None:
    lines = [f"# {visible(listing.title)}"]
    if listing.rows:
        lines.append("# " + "\t".join(name.lstrip(">") for name in listing.columns))
        lines += ["\t".join(visible(cell) for cell in row) for row in listing.rows]
    for section in listing.sections:
        lines += [f"# {section.title}:", *(f"#   {visible(line)}" for line in section.lines)]
    for line in lines:
        console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)


def _screen(listing: Listing, console: Console) -> None:
    from rich import box  # noqa: PLC0415
    from rich.padding import Padding  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console.print(Text(visible(listing.title), "bold"))
    if listing.rows:
        console.print()
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
        for name in listing.columns:
            figure = name.startswith(">")
            table.add_column(
                name.lstrip(">"),
                justify="right" if figure else "left",
                overflow="fold",
                no_wrap=figure,
            )
        for row in listing.rows:
            table.add_row(*(Text(visible(cell)) for cell in row))
        console.print(table)
    for section in listing.sections:
        console.print()
        console.print(Text(section.title, "bold"))
        lines = section.lines
        if len(lines) > SCREEN_LINES:
            rest = len(lines) - SCREEN_LINES + 1
            lines = (*lines[: SCREEN_LINES - 1], f"and {rest:,} more; a pipe shows all")
        for line in lines:
            console.print(Padding(Text(visible(line)), (0, 0, 0, 2)))
