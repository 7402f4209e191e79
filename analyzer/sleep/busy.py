"""Whether work under way defers a sleep."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from analyzer.sleep.case import Case
from analyzer.sleep.model import Busy, Decided, Leave, Sleep
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


def defer(decided: Decided, busy: Busy, rules: BusyRules, case: Case) -> Decided:
    """The decision once its workload's last minutes are known; only a Sleep can change."""
    if not isinstance(decided.decision, Sleep) or busy.activity == "idle":
        return decided
    if busy.activity == "unknown":
        if rules.sleep_when_missing:
            return decided
        return replace(decided, decision=Leave("metrics-missing", busy.evidence))
    ended = _ended(case)
    until = ended + rules.defer_limit if ended else None
    if until is not None and case.now < until:
        evidence = f"{busy.evidence}; asked again until {shown(until)}"
        return replace(decided, decision=Leave("busy", evidence))
    if rules.sleep_when_still_busy:
        return decided
    return replace(decided, decision=Leave("busy", f"{busy.evidence}; still, so it stays awake"))


def _ended(case: Case) -> datetime | None:
    """When the last reason for being awake ended, None when there was none lately."""
    now, wishes = case.now, case.known.wishes
    windows = case.schedule.windows(now - _LOOK_BACK, now)
    ends = [end for _, end in windows]
    ends += [at for at in (wishes.keep_awake_until, wishes.exclude_until) if at is not None]
    return max((end for end in ends if end <= now), default=None)
