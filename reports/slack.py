"""The weekly report for Slack: a message that is read in a minute, and a reply in its thread with
the pictures and the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from analyzer.model import WorkloadKey
from reports import digest_text as say
from reports.blocks import Block, Message, context, fields, header, message, picture, section, table
from reports.digest import Action, Digest, ModelCost
from reports.headline import Figure, about, headline, title
from reports.mrkdwn import escaped, link
from reports.pictures import Drawing
from reports.sections import Names, failed_lines
from reports.text import UNKNOWN, cents, per_million, percent, sentence

ACTIONS, FLAGGED, LATE, UNKNOWNS = 3, 3, 2, 1
"""Lines of each in the message; all of them are in the thread or on the page."""

MODELS = 25
"""Rows of the table of models, so that there is room for the rest."""

_COST = "Cost per million tokens"

DETAILS = 12
"""Lines of each part of the reply."""

_NAME, _LINE, _REASON = 90, 380, 160
"""Longest name of a workload, sentence, and reason of an action, in characters before they are
escaped."""

Locate = Callable[[WorkloadKey | None], str | None]
"""The URL of the page, or of a workload's place on it; None where there is none."""


@dataclass(frozen=True, slots=True)
class Part:
    """A heading and its lines, in Slack's markup."""

    heading: str
    lines: tuple[str, ...]


def weekly(digest: Digest, locate: Locate) -> Message:
    """The message."""
    names = Names(digest.analysis, _NAME)
    teams = [f"team {escaped(', '.join(digest.teams), _NAME)}"] if digest.teams else []
    where = escaped(about(digest), _LINE)
    failed = [f":warning: {escaped(one, _LINE)}" for one in failed_lines(digest.analysis)]
    figures = headline(digest)
    parts = [part for part in _parts(digest, names, locate) if part.lines]
    page = locate(None)
    foot = [escaped(say.prices(digest), _LINE)]
    if page:
        foot.append(f"*<{page}|Open the report>*")
    blocks: list[Block] = [
        header(title(digest)),
        context([where, *teams]),
        *([section(failed[:4])] if failed else []),
        fields([_field(one) for one in figures]),
        *(block for part in parts for block in _blocks(part)),
        context(foot),
    ]
    lines = [
        escaped(title(digest), 200),
        *(where, *teams, *failed[:4]),
        *(_line(one) for one in figures),
        *_texts(parts),
        *("", *foot),
    ]
    return message(lines, blocks)


def details(digest: Digest, drawings: Sequence[Drawing]) -> Message:
    """The reply in the thread."""
    names = Names(digest.analysis, _NAME)
    parts = [part for part in _details(digest, names) if part.lines]
    models = digest.models
    more = f"and {len(models) - MODELS:,} more models" if len(models) > MODELS else ""
    blocks: list[Block] = [
        *(picture(one.name, one.title, one.alt) for one in drawings),
        *([section([f"*{_COST}*"]), _models(models[:MODELS])] if models else []),
        *([context([more])] if more else []),
        *(block for part in parts for block in _blocks(part)),
    ]
    lines = [
        *(escaped(one.alt, 3 * _LINE) for one in drawings),
        *(["", _COST] if models else []),
        *(f"• {escaped(say.model(one), _LINE)}" for one in models[:MODELS]),
        *([more] if more else []),
        *_texts(parts),
    ]
    nothing = "Nothing more to tell."
    return message(lines or [nothing], blocks or [section([nothing])])


def _texts(parts: Sequence[Part]) -> Iterator[str]:
    for part in parts:
        yield from ("", part.heading, *part.lines)


def _field(figure: Figure) -> str:
    note = f"\n{escaped(figure.note, _LINE)}" if figure.note else ""
    return f"*{figure.label}*\n{escaped(figure.value)}{note}"


def _line(figure: Figure) -> str:
    note = f" ({escaped(figure.note, _LINE)})" if figure.note else ""
    return f"{figure.label}: {escaped(figure.value)}{note}"


def _blocks(part: Part) -> list[Block]:
    return [section([f"*{part.heading}*", *part.lines])]


