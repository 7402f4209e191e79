"""What people say of advice and flags in the annotations of a workload: rejected, or not now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Literal, get_args

from analyzer.advice import Action
from analyzer.model import Workload

REJECT = "gpu-thrift.io/reject"
SNOOZE_UNTIL = "gpu-thrift.io/snooze-until"

_ACTIONS: Mapping[str, Action] = {action: action for action in get_args(Action)}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What annotations ask for: actions that are rejected, and until when all are snoozed (aware
    UTC; None when that is over). ``bad`` names annotations that cannot be read."""

    rejected: frozenset[Action]
    until: datetime | None
    bad: tuple[str, ...] = ()

    def state_of(self, action: Action) -> Literal["open", "rejected", "snoozed"]:
        if action in self.rejected:
            return "rejected"
        return "snoozed" if self.until is not None else "open"

    def withheld(self, action: Action) -> str:
        """Why this action is not to be planned, empty when it may be."""
        if action in self.rejected:
            return f"rejected by {REJECT}"
        return f"snoozed until {self.until:%Y-%m-%d %H:%M} UTC" if self.until is not None else ""


def wishes(workload: Workload, now: datetime, zone: tzinfo) -> Wishes:
    """``now`` is aware UTC, ``zone`` that of a date without an offset. Of a list of which not all
    can be read, the names that can be hold."""
    until, wrong = snoozed_until(workload, zone)
    bad = [wrong] if wrong else []
    text = workload.annotations.get(REJECT)
    names = [] if text is None else [name.strip().lower() for name in text.split(",")]
    if not {*names} <= {"all", *_ACTIONS}:
        expected = f'"all", or some of {", ".join(_ACTIONS)}'
        bad.append(_unreadable(workload, REJECT, expected, text or ""))
    rejected = frozenset(
        action for name, action in _ACTIONS.items() if name in names or "all" in names
    )
    return Wishes(rejected, until if until is not None and now < until else None, tuple(bad))


def snoozed_until(workload: Workload, zone: tzinfo) -> tuple[datetime | None, str]:
    """Until when (aware UTC) people asked not to be told, None for no such wish, and what is wrong
    with how they wrote it. ``zone`` is that of a date without an offset."""
    text = workload.annotations.get(SNOOZE_UNTIL)
    if text is None:
        return None, ""
    try:
        until = datetime.fromisoformat(text.strip())
        until = until if until.tzinfo else until.replace(tzinfo=zone)
        return until.astimezone(UTC), ""
    except (ValueError, OverflowError):
        expected = "a date or time such as 2026-12-24 or 2026-12-24T18:00+01:00"
        return None, _unreadable(workload, SNOOZE_UNTIL, expected, text)


def _unreadable(workload: Workload, annotation: str, expected: str, got: str) -> str:
    """The line that names an annotation that cannot be read; what it holds is cut and made
    printable."""
    shown = "".join(char if char.isprintable() else "\ufffd" for char in got)[:80]
    return f'{workload.key}: {annotation}: expected {expected}, got "{shown}"'
