"""The message about a morning on which something is wrong with sleep: what, where and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from analyzer.sleep.model import SCHEDULE, Row, Slept
from analyzer.sleep.morning import Morning, Undone, Unready
from reports.blocks import Message, context, message, section, sections
from reports.mrkdwn import escaped
from reports.plan import Look
from reports.text import counted, middle

SHOWN = 5
"""Lines of each part; the rest is counted."""

_LINE = 260
"""Longest line in characters before it is escaped: so long that all parts fit into one message."""

_NAME = 100

_REST = "`gpu-thrift status` and the log tell the rest"

Parts = tuple[tuple[str, tuple[str, ...]], ...]
"""Headings, each with its lines: outside text as it is."""


@dataclass(frozen=True, slots=True)
class Told:
    """On whose clock times are, and whether clusters are named."""

    zone: tzinfo
    clusters: bool = False


def morning_message(found: Morning, told: Told) -> Message:
    """The message, whose text and blocks say the same."""
    title = morning_title(found, told.zone)
    counts = _counts(found, told)
    parts = [
        (heading, _first([f"• {escaped(line, _LINE)}" for line in lines]))
        for heading, lines in morning_parts(found, told)
    ]
    blocks = [
        section([f"*{title}*"]),
        *(block for heading, lines in parts for block in sections([f"*{heading}*", *lines])),
        context([counts]),
    ]
    lines = [title, *(line for heading, of in parts for line in (heading, *of)), counts]
    return message(lines, blocks, _REST)


def morning_title(found: Morning, zone: tzinfo) -> str:
    """How much is wrong, in one line."""
    numbers = (
        (len(found.unready), "not ready"),
        (len(found.overslept), "still asleep"),
        (len(found.late), "ready late"),
        (len(found.undone), "not put to sleep or woken as decided"),
        (len(found.attention), "to look into"),
    )
    wrong = ", ".join(f"{number:,} {what}" for number, what in numbers if number)
    day = found.span.end.astimezone(zone).date()
    return f"Sleep on the morning of {day}: {wrong or 'nothing wrong'}"


def morning_parts(found: Morning, told: Told) -> Parts:
    """Everything that is wrong, the most urgent first, and what is not known."""
    look = Look(told.zone, found.span.now, told.clusters)
    parts = (
        ("Woken, and not ready", tuple(_unready(one, look) for one in found.unready)),
        ("Due, and still asleep", tuple(_overslept(one, look) for one in found.overslept)),
        ("Ready late", tuple(_late(one, look) for one in found.late)),
        ("Not put to sleep or woken", tuple(_undone(one, look) for one in found.undone)),
        ("To look into now", found.attention),
        ("Not known", found.unknown),
    )
    return tuple((heading, lines) for heading, lines in parts if lines)


def _counts(found: Morning, told: Told) -> str:
    span = found.span
    return (
        f"{found.slept:,} put to sleep and {found.woken:,} woken in the 24 hours up to "
        f"{span.end.astimezone(told.zone):%Y-%m-%d %H:%M}; times in {told.zone}."
    )


def _unready(one: Unready, look: Look) -> str:
    minutes = (look.now - one.woken_at).total_seconds() / 60
    woken = f"{_name(one, look)}: woken {look.time(one.woken_at)}"
    if not one.watched:
        return f"{woken}, was not seen to become ready: {one.cause}"
    ago = counted(int(minutes), "minute")
    return f"{woken}, {ago} ago: {one.cause or 'not ready, no cause told yet'}"


def _overslept(one: Row, look: Look) -> str:
    by = "" if one.memory.by == SCHEDULE else f", put to sleep by {one.memory.by}"
    return f"{_name(one, look)}: was due {look.time(one.memory.wake_at)}{by}"


def _late(one: Slept, look: Look) -> str:
    woken, ready = look.time(one.until), look.time(one.ready_at)
    return f"{_name(one, look)}: woken {woken}, ready {ready}: {one.cause}"


def _undone(one: Undone, look: Look) -> str:
    first, last = look.time(one.first_at), look.time(one.last_at)
    when = first if one.times == 1 else f"{one.times:,} times from {first} to {last}"
    why = f": {one.detail}" if one.detail else ""
    made = f"; done {look.time(one.made_at)}" if one.made_at else ""
    return f"{_name(one, look)}: {one.action} {one.result} {when}{made}{why}"


def _name(one: Unready | Row | Slept | Undone, look: Look) -> str:
    return middle(look.name(one.key), _NAME)


def _first(lines: Sequence[str]) -> tuple[str, ...]:
    more = len(lines) - SHOWN
    return tuple(lines) if more <= 0 else (*lines[:SHOWN], f"and {more:,} more")
