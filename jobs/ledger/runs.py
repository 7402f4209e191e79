"""Which periods of which jobs ran: never one twice, none forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from sqlalchemy import Connection, and_, delete, desc, insert, select, update

from jobs.ledger.database import Database
from jobs.ledger.errors import Superseded
from jobs.ledger.tables import JOBS, RUNS

Ended = Literal["done", "failed"]


@dataclass(frozen=True, slots=True)
class Run:
    """One period of a job, from its first try on.

    ``outcome`` is empty until it is over. ``retry_at`` is set when its latest try failed and
    another is to come. ``holder`` is the process that tried last.
    """

    job: str
    period: str
    due: datetime
    holder: str
    run_id: str
    attempts: int
    begun_at: datetime
    first_begun_at: datetime
    retry_at: datetime | None = None
    finished_at: datetime | None = None
    outcome: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who wants to run which period."""

    job: str
    period: str
    due: datetime
    holder: str
    run_id: str


class Runs(Protocol):
    """Every method raises ``LedgerError`` and nothing else."""

    def settled(self, job: str, now: datetime) -> datetime:
        """Up to when every period of a job is over. A job that was never heard of begins now."""

    def settle(self, job: str, upto: datetime) -> None:
        """Writes down that every period due until then is over."""

    def known(self, job: str, after: datetime) -> Mapping[str, Run]:
        """The runs of periods due after then, by period."""

    def claim(self, claim: Claim, now: datetime) -> Run | None:
        """Takes a period to run it: one that nobody took, or whose try failed, or that another
        process left unfinished (only the leader may ask). None when it is over."""

    def retry(self, run: Run, at: datetime, detail: str) -> None:
        """The try failed; another is to come then."""

    def finish(self, run: Run, outcome: Ended, detail: str, now: datetime) -> None:
        """The period is over."""

    def latest(self, jobs: Iterable[str]) -> Mapping[str, Run]:
        """Of each job the run whose period was due last."""

    def prune(self, job: str, before: datetime) -> None:
        """Deletes the finished runs of periods due before then."""


class SqlRuns:
    """``Runs`` in the ledger's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def settled(self, job: str, now: datetime) -> datetime:
        with self._database.reading() as connection:
            wanted = select(JOBS.c.settled).where(JOBS.c.job == job)
            found: datetime | None = connection.execute(wanted).scalar()
        if found is not None:
            return found
        with self._database.writing() as connection:
            found = connection.execute(wanted).scalar()
            if found is None:
                connection.execute(insert(JOBS).values(job=job, settled=now))
            return found or now

    def settle(self, job: str, upto: datetime) -> None:
        with self._database.writing() as connection:
            earlier = and_(JOBS.c.job == job, JOBS.c.settled < upto)
            connection.execute(update(JOBS).where(earlier).values(settled=upto))

    def known(self, job: str, after: datetime) -> Mapping[str, Run]:
        with self._database.reading() as connection:
            found = connection.execute(select(RUNS).where(RUNS.c.job == job, RUNS.c.due > after))
            return {one.period: _run(one) for one in found}

    def claim(self, claim: Claim, now: datetime) -> Run | None:
        mine = and_(RUNS.c.job == claim.job, RUNS.c.period == claim.period)
        values = {"holder": claim.holder, "run_id": claim.run_id, "begun_at": now}
        with self._database.writing() as connection:
            found = connection.execute(select(RUNS).where(mine)).first()
            if found is not None and found.outcome:
                return None
            if found is None:
                first = {"due": claim.due, "attempts": 1, "first_begun_at": now}
                names = {"job": claim.job, "period": claim.period}
                connection.execute(insert(RUNS).values(**names, **values, **first))
            else:
                again = {"attempts": found.attempts + 1, "retry_at": None}
                connection.execute(update(RUNS).where(mine).values(**values, **again))
            return _run(connection.execute(select(RUNS).where(mine)).one())

    def retry(self, run: Run, at: datetime, detail: str) -> None:
        self._end(run, {"retry_at": at, "detail": detail[:2000]})

    def finish(self, run: Run, outcome: Ended, detail: str, now: datetime) -> None:
        self._end(run, {"outcome": outcome, "detail": detail[:2000], "finished_at": now})

    def _end(self, run: Run, values: dict[str, Any]) -> None:
        """Only who tried last has a say: a process that was away must not end another's try."""
        mine = and_(RUNS.c.job == run.job, RUNS.c.period == run.period, RUNS.c.outcome == "")
        with self._database.writing() as connection:
            held = and_(mine, RUNS.c.holder == run.holder, RUNS.c.attempts == run.attempts)
            connection.execute(update(RUNS).where(held).values(**values))

    def latest(self, jobs: Iterable[str]) -> Mapping[str, Run]:
        found = {}
        with self._database.reading() as connection:
            for job in jobs:
                wanted = select(RUNS).where(RUNS.c.job == job).order_by(desc(RUNS.c.due)).limit(1)
                one = connection.execute(wanted).first()
                if one is not None:
                    found[job] = _run(one)
        return found

    def failed(self, jobs: Iterable[str], since: datetime) -> list[Run]:
        """The runs that were given up since then."""
        late = and_(RUNS.c.outcome == "failed", RUNS.c.finished_at >= since)
        wanted = select(RUNS).where(RUNS.c.job.in_(list(jobs)), late).order_by(RUNS.c.due)
        with self._database.reading() as connection:
            return [_run(one) for one in connection.execute(wanted)]

    def prune(self, job: str, before: datetime) -> None:
        with self._database.writing() as connection:
            old = and_(RUNS.c.job == job, RUNS.c.due < before, RUNS.c.outcome != "")
            connection.execute(delete(RUNS).where(old))


def check_held(connection: Connection, run: Run) -> None:
    """Raises ``Superseded`` unless ``run`` is still the latest try of its period. Asked in the
    transaction that writes what the try brought: a process that was away cannot write over what
    its successor wrote."""
    mine = and_(RUNS.c.job == run.job, RUNS.c.period == run.period, RUNS.c.outcome == "")
    held = and_(mine, RUNS.c.holder == run.holder, RUNS.c.attempts == run.attempts)
    if connection.execute(select(RUNS.c.job).where(held)).first() is None:
        raise Superseded(f"{run.job} of {run.period} was taken over by another process")


def _run(found: Any) -> Run:
    return Run(
        job=found.job,
        period=found.period,
        due=found.due,
        holder=found.holder,
        run_id=found.run_id,
        attempts=found.attempts,
        begun_at=found.begun_at,
        first_begun_at=found.first_begun_at,
        retry_at=found.retry_at,
        finished_at=found.finished_at,
        outcome=found.outcome,
        detail=found.detail,
    )
