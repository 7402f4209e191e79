"""Runs what is due: each period of each job once, by the leader, until it is done or over.

The ledger decides: a period that is in it as finished is over, one that is not there is due. A
try that failed is repeated with growing waits while the period lasts, and then reported. A try
that its process did not live to finish is taken over by the next leader.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import Protocol

from analyzer.errors import GpuThriftError
from jobs.daemon.leadership import Leadership, NotLeader
from jobs.ledger.errors import LedgerError
from jobs.ledger.runs import Claim, Ended, Run, Runs
from jobs.logs import run_id, run_logs
from jobs.periods import Cadence, Period, next_period

log = logging.getLogger("gpu_thrift.jobs")

FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)

_INSTANT = timedelta(microseconds=1)

KEPT = timedelta(days=400)
KEPT_MINUTES = timedelta(days=2)
"""How long the ledger keeps the runs of a job; a job of every minute has many."""


class Stopped(GpuThriftError):
    """The daemon is to end: the job is left for the next one."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One try of one period. ``stop`` is set when the job should end after its current object;
    ``run_id`` tells its log lines from others', ``run`` is what the ledger knows of it, None
    without a ledger."""

    period: Period
    now: datetime
    stop: threading.Event
    run_id: str = ""
    run: Run | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """``run`` does it, and raises ``GpuThriftError`` when it could not. Of a job that is only
    about now (``latest_only``) missed periods are not made up for, and it runs without a ledger,
    too: what it does may be done twice."""

    name: str
    cadence: Cadence
    run: Callable[[Turn], None]
    latest_only: bool = False


class Watcher(Protocol):
    """Told what becomes of runs."""

    def begun(self, job: str, period: Period, at: datetime) -> None: ...

    def ended(self, job: str, outcome: str, seconds: float, at: datetime) -> None:
        """``outcome`` is ``done``, ``retry``, ``failed`` or ``interrupted``."""

    def failed(self, job: str, error: Exception) -> None: ...


@dataclass
class Settings:
    """What a reload of the configuration may change."""

    jobs: Mapping[str, Job]
    catch_up: timedelta


@dataclass
class _State:
    """What the runner remembers of a job between looks, so as not to ask the ledger in vain."""

    wake_at: datetime | None = None
    last_key: str = ""
    unwritten: list[tuple[Run, Ended, str]] = field(default_factory=list)
    """Ends that the ledger could not be told."""
    said: str = ""


class Runner:
    """``look`` may be called at any time and from any thread, but for one job only once at a
    time. ``open_runs`` may raise ``LedgerError``. ``me`` tells this process from all others."""

    def __init__(
        self,
        settings: Settings,
        open_runs: Callable[[], Runs],
        leadership: Leadership,
        me: str,
        clock: Callable[[], datetime],
        watcher: Watcher,
    ) -> None:
        self.settings = settings
        self.stop = threading.Event()
        self._open_runs = open_runs
        self._leadership = leadership
        self._me = me
        self._clock = clock
        self._watcher = watcher
        self._states: dict[str, _State] = {}

    def look(self, name: str) -> None:
        """Runs every period of the job that is due."""
        job = self.settings.jobs.get(name)
        if job is None or self.stop.is_set() or not self._leadership.leads:
            return
        state = self._states.setdefault(name, _State())
        try:
            if job.latest_only:
                self._latest(job, state)
            else:
                self._all(job, state)
        except NotLeader as error:
            log.warning("%s: stops: %s", name, error)
        except LedgerError as error:
            self._say(state, f"{name}: waits for the ledger: {error}")
            self._watcher.failed(name, error)

    def forget(self) -> None:
        """Looks at everything anew: leadership was gained, or the configuration changed."""
        for state in list(self._states.values()):
            state.wake_at = None

    def due_next(self, job: Job, now: datetime) -> datetime:
        """When the job is due next, or was due already and waits to be tried again."""
        state = self._states.get(job.name)
        if state is not None and state.wake_at is not None:
            return state.wake_at
        return next_period(job.cadence, now).due

    def _latest(self, job: Job, state: _State) -> None:
        """Runs the period of now. Without the ledger too: it may be needed all the more."""
        now = self._clock()
        found = list(job.cadence.periods(now - 2 * job.cadence.length, now))
        if not found or found[-1].key == state.last_key:
            return
        period, run = found[-1], None
        try:
            runs = self._open_runs()
            self._write_down(runs, state)
            run = runs.claim(self._claim(job, period), now)
            state.last_key = period.key
            if run is None:
                return
            if period.due.minute == 0:
                runs.prune(job.name, now - KEPT_MINUTES)
        except LedgerError as error:
            state.last_key = period.key
            self._say(state, f"{job.name}: runs without the ledger: {error}")
        self._try(job, period, run, state)

    def _all(self, job: Job, state: _State) -> None:
        now = self._clock()
        if state.wake_at is not None and now < state.wake_at and not state.unwritten:
            return
        runs = self._open_runs()
        self._write_down(runs, state)
        begin = self._begin(job, runs, now)
        known = runs.known(job.name, begin)
        again: list[tuple[Period, datetime]] = []
        for period in job.cadence.periods(begin, now):
            run = known.get(period.key)
            if run is not None and run.outcome:
                continue
            at = run.retry_at if run is not None else None
            if at is None or at <= self._clock():
                at = self._one(job, period, runs, state)
            if at is not None:
                again.append((period, at))
        upto = min((one.due for one, _ in again), default=now + _INSTANT) - _INSTANT
        if upto > begin:
            runs.settle(job.name, upto)
        following = next_period(job.cadence, now).due
        state.wake_at = min((at for _, at in again), default=following)
        state.wake_at = min(state.wake_at, following)
        state.said = ""

    def _begin(self, job: Job, runs: Runs, now: datetime) -> datetime:
        """From when on periods are looked at: what is longer ago is over, or is given up."""
        settled = runs.settled(job.name, now)
        begin = max(settled, now - self.settings.catch_up)
        if begin > settled:
            lost = sum(1 for _ in job.cadence.periods(settled, begin))
            if lost:
                log.warning("%s: %d runs are too long ago to be made up for", job.name, lost)
            runs.settle(job.name, begin)
        runs.prune(job.name, now - KEPT)
        return begin

    def _one(self, job: Job, period: Period, runs: Runs, state: _State) -> datetime | None:
        """Claims a period and tries it. Returns when to try again, None once it is over."""
        now = self._clock()
        if self.stop.is_set():
            return now
        self._leadership.left()
        run = runs.claim(self._claim(job, period), now)
        return self._try(job, period, run, state) if run is not None else None

    def _claim(self, job: Job, period: Period) -> Claim:
        return Claim(job.name, period.key, period.due, self._me, run_id())

    def _try(self, job: Job, period: Period, run: Run | None, state: _State) -> datetime | None:
        """One try. Returns when to try again, None once the period is over."""
        now, begun = self._clock(), monotonic()
        name = run.run_id if run else run_id()

        def ended(outcome: str) -> None:
            self._watcher.ended(job.name, outcome, monotonic() - begun, self._clock())

        with run_logs(name, job.name):
            self._watcher.begun(job.name, period, now)
            try:
                job.run(Turn(period, now, self.stop, name, run))
            except (Stopped, NotLeader) as error:
                log.warning("%s of %s is left for the next leader: %s", job.name, period.key, error)
                ended("interrupted")
                return now
            except Exception as error:  # noqa: BLE001 - one job never stops the others
                self._watcher.failed(job.name, error)
                at = self._failed(job, period, run, error, state)
                ended("retry" if at is not None else "failed")
                return at
            if run is not None:
                state.said = ""
                self._finish(run, "done", "", state)
            ended("done")
            return None

    def _failed(
        self, job: Job, period: Period, run: Run | None, error: Exception, state: _State
    ) -> datetime | None:
        why = _one_line(error)
        now = self._clock()
        if run is None or job.latest_only:
            self._say(state, f"{job.name}: {why}")
            if run is not None:
                self._finish(run, "failed", why, state)
            return None
        wait: timedelta = min(FIRST_WAIT * 2 ** min(run.attempts - 1, 20), LONGEST_WAIT)
        at = now + wait
        if at < run.first_begun_at + period.length:
            log.warning(
                "%s of %s failed, is tried again at %s: %s",
                job.name,
                period.key,
                f"{at:%H:%M:%S} UTC",
                why,
            )
            try:
                self._open_runs().retry(run, at, why)
            except LedgerError as lost:
                log.warning("%s: %s", job.name, lost)
            return at
        log.error("%s of %s was not done, %d tries: %s", job.name, period.key, run.attempts, why)
        self._finish(run, "failed", why, state)
        return None

    def _finish(self, run: Run, outcome: Ended, why: str, state: _State) -> None:
        try:
            self._open_runs().finish(run, outcome, why, self._clock())
        except LedgerError as error:
            # Told again at the next look: else it would be done a second time.
            log.warning("%s of %s: its end is not written down: %s", run.job, run.period, error)
            state.unwritten.append((run, outcome, why))

    def _write_down(self, runs: Runs, state: _State) -> None:
        while state.unwritten:
            run, outcome, why = state.unwritten[0]
            runs.finish(run, outcome, why, self._clock())
            state.unwritten.pop(0)

    def _say(self, state: _State, line: str) -> None:
        """A warning, once for as long as nothing changes."""
        if line != state.said:
            log.warning("%s", line)
        state.said = line


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, GpuThriftError) else f"{type(error).__name__}: {text}"
