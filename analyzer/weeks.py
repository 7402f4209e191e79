"""What a week cost, as figures that weeks can be compared by.

A week is added up from an analysis of it, or from the hours that were recorded while it lasted.
Hours that nobody recorded are missing, not free: ``recorded`` says how much of the week the
figures are of, and only whole weeks are compared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from analyzer.analysis import Analysis
from analyzer.history import Unused, UsedHour
from analyzer.model import Window

WHOLE = 0.9
"""The part of its hours that a week must be known of to be compared: with less, a missing day
could be the busiest one."""


@dataclass(frozen=True, slots=True)
class Spend:
    """Sums over workloads. Money is US dollars of what is priced; ``unpriced_gpu_hours`` are
    the rest.
    """

    gpu_hours: float = 0.0
    cost_usd: float = 0.0
    idle_cost_usd: float = 0.0
    unpriced_gpu_hours: float = 0.0

    def __add__(self, other: Spend) -> Spend:
        return Spend(
            self.gpu_hours + other.gpu_hours,
            self.cost_usd + other.cost_usd,
            self.idle_cost_usd + other.idle_cost_usd,
            self.unpriced_gpu_hours + other.unpriced_gpu_hours,
        )


@dataclass(frozen=True, slots=True)
class Week:
    """``environments`` maps an environment to what its workloads cost. ``hours`` are cluster-hours
    that are known, of ``of_hours`` that the week had. Unallocated figures are None where nobody
    told how many GPUs there were; the dollars are of what is priced."""

    name: str
    window: Window
    hours: float
    of_hours: float
    environments: Mapping[str, Spend] = field(default_factory=dict)
    unallocated_gpu_hours: float | None = None
    unallocated_cost_usd: float | None = None
    coverage: float | None = None
    """The part (0-1) of the GPU-hours that was under measurement; None without any."""

    @property
    def total(self) -> Spend:
        return sum(self.environments.values(), Spend())

    @property
    def recorded(self) -> float:
        """The part of the week (0-1) that the figures are of."""
        return min(1.0, self.hours / self.of_hours) if self.of_hours > 0 else 0.0

    @property
    def is_whole(self) -> bool:
        return self.recorded >= WHOLE

    @property
    def is_measured(self) -> bool:
        """Whether enough of the GPU time was under measurement for its use to be compared."""
        return self.coverage is None or self.coverage >= WHOLE


@dataclass(frozen=True, slots=True)
class Comparison:
    """This week against the mean of ``weeks`` whole weeks before it, each scaled to as many
    cluster-hours as this one is known of. ``change`` is the growth (0.1 is a tenth more), None
    where the mean is zero. What is idle was measured: it is compared among weeks that were whole
    in that too, and None where this one was not."""

    weeks: int
    mean_cost_usd: float
    mean_idle_cost_usd: float | None
    change: float | None
    idle_change: float | None


def week_of(name: str, analysis: Analysis) -> Week:
    """The week that ``analysis`` is about, of the clusters that were read."""
    spent: dict[str, Spend] = defaultdict(Spend)
    for use in analysis.workloads:
        spent[use.environment] += _spend(use.gpu_hours, use.cost_usd, use.idle_cost_usd)
    totals, hours = analysis.totals, analysis.window.hours
    read = set(analysis.clusters) - set(analysis.failed)
    return Week(
        name=name,
        window=analysis.window,
        hours=sum(min(hours, analysis.heard_hours.get(one, hours)) for one in read),
        of_hours=(len(read) + len(analysis.failed)) * hours,
        environments=dict(spent),
        unallocated_gpu_hours=totals.unallocated_gpu_hours,
        unallocated_cost_usd=totals.unallocated_cost_usd,
        coverage=totals.coverage,
    )


def recorded_week(
    name: str,
    window: Window,
    hours: Iterable[UsedHour],
    clusters: int,
    teams: Collection[str] | None = None,
) -> Week:
    """A week from its recorded hours, of so many clusters; ``teams`` narrows it to theirs."""
    spent: dict[str, Spend] = defaultdict(Spend)
    known = held = observed = 0.0
    pools: list[Unused] = []
    for hour in hours:
        known += 1
        for used in hour.workloads:
            if teams is None or used.team in teams:
                spent[used.environment] += _spend(used.gpu_hours, used.cost_usd, used.idle_cost_usd)
                held += used.gpu_hours
                observed += used.observed_gpu_hours
        pools += hour.pools if teams is None else ()
    priced = [one.unallocated_cost_usd for one in pools if one.unallocated_cost_usd is not None]
    return Week(
        name=name,
        window=window,
        hours=known,
        of_hours=clusters * window.hours,
        environments=dict(spent),
        unallocated_gpu_hours=sum(one.unallocated_gpu_hours for one in pools) if pools else None,
        unallocated_cost_usd=sum(priced) if priced else None,
        coverage=min(1.0, observed / held) if held > 0 else None,
    )


def compared(week: Week, before: Sequence[Week]) -> Comparison | None:
    """None where no week before is whole, or this one is not."""
    whole = [one for one in before if one.is_whole]
    if not whole or not week.is_whole:
        return None
    # A week that the clock is changed in has an hour more or less, which is no change of use, and
    # of a cluster that could not be read this week's figures have nothing either.
    cost = sum(one.total.cost_usd / one.hours for one in whole) / len(whole) * week.hours
    measured = [one.total.idle_cost_usd / one.hours for one in whole if one.is_measured]
    idle = sum(measured) / len(measured) * week.hours if measured and week.is_measured else None
    return Comparison(
        weeks=len(whole),
        mean_cost_usd=cost,
        mean_idle_cost_usd=idle,
        change=week.total.cost_usd / cost - 1 if cost > 0 else None,
        idle_change=week.total.idle_cost_usd / idle - 1 if idle else None,
    )


def _spend(gpu_hours: float, cost: float | None, idle: float | None) -> Spend:
    unpriced = gpu_hours if cost is None else 0.0
    return Spend(gpu_hours, cost or 0.0, idle or 0.0, unpriced)
