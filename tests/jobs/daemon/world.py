"""Time, a ledger and leadership for the runner, all in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile

from jobs.daemon.leadership import NotLeader
from jobs.daemon.runner import Job, Runner, Settings, Turn
from jobs.ledger.errors import LedgerError
from jobs.ledger.runs import Claim, Ended, Run, Runs
from jobs.periods import Cadence, Period

START = datetime(2026, 1, 1, 12, 34, 56, tzinfo=UTC)


@dataclass
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Lead:
    """Leadership that a test gives and takes."""

    leads: bool = True
    holder: str = "me"
    says: str = ""
    is_alive: bool = True

    def left(self) -> float:
        if not self.leads:
            raise NotLeader("the test took it")
        return 10.0

    def start(self) -> None: ...

    def release(self) -> None:
        self.leads = False


class MemoryRuns:
    """The ledger's runs, without a database; held to it by the tests of both."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Run]] = {}
        """Of each job the runs by period, in the order of their dues."""
        self.settled_at: dict[str, datetime] = {}
        self.away = False

    def _of(self, job: str) -> dict[str, Run]:
        if self.away:
            raise LedgerError("ledger: away")
        return self.runs.setdefault(job, {})

    def settled(self, job: str, now: datetime) -> datetime:
        self._of(job)
        return self.settled_at.setdefault(job, now)

    def settle(self, job: str, upto: datetime) -> None:
        self._of(job)
        self.settled_at[job] = max(self.settled_at[job], upto)

    def known(self, job: str, after: datetime) -> Mapping[str, Run]:
        late = takewhile(lambda run: run.due > after, reversed(self._of(job).values()))
        return {run.period: run for run in late}

    def claim(self, claim: Claim, now: datetime) -> Run | None:
        runs = self._of(claim.job)
        found = runs.get(claim.period)
        if found is not None and found.outcome:
            return None
        attempts = found.attempts + 1 if found else 1
        first = found.first_begun_at if found else now
        run = Run(
            claim.job, claim.period, claim.due, claim.holder, claim.run_id, attempts, now, first
        )
        runs[claim.period] = run
        return run

    def retry(self, run: Run, at: datetime, detail: str) -> None:
        self._end(run, retry_at=at, detail=detail)

    def finish(self, run: Run, outcome: Ended, detail: str, now: datetime) -> None:
        self._end(run, outcome=outcome, detail=detail, finished_at=now)

    def _end(self, run: Run, **values: object) -> None:
        runs = self._of(run.job)
        found = runs[run.period]
        mine = (found.holder, found.attempts) == (run.holder, run.attempts)
        if mine and not found.outcome:
            runs[run.period] = replace(found, **values)  # type: ignore[arg-type]

    def latest(self, jobs: Iterable[str]) -> Mapping[str, Run]:
        return {job: next(reversed(runs.values())) for job in jobs if (runs := self._of(job))}

    def prune(self, job: str, before: datetime) -> None:
        old = takewhile(lambda run: run.due < before and run.outcome, self._of(job).values())
        for run in list(old):
            del self.runs[job][run.period]


@dataclass
class Seen:
    """What a watcher was told."""

    ends: list[tuple[str, str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def begun(self, job: str, period: Period, at: datetime) -> None: ...

    def ended(self, job: str, outcome: str, seconds: float, at: datetime) -> None:
        self.ends.append((job, outcome))

    def failed(self, job: str, error: Exception) -> None:
        self.errors.append(str(error))


@dataclass
class Daemons:
    """One daemon after the other on one ledger, and everything that ran."""

    cadences: Mapping[str, Cadence]
    runs: Runs
    latest_only: tuple[str, ...] = ()
    catch_up: timedelta = timedelta(days=14)
    clock: Clock = field(default_factory=Clock)
    lead: Lead = field(default_factory=Lead)
    seen: Seen = field(default_factory=Seen)
    ran: list[tuple[str, Period, datetime]] = field(default_factory=list)
    doing: Callable[[str, Turn], None] = lambda job, turn: None
    count: int = 0

    def start(self) -> Runner:
        """A new process."""
        self.count += 1

        def job(name: str, cadence: Cadence) -> Job:
            def run(turn: Turn) -> None:
                self.doing(name, turn)
                self.ran.append((name, turn.period, self.clock.now))

            return Job(name, cadence, run, name in self.latest_only)

        jobs = {name: job(name, cadence) for name, cadence in self.cadences.items()}
        return Runner(
            Settings(jobs, self.catch_up),
            lambda: self.runs,
            self.lead,
            f"me-{self.count}",
            self.clock,
            self.seen,
        )

    def tick(self, runner: Runner) -> None:
        for name in self.cadences:
            runner.look(name)
