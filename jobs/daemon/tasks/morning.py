"""Looks back on sleep every morning, and has told what is wrong; when all is well, nothing is."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from analyzer.errors import ConfigError, SourceError
from analyzer.sleep.morning import Attention, Morning, Night, Span, morning
from jobs.ledger.database import Database
from jobs.ledger.ledger import SqlLedger
from jobs.ledger.notices import Notice, SqlNotices
from jobs.ledger.scoped import ClusterLedger
from jobs.periods import Period
from jobs.sleeping.reading import read_identity
from jobs.sleeping.view import Site
from reports.morning import Told, morning_message, morning_parts, morning_title

log = logging.getLogger("gpu_thrift.morning")

LOOKED_BACK = timedelta(days=2)
"""How long before the span a workload may have been woken that was waited for in it."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What is looked at, and where it is told: ``clusters`` by name with their identities, empty
    for one that is not known; ``channel`` empty for nowhere; ``zone`` that of times."""

    clusters: Mapping[str, str]
    ready_deadline: timedelta
    channel: str = ""
    zone: tzinfo = UTC


def run_once(
    period: Period,
    database: Database,
    watched: Watched,
    attention: Attention | None,
    now: datetime,
) -> Morning | None:
    """Looks back on ``period``, and has told once what is wrong; None where it is too late to.

    ``attention`` is None where another process runs the sleep job. Raises ``LedgerError``.
    """
    if now >= period.due + period.length:
        # What is asleep or not ready now says nothing of a morning that is long over.
        log.info("the morning of %s is over and is not looked back on", period.key)
        return None
    nights, unknown = _nights(SqlLedger(database), period, list(watched.clusters.items()), now)
    span = Span(period.begin, period.end, max(now, period.end))
    found = morning(nights, span, watched.ready_deadline, attention, unknown)
    told = Told(watched.zone, len(watched.clusters) > 1)
    for line in found.unknown:
        log.warning("%s", line)
    if found.is_well:
        log.info("%s", morning_title(found, told.zone))
        return found
    for heading, lines in morning_parts(found, told):
        for line in lines if heading != "Not known" else ():
            log.warning("%s: %s", heading, line)
    if watched.channel:
        made = morning_message(found, told)
        key = f"morning-check {period.key}"
        SqlNotices(database).add([Notice(key, watched.channel, made.text, made.blocks)], now)
    return found


def identities(found: Iterable[Site]) -> Mapping[str, str]:
    """The clusters by name, as ``Watched`` has them. What is away has none: the ledger may know
    just one of its name."""
    return {site.name: _identity(site) for site in found}


def _identity(site: Site) -> str:
    try:
        return read_identity(site.api)
    except (SourceError, ConfigError) as error:
        log.info("%s: %s", site.name, error)
        return ""


def _nights(
    ledger: SqlLedger, period: Period, clusters: Sequence[tuple[str, str]], now: datetime
) -> tuple[list[Night], list[str]]:
    nights, unknown, known = [], [], ledger.scopes()
    for name, identity in clusters:
        scopes = [scope for scope in known if scope.startswith(f"{name}#")]
        if not identity and len(scopes) > 1:
            unknown.append(
                f"{name}: the ledger knows several clusters of this name, and its API did not tell "
                "which one it is; it has to answer, and to allow get of namespace kube-system"
            )
            continue
        mine = ClusterLedger.of(ledger, name, identity)
        state = mine.tick_state(now)
        nights.append(
            Night(
                slept=mine.slept(period.begin - LOOKED_BACK),
                open=tuple(state.open.values()),
                waiting=state.waiting,
                not_done=mine.not_done(period.begin, period.end),
                ready_times=state.ready_times,
            )
        )
    return nights, unknown
