"""What the daemon knows of itself, for the status page, the probes and the metrics.

Everything is kept in memory: a page must not wait for a database that hangs.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from jobs.ledger.errors import LedgerError
from jobs.ledger.runs import Run
from jobs.metrics import RUN_OUTCOMES, Metrics
from jobs.periods import Period
from jobs.sleeping.saved import DAYS, saved_of
from jobs.sleeping.tick import Report
from jobs.web import ClusterLine

log = logging.getLogger("gpu_thrift.jobs")

EACH = timedelta(minutes=5)
"""How often what sleeps is added up where nothing changes."""

LONG = timedelta(minutes=30)
"""For how long a job of every minute may fail before somebody is told."""

_OFTEN = timedelta(minutes=1)
"""Jobs of such short periods are not worth a line each time."""


@dataclass(slots=True)
class LastRun:
    """The latest run of a job that this process knows of."""

    at: datetime
    outcome: str
    says: str = ""
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """A period that was not done, and why."""

    job: str
    period: str
    why: str


@dataclass(slots=True)
class _Failing:
    """A job whose runs fail since a period; a run that is under way counts as one."""

    period: str
    since: datetime
    told: bool = False


@dataclass(slots=True)
class _Cluster:
    line: ClusterLine
    added_up: datetime


@dataclass
class Board:
    """A watcher of the runner, told by the jobs as well. Every method may be called from any
    thread."""

    metrics: Metrics

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._lost: list[Lost] = []
        self._failing: dict[str, _Failing] = {}
        self._levels: dict[str, int] = {}
        self._runs: dict[str, LastRun] = {}
        self._errors: dict[str, str] = {}
        self._clusters: dict[str, _Cluster] = {}

    def begun(self, job: str, period: Period, at: datetime) -> None:
        log.log(_level(period), "%s of %s begins", job, period.key)
        with self._lock:
            self._levels[job] = _level(period)
            self._errors.pop(job, None)
            if period.length <= _OFTEN:
                self._failing.setdefault(job, _Failing(period.key, at))

    def ended(self, job: str, outcome: str, seconds: float, at: datetime) -> None:
        level = self._levels.get(job, logging.DEBUG)
        log.log(level, "%s: %s after %.1f s", job, outcome, seconds)
        if outcome in RUN_OUTCOMES:
            self.metrics.run(job, outcome, seconds, at)
        with self._lock:
            says = self._errors.get(job, "")
            self._follow(job, outcome, at, says)
            self._runs[job] = LastRun(at, outcome, says, seconds)

    def failed(self, job: str, error: Exception) -> None:
        self.metrics.failure(job, type(error).__name__)
        with self._lock:
            self._errors[job] = " ".join(str(error).split())

    def _follow(self, job: str, outcome: str, at: datetime, says: str) -> None:
        """Of a job of every minute no single period is worth a word, but many in a row are."""
        failing = self._failing.get(job)
        if failing is None:
            return
        if outcome == "done":
            del self._failing[job]
        elif outcome == "failed" and not failing.told and at - failing.since >= LONG:
            failing.told = True
            why = f"no run succeeded since {failing.since:%H:%M} UTC; the last one: {says}"
            self._lost.append(Lost(job, failing.period, why))

    def lost(self) -> list[Lost]:
        """What failed for long and is not told yet."""
        with self._lock:
            return list(self._lost)

    def told(self, lost: Sequence[Lost]) -> None:
        with self._lock:
            self._lost = [one for one in self._lost if one not in lost]

    def heard(self, report: Report, now: datetime) -> None:
        """What a look at a cluster brought."""
        bad = [one.target.key for one in report.decided if one.decision.reason == "bad-annotation"]
        self.metrics.bad_annotations(report.cluster, bad)
        for one in report.results:
            action = type(one.decided.decision).__name__.lower()
            self.metrics.changes(report.cluster, action, one.outcome, 1)
        problems = tuple(report.failures)
        with self._lock:
            known = self._clusters.get(report.cluster)
        if known is not None and not report.results and now - known.added_up < EACH:
            old = known.line
            line, added_up = _with_problems(old, problems), known.added_up
        else:
            line, added_up = self._added_up(report, problems, now), now
        with self._lock:
            self._clusters[report.cluster] = _Cluster(line, added_up)

    def _added_up(self, report: Report, problems: tuple[str, ...], now: datetime) -> ClusterLine:
        try:
            if report.ledger is None:
                raise LedgerError("not there")
            slept = report.ledger.slept(now - timedelta(days=DAYS))
        except LedgerError:
            with self._lock:
                known = self._clusters.get(report.cluster)
            empty = ClusterLine(report.cluster, 0, 0.0, None, None)
            return _with_problems(known.line if known else empty, problems)
        lasting = [one for one in slept if one.until is None]
        gpus = sum(one.gpus for one in lasting)
        saved = saved_of(slept, now)
        self.metrics.sleeping(report.cluster, len(lasting), gpus)
        self.metrics.saved(report.cluster, saved)
        return ClusterLine(
            name=report.cluster,
            asleep=len(lasting),
            gpus=gpus,
            saved_gpu_hours=saved.gpu_hours,
            saved_usd=saved.usd,
            problems=problems,
            unpriced_gpu_hours=saved.unpriced,
        )

    def remember(self, runs: Mapping[str, Run]) -> None:
        """What the ledger says of runs before this process."""
        with self._lock:
            for job, run in runs.items():
                at = run.finished_at or run.begun_at
                known = self._runs.get(job)
                if known is None or known.at < at:
                    outcome = run.outcome or ("retry" if run.retry_at else "running")
                    self._runs[job] = LastRun(at, outcome, run.detail)

    def last(self, job: str) -> LastRun | None:
        with self._lock:
            return self._runs.get(job)

    def error(self, job: str) -> str:
        """Why the job cannot run now; empty if it can."""
        with self._lock:
            return self._errors.get(job, "")

    def clusters(self, names: Sequence[str]) -> list[ClusterLine]:
        """Those that were looked at, in this order."""
        with self._lock:
            return [self._clusters[name].line for name in names if name in self._clusters]

    def retire(self) -> None:
        """Another process acts: it tells of the clusters, and of what fails."""
        with self._lock:
            self._failing.clear()
        self.keep_clusters(())

    def keep_clusters(self, names: Collection[str]) -> None:
        """Forgets all others."""
        with self._lock:
            gone = [name for name in self._clusters if name not in names]
            for name in gone:
                del self._clusters[name]
        for name in gone:
            self.metrics.forget(name)


def _with_problems(line: ClusterLine, problems: tuple[str, ...]) -> ClusterLine:
    return replace(line, problems=problems)


def _level(period: Period) -> int:
    return logging.DEBUG if period.length <= _OFTEN else logging.INFO
