"""``gpu-thrift run --once sleep``: one run of a job, now."""

from __future__ import annotations

import logging
from typing import Any

import click

from analyzer.errors import ConfigError, PartlyDone, SourceError
from analyzer.sleep.model import Leave, Sleep, Wake
from jobs.commands.changing import choice_of, site_options
from jobs.context import App
from jobs.daemon.tasks.sleep import loud
from jobs.sites import dry, sites
from jobs.sleeping.tick import Report, run_once

log = logging.getLogger("gpu_thrift")


@click.command("run")
@click.option("--once", required=True, type=click.Choice(("sleep",)), help="Run this job now.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@click.option(
    "--accept-change",
    is_flag=True,
    help="Take a suddenly different fleet for the new normal, after a run was refused for it.",
)
@click.option(
    "--prometheus", metavar="URL", help="Prometheus that tells what is busy [configured]."
)
@site_options
@click.pass_obj
def command(app: App, /, once: str, dry_run: bool, accept_change: bool, **given: Any) -> int:  # noqa: ARG001
    """Run a job once: put to sleep and wake what is due now."""
    failures: list[str] = []
    found = sites(app.config, choice_of(given), only_wake=not app.config.sleep.enabled)
    for site in found:
        try:
            report = run_once(dry(site) if dry_run else site, app.now, accept_change)
        except (SourceError, ConfigError) as error:
            if len(found) == 1 and isinstance(error, ConfigError):
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
