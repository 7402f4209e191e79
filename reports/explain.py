"""The whole story of one workload as text: what it is, what it used, what is advised, what is not,
and what decided.

A screen gets lines folded to its width, a pipe gets each whole. rich is imported only when
something is shown.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from analyzer.advice import Recommendation, Refusal, Replay
from analyzer.analysis import Analysis, WorkloadUse
from analyzer.sizing.story import Story
from reports.advice_json import plan_first
from reports.advice_text import NO_API, bill, change, freed, instead
from reports.facts import count, fact, seconds
from reports.sections import Names, Section, period, price_basis
from reports.text import UNKNOWN, hours, money, percent, sentence, visible

if TYPE_CHECKING:
    from rich.console import Console

_TRIALS = (
    ("replicas", ""),
    ("KV", "p95"),
    ("KV", "max"),
    ("saturated", "minutes"),
    ("longest", "minutes"),
    ("would", "wait"),
    ("GPU", "p95"),
    ("ITL", "p95"),
    ("meets", ""),
)
"""The columns of a replay, each heading in two lines so that a table fits a narrow screen."""


def explain(
    story: Story, analysis: Analysis, console: Console, became: Section | None = None
) -> None:
    """Writes the story to ``console``; ``became`` is what the ledger knows of its advice."""
    from rich.text import Text  # noqa: PLC0415

    key = story.use.workload.key
    head = f"{Names(analysis).full(key)} ({key.kind} in cluster {key.cluster})"
    console.print(Text(visible(head), "bold"), soft_wrap=True)
    for line in (period(analysis), price_basis(analysis)):
        console.print(Text(visible(line)), soft_wrap=not console.is_terminal)
    for part in parts(story, became):
        console.print()
        console.print(Text(visible(part.title), "bold"), soft_wrap=not console.is_terminal)
        for line in part.lines:
            _show(console, line)


def parts(story: Story, became: Section | None = None) -> list[Section]:
    """Everything there is to say, in the order in which a person who doubts would ask. Lines that
    begin with a space are rows of a table."""
    use = story.use
    made = [
        Section("What it is", _identity(use)),
        Section("What it used", _figures(use)),
        Section(
            "Verdict", (f"{use.verdict.name} ({use.verdict.code}): {sentence(use.verdict.reason)}",)
        ),
    ]
    made += [_recommended(one) for one in plan_first(use.advice)]
    if not use.advice.recommendations:
        asked = "no rule advises anything" if use.advice.refusals else "no rule was asked"
        made.append(Section("Recommendation", (f"None: {asked}.",)))
    made += [became] if became else []
    made.append(Section("Not advised", _refused(use.advice.refusals)))
    made.append(Section("Thresholds that decided", _thresholds(story)))
    return [part for part in made if part.lines]


def _identity(use: WorkloadUse) -> tuple[str, ...]:
    workload = use.workload
    each = workload.gpus_per_replica
    gpus = UNKNOWN if each is None or not math.isfinite(each) else f"{each:,.4g}"
    unit = "GPU" if gpus == "1" else "GPUs"
    replicas = UNKNOWN if workload.replicas is None else f"{workload.replicas:,}"
    gone = "; it is not there any more" if workload.exists is False else ""
    return (
        f"environment: {use.environment} ({use.environment_reason})",
        f"model: {use.model or UNKNOWN}",
        f"team: {use.team or UNKNOWN}",
        f"GPU: {use.gpu_model or UNKNOWN}",
        f"replicas: {replicas}, {gpus} {unit} each{gone}",
    )


def _figures(use: WorkloadUse) -> tuple[str, ...]:
    spread, served = use.utilisation, use.serving
    lines = [
        f"{hours(use.gpu_hours)} GPU-h, {percent(use.coverage)} of them measured;"
        f" {hours(use.history_hours)} h of history",
        f"{money(use.cost_usd)} cost, of which {money(use.idle_cost_usd)} idle",
    ]
    if spread is None:
        lines.append("GPU work: not measured")
    else:
        lines.append(
            f"GPU work: mean {percent(spread.mean)}, p50 {percent(spread.p50)},"
            f" p95 {percent(spread.p95)}, max {percent(spread.max)}"
        )
    if served is None:
        return (*lines, "no inference server was heard")
    return (
        *lines,
        f"inference server: heard {percent(served.coverage)} of the time",
        f"requests: {count(served.requests)} finished; p95 {count(served.running_p95)} running,"
        f" {count(served.waiting_p95)} waiting; some waited {percent(served.queue_share)} of the"
        " time",
        f"tokens: {count(served.prompt_tokens)} in, {count(served.generation_tokens)} out,"
        f" {money(served.usd_per_million_tokens)} a million",
        f"KV cache of the fullest replica: p95 {percent(served.kv_cache_p95)};"
        f" {count(served.preemptions)} requests pushed out",
        f"latency p95: {seconds(served.ttft_p95_s)} to the first token,"
        f" {seconds(served.itl_p95_s)} between tokens",
    )


def _recommended(one: Recommendation) -> Section:
    role = f"{one.withheld or 'an alternative'}, not in the totals"
    role = "the plan" if one.plan else role
    saving = one.saving
    lines = [
        sentence(one.reason),
        *([f"GPU-hours: {freed(saving)}"] if saving.gpu_hours_per_week else []),
        f"bill: {bill(saving, instead(one))}{f': {NO_API}' if _blind(one) else ''}",
        f"confidence: {one.confidence.level}",
        *(f"- {reason}" for reason in one.confidence.reasons),
    ]
    if one.evidence:
        lines.append("evidence:")
        lines += [f"- {name} = {fact(value)}" for name, value in one.evidence.items()]
    return Section(f"Recommendation: {change(one)} ({role})", (*lines, *_replayed(one.replay)))


def _blind(one: Recommendation) -> bool:
    return one.saving.usd_per_month is None and one.saving.nodes_freed is None


def _refused(refusals: tuple[Refusal, ...]) -> tuple[str, ...]:
    lines: list[str] = []
    for one in refusals:
        lines.append(f"{one.action} ({one.code}): {sentence(one.reason)}")
        lines += _replayed(one.replay)
    return tuple(lines)


def _replayed(replay: Replay | None) -> list[str]:
    if replay is None:
        return []
    lines = [
        f"replay: {hours(replay.minutes / 60)} h of load; {hours(replay.gap_minutes / 60)} h not"
        f" measured and {hours(replay.zero_minutes / 60)} h without any load prove nothing"
    ]
    rows = [
        (
            f"{one.replicas:,}",
            percent(one.kv_p95),
            percent(one.kv_max),
            count(one.saturated_minutes),
            count(one.longest_minutes),
            count(one.would_wait),
            percent(one.gpu_p95),
            seconds(one.itl_p95_s),
            "yes" if one.meets else "no",
        )
        for one in replay.trials
    ]
    above, below = ([heading[line] for heading in _TRIALS] for line in (0, 1))
    table = [above, below, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines += [
        f"  {'  '.join(cell.rjust(w) for cell, w in zip(row, widths, strict=True))}".rstrip()
        for row in table
    ]
    return [*lines, *(f"- {one.replicas:,}: {one.broken}" for one in replay.trials if one.broken)]


def _thresholds(story: Story) -> tuple[str, ...]:
    return tuple(f"{key} = {fact(value)}" for key, value in story.thresholds.items())


def _show(console: Console, line: str) -> None:
    """A row of a table as it is; any other line folded, its continuation further in."""
    from rich.text import Text  # noqa: PLC0415

    text = visible(line)
    if not console.is_terminal or line.startswith(" "):
        console.print(Text(f"  {text}"), soft_wrap=True)
        return
    inner = 2 if line.startswith("- ") else 0
    for number, piece in enumerate(
        Text(text, overflow="fold").wrap(console, console.width - 4 - inner)
    ):
        piece.rstrip()
        console.print(Text(" " * (inner + (4 if number else 2))) + piece)
