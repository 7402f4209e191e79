"""The analysis on a screen or in a pipe.

A screen gets a table that fits it and shortened lists; a pipe gets one workload a line, every
name in full, and everything else on lines that begin with ``#``. rich is imported only when
something is rendered, so that ``--help`` stays light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analyzer.analysis import Analysis
from reports.sections import Names, Section, in_order, is_flagged, period, price_basis, sections
from reports.table import VERDICT_STYLE, Cells, pipe_lines, screen_table
from reports.text import UNKNOWN, visible

if TYPE_CHECKING:
    from rich.console import Console

MIN_TABLE_WIDTH = 72
"""Below this a table would break names into crumbs; the pipe's lines wrap better."""

SCREEN_LINES = 8
"""Lines of a long section shown on a screen; the rest is counted."""

_TONES = {"plain": "", "alert": "bold", "quiet": "dim"}


def render(analysis: Analysis, console: Console, *, only_flagged: bool = False) -> None:
    """Write the report to ``console``; ``only_flagged`` keeps idle and underused production."""
    shown = [use for use in in_order(analysis.workloads) if is_flagged(use) or not only_flagged]
    names = Names(analysis)
    rows = [Cells.of(use, names) for use in shown]
    parts = sections(analysis, only_flagged=only_flagged)
    head = [f"GPU use from {period(analysis)}"]
    if analysis.workloads or analysis.prices:
        head.append(price_basis(analysis))
    if not analysis.workloads:
        head.append("No workload asked for a GPU in this window.")
    if console.is_terminal and console.width >= MIN_TABLE_WIDTH:
        _screen(console, head, rows, parts)
    else:
        _pipe(console, head, rows, parts)


def _pipe(console: Console, head: list[str], rows: list[Cells], parts: list[Section]) -> None:
    lines = [f"# {visible(line)}" for line in head]
    lines += pipe_lines(rows)
    for part in parts:
        lines += [f"# {part.title}:", *(f"#   {visible(line)}" for line in part.lines)]
    for line in lines:
        console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)


def _screen(console: Console, head: list[str], rows: list[Cells], parts: list[Section]) -> None:
    from rich.text import Text  # noqa: PLC0415

    for number, line in enumerate(head):
        console.print(Text(visible(line), "" if number else "bold"))
    if rows:
        console.print()
        console.print(screen_table(rows, console.width))
        if any(UNKNOWN in row.figures for row in rows):
            console.print(Text(f"{UNKNOWN} is not known, never zero.", "dim"))
    for part in parts:
        console.print()
        console.print(Text(part.title, _TONES[part.tone]))
        lines = part.lines
        if part.long and len(lines) > SCREEN_LINES:
            rest = len(lines) - SCREEN_LINES + 1
            lines = (*lines[: SCREEN_LINES - 1], f"and {rest:,} more; a pipe shows all")
        for line in lines:
            _hanging(console, visible(line), part)


def _hanging(console: Console, line: str, part: Section) -> None:
    """Print one sentence, indented, its continuation further in."""
    from rich.padding import Padding  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    text = Text(line, "dim" if part.tone == "quiet" else "", overflow="fold")
    if part.tone == "alert":
        text.highlight_words([": idle,"], VERDICT_STYLE["idle"])
        text.highlight_words([": underused,"], VERDICT_STYLE["underused"])
    wrapped = text.wrap(console, console.width - 4)
    for number, piece in enumerate(wrapped):
        console.print(Padding(piece, (0, 0, 0, 4 if number else 2), expand=False))
