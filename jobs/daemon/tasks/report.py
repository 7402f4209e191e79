"""Makes the report of a week: files that are served, and a message."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from analyzer.analysis import Analysis
from analyzer.config import Config
from analyzer.errors import GpuThriftError, PartlyDone, each_named
from analyzer.model import Window
from jobs.daemon.periods import Period
from jobs.daemon.tasks.reading import Analyse
from jobs.ledger.notices import Notice, SqlNotices
from reports.export import to_csv, to_json
from reports.markdown import to_markdown
from reports.weekly import weekly_message

log = logging.getLogger("gpu_thrift.report")

PATIENCE = timedelta(hours=2)
"""How long a cluster that cannot be read is waited for; then the report is made without it."""


@dataclass(frozen=True, slots=True)
class Publishing:
    """Where reports go: a folder, and a channel (empty for none); ``patience`` as above."""

    folder: Path
    channel: str
    patience: timedelta = PATIENCE


@dataclass(frozen=True, slots=True)
class Made:
    """The files of a report, and what could not be read for it: a reason for each cluster."""

    files: tuple[Path, ...]
    failed: Mapping[str, str]


def publishing_of(config: Config) -> Publishing:
    folder = config.web.folder
    assert folder is not None  # noqa: S101 - load() fills it in
    return Publishing(folder, config.slack.destination)


def run_once(
    period: Period, analyse: Analyse, notices: SqlNotices, publishing: Publishing, now: datetime
) -> Made:
    """Makes the report of ``period``.

    Doing it twice writes the same files and posts once. Raises ``PartlyDone`` while it waits for a
    cluster that cannot be read, ``GpuThriftError`` when a file cannot be written.
    """
    analysis = analyse(Window(period.begin, period.end))
    until = period.due + publishing.patience
    if analysis.failed and now < until:
        raise PartlyDone(
            f"the report of {period.key} waits until {until:%H:%M} UTC for every cluster: "
            f"{each_named(analysis.failed)}"
        )
    files = _write(publishing.folder / period.key, analysis)
    log.info("report of %s: %s", period.key, files[0])
    if analysis.failed:
        log.warning("the report of %s lacks %s", period.key, each_named(analysis.failed))
    if publishing.channel:
        text, blocks = weekly_message(period.key, analysis)
        notice = Notice(f"weekly-report {period.key}", publishing.channel, text, blocks)
        notices.add([notice], now)
    return Made(files, analysis.failed)


def _write(folder: Path, analysis: Analysis) -> tuple[Path, ...]:
    made = {"md": to_markdown(analysis), "json": to_json(analysis), "csv": to_csv(analysis)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return tuple(_put(folder / f"report.{kind}", text) for kind, text in made.items())
    except OSError as error:
        raise GpuThriftError(f"{folder}: cannot write the report: {error.strerror}") from error


def _put(path: Path, text: str) -> Path:
    """Whoever reads the file meanwhile sees the old one or the new one, whole."""
    descriptor, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path
