"""The beginning of the weekly report: which week it is about, its main figures with what they have
to be read with, and how they compare with the weeks before.

Dollars are to the cent, so that every medium shows the same figure.
"""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.nights import Nights
from analyzer.weeks import Week
from reports.digest import Digest
from reports.text import cents, counted, hours, local, percent


@dataclass(frozen=True, slots=True)
class Figure:
    """A headline figure. ``key`` is its name in the JSON document, ``value`` the number as text,
    ``note`` what it has to be read with (may be empty)."""

    key: str
    label: str
    value: str
    note: str = ""


def title(digest: Digest) -> str:
    of = f" of {', '.join(digest.teams)}" if digest.teams else ""
    return f"GPU report {digest.week}{of}"


def about(digest: Digest) -> str:
    """The span, on which clock, and of which clusters."""
    analysis, zone = digest.analysis, digest.analysis.timezone
    start, end = (local(at, zone) for at in (analysis.window.start, analysis.window.end))
    read = [one for one in analysis.clusters if one not in analysis.failed]
    of = f"cluster {read[0]}" if len(read) == 1 else counted(len(read), "cluster")
    return f"{start} to {end} {zone} ({analysis.window.hours:g} h), {of}"


def headline(digest: Digest) -> tuple[Figure, ...]:
    """What was spent, what of it was idle, what nobody asked for, what sleep saved, and how much
    of it all was measured."""
    totals, nights = digest.analysis.totals, digest.nights
    held_by = counted(len(digest.analysis.workloads), "workload")
    more = "more " if totals.cost_usd > 0 else ""
    unpriced = (
        f"{hours(totals.unpriced_gpu_hours)} GPU-h {more}have no price"
        if totals.unpriced_gpu_hours > 0
        else ""
    )
    spent = _joined(_heard(digest.this), _grown(digest, idle=False), unpriced)
    # Nothing priced is not nothing spent.
    is_priced = totals.cost_usd > 0 or (totals.unpriced_gpu_hours <= 0 and digest.this.hours > 0)
    cost, idle = (totals.cost_usd, totals.idle_cost_usd) if is_priced else (None, None)
    found = [
        Figure("totals.cost_usd", "Spent by workloads", cents(cost), spent),
        Figure(
            "totals.idle_cost_usd",
            "Idle of it",
            cents(idle),
            _joined(_part(digest), _grown(digest, idle=True)),
        ),
    ]
    if not digest.teams:
        usd = totals.unallocated_cost_usd if totals.unallocated_gpu_hours != 0 else 0.0
        found.append(
            Figure("totals.unallocated_cost_usd", "Asked for by nobody", cents(usd), _free(digest))
        )
    found.append(
        Figure(
            "week.nights.usd",
            "Not held thanks to sleep",
            cents(nights.usd if nights else None),
            slept(nights),
        )
    )
    found.append(
        Figure(
            "totals.coverage",
            "Measured",
            percent(totals.coverage),
            f"of {hours(totals.gpu_hours)} GPU-h of {held_by}",
        )
    )
    return tuple(found)


def _heard(week: Week) -> str:
    """Of how much of the week the figures are, where that is not all of it."""
    if week.hours <= 0:
        return "nothing was heard of any GPU"
    return "" if week.recorded >= 0.995 else f"in the {week.hours:g} of {week.of_hours:g} h known"


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _part(digest: Digest) -> str:
    """What is idle was measured: of how much, where that is not all."""
    coverage = digest.analysis.totals.coverage
    if coverage is None or coverage >= 0.995:
        return ""
    return f"of the {percent(coverage)} that was measured"


def _free(digest: Digest) -> str:
    """How much nobody asked for."""
    free = digest.analysis.totals.unallocated_gpu_hours
    if free is None:
        return "nothing told how many GPUs the nodes have"
    pools = digest.unallocated
    unpriced = sum(one.unallocated_gpu_hours for one in pools if one.unallocated_cost_usd is None)
    of = f", {hours(unpriced)} of them without a price" if unpriced > 0 else ""
    return f"{hours(free)} GPU-h that no workload asked for{of}"


def slept(nights: Nights | None) -> str:
    """How much was not held."""
    if nights is None:
        return "no ledger could tell"
    unpriced = (
        f", {hours(nights.unpriced_gpu_hours)} of them without a price"
        if nights.unpriced_gpu_hours > 0
        else ""
    )
    return f"{hours(nights.gpu_hours)} GPU-h{unpriced}"


def _grown(digest: Digest, *, idle: bool) -> str:
    """How it compares with the weeks before; empty where nothing can be said."""
    found = digest.comparison
    if found is None:
        return ""
    mean = found.mean_idle_cost_usd if idle else found.mean_cost_usd
    if mean is None:
        return ""
    change_ = found.idle_change if idle else found.change
    weeks = "the week before" if found.weeks == 1 else f"the mean of {found.weeks} weeks before"
    if change_ is None:
        return f"{weeks}: {cents(mean)}"
    if abs(change_) < 0.005:
        return f"as {weeks} ({cents(mean)})"
    return f"{abs(change_):.0%} {'more' if change_ > 0 else 'less'} than {weeks} ({cents(mean)})"


def history(digest: Digest) -> str:
    """Why this week is not compared with others, or with fewer than four; empty where it is."""
    if not digest.this.is_whole:
        return f"not compared with other weeks: {_known(digest.this)}"
    whole = [one for one in digest.before if one.is_whole]
    part = [one for one in digest.before if not one.is_whole and one.hours > 0]
    left_out = f" ({'; '.join(_known(one) for one in part)})" if part else ""
    if not whole:
        return f"no whole week before to compare with{left_out}"
    return f"weeks left out of the comparison: {'; '.join(map(_known, part))}" if part else ""


def _known(week: Week) -> str:
    return f"{week.name}: {week.hours:g} of {week.of_hours:g} h are known"
