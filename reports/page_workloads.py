"""Each workload of the page of the weekly report: its row, and what is told at its place. Pure.

A page of 500 workloads has to stay below a megabyte, so the week of each is written in a few
characters that the page's own script draws.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from analyzer.advice import Recommendation, Refusal, Replay
from analyzer.analysis import Analysis, WorkloadUse
from analyzer.rhythm import HOUR, Hours
from reports.advice_json import plan_first
from reports.advice_text import CODES, change
from reports.digest import Digest
from reports.digest_text import effect
from reports.facts import count, fact, seconds
from reports.links import anchor
from reports.page_parts import Cell, Figures, usd, worths
from reports.sections import Names, in_order
from reports.text import UNKNOWN, hours, percent, sentence

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"
"""A use of 0-1 in 64 levels, one character an hour: finer than a chart of 100 px can show."""

GAP = "."
"""Stands for an hour that was not measured."""


SAID = "not-saturated"
"""That it gets no more replicas, as its verdict says already."""

SHORTEST = 6
"""Hours of a run from which on counting takes less room than repeating."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A week as the script reads it: ``use`` a digit an hour, or ``digit~hours~`` for a run of
    them; ``replicas`` as runs of ``number`` or ``numberxhours``; ``asleep`` as spans of
    ``from~to`` in hours. Commas divide runs and spans."""

    use: str
    replicas: str
    asleep: str


@dataclass(frozen=True, slots=True)
class Advised:
    """A recommendation. ``effect`` holds ``figures``."""

    role: str
    change: str
    effect: str
    figures: Figures
    reason: str
    confidence: str
    evidence: str
    trials: tuple[tuple[str, ...], ...]
    replayed: str


@dataclass(frozen=True, slots=True)
class Place:
    """A workload: ``cells`` are its row, the rest is told when it is opened."""

    at: str
    name: str
    use: WorkloadUse
    gpus: str
    cost: Cell
    idle: Cell
    mean: str
    measured: str
    plan: str
    facts: tuple[str, ...]
    drawn: Drawn | None
    advised: tuple[Advised, ...]
    refused: tuple[str, ...]


def places(digest: Digest, names: Names) -> list[Place]:
    """Every workload, the most urgent first."""
    return [
        _place(use, names, digest.hours.get(use.workload.key))
        for use in in_order(digest.analysis.workloads)
    ]


def days(analysis: Analysis) -> str:
    """The days of the window on the report's clock: ``0 Mon 16,24 Tue 17`` with the hours from its
    start at which each begins. A day on which the clock is changed has an hour more or less."""
    window, zone = analysis.window, ZoneInfo(analysis.timezone)
    at = window.start.astimezone(zone)
    found = []
    while at < window.end:
        # Subtraction within one zone would leave out a change of the clock.
        begin = (at.astimezone(window.start.tzinfo) - window.start) / HOUR
        found.append(f"{begin:g} {at:%a} {at.day}")
        tomorrow = at.date() + timedelta(days=1)
        at = at.replace(
            year=tomorrow.year, month=tomorrow.month, day=tomorrow.day, hour=0, minute=0, fold=0
        )
    return ",".join(found)


def drawn(week: Hours) -> Drawn:
    """The hours of one workload for the script."""
    return Drawn(
        "".join(_digits(one, number) for one, number in _runs(map(_digit, week.use))),
        ",".join(
            one if number == 1 else f"{one}x{number}"
            for one, number in _runs(map(_short, week.replicas))
        ),
        ",".join(f"{begin:.4g}~{end:.4g}" for begin, end in week.asleep),
    )


def _runs(values: Iterable[str]) -> list[tuple[str, int]]:
    """Each value with how often it stands in a row."""
    return [(value, len(list(same))) for value, same in groupby(values)]


def _digits(one: str, number: int) -> str:
    return one * number if number < SHORTEST else f"{one}~{number}~"


def _digit(use: float | None) -> str:
    """A little is not nothing."""
    if use is None:
        return GAP
    level = round(min(max(use, 0.0), 1.0) * (len(DIGITS) - 1))
    return DIGITS[max(level, 1) if use > 0 else 0]


def _short(replicas: float | None) -> str:
    return UNKNOWN if replicas is None or not math.isfinite(replicas) else f"{replicas:.3g}"


def _place(use: WorkloadUse, names: Names, week: Hours | None) -> Place:
    plan = use.advice.plan
    return Place(
        at=anchor(use.workload.key),
        name=names.full(use.workload.key),
        use=use,
        gpus=_gpus(use),
        cost=usd("cost_usd", use.cost_usd),
        idle=usd("idle_cost_usd", use.idle_cost_usd),
        mean=percent(use.utilisation.mean if use.utilisation else None),
        measured=percent(use.coverage),
        plan=plan.action if plan else "",
        facts=_facts(use),
        drawn=drawn(week) if week and any(one is not None for one in week.use) else None,
        advised=tuple(_advised(one) for one in plan_first(use.advice)),
        refused=_refused(use.advice.refusals),
    )


def _gpus(use: WorkloadUse) -> str:
    replicas, each = use.workload.replicas, use.workload.gpus_per_replica
    number = UNKNOWN if replicas is None else f"{replicas:,}"
    # One GPU a replica goes without saying.
    per = "" if each == 1 else f" × {UNKNOWN if each is None else f'{each:.3g}'}"
    return f"{number}{per} × {use.gpu_model or UNKNOWN}"


def _facts(use: WorkloadUse) -> tuple[str, ...]:
    """What the row does not say."""
    key, spread = use.workload.key, use.utilisation
    gone = ", not there any more" if use.workload.exists is False else ""
    used = f"GPU use p95 {percent(spread.p95)}, highest {percent(spread.max)}" if spread else ""
    lines = (
        f"{key.kind} in {key.cluster}{gone}",
        f"{use.environment}: {use.environment_reason}",
        f"{use.verdict.name}: {use.verdict.reason}",
        f"model {use.model}" if use.model else "model not known",
        used,
        "GPUs shared with others" if use.workload.shared else "",
    )
    return tuple(f"{line[:1].upper()}{line[1:]}" for line in lines if line)


def _advised(one: Recommendation) -> Advised:
    reasons = "; ".join(one.confidence.reasons)
    return Advised(
        role="Advice" if one.plan else sentence(one.withheld or "alternative")[:-1],
        change=change(one),
        effect=sentence(effect(one)),
        figures=worths(one),
        reason=sentence(one.reason),
        confidence=f"{sentence(one.confidence.level)[:-1]} confidence: {reasons}",
        # An alternative is weighed only by those who ask ``explain``, which has it all.
        evidence=", ".join(f"{name} {fact(value)}" for name, value in one.evidence.items())
        if one.plan
        else "",
        trials=_trials(one.replay) if one.plan else (),
        replayed=_replayed(one.replay) if one.plan else "",
    )


def _replayed(replay: Replay | None) -> str:
    if replay is None:
        return ""
    gaps = f"{hours(replay.gap_minutes / 60)} h not measured"
    return f"{hours(replay.minutes / 60)} h of load replayed, {gaps}"


def _trials(replay: Replay | None) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            f"{one.replicas:,}",
            percent(one.kv_p95),
            percent(one.kv_max),
            count(one.saturated_minutes),
            count(one.would_wait),
            percent(one.gpu_p95),
            seconds(one.itl_p95_s),
            one.broken or "yes",
        )
        for one in (replay.trials if replay else ())
    )


def _refused(refusals: Sequence[Refusal]) -> tuple[str, ...]:
    """Why rules advise nothing: what was tried in its own words, the rest in a few, with the rules
    that say the same together."""
    said: dict[str, list[str]] = {}
    for one in refusals:
        if one.code == SAID:
            continue
        why = one.reason if one.replay is not None else CODES.get(one.code, one.code)
        said.setdefault(why, []).append(one.action)
    return tuple(f"{', '.join(actions)}: {why}" for why, actions in said.items())
