"""``gpu-thrift run``: the daemon; ``gpu-thrift run --once JOB``: one run of a job, now."""

from __future__ import annotations

import logging
import signal
from typing import Any

import click

from analyzer.config import load
from analyzer.config.jobs import JOBS
from analyzer.errors import ConfigError, PartlyDone, SourceError, UsageError
from analyzer.sleep.model import Leave, Sleep, Wake
from jobs.commands.changing import choice_of, site_options
from jobs.context import App
from jobs.daemon.tasks.sleep import loud
from jobs.logs import set_up_logging
from jobs.sites import dry, sites
from jobs.sleeping.tick import Report, run_once

log = logging.getLogger("gpu_thrift")


@click.command("run")
@click.option(
    "--once",
    type=click.Choice(JOBS),
    metavar="JOB",
    help=f"Run only this job, now: {', '.join(JOBS)}.",
)
@click.option(
    "--dry-run", is_flag=True, help="Of the sleep job: say what would be done, change nothing."
)
@click.option(
    "--accept-change",
    is_flag=True,
    help="Of the sleep job: take a suddenly different fleet for the new normal, after a run was "
    "refused for it.",
)
@click.option("--prometheus", metavar="URL", help="Prometheus that --once asks [configured].")
@site_options
@click.pass_obj
def command(app: App, /, once: str | None, **given: Any) -> int:
    """Run every job when it is due, until a signal ends it; or one job now."""
    _check(once, given)
    if once is None:
        return _daemon(app)
    if once == "sleep":
        return _sleep(app, **given)
    from jobs.commands.once import run_job  # noqa: PLC0415 - loads SQLAlchemy

    return run_job(app, once, choice_of(given))


def _check(once: str | None, given: dict[str, Any]) -> None:
    """Raises ``UsageError`` for options that would be passed over in silence."""
    used = [f"--{name.replace('_', '-')}" for name, value in given.items() if value]
    used = ["--cluster" if name == "--clusters" else name for name in used]
    if once is None and used:
        raise UsageError(
            f"{used[0]} is for one run: add --once JOB; the daemon is told by its configuration"
        )
    of_sleep = [name for name in used if name in ("--dry-run", "--accept-change", "--cluster")]
    if once != "sleep" and of_sleep:
        raise UsageError(f"{of_sleep[0]} is for --once sleep, not for {once}")


def _daemon(app: App) -> int:
    # Else it would end a process that is not ready yet to read anything again.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    from jobs.daemon.service import Service  # noqa: PLC0415 - loads the scheduler and the server

    set_up_logging(app.log_format, max(app.verbose, 1), timed=True)
    # The file that was found stays the one: without it, defaults would be in force.
    path = app.config.path
    return Service(lambda: load(path, app.environ), app.clock).run()


def _sleep(app: App, dry_run: bool, accept_change: bool, **given: Any) -> int:
    """Puts to sleep and wakes what is due now."""
    failures: list[str] = []
    found = sites(app.config, choice_of(given), only_wake=not app.config.sleep.enabled)
    for site in found:
        try:
            report = run_once(dry(site) if dry_run else site, app.now, accept_change)
        except (SourceError, ConfigError) as error:
            if len(found) == 1:
                raise
            failures.append(f"{site.name}: {error}")
            continue
        _tell(report)
        failures += report.failures
    if failures:
        raise PartlyDone(f"not everything was done: {'; '.join(failures)}")
    return 0


def _tell(report: Report) -> None:
    for line in loud(report):
        log.warning("%s", line)
    done = [one.decided for one in report.results if one.outcome == "done"]
    slept = sum(isinstance(one.decision, Sleep) for one in done)
    woke = sum(isinstance(one.decision, Wake) for one in done)
    said = [one.decided for one in report.results if one.detail == "dry run"]
    for one in said:
        what = "sleep" if isinstance(one.decision, Sleep) else "wake"
        click.echo(f"would {what}: {one.target.key} ({one.decision.evidence})")
    left = sum(isinstance(one.decision, Leave) for one in report.decided)
    beyond = sum(one.decision.reason == "over-limit" for one in report.decided)
    rest = f", {beyond} of them beyond the limits of one run" if beyond else ""
    click.echo(f"{report.cluster}: put to sleep {slept}, woken {woke}, left alone {left}{rest}")
