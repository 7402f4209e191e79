"""Looks for underused production GPUs, and has told what changed."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from analyzer.flags import FlagChange, follow
from analyzer.model import Window
from jobs.ledger.notices import Notice, SqlNotices
from jobs.ledger.runs import Run
from jobs.periods import Period
from jobs.reading import Analyse, check_failed
from reports.flags import flags_message

log = logging.getLogger("gpu_thrift.flags")


@dataclass(frozen=True, slots=True)
class Telling:
    """Where flags are posted (``channel``, empty for nowhere), over what span use is looked at,
    and the zone of dates that name none."""

    channel: str
    span: timedelta = timedelta(days=7)
    zone: tzinfo = UTC


def run_once(
    period: Period,
    analyse: Analyse,
    notices: SqlNotices,
    telling: Telling,
    now: datetime,
    run: Run | None = None,
) -> int:
    """Compares what is flagged at the end of ``period`` with what was. Returns what changed.

    ``run`` is the try of the period: nothing is written once another process took it over. Raises
    ``PartlyDone`` when some clusters could not be read; flags of theirs stay as they were.
    """
    analysis = analyse(Window.ending(period.end, telling.span))
    found = follow(notices.flags(), analysis, now, telling.zone)
    for line in found.bad:
        log.warning("%s", line)
    for change in found.changes:
        log.warning(
            "%s: %s: %s",
            change.key,
            change.what,
            change.reason,
            extra={
                "fields": {
                    "workload": str(change.key),
                    "flag": change.what,
                    "idle_usd_per_week": change.usd_per_week,
                    "since": change.since.isoformat(),
                }
            },
        )
    posts = []
    if found.changes and telling.channel:
        made = flags_message(found.changes, analysis, telling.span)
        posts = [Notice(_key(period, found.changes), telling.channel, made.text, made.blocks)]
    notices.set_flags(found.flags, posts, now, run)
    check_failed(analysis, f"flags of {period.key} are not looked at")
    return len(found.changes)


def _key(period: Period, changes: Sequence[FlagChange]) -> str:
    """A second try of the same day may find changes that the first could not read."""
    what = "\n".join(f"{change.what} {change.key}" for change in changes)
    return f"flag-underused {period.key} {hashlib.sha256(what.encode()).hexdigest()[:12]}"
