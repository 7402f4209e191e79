"""``gpu-thrift scale-up``: wake what sleeps, exactly as it was."""

from __future__ import annotations

from typing import Any

import click

from analyzer.sleep.manual import Order, scale_up
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


@click.command("scale-up")
@changing_options
@click.option("--until", metavar="TIME", help=f"{UNTIL_HELP} [the end of this or the next window].")
@click.pass_obj
def command(app: App, /, until: str | None, **given: Any) -> int:
    """Wake workloads that gpu-thrift put to sleep; without names or selectors, all of them.

    They stay awake until --until, else until the end of the awake window that is or comes next.
    """
    wanted = Wanted(
        title="Scale up",
        decide=scale_up,
        order=Order(whoami(), until_of(app, until)),
        select=Selection(given["names"], given["namespaces"]),
        selector=given["selector"],
        dry_run=given["dry_run"],
        yes=given["yes"],
    )
    return change(app, choice_of(given), wanted)
