"""When the jobs are looked at: every minute, each in a thread of its own.

APScheduler only wakes; whether anything is due is for the ledger to say. So a job of half past
midnight is not lost where its clock is put forward, and what was missed is found at the next look.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from time import monotonic
from types import MappingProxyType

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from jobs.daemon.runner import Runner

MINUTE = timedelta(minutes=1)

_BEAT = "beat"


class Scheduler:
    """``every`` is how often is looked. A look that lasts longer is not joined by a second one.
    ``chores`` are done as often, by followers too."""

    def __init__(
        self,
        runner: Runner,
        jobs: Iterable[str],
        every: timedelta = MINUTE,
        chores: Mapping[str, Callable[[], None]] = MappingProxyType({}),
    ) -> None:
        self._runner = runner
        self._jobs = tuple(jobs)
        self._chores = {_BEAT: self._tick, **chores}
        self._every = every
        self._idle = threading.Condition()
        self._busy: dict[str, float] = {}
        self._beat = monotonic()
        # What it says at each run that was skipped is no news: see above.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(len(self._jobs) + len(self._chores))},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def start(self) -> None:
        """Looks at every job now, and from then on at each whole minute."""
        now = datetime.now(UTC)
        whole = now.replace(second=0, microsecond=0) + MINUTE if self._every == MINUTE else now
        trigger = IntervalTrigger(seconds=self._every.total_seconds(), start_date=whole)
        for name in self._jobs:
            self._scheduler.add_job(self._look, trigger, (name,), id=name, next_run_time=now)
        for name, chore in self._chores.items():
            self._scheduler.add_job(chore, trigger, id=name, next_run_time=now)
        self._scheduler.start()

    def wake(self) -> None:
        """Looks at every job now: leadership was gained, or the configuration changed."""
        self._runner.forget()
        for name in self._jobs:
            self._scheduler.modify_job(name, next_run_time=datetime.now(UTC))

    def silence_s(self) -> float:
        """For how many seconds the scheduler has not woken anything."""
        return monotonic() - self._beat

    def busy_s(self) -> dict[str, float]:
        """The jobs that are being looked at, with the seconds since when."""
        with self._idle:
            return {name: monotonic() - begun for name, begun in self._busy.items()}

    def shutdown(self, grace_s: float) -> bool:
        """Lets what runs finish its current object. Returns whether everything ended in time."""
        self._runner.stop.set()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        with self._idle:
            return self._idle.wait_for(lambda: not self._busy, grace_s)

    def _tick(self) -> None:
        self._beat = monotonic()

    def _look(self, name: str) -> None:
        with self._idle:
            self._busy[name] = monotonic()
        try:
            self._runner.look(name)
        except Exception:
            logging.getLogger("gpu_thrift.jobs").exception("%s could not be looked at", name)
        finally:
            with self._idle:
                del self._busy[name]
                self._idle.notify_all()
