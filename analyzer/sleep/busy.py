"""Whether work under way defers a sleep."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from analyzer.sleep.model import Busy, Decided, Leave, Sleep
from analyzer.sleep.schedule import Schedule
from analyzer.sleep.words import shown

_LOOK_BACK = timedelta(days=9)
"""Longer than any gap in a weekly schedule."""


@dataclass(frozen=True, slots=True)
class BusyRules:
    """How long a busy workload may stay awake after its window, what then, and what becomes of
    one whose metrics are missing."""

    defer_limit: timedelta
    sleep_when_still_busy: bool
    sleep_when_missing: bool


def defer(
    decided: Decided, busy: Busy, schedule: Schedule, rules: BusyRules, now: datetime
) -> Decided:
    """The decision once its workload's last minutes are known; only a Sleep can change."""
    if not isinstance(decided.decision, Sleep) or busy.activity == "idle":
        return decided
    if busy.activity == "unknown":
        if rules.sleep_when_missing:
            return decided
        return replace(decided, decision=Leave("metrics-missing", busy.evidence))
    limit = _window_end(schedule, now)
    until = limit + rules.defer_limit if limit else None
    if until is not None and now < until:
        evidence = f"{busy.evidence}; asked again until {shown(until)}"
        return replace(decided, decision=Leave("busy", evidence))
    if rules.sleep_when_still_busy:
        return decided
    return replace(decided, decision=Leave("busy", f"{busy.evidence}; still, so it stays awake"))


def _window_end(schedule: Schedule, now: datetime) -> datetime | None:
    """When the last awake window ended, None when there was none lately."""
    ended = [end for _, end in schedule.windows(now - _LOOK_BACK, now) if end <= now]
    return ended[-1] if ended else None
