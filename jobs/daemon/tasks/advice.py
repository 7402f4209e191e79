"""Follows what becomes of recommendations, and measures what those brought that were followed."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo

from analyzer.analysis import Analysis
from analyzer.followed import Followed, follow
from analyzer.history import UsedHour
from analyzer.model import WorkloadKey
from analyzer.realised import realise, spans
from analyzer.wishes import SNOOZE_UNTIL
from jobs.ledger.advice import SqlAdvice
from jobs.ledger.runs import Run
from jobs.ledger.usage import SqlUsage

log = logging.getLogger("gpu_thrift.advice")

KEPT = timedelta(days=400)
"""How long an entry is kept after it was last given and its state last changed."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Books:
    """Where entries are kept, and the recorded hours that tell what they brought."""

    advice: SqlAdvice
    usage: SqlUsage


def run_once(
    analysis: Analysis, books: Books, now: datetime, zone: tzinfo = UTC, run: Run | None = None
) -> int:
    """Compares the advice of ``analysis`` with the entries. Returns how many changed their state.

    ``run`` is the try that made the analysis: nothing is written once another process took it
    over. Doing it twice changes nothing but when advice was last given. Entries of clusters that
    could not be read stay as they were; telling of these is left to who made the analysis.
    """
    found = follow(books.advice.entries(), analysis, now, zone)
    for line in found.bad:
        # Whoever looks for flags names the other annotation.
        if SNOOZE_UNTIL not in line:
            log.warning("%s", line)
    entries = _measured(found.entries, books.usage, now)
    books.advice.set_entries(entries, run)
    for one in found.changed:
        if one.state in ("accepted", "rejected"):
            log.info(
                "%s: %s from %s to %s: %s",
                one.key,
                one.action,
                one.before,
                one.after,
                one.state,
                extra={"fields": _fields(one)},
            )
    books.advice.prune(now - KEPT)
    return len(found.changed)


def _fields(one: Followed) -> dict[str, object]:
    return {
        "workload": str(one.key),
        "action": one.action,
        "state": one.state,
        "first_seen": one.first_seen.isoformat(),
        "gpu_hours_per_week": one.predicted.gpu_hours_per_week,
        "usd_per_month": one.predicted.usd_per_month,
    }


def _measured(entries: Sequence[Followed], usage: SqlUsage, now: datetime) -> tuple[Followed, ...]:
    waiting = [one for one in entries if one.accepted is not None and not one.accepted.settled]
    hours: dict[str, list[UsedHour]] = {}
    for cluster in {one.key.cluster for one in waiting}:
        hours[cluster] = _hours(cluster, waiting, usage, now)
    return tuple(realise(one, hours.get(one.key.cluster, ()), now) for one in entries)


def _hours(
    cluster: str, entries: Iterable[Followed], usage: SqlUsage, now: datetime
) -> list[UsedHour]:
    """The recorded hours that these entries need of a cluster, with their workloads alone: weeks
    of everything that a large cluster used would fill the memory."""
    wanted: dict[datetime, set[WorkloadKey]] = defaultdict(set)
    for one in entries:
        for begin, end in spans(one, now) if one.key.cluster == cluster else ():
            day = begin.replace(hour=0)
            while day < end:
                wanted[day].add(one.key)
                day += _DAY
    found = []
    for day, keys in sorted(wanted.items()):
        for hour in usage.hours(cluster, day, day + _DAY):
            mine = tuple(use for use in hour.workloads if use.key in keys)
            found.append(replace(hour, workloads=mine, pools=()))
    return found
