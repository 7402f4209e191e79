"""``gpu-thrift report``: the report of a week, looked at, kept or published."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import click

from analyzer.config.zone import zone_of
from analyzer.errors import PartlyDone, UsageError, each_named
from analyzer.model import Window
from jobs.commands.options import choice, place_options, progress
from jobs.context import App
from jobs.ledger.errors import LedgerError
from jobs.ledger.place import may_exist
from jobs.periods import DAY, WEEK, Period, week, week_name
from jobs.reading import Looked, looking
from jobs.weekly.keep import keep
from jobs.weekly.make import Report, files, payloads, report_of
from jobs.weekly.past import unknown
from jobs.wiring import Choice, chosen_clusters, sources
from reports.digest import Past
from reports.text import visible

_WEEK = re.compile(r"(\d{4})-?W(\d{2})", re.IGNORECASE)


@click.command("report")
@click.option(
    "--week", "wanted", metavar="WEEK", help="ISO week such as 2026-W47 [the last that is over]."
)
@click.option(
    "--publish", is_flag=True, help="Write it where the daemon serves it, and post it to Slack."
)
@click.option("--preview", is_flag=True, help="Print the messages, post nothing; the default.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write the page, the files and the messages into DIR, post nothing.",
)
@click.option(
    "--team", "teams", multiple=True, metavar="NAME", help="Only this team's workloads; repeatable."
)
@place_options
@click.pass_obj
def command(
    app: App,
    /,
    wanted: str | None,
    publish: bool,
    preview: bool,
    output: Path | None,
    teams: tuple[str, ...],
    **given: Any,
) -> None:
    """Make the report of a week: for a terminal, as files, or published.

    Without --publish nothing leaves this machine.
    """
    period, where = period_of(app, wanted), choice(given)
    if publish:
        _check(where, teams, preview=preview, output=output)
        from jobs.commands.once import once  # noqa: PLC0415 - loads SQLAlchemy
        from jobs.commands.once import publish as publish_week  # noqa: PLC0415

        with once(app, where) as opened:
            publish_week(period, opened)
        return
    made, failed = _made(app, period, where, teams)
    if output is not None:
        url = app.config.web.url
        for path in keep(output, files(made) | {"slack.json": payloads(made, url)}):
            click.echo(str(path))
    if preview or output is None:
        from jobs.commands.showing import show  # noqa: PLC0415

        show(made, app.config.web.url)
    if failed:
        raise PartlyDone(f"the report of {period.key} lacks {each_named(failed)}")


def _check(where: Choice, teams: Sequence[str], *, preview: bool, output: Path | None) -> None:
    """Raises ``UsageError`` for what would be another report than the one of the week."""
    for given, option in ((preview, "--preview"), (output is not None, "-o")):
        if given:
            raise UsageError(f"--publish and {option} contradict each other: give one of them")
    if teams:
        raise UsageError(
            "--publish is for every team: [slack.teams] says where a team's report is posted; "
            "--team is for --preview and -o"
        )
    if where.clusters:
        raise UsageError(
            "--publish is for all clusters: a report of some would be taken for the week's; "
            "--cluster is for --preview and -o"
        )


def period_of(app: App, wanted: str | None) -> Period:
    """The week that is meant, with its bounds in the zone of the jobs. Raises ``UsageError``."""
    zone = zone_of(app.config.jobs.timezone)
    today = app.now.astimezone(zone).date()
    monday = today - today.weekday() * DAY - WEEK
    if wanted is not None:
        monday = _monday(wanted)
    try:
        begin, end = week(monday, zone)
    except OverflowError:
        raise UsageError(f"--week {wanted}: no such week") from None
    if end > app.now:
        raise UsageError(
            f"--week {wanted}: that week is not over; the last that is is "
            f"{week_name(today - today.weekday() * DAY - WEEK)}"
        )
    return Period(week_name(monday), begin, end, end, WEEK)


def _monday(text: str) -> date:
    found = _WEEK.fullmatch(text.strip())
    try:
        if found:
            return date.fromisocalendar(int(found[1]), int(found[2]), 1)
    except ValueError:
        pass
    raise UsageError(f"--week {text!r}: expected an ISO week such as 2026-W47") from None


def _made(
    app: App, period: Period, where: Choice, teams: Sequence[str]
) -> tuple[Report, dict[str, str]]:
    """The report, and the reason for each cluster that could not be read."""
    config = app.config
    clusters = chosen_clusters(config, where)
    with progress("Reading metrics") as tell:
        look = looking(config, lambda: sources(clusters, where, tell), lambda: app.now)
        looked = look(Window(period.begin, period.end))
    _check_teams(looked, teams)
    made = report_of(period, looked, lambda whose: _past(app, period, looked, whose), teams, config)
    return made, dict(looked.analysis.failed)


def _check_teams(looked: Looked, teams: Sequence[str]) -> None:
    known = {use.team for use in looked.analysis.workloads if use.team}
    for team in teams:
        if team not in known:
            named = ", ".join(visible(one) for one in sorted(known)) or "none"
            raise UsageError(f"--team {visible(team)}: no workload is labelled so (known: {named})")


def _past(app: App, period: Period, looked: Looked, teams: Sequence[str]) -> Past:
    """From the ledger as it is: what only looks must not make one."""
    url = app.config.ledger.url
    assert url is not None  # noqa: S101 - load() fills it in
    try:
        if not may_exist(url.reveal()):
            return unknown(
                "no ledger is there: what slept, what was followed and earlier weeks are not known"
            )
        from jobs.ledger.reader import reading  # noqa: PLC0415 - loads SQLAlchemy
        from jobs.weekly.past import past_of  # noqa: PLC0415

        with reading(url.reveal()) as database:
            return past_of(database, period, looked.analysis, app.config)(teams)
    except LedgerError as error:
        return unknown(f"the ledger could not be read: {error}")
