"""What the commands that change the cluster share: whom they mean, asking first, saying how it
went."""

from __future__ import annotations

import getpass
import logging
import re
import socket
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

import click

from analyzer.config import PrometheusConfig, parse_option
from analyzer.config.zone import zone_of
from analyzer.errors import ConfigError, PartlyDone, SourceError, UsageError
from analyzer.sleep.case import Case, Rules
from analyzer.sleep.decision import decide
from analyzer.sleep.limits import refusal
from analyzer.sleep.manual import Order
from analyzer.sleep.model import Decided, Sleep, Target, Wake
from analyzer.sleep.until import BadTime, parse_until
from jobs.actuator import Result
from jobs.commands.options import console
from jobs.context import App
from jobs.sites import sites
from jobs.sleeping.act import act, acts
from jobs.sleeping.fleet import Problem
from jobs.sleeping.reading import select_uids
from jobs.sleeping.select import Selection, choose
from jobs.sleeping.survey import Survey, survey
from jobs.sleeping.tick import cases, census_of, each, limits
from jobs.sleeping.view import Site, View, look
from jobs.wiring import Choice
from reports.listing import show
from reports.plan import Look, plan_listing
from reports.text import counted

log = logging.getLogger("gpu_thrift")

Command = Callable[..., Any]
T = TypeVar("T")
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


def looks(targets: Sequence[Site], now: datetime) -> tuple[list[View], list[str]]:
    """Each cluster as it is, and a line for each that could not be read. Raises ``SourceError``
    when that is all of them."""
    return _of_each(targets, lambda site: look(site, now))


def _of_each(targets: Sequence[Site], what: Callable[[Site], T]) -> tuple[list[T], list[str]]:
    found, failed = [], []
    for site in targets:
        try:
            found.append(what(site))
        except (SourceError, ConfigError) as error:
            if len(targets) == 1:
                raise
            failed.append(f"{site.name}: {error}")
    if failed and not found:
        raise SourceError("; ".join(failed))
    return found, failed


def told(unreachable: Sequence[str]) -> None:
    """Raises ``PartlyDone`` when some cluster could not be read."""
    if unreachable:
        raise PartlyDone(f"not every cluster could be read: {'; '.join(unreachable)}")


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
    accept_change: bool = False
    refine: Callable[[View, Sequence[Decided], Survey], list[Decided]] | None = None
    """A last look at the decisions, such as leaving out what is busy."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What is to be done on one cluster."""

    view: View
    decided: Sequence[Decided]
    surveyed: Survey

    def only(self, uids: Collection[str]) -> Planned:
        """The part of it that is about these workloads."""
        return replace(self, decided=[one for one in self.decided if one.target.uid in uids])


def change(app: App, choice: Choice, wanted: Wanted) -> int:
    """Plans, shows, asks, does, tells. Returns the exit code; raises ``UsageError`` for what is
    refused and ``PartlyDone`` naming what failed."""
    # Rights in those namespaces then suffice.
    only = wanted.select.namespaces
    targets = [replace(site, only=only) for site in sites(app.config, choice)]
    plans, unreachable = _of_each(targets, lambda site: _plan(site, wanted, app.now))
    _check_found(plans, wanted)
    _show(plans, wanted, Look(zone_of(app.config.sleep.timezone), app.now, len(targets) > 1))
    todo = [one for plan in plans for one in plan.decided if acts(one)]
    if not todo or wanted.dry_run:
        click.echo("Dry run: nothing was changed." if todo else "Nothing to do.")
        return _tell(wanted, [], unreachable)
    if not wanted.yes:
        _ask(wanted, len(todo))
        # Minutes may have passed while somebody read the table; what was not on it stays.
        shown = {one.target.uid for one in todo}
        now, same = app.clock(), [plan.view.site for plan in plans]
        plans, failed = _of_each(same, lambda site: _plan(site, wanted, now))
        plans = [plan.only(shown) for plan in plans]
        unreachable += failed
    results: list[Result] = []
    for plan in plans:
        results += _carry_out(plan, wanted)
    return _tell(wanted, results, unreachable)


def _show(plans: Sequence[Planned], wanted: Wanted, look_: Look) -> None:
    usd = {uid: worth.usd_per_hour for plan in plans for uid, worth in plan.surveyed.worth.items()}
    decided = [one for plan in plans for one in plan.decided]
    show(plan_listing(wanted.title, decided, usd, look_), console())
    for plan in plans:
        for problem in plan.view.problems:
            log.warning("%s: %s", problem.subject, problem.message)


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
    if not wanted.accept_change and any(isinstance(one.decision, Sleep) for one in decided):
        _check_fleet(view)
    return Planned(view, decided, surveyed)


def _check_fleet(view: View) -> None:
    """Raises ``UsageError`` when the fleet is suddenly so different that what now looks like
    development may be production."""
    problems: list[Problem] = []
    decided = each(cases(view, problems), lambda case: decide(case, view.site.rules), problems)
    census = census_of(view.fleet, decided, view.site.config.gpus_only)
    why = refusal(view.state.baseline, census, limits(view.site))
    if why:
        raise UsageError(
            f"refused, nothing was changed: {why}; if that is right, add --accept-change"
        )


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
    return act(view, todo, plan.surveyed, wanted.order.by, again)


def _tell(wanted: Wanted, results: Sequence[Result], unreachable: Sequence[str]) -> int:
    done = sum(one.outcome == "done" for one in results)
    if results:
        click.echo(f"{wanted.title}: {counted(done, 'workload')} done.")
    lines = [f"{one.decided.target.key}: {one.detail}" for one in results if one.outcome != "done"]
    if lines:
        parts = "; ".join([*lines, *unreachable])
        raise PartlyDone(f"{counted(len(lines), 'workload')} not done: {parts}")
    told(unreachable)
    return 0
