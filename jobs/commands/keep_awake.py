"""``gpu-thrift keep-awake``: let the schedule leave a workload alone for a while."""

from __future__ import annotations

from typing import Any

import click

from analyzer.errors import UsageError
from analyzer.sleep.manual import Order, keep_awake
from jobs.commands.changing import (
    UNTIL_HELP,
    Wanted,
    change,
    changing_options,
    choice_of,
    until_of,
    whoami,
)
from jobs.context import App
from jobs.sleeping.select import Selection


@click.command("keep-awake")
@changing_options
@click.option("--until", metavar="TIME", help=f"{UNTIL_HELP} [the end of this or the next window].")
@click.pass_obj
def command(app: App, /, until: str | None, **given: Any) -> int:
    """Keep workloads awake until --until; what sleeps is woken."""
    if not (given["names"] or given["namespaces"] or given["selector"]):
        raise UsageError("keep-awake needs a NAME, -n or -l")
    wanted = Wanted(
        title="Keep awake",
        decide=keep_awake,
        order=Order(whoami(), until_of(app, until)),
        select=Selection(given["names"], given["namespaces"]),
        selector=given["selector"],
        dry_run=given["dry_run"],
        yes=given["yes"],
    )
    return change(app, choice_of(given), wanted)
