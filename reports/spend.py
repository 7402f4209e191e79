"""What weeks cost, side by side: which have a place, what is said of them, and their table."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from analyzer.environment import KNOWN
from analyzer.weeks import Spend, Week
from reports.digest import Digest
from reports.drawing import shortened
from reports.text import UNKNOWN, cents, counted, hours, percent, visible

HEAD = ("Week", "Part", "Cost", "Idle", "GPU-hours without a price", "Recorded")
NOBODY = "GPUs nobody asked for"

_PLACES = 5
"""This week and the four before it."""

ORDER = (*KNOWN, "unknown")


@dataclass(frozen=True, slots=True)
class Place:
    """A week's place. ``week`` is None where nothing was recorded."""

    name: str
    week: Week | None

    @property
    def recorded(self) -> str:
        """How much of the week its figures are of; empty where they are of all of it."""
        week = self.week
        if week is None:
            return "no record"
        known, of = math.floor(week.hours + 1e-6), math.ceil(week.of_hours - 1e-6)
        return "" if week.recorded >= 1 - 1e-9 else f"{known:,} of {of:,} h"


def places(digest: Digest) -> list[Place]:
    """The weeks from the first that is known on, this one last."""
    zone = ZoneInfo(digest.analysis.timezone)
    this = digest.this
    known = {0: this} | {
        ago: week for week in digest.before if 0 < (ago := _ago(week, this)) < _PLACES
    }
    known = {ago: week for ago, week in known.items() if week.hours > 0}
    found = []
    for ago in range(max(known, default=0), -1, -1):
        # At noon, so that a change of the clock is no change of the day.
        day = (this.window.start + timedelta(hours=12)).astimezone(zone) - timedelta(weeks=ago)
        year, number, _ = day.isocalendar()
        week = known.get(ago)
        name = week.name if week else f"{year}-W{number:02}"
        found.append(Place(digest.week if ago == 0 else name, week))
    return found


def _ago(week: Week, this: Week) -> int:
    return round((this.window.start - week.window.start) / timedelta(weeks=1))


def is_drawable(digest: Digest) -> bool:
    return any(
        one.week is not None and (one.week.environments or one.week.unallocated_gpu_hours)
        for one in places(digest)
    )


def title(digest: Digest) -> str:
    of = f" of {', '.join(visible(team) for team in digest.teams)}" if digest.teams else ""
    return shortened(f"GPU spend by week{of}", 120)


def alt(digest: Digest) -> str:
    """The picture in words."""
    found = places(digest)
    parts = [f"{title(digest)}. {visible(digest.week)}: {_said(digest, found[-1])}"]
    if found[-1].week and found[-1].recorded:
        parts.append(f"Recorded: {found[-1].recorded}.")
    missing = [visible(one.name) for one in found[:-1] if one.week is None]
    if missing:
        parts.append(f"Nothing recorded: {', '.join(missing)}.")
    return " ".join(parts)


def _said(digest: Digest, place: Place) -> str:
    """The figures of this week."""
    week = place.week
    if week is None:
        return "nothing recorded."
    total, free = week.total, week.unallocated_cost_usd
    cost, idle, unpriced = _row(total)
    text = f"{cost} for workloads, {idle} of it idle; {_change(digest)}."
    if free is not None:
        text += f" {NOBODY}: {cents(free)} more."
    if total.unpriced_gpu_hours > 0:
        text += f" {unpriced} GPU-hours without a price are not in it."
    return f"{text} Measured: {percent(week.coverage)} of the GPU-hours."


def _change(digest: Digest) -> str:
    against = digest.comparison
    if against is None:
        return "no whole weeks to compare"
    mean = f"the mean of {counted(against.weeks, 'whole week')} before"
    mean += f" ({cents(against.mean_cost_usd)})"
    if against.change is None or against.change == 0:
        return f"{'as much as' if against.change == 0 else 'to compare with'} {mean}"
    more = "more" if against.change > 0 else "less"
    return f"{percent(abs(against.change))} {more} than {mean}"


def table(digest: Digest) -> tuple[tuple[str, ...], ...]:
    """A row a week and part, in the order of ``HEAD``."""
    rows = []
    for one in places(digest):
        name, week = visible(one.name), one.week
        if week is None:
            rows.append((name, "nothing recorded", UNKNOWN, UNKNOWN, UNKNOWN, one.recorded))
            continue
        told = one.recorded or "all"
        rows.extend(
            (name, shortened(visible(part), 120), *_row(week.environments[part]), told)
            for part in in_order(week.environments)
        )
        rows.append((name, "all workloads", *_row(week.total), told))
        if week.unallocated_gpu_hours is not None:
            cost = week.unallocated_cost_usd
            free = week.unallocated_gpu_hours if cost is None else 0.0
            rows.append((name, NOBODY, cents(cost), cents(cost), hours(free), told))
    return tuple(rows)


def _row(spend: Spend) -> tuple[str, str, str]:
    """Where nothing is priced, no sum is known."""
    nothing = is_unpriced(spend)
    cost, idle = (None, None) if nothing else (spend.cost_usd, spend.idle_cost_usd)
    return cents(cost), cents(idle), hours(spend.unpriced_gpu_hours)


def is_unpriced(spend: Spend) -> bool:
    """Whether none of it has a price."""
    return spend.unpriced_gpu_hours > 0 and spend.unpriced_gpu_hours >= spend.gpu_hours - 1e-9


def in_order(names: Iterable[str]) -> list[str]:
    """Environments as they are told everywhere, any other by name after them."""
    return sorted(names, key=lambda n: (ORDER.index(n) if n in ORDER else len(ORDER), n))
