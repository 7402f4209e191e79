"""Renders for tests, as a terminal of a given width or a pipe would receive it."""

from __future__ import annotations

import io

from rich.console import Console

from analyzer.analysis import Analysis
from reports.terminal import render


def screen(analysis: Analysis, width: int = 80, *, only_flagged: bool = False) -> str:
    """What a terminal shows, colours included, spaces at line ends left out."""
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        height=50,
        force_terminal=True,
        color_system="standard",
        legacy_windows=False,
        _environ={},
    )
    render(analysis, console, only_flagged=only_flagged)
    return "\n".join(line.rstrip() for line in out.getvalue().split("\n"))


def plain_screen(analysis: Analysis, width: int = 80, *, only_flagged: bool = False) -> str:
    """The same without colours."""
    out = io.StringIO()
    console = Console(
        file=out, width=width, height=50, force_terminal=True, color_system=None, _environ={}
    )
    render(analysis, console, only_flagged=only_flagged)
    return "\n".join(line.rstrip() for line in out.getvalue().split("\n"))


def pipe(analysis: Analysis, *, only_flagged: bool = False) -> str:
    """What a pipe receives."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=False, _environ={})
    render(analysis, console, only_flagged=only_flagged)
    return out.getvalue()
