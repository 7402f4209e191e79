"""``gpu-thrift status``: what sleeps, since when, by whom, until when, and what that saved."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import click
import orjson

from analyzer.collect.cluster.resources import NODES
from analyzer.config.zone import zone_of
from analyzer.errors import SourceError
from analyzer.sleep.case import Case
from analyzer.sleep.decision import decide
from analyzer.sleep.model import Leave, Row, Slept
from jobs.commands.changing import choice_of, looks, site_options, told
from jobs.commands.options import console
from jobs.context import App
from jobs.ledger.errors import LedgerError
from jobs.sites import sites
from jobs.sleeping.saved import DAYS, saved_of
from jobs.sleeping.tick import cases
from jobs.sleeping.view import View
from jobs.sleeping.watch import orphans
from reports.listing import show
from reports.plan import Look
from reports.status import Asleep, Status, status_document, status_listing

ATTENTION = frozenset({"bad-annotation", "contested", "memory-lost"})


@click.command("status")
@site_options
@click.option(
    "--format", "form", type=click.Choice(("table", "json")), default="table", help="Form."
)
@click.pass_obj
def command(app: App, /, form: str, **given: Any) -> int:
    """Say what sleeps, since when, by whom, when it wakes, and what that saved."""
    found, failed = looks(sites(app.config, choice_of(given)), app.now)
    status = status_of(found, app.now)
    if form == "json":
        document = orjson.dumps(status_document(status, app.now), option=orjson.OPT_INDENT_2)
        sys.stdout.buffer.write(document + b"\n")
        sys.stdout.buffer.flush()
    else:
        shown = Look(zone_of(app.config.sleep.timezone), app.now, len(found) > 1)
        show(status_listing(status, shown), console())
    told(failed)
    return 0


def status_of(views: Sequence[View], now: datetime) -> Status:
    """The status of all clusters together."""
    asleep: list[Asleep] = []
    attention: list[str] = []
    slept: list[Slept] = []
    not_ready: list[str] = []
    known = False
    for view in views:
        problems = list(view.problems)
        found = cases(view, problems)
        awake = {case.target.uid for case in found if not case.asleep}
        nodes = _nodes(view)
        asleep += [asleep_of(case, nodes) for case in found if case.asleep]
        attention += [f"{one.subject}: {one.message}" for one in problems]
        attention += [*_attention(view, found), *orphans(view).values()]
        not_ready += [_not_ready(row, view) for row in view.state.waiting]
        waiting = {row.uid for row in view.state.waiting}
        if view.ledger is not None:
            try:
                of_view = view.ledger.slept(now - timedelta(days=DAYS))
            except LedgerError as error:
                attention.append(str(error))
                continue
            known = True
            # One that nobody saw end may have ended long ago.
            slept += [one for one in of_view if one.until or one.uid not in awake]
            not_ready += [
                f"{one.key}: gave up waiting: {one.cause}"
                for one in of_view
                if one.cause and not one.ready_at and one.uid not in waiting
                if one.until and one.until > now - timedelta(days=1)
            ]
    asleep.sort(key=lambda one: one.key)
    return Status(asleep, saved_of(slept, now) if known else None, attention, not_ready)


def asleep_of(case: Case, nodes: frozenset[str] | None) -> Asleep:
    """One sleeping workload; ``nodes`` are those in the cluster now, None when unknown."""
    memory, row = case.memory, case.known.row
    assert memory is not None  # noqa: S101 - what asleep means
    on = row.nodes if row else ()
    wakes = memory.wake_at
    if not memory.by_person or (wakes is not None and wakes <= case.now):
        wakes = case.schedule.next_awake(case.now)
    return Asleep(
        key=case.target.key,
        since=memory.since,
        by=memory.by,
        wakes_at=wakes,
        before=memory.before,
        gpus=row.gpus if row else case.target.freed(memory),
        usd_per_hour=row.usd_per_hour if row else None,
        nodes=len(on),
        nodes_gone=None if nodes is None or not on else sum(one not in nodes for one in on),
    )


def _nodes(view: View) -> frozenset[str] | None:
    if not any(row.nodes for row in view.state.open.values()):
        return None
    try:
        names = view.site.api.read_list(
            NODES.path, lambda item: str(item["metadata"]["name"]), metadata_only=True
        )
    except SourceError:
        return None
    return frozenset(names)


def _attention(view: View, found: Sequence[Case]) -> list[str]:
    lines = []
    for case in found:
        decision = decide(case, view.site.rules).decision
        bad = "; ".join(case.known.wishes.bad)
        stuck = isinstance(decision, Leave) and decision.reason == "environment" and case.asleep
        if bad:
            lines.append(f"{case.target.key}: {bad}")
        elif decision.reason in ATTENTION or stuck:
            lines.append(f"{case.target.key}: {decision.reason} ({decision.evidence})")
    return sorted(lines)


def _not_ready(row: Row, view: View) -> str:
    minutes = (view.now - row.woken_at).total_seconds() / 60 if row.woken_at else 0
    cause = f": {row.cause}" if row.cause else ""
    return f"{row.key}: woken {minutes:.0f} min ago{cause}"
