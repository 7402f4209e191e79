"""The simulated fleet, read and analysed as a cluster would be, with what a ledger would know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from analyzer.advice import HOURS_A_MONTH, Saving
from analyzer.analysis import Analysis, WorkloadUse
from analyzer.collect.simulate import FleetObjects, MemoryStore, demo_fleet, exposition, sleeps
from analyzer.collect.snapshot import ClusterSource, take_snapshot
from analyzer.config import Config
from analyzer.followed import Accepted, Followed
from analyzer.model import STEP_S, Snapshot, StepArray, Window
from analyzer.sleep.model import Slept
from analyzer.usage import analyse
from analyzer.weeks import Week, week_of
from jobs.periods import week_name
from jobs.wiring import decide_settings, read_settings
from reports.digest import Past

END = datetime(2026, 11, 23, tzinfo=UTC)
"""The simulated weeks end here, a Monday, so that every run shows the same figures."""

_WEEK = timedelta(weeks=1)
_WEEKS = 4
_CLUSTER = "demo"
_HOURS_A_WEEK = 168.0


class Demo:
    """The fleet of one seed."""

    def __init__(self, seed: int) -> None:
        fleet = demo_fleet(seed, END)
        self.whole = Window.ending(END, _WEEKS * _WEEK)
        store = MemoryStore(exposition(fleet, self.whole), _CLUSTER)
        self._source = ClusterSource(_CLUSTER, lambda: store, FleetObjects(fleet))
        self._sleeps = sleeps(fleet, _CLUSTER)

    def snapshot(self, window: Window) -> Snapshot:
        """Read as a Prometheus and a Kubernetes API would be."""
        return take_snapshot([self._source], read_settings(Config()), window, window.end)

    def past(self, month: Snapshot, analysis: Analysis) -> Past:
        """What a ledger would tell in the last week, which ``analysis`` is about, of the four
        that ``month`` is of."""
        slept = _priced(self._sleeps, analysis)
        weeks = tuple(_week(month, END - n * _WEEK) for n in range(_WEEKS - 1, 0, -1))
        return Past(weeks, slept, (), _followed(slept, analysis))


def last_week() -> tuple[str, Window]:
    """Its name and its window."""
    window = Window.ending(END, _WEEK)
    return week_name(window.start.date()), window


def _week(month: Snapshot, end: datetime) -> Week:
    """The week that ends then, cut out of all four."""
    window = Window.ending(end, _WEEK)
    first = int((window.start - month.window.start).total_seconds()) // STEP_S
    part = slice(first, first + window.steps)

    def cut(array: StepArray) -> StepArray:
        return array[part]

    of_week = replace(
        month,
        taken_at=end,
        window=window,
        use=tuple(
            replace(
                one,
                allocated=cut(one.allocated),
                observed=cut(one.observed),
                work=cut(one.work),
            )
            for one in month.use
        ),
        pools=tuple(
            replace(one, present=cut(one.present), allocated=cut(one.allocated), nodes=None)
            for one in month.pools
        ),
        serving=(),
    )
    name = week_name(window.start.date())
    return week_of(name, analyse(of_week, decide_settings(Config()), end))


def _priced(slept: Sequence[Slept], analysis: Analysis) -> tuple[Slept, ...]:
    """Those that touch the window, with what their GPUs cost an hour."""
    rates = {use.workload.key: _rate(use) for use in analysis.workloads}
    return tuple(
        replace(one, usd_per_hour=one.gpus * rate if (rate := rates.get(one.key)) else None)
        for one in slept
        if one.until is None or one.until > analysis.window.start
    )


def _rate(use: WorkloadUse) -> float | None:
    """Dollars a GPU-hour."""
    return use.cost_usd / use.gpu_hours if use.cost_usd is not None and use.gpu_hours else None


def _followed(slept: Sequence[Slept], analysis: Analysis) -> tuple[Followed, ...]:
    """What sleeps was advised to, and has done so since before the simulated weeks."""
    return tuple(
        _entry(use, next(one.gpus for one in slept if one.key == use.workload.key))
        for use in analysis.workloads
        if use.workload.key in {one.key for one in slept}
    )


def _entry(use: WorkloadUse, gpus: float) -> Followed:
    before = gpus * _HOURS_A_WEEK
    rate, freed = _rate(use), gpus * (_HOURS_A_WEEK - 5 * 11.5)
    monthly = None if rate is None else rate * HOURS_A_MONTH / _HOURS_A_WEEK
    saved = before - use.gpu_hours
    seen = END - 7 * _WEEK
    return Followed(
        key=use.workload.key,
        action="sleep-overnight",
        before="always",
        after="Mon-Fri 07:30-19:00 UTC",
        first_seen=seen,
        last_seen=seen + _WEEK,
        state="accepted",
        state_since=seen + _WEEK,
        predicted=Saving(freed, monthly and freed * monthly, 0.0, 0),
        plan=True,
        accepted=Accepted(
            at=seen + _WEEK,
            baseline_gpu_hours_per_week=before,
            baseline_usd_per_week=rate and before * rate,
            gpu_hours_per_week=saved,
            usd_per_month=monthly and saved * monthly,
            settled=True,
        ),
    )
