"""``gpu-thrift scale-down``: put development workloads to sleep now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from analyzer.sleep.limits import cap
from analyzer.sleep.manual import Order, scale_down
from analyzer.sleep.model import Decided, Leave, Sleep
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
from jobs.sleeping.survey import Activity, Survey
from jobs.sleeping.tick import limits
from jobs.sleeping.view import View


@click.command("scale-down")
@changing_options
@click.option("--until", metavar="TIME", help=f"{UNTIL_HELP} [when the next window begins].")
@click.option("--include-busy", is_flag=True, help="Also those that have requests or GPU work.")
@click.option(
    "--accept-change",
    is_flag=True,
    help="Also when the fleet is suddenly so different that the schedule would refuse.",
)
@click.pass_obj
def command(
    app: App, /, until: str | None, include_busy: bool, accept_change: bool, **given: Any
) -> int:
    """Put workloads to sleep; without names or selectors, all that may sleep.

    What sleeps stays asleep until --until, else until its next awake window begins. Production,
    and what cannot be told from it, is never touched.
    """

    def refine(view: View, decided: Sequence[Decided], surveyed: Survey) -> list[Decided]:
        kept = list(decided) if include_busy else without_busy(view, decided, surveyed)
        return cap(kept, limits(view.site))

    wanted = Wanted(
        title="Scale down",
        decide=scale_down,
        order=Order(whoami(), until_of(app, until)),
        select=Selection(given["names"], given["namespaces"]),
        selector=given["selector"],
        dry_run=given["dry_run"],
        yes=given["yes"],
        accept_change=accept_change,
        refine=refine,
    )
    return change(app, choice_of(given), wanted)


def without_busy(view: View, decided: Sequence[Decided], surveyed: Survey) -> list[Decided]:
    """The decisions with the busy ones left out. Where metrics say nothing, a person's word
    counts."""
    if not any(isinstance(one.decision, Sleep) for one in decided):
        return list(decided)
    activity = Activity.read(view.site.activity, view.now)
    kept = []
    for one in decided:
        if isinstance(one.decision, Sleep):
            busy = surveyed.busy(one.target, activity, view.site.config.busy_utilisation)
            if busy.activity == "busy":
                told = f"{busy.evidence}; --include-busy takes it along"
                one = replace(one, decision=Leave("busy", told))  # noqa: PLW2901
        kept.append(one)
    return kept
