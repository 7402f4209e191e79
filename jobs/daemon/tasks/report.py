"""Makes the reports of a week: files that are served, and messages."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from analyzer.config import Config
from analyzer.errors import PartlyDone, each_named
from analyzer.model import Window
from jobs.ledger.database import Database
from jobs.ledger.notices import SqlNotices
from jobs.periods import Period
from jobs.reading import Look
from jobs.weekly.keep import keep
from jobs.weekly.make import Report, files, notices, reports_of
from jobs.weekly.past import past_of

log = logging.getLogger("gpu_thrift.report")

PATIENCE = timedelta(hours=2)
"""How long a cluster that cannot be read is waited for; then the report is made without it."""


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a week. ``failed`` has the reason for each cluster that could not be read."""

    reports: tuple[Report, ...]
    files: tuple[Path, ...]
    failed: Mapping[str, str]


def run_once(
    period: Period,
    look: Look,
    database: Database,
    config: Config,
    now: datetime,
    patience: timedelta = PATIENCE,
) -> Made:
    """Makes the reports of ``period``.

    Doing it twice writes the same files and posts once. Raises ``PartlyDone`` while it waits for a
    cluster that cannot be read, ``GpuThriftError`` when a file cannot be written.
    """
    looked = look(Window(period.begin, period.end))
    failed, until = looked.analysis.failed, period.due + patience
    if failed and now < until:
        raise PartlyDone(
            f"the report of {period.key} waits until {until:%H:%M} UTC for every cluster: "
            f"{each_named(failed)}"
        )
    made = reports_of(period, looked, past_of(database, period, looked.analysis, config), config)
    kept = [path for one in made for path in keep(folder_of(config) / one.folder, files(one))]
    log.info("report of %s: %s", period.key, kept[0])
    if failed:
        log.warning("the report of %s lacks %s", period.key, each_named(failed))
    told = [notice for one in made for notice in notices(one, config.web.url)]
    if told:
        SqlNotices(database).add(told, now)
    return Made(tuple(made), tuple(kept), failed)


def folder_of(config: Config) -> Path:
    """The folder that reports are kept in."""
    folder = config.web.folder
    assert folder is not None  # noqa: S101 - load() fills it in
    return folder
