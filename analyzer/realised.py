"""What followed advice brought: a week before the change against a week after it, both as they
were recorded hour by hour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from analyzer.advice import HOURS_A_MONTH
from analyzer.followed import Accepted, Followed
from analyzer.history import UsedHour

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)

HOURS_A_WEEK = 168
NEEDED = 152
"""Nine tenths of the hours of a week: with fewer, a missing day could be the busiest one."""

PATIENCE = timedelta(days=60)
"""For how long after both weeks missing hours are waited for: no hour is made up for later."""

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class _Week:
    """What a workload used in a week: of ``hours`` that are recorded, scaled to all of it. Dollars
    are None where an hour has no price."""

    hours: int
    gpu_hours: float
    usd: float | None


def spans(entry: Followed, now: datetime) -> tuple[Span, ...]:
    """Which recorded hours ``realise`` can use now, each span from begin to end; none where the
    entry was not accepted, or what it brought is settled."""
    accepted = entry.accepted
    if accepted is None or accepted.settled:
        return ()
    found = []
    if accepted.baseline_gpu_hours_per_week is None:
        end = _hour_of(entry.last_seen)
        found.append((end - (2 * WEEK if entry.action == "smaller-gpu" else WEEK), end))
    begin = _after(accepted)
    if now >= begin + WEEK:
        found.append((begin, begin + WEEK))
    return tuple(found)


def realise(entry: Followed, hours: Iterable[UsedHour], now: datetime) -> Followed:
    """The entry with what its change brought, or with a note why that is not known yet, or never
    will be. Pure; ``now`` is aware UTC.

    The week before ends when the advice was given for the last time, so that it has nothing of the
    change; the week after begins a day after the change was seen.
    """
    accepted = entry.accepted
    if accepted is None or accepted.settled:
        return entry
    recorded = {one.begin: one for one in hours if one.cluster == entry.key.cluster}
    missing = []
    if accepted.baseline_gpu_hours_per_week is None:
        week = _week(entry, recorded, _end_of_before(entry, recorded) - WEEK)
        if week.hours >= NEEDED:
            accepted = replace(
                accepted,
                baseline_gpu_hours_per_week=week.gpu_hours,
                baseline_usd_per_week=week.usd,
            )
        else:
            missing.append(_lacks(week, "before"))
    begin = _after(accepted)
    week = _week(entry, recorded, begin)
    if now < begin + WEEK:
        missing.append(f"the week after it ends at {begin + WEEK:%Y-%m-%d %H:%M} UTC")
    elif week.hours < NEEDED:
        missing.append(_lacks(week, "after"))
    if not missing:
        return replace(entry, accepted=_saving(accepted, week))
    never = now >= begin + WEEK + PATIENCE
    note = ("never: " if never else "not yet: ") + "; ".join(missing)
    return replace(entry, accepted=replace(accepted, note=note, settled=never))


def _saving(accepted: Accepted, after: _Week) -> Accepted:
    hours, usd = accepted.baseline_gpu_hours_per_week, accepted.baseline_usd_per_week
    assert hours is not None  # noqa: S101 - nothing is missing
    saved = None
    if usd is not None and after.usd is not None:
        saved = (usd - after.usd) * HOURS_A_MONTH / HOURS_A_WEEK
    return replace(
        accepted,
        gpu_hours_per_week=hours - after.gpu_hours,
        usd_per_month=saved,
        note="some GPU of these weeks has no price" if saved is None else "",
        settled=True,
    )


def _week(entry: Followed, recorded: Mapping[datetime, UsedHour], begin: datetime) -> _Week:
    """The week from ``begin``. In a recorded hour without the workload it used nothing."""
    found = [one for at, one in recorded.items() if begin <= at < begin + WEEK]
    used = [use for one in found for use in one.workloads if use.key == entry.key]
    scale = HOURS_A_WEEK / max(1, len(found))
    priced = [use.cost_usd for use in used if use.cost_usd is not None]
    usd = sum(priced) * scale if len(priced) == len(used) else None
    return _Week(len(found), sum(use.gpu_hours for use in used) * scale, usd)


def _end_of_before(entry: Followed, recorded: Mapping[datetime, UsedHour]) -> datetime:
    """Which GPU a workload has is told by most of a window: it is seen days after the change, and
    the hours tell when that was."""
    end = _hour_of(entry.last_seen)
    if entry.action != "smaller-gpu":
        return end
    changed = [
        at
        for at, one in recorded.items()
        if end - WEEK <= at < end
        and any(use.key == entry.key and use.gpu_model == entry.after for use in one.workloads)
    ]
    return min(changed, default=end)


def _lacks(week: _Week, which: str) -> str:
    return (
        f"{week.hours} of the {HOURS_A_WEEK} hours of the week {which} it are recorded, "
        f"{NEEDED} are needed"
    )


def _after(accepted: Accepted) -> datetime:
    """When the week after begins: a day for the rollout, and on to the next full hour."""
    return _hour_of(accepted.at + DAY + HOUR - timedelta(microseconds=1))


def _hour_of(at: datetime) -> datetime:
    """The hour (UTC) that ``at`` is in."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
