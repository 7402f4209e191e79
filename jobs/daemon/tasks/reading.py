"""How the jobs read a span of time."""

from __future__ import annotations

from collections.abc import Callable

from analyzer.analysis import Analysis
from analyzer.errors import PartlyDone, each_named
from analyzer.model import Window

Analyse = Callable[[Window], Analysis]
"""Reads and analyses a span of time; raises ``SourceError`` when no cluster answered."""


def check_failed(analysis: Analysis, what: str) -> None:
    """Raises ``PartlyDone`` when some clusters could not be read; ``what`` begins the line."""
    if analysis.failed:
        raise PartlyDone(f"{what} everywhere: {each_named(analysis.failed)}")