def _parts(digest: Digest, names: Names, locate: Locate) -> list[Part]:
    flagged = [f"• {escaped(say.flagged_briefly(one, names), _LINE)}" for one in digest.flagged]
    unknown = [f"• {escaped(one, _LINE)}" for one in _doubts(digest, names)]
    return [
        Part("Do first", _actions(digest, names, locate)),
        Part("Production, idle or underused", _first(flagged, FLAGGED)),
        Part("Sleep", tuple(f"• {escaped(one, _LINE)}" for one in _nights(digest, names))),
        Part("Not known", _first(unknown, UNKNOWNS)),
    ]


def _actions(digest: Digest, names: Names, locate: Locate) -> tuple[str, ...]:
    lines = [
        _action(number, one, names, locate)
        for number, one in enumerate(digest.actions[:ACTIONS], 1)
    ]
    if not any(_lowers(one) > 0 for one in digest.actions[:ACTIONS]):
        best = max(digest.actions, key=_lowers, default=None)
        if best is not None and _lowers(best) > 0:
            said = f"{say.name_of(best.use, names)}: {say.what(best)}: {say.effect(best.advised)}"
            lines.append(f"Lowers the bill most: {escaped(said, _LINE)}")
    together = say.together(digest)
    lines += [escaped(together, _LINE)] if together else []
    short = [escaped(say.needed(one, names), _LINE) for one in digest.needs[:1]]
    lines += [f"Short of room: {one}" for one in short]
    if not lines and digest.analysis.workloads:
        lines = ["Nothing to advise this week."]
    return tuple(lines)


def _lowers(action: Action) -> float:
    """By how many dollars a month the bill falls."""
    return action.advised.saving.usd_per_month or 0.0


def _action(number: int, action: Action, names: Names, locate: Locate) -> str:
    name, url = say.name_of(action.use, names), locate(action.use.workload.key)
    shown = link(url, name, _NAME) if url else escaped(name, _NAME)
    advised = action.advised
    return (
        f"{number}. *{shown}*: {escaped(say.what(action), _REASON)} "
        f"({advised.confidence.level} confidence)\n{sentence(say.effect(advised))} "
        f"{escaped(sentence(advised.reason), _REASON)}"
    )


def _nights(digest: Digest, names: Names) -> list[str]:
    nights, zone = digest.nights, digest.analysis.timezone
    lines = ["; ".join(say.sleeping(digest))]
    if nights is None:
        return lines
    wrong = [f"late: {say.late(one, names, zone)}" for one in nights.late]
    wrong += [f"not done: {say.not_done(one, names, zone)}" for one in nights.not_done]
    return [*lines, *_first(wrong, LATE)]


def _doubts(digest: Digest, names: Names) -> list[str]:
    """What is not known, without the clusters that are told of at the top."""
    above = set(failed_lines(digest.analysis))
    return [one for one in say.unknowns(digest, names) if one not in above]


def _details(digest: Digest, names: Names) -> list[Part]:
    nights, zone = digest.nights, digest.analysis.timezone
    late = [say.late(one, names, zone) for one in nights.late] if nights else []
    undone = [say.not_done(one, names, zone) for one in nights.not_done] if nights else []
    rest = [
        f"{say.name_of(one.use, names)}: {say.what(one)}: {say.effect(one.advised)}"
        for one in digest.actions[ACTIONS:]
    ]
    listed = {
        "More recommendations": rest,
        "Production, idle or underused": [say.flagged(one, names) for one in digest.flagged],
        "Short of room": [say.needed(one, names) for one in digest.needs],
        "Woken late": late,
        "Not put to sleep or woken": undone,
        "Asked for by nobody": [say.unallocated(one, names) for one in digest.unallocated],
        "Predicted and realised": list(say.realised(digest.realised, names)),
        "Not known": list(say.unknowns(digest, names)),
    }
    return [
        Part(heading, _first([f"• {escaped(line, _LINE)}" for line in lines], DETAILS))
        for heading, lines in listed.items()
    ]


def _first(lines: Sequence[str], most: int) -> tuple[str, ...]:
    more = len(lines) - most
    return tuple(lines) if more <= 0 else (*lines[:most], f"and {more:,} more")


def _models(models: Sequence[ModelCost]) -> Block:
    rows = [
        (
            one.model,
            per_million(one.usd_per_million_tokens),
            f"{one.tokens / 1e6:,.1f}",
            cents(one.cost_usd),
            percent(one.coverage) if one.workloads else UNKNOWN,
        )
        for one in models
    ]
    head = ("Model", "$ per million tokens", "Million tokens", "Cost", "Heard")
    return table(head, rows, right=(1, 2, 3, 4))
