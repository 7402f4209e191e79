"""The check of the morning, on SQLite and on a real Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from analyzer.model import WorkloadKey
from analyzer.sleep.limits import Census
from analyzer.sleep.model import Memory
from analyzer.sleep.morning import Attention
from jobs.daemon.tasks.morning import Watched, run_once
from jobs.ledger.database import Database, open_database
from jobs.ledger.errors import LedgerError
from jobs.ledger.ledger import SqlLedger
from jobs.ledger.model import Change, Outcome, Waited
from jobs.ledger.notices import SqlNotices
from jobs.ledger.scoped import ClusterLedger
from jobs.periods import Period

END = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
NIGHT, WOKEN = END - 13 * HOUR, END - 2 * HOUR
PERIOD = Period("2026-11-24", END - DAY, END, END, DAY)
MAIN = Watched({"main": "1"}, 30 * MINUTE, "#gpus")
MEMORY = Memory(4, NIGHT, "schedule", WOKEN, 0)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = open_database(url)
    yield opened
    opened.close()


@pytest.fixture
def ledger(database: Database) -> ClusterLedger:
    return ClusterLedger.of(SqlLedger(database), "main", "1")


def change(name: str, action: str, at: datetime, memory: Memory = MEMORY) -> Change:
    key = WorkloadKey("main", "ml", "Deployment", name)
    return Change(key, name, action, "schedule", "x", 4, 0, at, memory=memory, gpus=4.0)


def done(ledger: ClusterLedger, change: Change, result: str = "done", detail: str = "") -> None:
    [id_] = ledger.begin([change])
    ledger.finish([Outcome(id_, change.at, result, detail)])


def sleeps_and_wakes(ledger: ClusterLedger, *names: str) -> None:
    for name in names:
        done(ledger, change(name, "sleep", NIGHT))
        done(ledger, change(name, "wake", WOKEN))


def check(database: Database, now: datetime = END, watched: Watched = MAIN) -> list[str]:
    """The keys of what waits to be posted after a check."""
    run_once(PERIOD, database, watched, None, now)
    return [one.key for one in SqlNotices(database).waiting(now)]


def test_a_morning_on_which_all_is_well_is_not_told(
    database: Database, ledger: ClusterLedger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    sleeps_and_wakes(ledger, "a", "b")
    ready = WOKEN + 5 * MINUTE
    ledger.waited([Waited(uid, ready_at=ready, until=ready) for uid in ("a", "b")])
    done(ledger, change("c", "sleep", NIGHT, Memory(4, NIGHT, "person ann", None, 0)))
    found = run_once(PERIOD, database, MAIN, Attention(), END)
    assert found is not None
    assert (found.slept, found.woken, found.is_well) == (3, 2, True)
    assert SqlNotices(database).unsent() == 0
    assert [one.levelname for one in caplog.records if one.name == "gpu_thrift.morning"] == ["INFO"]


def test_what_the_ledger_knows_is_told_once(database: Database, ledger: ClusterLedger) -> None:
    sleeps_and_wakes(ledger, "crashes", "slow", "given-up")
    late = WOKEN + HOUR
    ledger.waited([Waited("crashes", cause="CrashLoopBackOff: vllm")])
    ledger.waited([Waited("slow", cause="ImagePullBackOff: vllm")])
    ledger.waited([Waited("slow", ready_at=late, until=late)])
    ledger.waited([Waited("given-up", cause="OOMKilled: vllm")])
    ledger.waited([Waited("given-up", until=END - MINUTE)])
    done(ledger, change("sleeper", "sleep", NIGHT))
    done(ledger, change("sleeper", "wake", WOKEN), "failed", "forbidden")
    for now in (END, END + HOUR):
        assert check(database, now) == ["morning-check 2026-11-24"]
    [notice] = SqlNotices(database).waiting(END)
    assert notice.channel == "#gpus"
    lines = notice.text.splitlines()
    assert lines[0].endswith(
        ": 2 not ready, 1 still asleep, 1 ready late, 1 not put to sleep or woken as decided"
    )
    assert "• ml/Deployment/crashes: woken 07:30, 120 minutes ago: CrashLoopBackOff: vllm" in lines
    assert (
        "• ml/Deployment/given-up: woken 07:30, was not seen to become ready: OOMKilled: vllm"
        in lines
    )
    assert "• ml/Deployment/slow: woken 07:30, ready 08:30: ImagePullBackOff: vllm" in lines
    assert "• ml/Deployment/sleeper: was due 07:30" in lines
    assert "• ml/Deployment/sleeper: wake failed 07:30: forbidden" in lines
    assert lines[-1].startswith("4 put to sleep and 3 woken in the 24 hours up to 2026-11-24 09:30")


def test_what_the_sleep_job_of_this_process_warns_of_is_told(database: Database) -> None:
    run_once(PERIOD, database, MAIN, Attention(("ml/x: contested",)), END)
    [notice] = SqlNotices(database).waiting(END)
    assert "• ml/x: contested" in notice.text


def test_without_a_channel_it_is_logged(
    database: Database, ledger: ClusterLedger, caplog: pytest.LogCaptureFixture
) -> None:
    sleeps_and_wakes(ledger, "a")
    assert check(database, watched=Watched({"main": "1"}, 30 * MINUTE)) == []
    assert "Woken, and not ready: ml/Deployment/a: woken 07:30" in caplog.text


def test_a_morning_that_is_long_over_is_not_made_up_for(
    database: Database, ledger: ClusterLedger
) -> None:
    sleeps_and_wakes(ledger, "a")
    assert check(database, END + DAY) == []
    assert check(database, END + DAY - MINUTE) == ["morning-check 2026-11-24"]


def test_another_cluster_of_the_same_name_is_not_looked_at(
    database: Database, ledger: ClusterLedger, caplog: pytest.LogCaptureFixture
) -> None:
    sleeps_and_wakes(ledger, "a")
    other = Watched({"main": "2"}, 30 * MINUTE, "#gpus")
    assert check(database, watched=other) == []
    # Nobody says which of the two it is.
    for identity in ("1", "2"):
        ClusterLedger.of(SqlLedger(database), "main", identity).set_baseline(
            {"/": Census(1, 0)}, END
        )
    unnamed = Watched({"main": ""}, 30 * MINUTE, "#gpus")
    assert check(database, watched=unnamed) == []
    assert "main: the ledger knows several clusters of this name" in caplog.text
    assert check(database) == ["morning-check 2026-11-24"]


def test_a_ledger_that_cannot_be_read_is_a_failure(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(text("DROP TABLE sleeps"))
    with pytest.raises(LedgerError):
        run_once(PERIOD, database, MAIN, None, END)
