"""``gpu-thrift flag``: production deployments that are idle or underused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from jobs.commands.options import (
    analysed,
    asked,
    check_failed,
    cluster_options,
    only_production,
    output_options,
    read,
    write,
)
from jobs.context import App

FOUND = 3
"""Exit code when --fail-on finds what it names."""


@click.command("flag")
@cluster_options
@output_options
@click.option(
    "--fail-on",
    type=click.Choice(("idle", "underused")),
    help="Exit 3 when such a deployment is found; underused includes idle.",
)
@click.pass_obj
def command(app: App, /, form: str, output: Path | None, fail_on: str | None, **given: Any) -> int:
    """List production deployments that are idle or underused, the dearest first."""
    snapshot = read(app, asked(given))
    analysis = analysed(app, snapshot)
    flagged = only_production(analysis)
    if form == "table":
        write(analysis, form, output, only_flagged=True)
    else:
        write(flagged, form, output, only_flagged=True)
    counted = {"idle": ("idle",), "underused": ("idle", "underused")}.get(fail_on or "", ())
    check_failed(snapshot)
    return FOUND if any(one.verdict.name in counted for one in flagged.workloads) else 0
