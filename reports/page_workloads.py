"""Each workload of the page of the weekly report: its row, and what is told at its place. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analyzer.advice import Recommendation, Refusal, Replay, Trial
from analyzer.analysis import WorkloadUse
from analyzer.rhythm import Hours
from reports.advice_json import plan_first
from reports.advice_text import CODES, change
from reports.digest import Digest
from reports.digest_text import effect
from reports.facts import count, fact, seconds
from reports.links import anchor
from reports.page_parts import Figures, worths
from reports.page_weeks import Drawn, drawn
from reports.sections import Names, in_order
from reports.text import UNKNOWN, cents, hours, percent, sentence

SAID = "not-saturated"
"""That it gets no more replicas, as its verdict says already."""

HEADS = (
    "Replicas",
    "KV p95",
    "KV max",
    "Full, min",
    "Would wait",
    "GPU p95",
    "ITL p95",
    "Would do",
)
"""Of the table of trials."""


@dataclass(frozen=True, slots=True)
class Advised:
    """A recommendation. ``effect`` holds ``figures``. ``trials`` are a table with its heads first,
    ``replayed`` its caption, and ``tried`` says in a line which of them decided."""

    plan: bool
    role: str
    change: str
    effect: str
    figures: Figures
    reason: str
    confidence: str
    why: str
    evidence: str
    trials: tuple[tuple[str, ...], ...]
    replayed: str
    tried: str


@dataclass(frozen=True, slots=True)
class Place:
    """A workload: ``cells`` are its row, the rest is told when it is opened."""

    at: str
    name: str
    use: WorkloadUse
    gpus: str
    cost: str
    idle: str
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


def _place(use: WorkloadUse, names: Names, week: Hours | None) -> Place:
    plan = use.advice.plan
    return Place(
        at=anchor(use.workload.key),
        name=names.full(use.workload.key),
        use=use,
        gpus=_gpus(use),
        cost=cents(use.cost_usd),
        idle=cents(use.idle_cost_usd),
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
    return Advised(
        plan=one.plan,
        role="Advice" if one.plan else sentence(one.withheld or "alternative")[:-1],
        change=change(one),
        effect=sentence(effect(one)),
        figures=worths(one),
        reason=sentence(one.reason),
        confidence=f"{sentence(one.confidence.level)[:-1]} confidence",
        why="; ".join(one.confidence.reasons),
        # An alternative is weighed only by those who ask ``explain``, which has it all.
        evidence=", ".join(f"{name} {fact(value)}" for name, value in one.evidence.items())
        if one.plan
        else "",
        trials=_trials(one.replay) if one.plan else (),
        replayed=_replayed(one.replay) if one.plan else "",
        tried=_tried(one) if one.plan else "",
    )


def _replayed(replay: Replay | None) -> str:
    if replay is None:
        return ""
    gaps = f"{hours(replay.gap_minutes / 60)} h not measured"
    return f"{hours(replay.minutes / 60)} h of load replayed, {gaps}"


def _trials(replay: Replay | None) -> tuple[tuple[str, ...], ...]:
    """The heads, and a row a trial; less the columns in which nothing is known."""
    if replay is None or not replay.trials:
        return ()
    columns = zip(HEADS, *(_trial(one) for one in replay.trials), strict=True)
    known = [cells for cells in columns if any(cell != UNKNOWN for cell in cells[1:])]
    return tuple(zip(*known, strict=True))


def _trial(one: Trial) -> tuple[str, ...]:
    return (
        f"{one.replicas:,}",
        percent(one.kv_p95),
        percent(one.kv_max),
        count(one.saturated_minutes),
        count(one.would_wait),
        percent(one.gpu_p95),
        seconds(one.itl_p95_s),
        one.broken or "yes",
    )


def _tried(one: Recommendation) -> str:
    """The trial that decided, and the nearest that would not do."""
    trials = one.replay.trials if one.replay else ()
    if not trials:
        return ""
    chosen = next((trial for trial in trials if trial.replicas == one.after), trials[-1])
    nearest = sorted(trials, key=lambda trial: abs(trial.replicas - chosen.replicas))
    failed = next((trial for trial in nearest if trial.broken and trial is not chosen), None)
    return "; ".join(_in_words(trial) for trial in (chosen, failed) if trial)


def _in_words(one: Trial) -> str:
    figures = (
        f"KV p95 {percent(one.kv_p95)}",
        f"{count(one.saturated_minutes)} min full" if one.saturated_minutes else "",
        f"{count(one.would_wait)} would wait" if one.would_wait else "",
        "" if one.gpu_p95 is None else f"GPU p95 {percent(one.gpu_p95)}",
        "" if one.itl_p95_s is None else f"ITL p95 {seconds(one.itl_p95_s)}",
    )
    return f"on {one.replicas:,}: {', '.join(figure for figure in figures if figure)}"


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
