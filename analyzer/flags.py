"""Which production GPUs are newly underused, worse than was told, or well again.

A flag is told when something changes, not every day: a message that says the same each morning is
one that nobody reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Literal

from analyzer.analysis import Analysis, WorkloadUse
from analyzer.model import WorkloadKey
from analyzer.wishes import snoozed_until

WORSE = 1.5
"""By how much idle dollars a week must have grown since they were told to be told again: a week of
holidays alone takes an average service below that, another idle replica of two above it."""

_RANK = {"underused": 1, "idle": 2}


@dataclass(frozen=True, slots=True)
class Flag:
    """A production workload that is idle or underused, since when, and what was told of it.

    ``told`` is the worst verdict that was told, empty for none yet; ``told_usd`` the idle dollars a
    week that were told, None where they were unknown.
    """

    key: WorkloadKey
    verdict: str
    since: datetime
    told: str = ""
    told_usd: float | None = None


@dataclass(frozen=True, slots=True)
class FlagChange:
    """What is to be told. ``reason`` has the figures; dollars are of idle GPUs, a week."""

    what: Literal["appeared", "worsened", "cleared"]
    key: WorkloadKey
    reason: str
    since: datetime
    usd_per_week: float | None = None
    team: str | None = None


@dataclass(frozen=True, slots=True)
class Followed:
    """The flags as they are from now on, what to tell, and annotations that cannot be read."""

    flags: tuple[Flag, ...]
    changes: tuple[FlagChange, ...]
    bad: tuple[str, ...] = ()


def follow(
    known: Mapping[WorkloadKey, Flag], analysis: Analysis, now: datetime, zone: tzinfo = UTC
) -> Followed:
    """Compares what is flagged now with what was. Pure; ``now`` is aware UTC.

    Where nothing can be said of a workload, or its cluster was not read, its flag stays as it was:
    missing is not well. ``zone`` is that of snooze dates without an offset.
    """
    flags: list[Flag] = []
    changes: list[FlagChange] = []
    bad: list[str] = []
    weeks = analysis.window.hours / 168
    for use in analysis.workloads:
        flag, key = known.get(use.workload.key), use.workload.key
        until, wrong = snoozed_until(use.workload, zone)
        snoozed = until is not None and now < until
        bad += [wrong] if wrong else []
        if not _is_flagged(use):
            if flag is not None and use.verdict.name == "unknown" and _is_production(use):
                flags.append(flag)
            elif flag is not None and flag.told and not snoozed:
                changes.append(_change("cleared", use, flag, weeks))
            continue
        flag = replace(flag or Flag(key, "", now), verdict=use.verdict.name)
        what = None if snoozed else _news(flag, use, weeks)
        if what is not None:
            changes.append(_change(what, use, flag, weeks))
            worst = max(flag.told, use.verdict.name, key=lambda name: _RANK.get(name, 0))
            flag = replace(flag, told=worst, told_usd=_weekly(use, weeks))
        flags.append(flag)
    seen = {use.workload.key for use in analysis.workloads}
    for key, flag in known.items():
        if key in seen:
            continue
        if key.cluster in analysis.failed:
            flags.append(flag)
        elif flag.told:
            # Without the cluster in the configuration it is not looked at any more either.
            gone = FlagChange("cleared", key, "holds no GPUs any more", flag.since)
            changes.append(gone)
    return Followed(
        tuple(sorted(flags, key=lambda one: one.key)), tuple(_sorted(changes)), tuple(bad)
    )


def _sorted(changes: Sequence[FlagChange]) -> list[FlagChange]:
    """What costs most first, what is well again last."""
    return sorted(
        changes, key=lambda one: (one.what == "cleared", -(one.usd_per_week or 0.0), one.key)
    )


def _is_production(use: WorkloadUse) -> bool:
    return use.environment == "production"


def _is_flagged(use: WorkloadUse) -> bool:
    return _is_production(use) and use.verdict.name in _RANK


def _news(flag: Flag, use: WorkloadUse, weeks: float) -> Literal["appeared", "worsened"] | None:
    if not flag.told:
        return "appeared"
    if _RANK[use.verdict.name] > _RANK[flag.told]:
        return "worsened"
    usd = _weekly(use, weeks)
    grown = usd is not None and flag.told_usd is not None and usd >= WORSE * flag.told_usd > 0
    return "worsened" if grown else None


def _weekly(use: WorkloadUse, weeks: float) -> float | None:
    return None if use.idle_cost_usd is None else use.idle_cost_usd / weeks


def _change(
    what: Literal["appeared", "worsened", "cleared"], use: WorkloadUse, flag: Flag, weeks: float
) -> FlagChange:
    reason = use.verdict.reason
    if what == "cleared" and not _is_production(use):
        reason = f"is {use.environment} now ({use.environment_reason})"
    usd = None if what == "cleared" else _weekly(use, weeks)
    return FlagChange(what, flag.key, reason, flag.since, usd, use.team)
