"""Whether the daemon is alive, whether it can work, and the page that says all of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from analyzer.config.zone import zone_of
from jobs.breaker import Breaker
from jobs.daemon.board import Board
from jobs.daemon.leadership import Leadership
from jobs.daemon.reload import Reloader
from jobs.daemon.runner import Job, Runner
from jobs.daemon.work import Work
from jobs.scheduler import Scheduler
from jobs.web import Check, JobLine, Page
from reports.links import PAGE

SILENT_S = 180.0
"""A scheduler that woke nothing for so long never will again: it wakes every minute."""

LONGEST_S = {"sleep": 1800.0}
LONGEST_RUN_S = 7200.0
"""A job that is busy for longer hangs: every call it makes ends much sooner."""

LISTED = 8
"""Reports that the page names, the newest."""

TIMES = "%Y-%m-%d %H:%M %Z"


@dataclass(frozen=True, slots=True)
class Parts:
    """What is looked at. ``work`` gives the work of the configuration that is in force."""

    work: Callable[[], Work]
    runner: Runner
    scheduler: Scheduler
    leadership: Leadership
    board: Board
    reloader: Reloader
    clock: Callable[[], datetime]


class DaemonVitals:
    """Asks nobody outside the process: each answer is there at once, whatever else hangs."""

    def __init__(self, parts: Parts, reports: Path | None) -> None:
        self._parts = parts
        self._reports = reports
        self._version = version("gpu-thrift")
        self._started = parts.clock()

    def alive(self) -> list[Check]:
        """What only a new process would mend."""
        scheduler, leadership = self._parts.scheduler, self._parts.leadership
        silent = scheduler.silence_s()
        beats = silent < SILENT_S
        checks = [
            Check(
                "scheduler", beats, "wakes every minute" if beats else f"silent for {silent:.0f} s"
            )
        ]
        for job, busy in sorted(scheduler.busy_s().items()):
            fine = busy < LONGEST_S.get(job, LONGEST_RUN_S)
            checks.append(Check(job, fine, f"{'runs' if fine else 'hangs'} since {busy:.0f} s"))
        alive = leadership.is_alive
        says = "is looked at" if alive else leadership.says or "is not looked at any more"
        return [*checks, Check("leadership", alive, says)]

    def ready(self) -> list[Check]:
        """Everything that the jobs need, as the last call found it."""
        leadership = self._parts.leadership
        says = leadership.says
        role = "this process acts" if leadership.leads else f"{leadership.holder or 'nobody'} acts"
        known = not says and bool(leadership.leads or leadership.holder)
        servers = self._parts.work().servers
        return [
            Check("leadership", known, says or role),
            *(Check(one.name, not one.says, one.says or _well(one)) for one in servers),
        ]

    def page(self) -> Page:
        parts = self._parts
        work = parts.work()
        problem = parts.reloader.problem
        config = Check("configuration", not problem, problem or f"{work.config.path or 'defaults'}")
        leads = parts.leadership.leads
        return Page(
            version=self._version,
            role="leader" if leads else "follower",
            holder=parts.leadership.holder,
            started=self._when(self._started),
            checks=(*self.alive()[:-1], *self.ready(), config),
            jobs=tuple(self._line(job) for job in work.jobs.values()),
            clusters=tuple(parts.board.clusters([one.name for one in work.config.clusters])),
            reports=self._newest(),
        )

    def _line(self, job: Job) -> JobLine:
        parts, name = self._parts, job.name
        now = parts.clock()
        last, due = parts.board.last(name), parts.runner.due_next(job, now)
        return JobLine(
            name=name,
            schedule=job.cadence.text,
            last=self._when(last.at) if last else "",
            last_outcome=last.outcome if last else "",
            next_due=self._when(due) if due > now else "now",
            says=parts.board.error(name) or (last.says if last else ""),
        )

    def _when(self, at: datetime) -> str:
        zone = zone_of(self._parts.work().config.jobs.timezone)
        return at.astimezone(zone).strftime(TIMES)

    def _newest(self) -> tuple[str, ...]:
        if self._reports is None:
            return ()
        try:
            found = sorted(self._reports.glob(f"*/{PAGE}"), reverse=True)[:LISTED]
        except OSError:
            return ()
        return tuple(one.relative_to(self._reports).as_posix() for one in found)


def _well(server: Breaker) -> str:
    return "answers" if server.asked else "not asked yet"
