"""Nights and weekends in which a workload was never used could be slept through."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta, tzinfo
from typing import Final

import numpy as np

from analyzer.advice import Fact, Recommendation, Refusal, Saving
from analyzer.config.sizing import SleepOvernightConfig
from analyzer.sizing import confidence
from analyzer.sizing.case import STEP_H, Case
from analyzer.sizing.demand import Mask
from analyzer.sizing.halfhours import DAY, WORKDAYS, Span, folding, span_of
from analyzer.sizing.money import per_month
from analyzer.sizing.quiet import WORKS, allocated, measured, span, unheard, used

ACTION: Final = "sleep-overnight"

_NEVER = ("production", "unknown")
"""Environments that no configuration can put to sleep."""

_TO_THE_END = ("Pod", "DaemonSet")
"""Kinds that run to their end or with their node, beside every kind of job."""

_Days = tuple[str, tuple[int, ...]]
_EVERY_DAY: _Days = ("Mon-Sun", tuple(range(7)))
_FREE_DAYS: tuple[_Days, ...] = (
    ("Mon-Fri", tuple(range(5))),
    # Of spans that begin before midnight and are over on the next day.
    ("Sun-Thu", (0, 1, 2, 3, 6)),
    ("Sun-Fri", (0, 1, 2, 3, 4, 6)),
)
"""Days on which awake windows may begin so that most of the weekend is asleep, the fewest first."""

_SLACK_DAYS = 1 / 24 + 1e-9
"""A week is enough, though pods need a while to start."""


@dataclass(frozen=True, eq=False, slots=True)
class _Seen:
    """``steps`` in use, or not proven not to be, and ``unproven`` of them; ``halves`` the half
    hours of a week with any of them; ``workdays`` and ``weekend`` days that were seen; ``gpus``
    that it held on average in each half hour of a week."""

    steps: Mask
    unproven: int
    halves: Mask
    workdays: float
    weekend: float
    gpus: np.ndarray[tuple[int], np.dtype[np.float64]]


def sleep_overnight(
    case: Case, config: SleepOvernightConfig, zone: tzinfo, zone_name: str
) -> Recommendation | Refusal:
    """Awake windows from its own use. ``zone_name`` is the IANA name of ``zone``."""
    lacking = case.missing(ACTION) or _unfit(case, config)
    if lacking:
        return lacking
    seen = _seen(case, zone)
    if seen.workdays < WORKDAYS - _SLACK_DAYS:
        reason = f"only {seen.workdays:.1f} weekdays seen, {WORKDAYS} needed"
        return Refusal(ACTION, "few-weekdays", reason)
    if not seen.steps.any():
        reason = "it was in use never at all: look at whether it can be removed"
        return Refusal(ACTION, "never-used", reason)
    days, bare = _least(seen, config.margin)
    awake = bare.widened(config.margin)
    night = timedelta(minutes=30 * (DAY - awake.length))
    if night < config.shortest or awake.length >= DAY:
        return _no_night(bare, night, config, seen)
    name, begins = days
    asleep = ~awake.awake(begins)
    freed = min(float(seen.gpus[asleep].sum()) / 2, case.gpu_hours_per_week)
    if not freed > 0:
        reason = f"outside {awake.text} it holds no GPU already"
        return Refusal(ACTION, "asleep-already", reason)
    return Recommendation(
        action=ACTION,
        before="always",
        after=f"{name} {awake.text} {zone_name}",
        reason=_reason(seen, bare, config.margin),
        saving=Saving(freed, per_month(freed, case.usd_per_gpu_hour)),
        confidence=confidence.combined(_doubts(case, seen)),
        evidence=_evidence(case, seen, (bare, awake), config)
        | {
            "used_on_weekends": bool(seen.halves[WORKDAYS * DAY :].any()),
            "asleep_hours_per_week": int(asleep.sum()) / 2,
            "time_zone": zone_name,
        },
    )


def _unfit(case: Case, config: SleepOvernightConfig) -> Refusal | None:
    if case.sleeps:
        return Refusal(ACTION, "scheduled", case.sleeps)
    kind, environment = case.key.kind, case.figures.environment
    if kind in _TO_THE_END or kind.endswith("Job"):
        return Refusal(ACTION, "kind", f"a {kind} cannot be stopped for a night and go on after it")
    if environment in _NEVER or environment not in config.environments:
        allowed = ", ".join(e for e in config.environments if e not in _NEVER) or "none"
        reason = f"its environment is {environment}; asleep may be: {allowed}"
        return Refusal(ACTION, "environment", reason)
    return None


def _seen(case: Case, zone: tzinfo) -> _Seen:
    fold = folding(case.window, zone)
    steps = used(case.use, case.serving)
    held = allocated(case.use)
    first, last = span(case.use)
    part = slice(first, last + 1)
    workdays, weekend = fold.days(part)
    known = measured(case.use)
    if case.serving is not None:
        known &= ~unheard(case.serving)
    return _Seen(
        steps=steps,
        unproven=int((steps & ~known).sum()),
        halves=fold.any(steps),
        workdays=workdays,
        weekend=weekend,
        gpus=fold.mean(held, part),
    )


def _least(seen: _Seen, margin: timedelta) -> tuple[_Days, Span]:
    """The fewest days on which it has to be woken, and the span that was used on them: that of
    weekdays when it then holds all use there was, else that of the whole week every day."""
    workdays = seen.halves[: WORKDAYS * DAY]
    if seen.weekend >= 2 - _SLACK_DAYS and workdays.any():
        bare = span_of(workdays)
        for days in _FREE_DAYS:
            if not (seen.halves & ~bare.widened(margin).awake(days[1])).any():
                return days, bare
    return _EVERY_DAY, span_of(seen.halves)


def _no_night(bare: Span, night: timedelta, config: SleepOvernightConfig, seen: _Seen) -> Refusal:
    first, last = _ends(bare)
    when = f"it was used from {first} to {last}" if bare.length < DAY else "it was used all day"
    reason = (
        f"{when}, counting {seen.unproven * STEP_H:.1f} h that were not measured: "
        f"{night.total_seconds() / 3600:g} h of night are left, "
        f"at least {config.shortest.total_seconds() / 3600:g} h needed"
    )
    return Refusal(ACTION, "no-night", reason)


def _ends(bare: Span) -> tuple[str, str]:
    first, _, last = bare.text.partition("-")
    return first, last


def _reason(seen: _Seen, bare: Span, margin: timedelta) -> str:
    first, last = _ends(bare)
    told = f"on {seen.workdays:.0f} weekdays it was used between {first} and {last} only"
    weekend = ", on weekends not at all"
    if seen.halves[WORKDAYS * DAY :].any():
        weekend = ", on weekends as well"
    elif seen.weekend < 2 - _SLACK_DAYS:
        weekend = "; no whole weekend was seen"
    minutes = margin.total_seconds() / 60
    return f"{told}{weekend}; it is awake {minutes:.0f} minutes before and after that"


def _doubts(case: Case, seen: _Seen) -> list[confidence.Reason]:
    serving = case.figures.serving
    return [
        confidence.of_coverage(case, serving.coverage if serving else None),
        confidence.of_history(case),
        confidence.of_nights(seen.workdays, seen.weekend),
    ]


def _evidence(
    case: Case, seen: _Seen, spans: tuple[Span, Span], config: SleepOvernightConfig
) -> dict[str, Fact]:
    bare, awake = spans
    first, last = _ends(bare)
    return {
        "coverage": round(case.figures.coverage or 0.0, 4),
        "history_hours": round(case.span_h, 2),
        "weekdays_seen": round(seen.workdays, 1),
        "weekend_days_seen": round(seen.weekend, 1),
        "used_from": first,
        "used_until": last,
        "used_hours": round(int(seen.steps.sum()) * STEP_H, 2),
        "unmeasured_hours": round(seen.unproven * STEP_H, 2),
        "night_hours": (DAY - awake.length) / 2,
        "night_hours_needed": config.shortest.total_seconds() / 3600,
        "margin_minutes": config.margin.total_seconds() / 60,
        "used_at_gpu_work": WORKS,
    }
