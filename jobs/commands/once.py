"""One run of a job that reads, now: what the daemon would do, without waiting for its time.

It takes no turn of the daemon's: the same flags, the same report and the same messages come out
however often and wherever it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import time, timedelta

import click

from analyzer.config import Config, WeekTime
from analyzer.config.zone import zone_of
from analyzer.errors import PartlyDone, each_named
from jobs.commands.showing import show
from jobs.commands.telling import tell
from jobs.context import App
from jobs.daemon.posting import Unposted, post_waiting
from jobs.daemon.tasks import daily, flags, morning, report, usage
from jobs.ledger.database import Database, open_database
from jobs.ledger.notices import SqlNotices
from jobs.ledger.usage import SqlUsage
from jobs.periods import DAY, WEEK, Cadence, Daily, Hourly, Period, Weekly
from jobs.reading import Look, analysing, looking
from jobs.sites import sites
from jobs.slack import poster_of
from jobs.wiring import Choice, chosen_clusters, sources
from reports.morning import morning_title
from reports.text import counted

_NOWHERE = "nothing is posted: neither channel nor webhook is configured under [slack]"


@dataclass(frozen=True, slots=True)
class Once:
    """What a job is given."""

    app: App
    config: Config
    choice: Choice
    look: Look
    database: Database


def run_job(app: App, name: str, choice: Choice) -> int:
    """Runs any job but ``sleep``. Returns the exit code; raises ``PartlyDone`` for what is left to
    do."""
    with once(app, choice) as given:
        _DOES[name](given)
    return 0


@contextmanager
def once(app: App, choice: Choice) -> Iterator[Once]:
    """Opens the ledger for as long as it lasts."""
    config = app.config
    clusters = chosen_clusters(config, choice)
    url = config.ledger.url
    assert url is not None  # noqa: S101 - load() fills it in
    look = looking(config, lambda: sources(clusters, choice), lambda: app.now)
    database = open_database(url.reveal())
    try:
        yield Once(app, config, choice, look, database)
    finally:
        database.close()


def _flag_underused(once: Once) -> None:
    config, now = once.config, once.app.now
    zone = zone_of(config.jobs.timezone)
    period = Period(f"{now.astimezone(zone).date()}", now - DAY, now, now, DAY)
    telling = flags.Telling(config.slack.destination, config.analysis.window, zone)
    notices = SqlNotices(once.database)
    try:
        analyse = analysing(once.look)
        changes = daily.run_once(period, analyse, once.database, telling, now)
    except PartlyDone as error:
        # What was found in the other clusters is told all the same.
        try:
            _post(once, notices)
        except PartlyDone as unposted:
            raise PartlyDone(f"{error}; {unposted}") from unposted
        raise
    click.echo(f"{counted(changes, 'change')} of flags")
    _post(once, notices)


def _weekly_report(once: Once) -> None:
    zone = zone_of(once.config.jobs.timezone)
    publish(_latest(Weekly(WeekTime(0, time()), zone), once), once)


def publish(period: Period, once: Once) -> None:
    """Writes the reports of a week and posts them. Raises ``PartlyDone`` for what is left to do."""
    config, now = once.config, once.app.now
    made = report.run_once(period, once.look, once.database, config, now, timedelta(0))
    for file in made.files:
        click.echo(str(file))
    lacking = []
    if config.slack.destination:
        failures = tell(made.reports, config, once.database, once.app.clock())
        if failures:
            lacking.append(str(Unposted(failures)))
    else:
        for one in made.reports[:1]:
            show(one, config.web.url)
        click.echo(_NOWHERE)
    if made.failed:
        lacking.append(f"the report of {period.key} lacks {each_named(made.failed)}")
    if lacking:
        raise PartlyDone("; ".join(lacking))


def _record_usage(once: Once) -> None:
    period = _latest(Hourly(), once)
    analyse = analysing(once.look)
    done = usage.run_once(period, analyse, SqlUsage(once.database), once.app.now)
    click.echo(f"usage of {period.key} is recorded for {counted(done, 'cluster')}")


def _morning_check(once: Once) -> None:
    config, jobs = once.config, once.config.jobs
    zone = zone_of(jobs.timezone)
    period = _latest(Daily(jobs.morning_check, zone), once)
    watched = morning.Watched(
        morning.identities(sites(config, once.choice)),
        config.sleep.ready_deadline,
        config.slack.destination,
        zone,
    )
    found = morning.run_once(period, once.database, watched, None, once.app.now)
    if found is not None:
        click.echo(morning_title(found, zone))
    _post(once, SqlNotices(once.database))


def _latest(cadence: Cadence, once: Once) -> Period:
    """The period that is over since the shortest time."""
    now = once.app.now
    return list(cadence.periods(now - 2 * WEEK, now))[-1]


def _post(once: Once, notices: SqlNotices) -> None:
    if not once.config.slack.destination:
        click.echo(_NOWHERE)
        return
    poster = poster_of(once.config)
    arrived = post_waiting(notices, poster, lambda: float("inf"), once.app.clock())
    click.echo(f"{counted(arrived, 'message')} posted")


_DOES: Mapping[str, Callable[[Once], None]] = {
    "flag-underused": _flag_underused,
    "weekly-report": _weekly_report,
    "record-usage": _record_usage,
    "morning-check": _morning_check,
}
