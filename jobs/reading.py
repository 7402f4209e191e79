"""How the jobs read a span of time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from analyzer.analysis import Analysis
from analyzer.collect.snapshot import ClusterSource, take_snapshot
from analyzer.config import Config
from analyzer.errors import PartlyDone, SourceError, each_named
from analyzer.model import Snapshot, Window
from jobs.wiring import analysed, read_settings

Analyse = Callable[[Window], Analysis]
"""Reads and analyses a span of time; raises ``SourceError`` when no cluster answered."""


@dataclass(frozen=True, eq=False, slots=True)
class Looked:
    """What was read, and what it means."""

    snapshot: Snapshot
    analysis: Analysis


Look = Callable[[Window], Looked]
"""As ``Analyse``, with what was read."""


def looking(
    config: Config, sources: Callable[[], Sequence[ClusterSource]], clock: Callable[[], datetime]
) -> Look:
    """Reads ``sources`` as the configuration says."""

    def look(window: Window) -> Looked:
        now, found = clock(), sources()
        snapshot = take_snapshot(found, read_settings(config), window, now)
        if len(snapshot.failed) == len(found):
            raise SourceError(f"no cluster could be read: {each_named(snapshot.failed)}")
        return Looked(snapshot, analysed(config, snapshot, now))

    return look


def analysing(look: Look) -> Analyse:
    """The same without what was read."""
    return lambda window: look(window).analysis


def check_failed(analysis: Analysis, what: str) -> None:
    """Raises ``PartlyDone`` when some clusters could not be read; ``what`` begins the line."""
    if analysis.failed:
        raise PartlyDone(f"{what} everywhere: {each_named(analysis.failed)}")
