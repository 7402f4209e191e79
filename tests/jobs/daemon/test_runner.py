"""What is due runs once, whatever happens to the daemon."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from analyzer.config import WeekTime
from analyzer.errors import GpuThriftError
from jobs.daemon.leadership import NotLeader
from jobs.daemon.runner import Stopped, Turn
from jobs.ledger.database import Database, open_database
from jobs.ledger.runs import Claim, Runs, SqlRuns
from jobs.periods import Daily, EveryMinute, Hourly, Weekly
from tests.jobs.daemon.world import START, Clock, Daemons, MemoryRuns

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ZONES = ("Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "America/New_York")


@pytest.fixture(params=["memory", "sqlite"])
def runs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runs]:
    if request.param == "memory":
        yield MemoryRuns()
        return
    database = open_database(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield SqlRuns(database)
    database.close()


def expected_days(zone: ZoneInfo, at: time, begin: datetime, end: datetime) -> dict[str, datetime]:
    """Of each local date the first quarter of an hour whose clock shows ``at`` or later. All
    times and clock changes of these tests are on quarters."""
    found: dict[str, datetime] = {}
    moment = begin.replace(minute=0, second=0, microsecond=0) - 2 * DAY
    while moment <= end:
        local = moment.astimezone(zone)
        if local.time() >= at:
            found.setdefault(str(local.date()), moment)
        moment += timedelta(minutes=15)
    return {key: due for key, due in found.items() if begin < due <= end}


@pytest.mark.parametrize("name", ZONES)
def test_a_year_with_random_downtime_runs_every_period_once_and_none_early(name: str) -> None:
    zone, chance = ZoneInfo(name), random.Random(name)
    at, weekly = time(0, 30), WeekTime(6, time(2, 30))
    cadences = {
        "sleep": EveryMinute(),
        "flag-underused": Daily(at, zone),
        "weekly-report": Weekly(weekly, zone),
        "record-usage": Hourly(timedelta(minutes=5)),
    }
    daemons = Daemons(cadences, MemoryRuns(), ("sleep",))
    clock, end = daemons.clock, START + timedelta(days=366)
    daemons.tick(runner := daemons.start())
    ups: list[tuple[datetime, datetime]] = []
    while clock.now < end:
        up_since = clock.now
        up_until = min(end, clock.now + chance.uniform(0.02, 12) * DAY)
        while clock.now < up_until:
            daemons.tick(runner)
            clock.now = clock.now.replace(second=0, microsecond=0) + MINUTE
        ups.append((up_since, clock.now))
        minutes = chance.choice([chance.uniform(1, 120), chance.uniform(60, 9 * 24 * 60)])
        clock.now += timedelta(minutes=minutes)
        runner = daemons.start()
    clock.now = max(clock.now, end)
    daemons.tick(runner)

    finished = clock.now
    assert all(now >= period.due for _, period, now in daemons.ran)
    by_job = {job: [one for one in daemons.ran if one[0] == job] for job in cadences}
    for job in cadences:
        counted = Counter(period.key for _, period, _ in by_job[job])
        assert set(counted.values()) == {1}, job
    days = expected_days(zone, at, START, finished)
    assert {p.key: p.due for _, p, _ in by_job["flag-underused"]} == days
    sundays = expected_days(zone, weekly.time, START, finished)
    weeks = {day: due for day, due in sundays.items() if date.fromisoformat(day).weekday() == 6}
    assert [p.due for _, p, _ in by_job["weekly-report"]] == list(weeks.values())
    first = START.replace(minute=5, second=0) + HOUR
    hours = int((finished - first) / HOUR) + 1
    assert [p.due for _, p, _ in by_job["record-usage"]] == [first + n * HOUR for n in range(hours)]
    # Of the minutes, each one in which a daemon was there.
    slept = {period.due for _, period, _ in by_job["sleep"]}
    for since, until in ups:
        moment = since.replace(second=0, microsecond=0) + MINUTE
        while moment < until:
            assert moment in slept, moment
            moment += MINUTE


def test_on_the_real_ledger_too(tmp_path: Path) -> None:
    zone, chance = ZoneInfo("Europe/Berlin"), random.Random(1)
    database = open_database(f"sqlite:///{tmp_path / 'ledger.db'}")
    cadences = {"flag-underused": Daily(time(2, 30), zone), "record-usage": Hourly(5 * MINUTE)}
    clock = Clock(datetime(2026, 3, 20, 12, tzinfo=UTC))
    daemons = Daemons(cadences, SqlRuns(database), clock=clock)
    begin, end = clock.now, clock.now + timedelta(days=20)
    runner = daemons.start()
    daemons.tick(runner)
    while clock.now < end:
        clock.now += timedelta(minutes=chance.uniform(1, 600))
        if chance.random() < 0.5:
            runner = daemons.start()
        daemons.tick(runner)
    days = expected_days(zone, time(2, 30), begin, clock.now)
    assert [p.key for job, p, _ in daemons.ran if job == "flag-underused"] == list(days)
    hours = int((clock.now - begin - 5 * MINUTE) / HOUR)
    assert sum(job == "record-usage" for job, _, _ in daemons.ran) == hours + 1
    database.close()


def one_job(runs: Runs) -> Daemons:
    return Daemons({"job": Daily(time(8), ZoneInfo("UTC"))}, runs)


def to_the_next(daemons: Daemons) -> None:
    """The clock to just after the next 08:00."""
    now = daemons.clock.now
    eight = now.replace(hour=8, minute=0, second=0, microsecond=0)
    daemons.clock.now = eight + (DAY if now >= eight else timedelta(0))


def test_a_job_that_was_never_known_begins_now(runs: Runs) -> None:
    daemons = one_job(runs)
    daemons.tick(daemons.start())
    assert daemons.ran == []
    to_the_next(daemons)
    daemons.tick(daemons.start())
    assert [p.key for _, p, _ in daemons.ran] == ["2026-01-02"]


def test_a_failed_try_is_repeated_with_growing_waits_and_then_reported(runs: Runs) -> None:
    daemons = one_job(runs)
    runner = daemons.start()
    daemons.tick(runner)
    to_the_next(daemons)
    begun, tries = daemons.clock.now, []

    def fail(job: str, turn: Turn) -> None:
        if turn.period.key == "2026-01-02":
            tries.append(daemons.clock.now - begun)
            raise GpuThriftError("Prometheus is away")

    daemons.doing = fail
    while daemons.clock.now < begun + 2 * DAY:
        daemons.tick(runner)
        daemons.clock.now += MINUTE
    minutes = [one / MINUTE for one in tries]
    assert minutes[:6] == [0, 1, 2, 4, 8, 16]
    waits = [b - a for a, b in pairwise(minutes)]
    assert max(waits) <= 61
    assert minutes[-1] < 24 * 60
    run = runs.known("job", begun - DAY)["2026-01-02"]
    assert (run.outcome, run.detail) == ("failed", "Prometheus is away")
    assert [p.key for _, p, _ in daemons.ran] == ["2026-01-03"]


def test_one_that_fails_holds_up_no_later_one(runs: Runs) -> None:
    daemons = one_job(runs)
    daemons.tick(daemons.start())
    daemons.clock.now += 5 * DAY

    def fail(job: str, turn: Turn) -> None:
        if turn.period.key == "2026-01-03":
            raise ValueError("nobody foresaw this")

    daemons.doing = fail
    daemons.tick(daemons.start())
    done = [p.key for _, p, _ in daemons.ran]
    assert done == ["2026-01-02", "2026-01-04", "2026-01-05", "2026-01-06"]
    daemons.doing = lambda job, turn: None
    daemons.clock.now += MINUTE
    daemons.tick(daemons.start())
    assert [p.key for _, p, _ in daemons.ran][-1] == "2026-01-03"
    assert daemons.seen.errors == ["nobody foresaw this"]


def test_what_a_killed_process_left_is_taken_over(runs: Runs) -> None:
    daemons = one_job(runs)
    daemons.tick(daemons.start())
    to_the_next(daemons)
    due = daemons.clock.now
    runs.claim(Claim("job", "2026-01-02", due, "killed", "run-1"), due)
    daemons.clock.now += MINUTE
    daemons.tick(daemons.start())
    assert [p.key for _, p, _ in daemons.ran] == ["2026-01-02"]
    assert runs.latest(["job"])["job"].attempts == 2


def test_who_was_away_does_not_end_what_another_tries(runs: Runs) -> None:
    now = START
    runs.settled("job", now)
    claim = Claim("job", "p", now, "one", "run-1")
    one = runs.claim(claim, now)
    other = runs.claim(Claim("job", "p", now, "other", "run-2"), now)
    assert one is not None
    assert other is not None
    runs.finish(one, "failed", "came back late", now)
    assert runs.latest(["job"])["job"].outcome == ""
    runs.finish(other, "done", "", now)
    assert runs.claim(claim, now) is None


@pytest.mark.parametrize("error", [Stopped("shutdown"), NotLeader("lost")])
def test_an_interrupted_try_is_left_open(runs: Runs, error: Exception) -> None:
    daemons = one_job(runs)
    runner = daemons.start()
    daemons.tick(runner)
    to_the_next(daemons)

    def interrupted(job: str, turn: Turn) -> None:
        raise error

    daemons.doing = interrupted
    daemons.tick(runner)
    assert (daemons.ran, daemons.seen.ends) == ([], [("job", "interrupted")])
    daemons.doing = lambda job, turn: None
    daemons.tick(daemons.start())
    assert len(daemons.ran) == 1


def test_a_follower_does_nothing(runs: Runs) -> None:
    daemons = one_job(runs)
    runner = daemons.start()
    daemons.tick(runner)
    daemons.clock.now += 3 * DAY
    daemons.lead.leads = False
    daemons.tick(runner)
    assert daemons.ran == []
    daemons.lead.leads = True
    daemons.tick(runner)
    assert len(daemons.ran) == 3


def test_leadership_lost_between_two_periods_stops_there(runs: Runs) -> None:
    daemons = one_job(runs)
    runner = daemons.start()
    daemons.tick(runner)
    daemons.clock.now += 5 * DAY

    def lose(job: str, turn: Turn) -> None:
        daemons.lead.leads = False

    daemons.doing = lose
    daemons.tick(runner)
    assert len(daemons.ran) == 1


def test_what_is_too_long_ago_is_given_up_and_said(
    runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    daemons = one_job(runs)
    daemons.tick(daemons.start())
    daemons.clock.now += 30 * DAY
    daemons.tick(daemons.start())
    assert len(daemons.ran) == 14
    assert "16 runs are too long ago" in caplog.text


def test_an_end_that_the_ledger_was_not_told_is_told_later() -> None:
    runs = MemoryRuns()
    daemons = one_job(runs)
    runner = daemons.start()
    daemons.tick(runner)
    to_the_next(daemons)

    def lose(job: str, turn: Turn) -> None:
        runs.away = True

    daemons.doing = lose
    daemons.tick(runner)
    assert len(daemons.ran) == 1
    for _ in range(3):
        daemons.clock.now += MINUTE
        daemons.tick(runner)
    runs.away = False
    daemons.clock.now += MINUTE
    daemons.tick(runner)
    daemons.tick(daemons.start())
    assert len(daemons.ran) == 1
    assert runs.latest(["job"])["job"].outcome == "done"


def test_without_the_ledger_what_is_about_now_runs_and_the_rest_waits() -> None:
    runs = MemoryRuns()
    cadences = {"sleep": EveryMinute(), "job": Hourly()}
    daemons = Daemons(cadences, runs, ("sleep",))
    runner = daemons.start()
    daemons.tick(runner)
    runs.away = True
    for _ in range(90):
        daemons.clock.now += MINUTE
        daemons.tick(runner)
    counted = Counter(job for job, _, _ in daemons.ran)
    assert counted == {"sleep": 91}
    runs.away = False
    daemons.tick(runner)
    assert Counter(job for job, _, _ in daemons.ran)["job"] == 2


def test_a_failure_of_every_minute_is_said_once_and_again_after_it_was_well(
    runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    daemons = Daemons({"sleep": EveryMinute()}, runs, ("sleep",))
    runner = daemons.start()

    def fail(job: str, turn: Turn) -> None:
        raise GpuThriftError("the API server is away")

    for doing in (fail, fail, fail, lambda job, turn: None, fail):
        daemons.doing = doing
        daemons.tick(runner)
        daemons.clock.now += MINUTE
    assert caplog.text.count("the API server is away") == 2
    assert len(daemons.seen.errors) == 4


def test_a_minute_that_ran_runs_not_again_after_a_restart(runs: Runs) -> None:
    daemons = Daemons({"sleep": EveryMinute()}, runs, ("sleep",))
    for _ in range(3):
        daemons.tick(daemons.start())
    assert len(daemons.ran) == 1


def test_a_job_moved_to_a_later_time_does_not_run_twice_that_day(runs: Runs) -> None:
    daemons = one_job(runs)
    daemons.tick(daemons.start())
    to_the_next(daemons)
    daemons.tick(daemons.start())
    daemons.cadences = {"job": Daily(time(10), ZoneInfo("UTC"))}
    daemons.clock.now += 3 * HOUR
    daemons.tick(daemons.start())
    daemons.clock.now += DAY
    daemons.tick(daemons.start())
    assert [p.key for _, p, _ in daemons.ran] == ["2026-01-02", "2026-01-03"]


def test_an_older_ledger_gets_the_new_tables(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    older: Database = open_database(url)
    with older.writing() as connection:
        for table in ("runs", "jobs", "usage", "flags", "notices", "pictures"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
        connection.exec_driver_sql("UPDATE schema_version SET version = 1")
    older.close()
    newer = open_database(url)
    assert SqlRuns(newer).settled("job", START) == START
    newer.close()
