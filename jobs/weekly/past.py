"""What the ledger knows of a week and of the four before it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from analyzer.analysis import Analysis
from analyzer.config import Config
from analyzer.config.zone import zone_of
from analyzer.followed import Followed
from analyzer.history import UsedHour
from analyzer.model import Window
from analyzer.sleep.model import NotDone, Slept
from analyzer.weeks import Week, recorded_week
from jobs.ledger.advice import SqlAdvice
from jobs.ledger.database import Database
from jobs.ledger.errors import LedgerError
from jobs.ledger.ledger import SqlLedger
from jobs.ledger.scoped import ClusterLedger
from jobs.ledger.usage import SqlUsage
from jobs.periods import Period, week, week_name
from reports.digest import Past

WEEKS = 4
_DAY = timedelta(days=1)


PastOf = Callable[[Sequence[str]], Past]
"""What the ledger knows, narrowed to these teams (none for all)."""


@dataclass(frozen=True, slots=True)
class Whose:
    """Which clusters were read, whose teams are meant (none for all), and the weeks' zone."""

    clusters: Sequence[str]
    zone: tzinfo
    teams: Collection[str] = ()


def past_of(database: Database, period: Period, analysis: Analysis, config: Config) -> PastOf:
    """What ``database`` knows of the clusters that were read. Never raises ``LedgerError``: what
    cannot be read is named as a problem."""
    clusters = [one for one in analysis.clusters if one not in analysis.failed]
    zone = zone_of(config.jobs.timezone)
    return lambda teams: _past(database, period, Whose(clusters, zone, teams))


def _past(database: Database, period: Period, whose: Whose) -> Past:
    try:
        sleeps, not_done, problems = _sleeps(database, period, whose.clusters)
        return Past(
            weeks=tuple(_weeks(database, period, whose)),
            sleeps=None if sleeps is None else tuple(sleeps),
            not_done=tuple(not_done),
            followed=tuple(_followed(database, whose.clusters)),
            problems=tuple(problems),
        )
    except LedgerError as error:
        return unknown(f"the ledger could not be read: {error}")


def unknown(why: str) -> Past:
    """Nothing is known, for this reason."""
    return Past(problems=(why,))


def _weeks(database: Database, period: Period, whose: Whose) -> Iterator[Week]:
    usage, monday = SqlUsage(database), _monday(period, whose.zone)
    for number in range(WEEKS, 0, -1):
        first = monday - number * timedelta(weeks=1)
        window = Window(*week(first, whose.zone))
        hours = (
            hour
            for cluster in whose.clusters
            for hour in _hours(usage, cluster, window.start, window.end)
        )
        # Weeks that the ledger knows nothing of are told as such, not left out.
        yield recorded_week(
            week_name(first), window, hours, len(whose.clusters), whose.teams or None
        )


def _monday(period: Period, zone: tzinfo) -> date:
    return period.begin.astimezone(zone).date()


def _hours(usage: SqlUsage, cluster: str, begin: datetime, end: datetime) -> Iterator[UsedHour]:
    """A day at a time: weeks of everything that a large cluster used would fill the memory."""
    while begin < end:
        upto = min(begin + _DAY, end)
        yield from usage.hours(cluster, begin, upto)
        begin = upto


def _sleeps(
    database: Database, period: Period, clusters: Sequence[str]
) -> tuple[list[Slept] | None, list[NotDone], list[str]]:
    """The sleeps are None where those of no cluster could be told."""
    sleeps, not_done, problems = [], [], []
    ledger = SqlLedger(database)
    known = ledger.scopes()
    for cluster in clusters:
        if sum(scope.startswith(f"{cluster}#") for scope in known) > 1:
            problems.append(
                f"what slept in {cluster} is not told: the ledger knows several clusters of this "
                "name"
            )
            continue
        mine = ClusterLedger.of(ledger, cluster, "")
        sleeps += [one for one in mine.slept(period.begin) if one.since < period.end]
        not_done += mine.not_done(period.begin, period.end)
    return sleeps if len(problems) < len(clusters) else None, not_done, problems


def _followed(database: Database, clusters: Sequence[str]) -> list[Followed]:
    return [one for one in SqlAdvice(database).entries() if one.key.cluster in clusters]
