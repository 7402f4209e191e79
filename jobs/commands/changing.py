"""What the commands that change the cluster share: whom they mean, asking first, saying how it
went."""

from __future__ import annotations

import getpass
import logging
import re
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import click

from analyzer.config import PrometheusConfig, parse_option
from analyzer.config.zone import zone_of
from analyzer.errors import PartlyDone, UsageError
from analyzer.sleep.case import Case, Rules
from analyzer.sleep.manual import Order
from analyzer.sleep.model import Decided, Sleep, Target, Wake
from analyzer.sleep.until import BadTime, parse_until
from jobs.actuator import Result
from jobs.commands.options import console
from jobs.context import App
from jobs.ledger.errors import LedgerError
from jobs.sites import sites
from jobs.sleeping.act import act, acts
from jobs.sleeping.reading import select_uids
from jobs.sleeping.select import Selection, choose
from jobs.sleeping.survey import Survey, survey
from jobs.sleeping.view import Site, View, look
from jobs.sleeping.watch import remember_results
from jobs.wiring import Choice
from reports.listing import show
from reports.plan import Look, counted, plan_listing

log = logging.getLogger("gpu_thrift")

Command = Callable[..., Any]
Decide = Callable[[Case, Rules, Order], Decided]

REFUSED = frozenset({"environment", "held-by", "excluded", "bad-annotation", "memory-lost"})
"""Why a workload that was named cannot be what was asked: the command does nothing at all."""

_CLUSTER = (
    click.option("--kubeconfig", metavar="FILE", help="Kubeconfig of the cluster."),
    click.option("--context", metavar="NAME", help="Context of the kubeconfig."),
    click.option(
        "--cluster",
        "clusters",
        multiple=True,
        metavar="NAME",
        help="Only this cluster; repeatable.",
    ),
)
_PROMETHEUS = click.option(
    "--prometheus", metavar="URL", help="Prometheus that tells what is busy [configured]."
)
_SELECT = (
    click.argument("names", nargs=-1, metavar="[NAME|KIND/NAME]..."),
    click.option(
        "-n",
        "--namespace",
        "namespaces",
        multiple=True,
        metavar="NAME",
        help="Only this namespace.",
    ),
    click.option(
        "-l", "--selector", default="", metavar="LABELS", help="Only workloads with these labels."
    ),
)
_ASK = (
    click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing."),
    click.option("-y", "--yes", is_flag=True, help="Do not ask."),
)
UNTIL_HELP = "Until when: 18:00, tomorrow 08:00, Mon 08:00, 3h, 2026-12-24T18:00+01:00"


def site_options(command: Command) -> Command:
    for option in reversed(_CLUSTER):
        command = option(command)
    return command


def changing_options(command: Command) -> Command:
    for option in reversed((*_SELECT, *_ASK, _PROMETHEUS, *_CLUSTER)):
        command = option(command)
    return command


def choice_of(given: dict[str, Any]) -> Choice:
    url = given.get("prometheus")
    if url is not None:
        url = parse_option(PrometheusConfig, "url", url, "--prometheus")
    return Choice(url, given["kubeconfig"], given["context"], False, tuple(given["clusters"]))


def until_of(app: App, text: str | None) -> datetime | None:
    """``--until`` as aware UTC. Raises ``UsageError``."""
    if text is None:
        return None
    try:
        return parse_until(text, app.now, zone_of(app.config.sleep.timezone))
    except BadTime as error:
        raise UsageError(f"--until: {error}") from error


def whoami() -> str:
    """Who asks, as far as this machine knows: ``alice@laptop``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "somebody"
    return re.sub(r"[^A-Za-z0-9@._-]", "_", f"{user}@{socket.gethostname()}")[:100]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a command was asked to do, and how."""

    title: str
    decide: Decide
    order: Order
    select: Selection
    selector: str = ""
    dry_run: bool = False
    yes: bool = False
    refine: Callable[[View, Sequence[Decided], Survey], list[Decided]] | None = None
    """A last look at the decisions, such as leaving out what is busy."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What is to be done on one cluster."""

    view: View
    decided: Sequence[Decided]
    surveyed: Survey


