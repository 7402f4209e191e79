"""What the ledger knows of a week and of those before it, and what it does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from analyzer.advice import Saving
from analyzer.config import Config
from analyzer.followed import Followed
from analyzer.history import Unused, UsedBy, UsedHour
from analyzer.model import WorkloadKey
from analyzer.sleep.limits import Census
from analyzer.sleep.model import Memory
from jobs.ledger.advice import SqlAdvice
from jobs.ledger.database import Database, open_database
from jobs.ledger.ledger import SqlLedger
from jobs.ledger.model import Change, Outcome
from jobs.ledger.usage import SqlUsage
from jobs.periods import Period, week
from jobs.weekly.past import past_of, unknown
from reports.digest import Past
from tests import builders as make
from tests.builders import NOW, key

HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
BEGIN = NOW - WEEK
PERIOD = Period("2026-W47", BEGIN, NOW, NOW + 9 * HOUR, WEEK)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield opened
    opened.close()


def past(
    database: Database,
    *teams: str,
    clusters: tuple[str, ...] = ("main",),
    failed: dict[str, str] | None = None,
    period: Period = PERIOD,
    zone: str = "UTC",
) -> Past:
    config = replace(Config(), jobs=replace(Config().jobs, timezone=zone))
    analysis = make.analysis(clusters=clusters, failed=failed or {})
    return past_of(database, period, analysis, config)(teams)


def used(team: str = "chat", usd: float = 10.0) -> UsedBy:
    return UsedBy(key(), "production", team, None, "L4", 8.0, 8.0, 4.0, usd, usd / 2)


def record(
    database: Database,
    begin: datetime,
    hours: int,
    *by: UsedBy,
    cluster: str = "main",
) -> None:
    pools = (Unused("L4", 4.0, 2.0, 1.0),)
    made = [UsedHour(cluster, begin + n * HOUR, by or (used(),), pools) for n in range(hours)]
    SqlUsage(database).record(made)


def sleep(
    database: Database,
    begin: datetime,
    end: datetime | None,
    scope: str = "main",
    name: str = "dev",
    result: str = "done",
) -> None:
    """A sleep as the daemon writes it down, under what the ledger calls the cluster."""
    ledger = SqlLedger(database)
    of = WorkloadKey(scope, "ml", "Deployment", name)
    memory = Memory(4, begin, "schedule", None, 0)
    why = Change(of, f"u-{name}", "sleep", "schedule", "x", 4, 0, begin, memory=memory, gpus=4.0)
    [id_] = ledger.begin([why])
    ledger.finish([Outcome(id_, begin, result, "busy" if result != "done" else "")])
    if end is not None:
        woken = Change(of, f"u-{name}", "wake", "schedule", "x", 0, 4, end, memory=memory)
        [id_] = ledger.begin([woken])
        ledger.finish([Outcome(id_, end, "done")])


def know(database: Database, *scopes: str) -> None:
    for scope in scopes:
        SqlLedger(database).set_baseline(scope, {"ml": Census(3, 1)}, BEGIN)


def test_an_empty_ledger_knows_of_four_weeks_without_a_record(database: Database) -> None:
    found = past(database)
    assert [one.name for one in found.weeks] == ["2026-W43", "2026-W44", "2026-W45", "2026-W46"]
    assert {one.hours for one in found.weeks} == {0.0}
    assert found.weeks[-1].window.end == BEGIN
    assert (found.sleeps, found.not_done, found.followed, found.problems) == ((), (), (), ())


def test_each_hour_belongs_to_one_week(database: Database) -> None:
    record(database, BEGIN - 3 * WEEK, 3 * 168 + 50)
    found = past(database)
    assert [one.hours for one in found.weeks] == [0.0, 168.0, 168.0, 168.0]
    assert [one.total.cost_usd for one in found.weeks] == [0.0, 1680.0, 1680.0, 1680.0]
    assert found.weeks[-1].unallocated_gpu_hours == 336.0


def test_a_week_half_recorded_says_so(database: Database) -> None:
    record(database, BEGIN - WEEK + 84 * HOUR, 84)
    last = past(database).weeks[-1]
    assert (last.hours, last.recorded, last.is_whole) == (84.0, 0.5, False)


def test_teams_have_their_own_weeks(database: Database) -> None:
    record(database, BEGIN - WEEK, 168, used(), used("search", 3.0))
    found = past(database, "search").weeks[-1]
    assert (found.total.cost_usd, found.hours) == (504.0, 168.0)
    assert found.unallocated_gpu_hours is None
    assert past(database, "search", "chat").weeks[-1].total.cost_usd == 2184.0


def test_only_clusters_that_were_read_are_compared_with(database: Database) -> None:
    record(database, BEGIN - WEEK, 168)
    record(database, BEGIN - WEEK, 168, used(usd=99.0), cluster="west")
    both = past(database, clusters=("main", "west")).weeks[-1]
    assert (both.hours, both.of_hours, both.total.cost_usd) == (336.0, 336.0, 168 * 109.0)
    for clusters in (("main",), ("main", "west")):
        failed = {"west": "no answer"}
        found = past(database, clusters=clusters, failed=failed).weeks[-1]
        assert (found.hours, found.of_hours, found.total.cost_usd) == (168.0, 168.0, 1680.0)


@pytest.mark.parametrize(
    ("zone", "monday", "hours"),
    [
        ("Europe/Berlin", datetime(2026, 10, 26), 169),
        ("Europe/Berlin", datetime(2027, 3, 29), 167),
        ("Asia/Kolkata", datetime(2026, 11, 16), 168),
        ("Asia/Kathmandu", datetime(2026, 11, 16), 168),
    ],
)
def test_weeks_are_those_of_the_local_calendar(
    database: Database, zone: str, monday: datetime, hours: int
) -> None:
    begin, end = week(monday.date(), ZoneInfo(zone))
    period = Period("w", begin, end, end, WEEK)
    first = (begin - 2 * WEEK).replace(minute=0)
    record(database, first, 3 * 168)
    last = past(database, period=period, zone=zone).weeks[-1]
    assert (last.window.end, last.hours, last.of_hours) == (begin, hours, hours)
    assert last.total.cost_usd == hours * 10.0


def test_sleeps_are_those_that_touch_the_week(database: Database) -> None:
    know(database, "main#a")
    moments = {
        "before": (BEGIN - 9 * HOUR, BEGIN),
        "into": (BEGIN - HOUR, BEGIN + HOUR),
        "within": (BEGIN + 5 * HOUR, BEGIN + 9 * HOUR),
        "out-of": (NOW - HOUR, NOW + HOUR),
        "open": (NOW - 2 * HOUR, None),
        "after": (NOW, None),
    }
    for name, (begin, end) in moments.items():
        sleep(database, begin, end, "main#a", name)
    sleep(database, BEGIN + HOUR, None, "main#a", "never", result="failed")
    found = past(database)
    assert found.sleeps is not None
    shown = {one.key.name: (one.key.cluster, one.until) for one in found.sleeps}
    assert shown == {
        name: ("main", moments[name][1]) for name in ("into", "within", "out-of", "open")
    }
    [undone] = found.not_done
    assert (undone.key, undone.result, undone.detail) == (
        WorkloadKey("main", "ml", "Deployment", "never"),
        "failed",
        "busy",
    )


def test_of_several_clusters_of_one_name_nothing_is_told(database: Database) -> None:
    """It is not known which of them was read: that nothing slept would be a guess as well."""
    know(database, "main#a", "main#b", "mainland#c")
    sleep(database, BEGIN + HOUR, BEGIN + 2 * HOUR, "main#a")
    found = past(database)
    assert (found.sleeps, found.not_done) == (None, ())
    [problem] = found.problems
    assert "what slept in main is not told" in problem
    # Of another cluster it is.
    sleep(database, BEGIN + HOUR, BEGIN + 2 * HOUR, "mainland#c", "other")
    found = past(database, clusters=("main", "mainland"))
    assert found.sleeps is not None
    assert [str(one.key) for one in found.sleeps] == ["mainland/ml/Deployment/other"]
    assert len(found.problems) == 1


def test_a_cluster_whose_name_begins_like_another_is_another(database: Database) -> None:
    know(database, "main#a", "mainland#c")
    assert past(database).problems == ()


def test_where_no_cluster_was_read_no_sleep_is_told(database: Database) -> None:
    assert past(database, failed={"main": "no answer"}).sleeps is None


def test_followed_advice_is_that_of_clusters_that_were_read(database: Database) -> None:
    entries = [
        Followed(
            key(cluster=cluster),
            "remove",
            "2",
            "0",
            BEGIN,
            BEGIN,
            "new",
            BEGIN,
            Saving(1.0, None, None, None),
            plan=True,
        )
        for cluster in ("main", "west")
    ]
    SqlAdvice(database).set_entries(entries)
    found = past(database)
    assert found.followed is not None
    assert [one.key.cluster for one in found.followed] == ["main"]


@pytest.mark.parametrize("table", ["usage", "sleeps", "changes", "advice", "baselines"])
def test_a_ledger_that_cannot_be_read_is_a_problem_and_nothing_is_known(
    database: Database, table: str
) -> None:
    record(database, BEGIN - WEEK, 168)
    with database.writing() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO elsewhere")
    found = past(database)
    [problem] = found.problems
    assert problem.startswith("the ledger could not be read: ")
    assert found == unknown(problem)
    assert "\n" not in problem


def test_nothing_known_has_its_reason() -> None:
    found = unknown("there is none")
    assert (found.weeks, found.sleeps, found.followed) == ((), None, None)
    assert found.problems == ("there is none",)
