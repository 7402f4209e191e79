"""``gpu-thrift schedule``: what the schedule will do in the coming days."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import click
import orjson

from analyzer.config.zone import zone_of
from analyzer.sleep import wake
from analyzer.sleep.case import Case
from analyzer.sleep.forbidden import cannot_sleep, hands_off
from jobs.commands.changing import choice_of, looks, site_options, told
from jobs.commands.options import console
from jobs.context import App
from jobs.sites import sites
from jobs.sleeping.view import View
from reports.listing import show
from reports.plan import Look
from reports.preview import Preview, schedule_document, schedule_listing

DULL = frozenset({"environment", "no-gpus", "held-by"})
"""Why a workload is no concern of the schedule at all."""


@click.command("schedule")
@click.option(
    "--days", type=click.IntRange(1, 90), default=7, show_default=True, help="How far to look."
)
@click.option(
    "--format", "form", type=click.Choice(("table", "json")), default="table", help="Form."
)
@site_options
@click.pass_obj
def command(app: App, /, days: int, form: str, **given: Any) -> int:
    """Preview what the schedule will do, workload by workload, and change nothing."""
    views, failed = looks(sites(app.config, choice_of(given)), app.now)
    previews: list[Preview] = []
    never: list[str] = []
    for view in views:
        for target in view.fleet.targets.values():
            case = view.case(target)
            why = left_awake(case, view)
            if why is None:
                previews.append(preview_of(case, view, days))
            elif why:
                never.append(f"{target.key}: {why}")
    previews.sort(key=lambda one: one.key)
    never.sort()
    if form == "json":
        document = schedule_document(previews, never, app.now)
        sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
        sys.stdout.buffer.flush()
    else:
        shown = Look(zone_of(app.config.sleep.timezone), app.now, len(views) > 1)
        show(schedule_listing(previews, never, days, shown), console())
        if not app.config.sleep.enabled:
            click.echo("sleep.enabled is false: nothing is put to sleep until it is set.")
        elif app.config.sleep.dry_run:
            click.echo("sleep.dry_run is true: nothing is put to sleep until it is unset.")
    told(failed)
    return 0


def left_awake(case: Case, view: View) -> str | None:
    """Why the schedule never puts a workload to sleep; empty when that concerns nobody, None when
    it does."""
    rules = view.site.rules
    leave = hands_off(case, rules)
    if leave is None and not case.asleep:
        leave = cannot_sleep(case, rules)
    if leave is None and case.known.wishes.excluded:
        return f"excluded by {case.known.wishes.excluded}"
    if leave is None:
        return None
    return "" if leave.reason in DULL else f"{leave.reason} ({leave.evidence})"


def preview_of(case: Case, view: View, days: int) -> Preview:
    """The coming days of one workload. An exclusion that ends within them is taken into account."""
    begin, end = case.now, case.now + timedelta(days=days)
    target, wishes = case.target, case.known.wishes
    lead = wake.lead_of(target, view.state.ready_times.get(target.key, ()))
    kept = [at for at in (wishes.exclude_until, wishes.keep_awake_until) if at and at > begin]
    if case.known.hold and case.known.hold.until > begin:
        kept.append(case.known.hold.until)
    first = max(kept, default=begin)
    windows = [
        (max(a - lead.time, begin), min(b, end))
        for a, b in case.schedule.windows(begin, end + lead.time)
        if a - lead.time < end
    ]
    awake = _merged([(begin, min(first, end)), *windows] if kept else windows)
    hours = (end - begin).total_seconds() / 3600 - sum(
        max(0.0, (b - a).total_seconds()) / 3600 for a, b in awake
    )
    gpus = target.gpus_at(case.memory.before) if case.asleep and case.memory else target.gpus
    asleep_now = not any(a <= begin < b for a, b in awake)
    return Preview(
        key=target.key,
        schedule=case.schedule.text,
        windows=case.schedule.windows(begin, end),
        asleep_hours=max(0.0, hours),
        gpus=gpus,
        lead=lead.time,
        lead_source=lead.source,
        next_sleep=begin if asleep_now else next((b for _, b in awake if b < end), None),
        next_wake=next((a for a, _ in awake if a > begin), None),
    )


def _merged(spans: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    merged: list[tuple[Any, Any]] = []
    for a, b in sorted(spans):
        if merged and a <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(b, merged[-1][1]))
        else:
            merged.append((a, b))
    return merged