def change(app: App, choice: Choice, wanted: Wanted) -> int:
    """Plans, shows, asks, does, tells. Returns the exit code; raises ``UsageError`` for what is
    refused and ``PartlyDone`` naming what failed."""
    # Rights in those namespaces then suffice.
    only = wanted.select.namespaces
    targets = [replace(site, only=only) for site in sites(app.config, choice)]
    plans = [_plan(site, wanted, app.now) for site in targets]
    _check_found(plans, wanted)
    many = len(plans) > 1
    shown = Look(zone_of(app.config.sleep.timezone), app.now, many)
    usd = {uid: worth.usd_per_hour for plan in plans for uid, worth in plan.surveyed.worth.items()}
    decided = [one for plan in plans for one in plan.decided]
    show(plan_listing(wanted.title, decided, usd, shown), console())
    for plan in plans:
        for problem in plan.view.problems:
            log.warning("%s: %s", problem.subject, problem.message)
    todo = [one for one in decided if acts(one)]
    if not todo or wanted.dry_run:
        click.echo("Dry run: nothing was changed." if todo else "Nothing to do.")
        return 0
    asked = not wanted.yes
    if asked:
        _ask(wanted, len(todo))
    results: list[Result] = []
    for plan in plans:
        # Minutes may have passed while somebody read the table.
        fresh = _plan(plan.view.site, wanted, app.clock()) if asked else plan
        results += _carry_out(fresh, wanted)
    return _tell(wanted, results)


def _plan(site: Site, wanted: Wanted, now: datetime) -> Planned:
    view = look(site, now)
    select = wanted.select
    if wanted.selector:
        uids = select_uids(site.api, site.kinds, wanted.selector, select.namespaces)
        select = replace(select, uids=uids)
    chosen = choose(view.fleet, select)
    decided = [wanted.decide(view.case(one.target), site.rules, wanted.order) for one in chosen]
    refused = [
        f"{one.target.key}: {what.decision.reason} ({what.decision.evidence})"
        for one, what in zip(chosen, decided, strict=True)
        if one.named and what.decision.reason in REFUSED
    ]
    if refused:
        raise UsageError(f"refused, nothing was changed: {'; '.join(refused)}")
    changing = [one.target for one in decided if isinstance(one.decision, Sleep | Wake)]
    surveyed = survey(site.api, view.fleet, changing, site.prices) if changing else Survey()
    if wanted.refine:
        decided = wanted.refine(view, decided, surveyed)
    return Planned(view, decided, surveyed)


def _check_found(plans: Sequence[Planned], wanted: Wanted) -> None:
    """Raises ``UsageError`` when a selection means nothing, or nothing that may be touched."""
    decided = [one for plan in plans for one in plan.decided]
    selects = wanted.selector or wanted.select.namespaces
    if selects and not decided:
        raise UsageError("the selection matches no workload")
    reasons = {one.decision.reason for one in decided}
    if selects and reasons == {"environment"}:
        first = decided[0]
        raise UsageError(
            f"refused, nothing was changed: none of {counted(len(decided), 'workload')} may be "
            f"touched, such as {first.target.key} ({first.decision.evidence})"
        )


def _ask(wanted: Wanted, number: int) -> None:
    if not sys.stdin.isatty():
        raise UsageError("asks before it changes anything: add --yes where nobody can answer")
    click.confirm(f"{wanted.title} {counted(number, 'workload')}?", abort=True)


def _carry_out(plan: Planned, wanted: Wanted) -> list[Result]:
    view, site = plan.view, plan.view.site

    def again(target: Target) -> Decided:
        return wanted.decide(view.case(target), site.rules, wanted.order)

    todo = [one for one in plan.decided if acts(one)]
    results = act(view, todo, plan.surveyed, wanted.order.by, again)
    try:
        remember_results(view, results, {})
    except LedgerError as error:
        log.warning("%s", error)
    return results


def _tell(wanted: Wanted, results: Sequence[Result]) -> int:
    done = sum(one.outcome == "done" for one in results)
    click.echo(f"{wanted.title}: {counted(done, 'workload')} done.")
    lines = [f"{one.decided.target.key}: {one.detail}" for one in results if one.outcome != "done"]
    if lines:
        raise PartlyDone(f"{counted(len(lines), 'workload')} not done: {'; '.join(lines)}")
    return 0
