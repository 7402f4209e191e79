"""The ledger, on SQLite and on a real Postgres."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from analyzer.model import WorkloadKey
from analyzer.sleep.limits import Census
from analyzer.sleep.model import Hold, Memory, NotDone
from jobs.ledger.errors import LedgerError
from jobs.ledger.ledger import SqlLedger, open_ledger
from jobs.ledger.model import Change, Outcome, Waited
from jobs.ledger.scoped import ClusterLedger
from tests.postgres import Postgres

NOW = datetime(2026, 11, 24, 21, 0, 0, 123456, tzinfo=UTC)
KEY = WorkloadKey("c", "ml", "Deployment", "chat")
MEMORY = Memory(4, NOW, "schedule", NOW + timedelta(hours=11), 0)


@pytest.fixture
def ledger(url: str) -> Iterator[SqlLedger]:
    opened = open_ledger(url)
    yield opened
    opened.close()


def sleep(uid: str = "u1", **more: Any) -> Change:
    values: dict[str, Any] = {"memory": MEMORY, "gpus": 4.0, "usd_per_hour": 8.0, "nodes": ("n1",)}
    values |= {"from_": 4, "to": 0} | more
    return Change(KEY, uid, "sleep", "schedule", "outside-window: x", at=NOW, **values)


def wake(uid: str = "u1", at: datetime = NOW) -> Change:
    return Change(KEY, uid, "wake", "schedule", "window: x", 0, 4, at, memory=MEMORY)


def done(ledger: SqlLedger, change: Change, at: datetime = NOW, result: str = "done") -> int:
    [id_] = ledger.begin([change])
    ledger.finish([Outcome(id_, at, result)])
    return id_


def test_a_sleep_is_remembered_until_it_is_woken(ledger: SqlLedger) -> None:
    [id_] = ledger.begin([sleep()])
    state = ledger.tick_state("c", NOW)
    assert [change.id for change in state.unfinished] == [id_]
    assert state.open["u1"].memory == MEMORY
    ledger.finish([Outcome(id_, NOW, "done")])
    ledger.finish([Outcome(id_, NOW, "failed", "too late")])
    state = ledger.tick_state("c", NOW)
    assert not state.unfinished
    row = state.open["u1"]
    assert (row.key, row.gpus, row.usd_per_hour, row.nodes) == (KEY, 4.0, 8.0, ("n1",))
    assert ledger.tick_state("other", NOW).open == {}
    morning = NOW + timedelta(hours=11)
    done(ledger, wake(at=morning), morning)
    state = ledger.tick_state("c", morning)
    assert state.open == {}
    [waiting] = state.waiting
    assert waiting.woken_at == morning
    ready = morning + timedelta(seconds=90)
    ledger.waited("c", [Waited("u1", ready_at=ready, until=ready)])
    state = ledger.tick_state("c", morning)
    assert not state.waiting
    assert state.ready_times == {KEY: [90.0]}
    [slept] = ledger.slept("c", NOW - timedelta(days=7))
    assert (slept.since, slept.until, slept.gpus) == (NOW, morning, 4.0)
    actions = [(one.action, one.outcome) for one in ledger.history("c", KEY)]
    assert actions == [("wake", "done"), ("sleep", "done")]


def test_a_memory_is_never_overwritten_while_asleep(ledger: SqlLedger) -> None:
    done(ledger, sleep())
    later = replace(MEMORY, before=1, by="person alice", wake_at=NOW + timedelta(days=2))
    done(ledger, sleep(memory=later))
    memory = ledger.tick_state("c", NOW).open["u1"].memory
    assert (memory.before, memory.by) == (4, "person alice")
    assert memory.wake_at == NOW + timedelta(days=2)
    done(ledger, sleep(memory=replace(MEMORY, before=7), replace_memory=True))
    assert ledger.tick_state("c", NOW).open["u1"].memory.before == 7


@pytest.mark.parametrize("result", ["failed", "skipped"])
def test_a_sleep_that_was_not_done_leaves_no_memory(ledger: SqlLedger, result: str) -> None:
    done(ledger, sleep(), result=result)
    assert ledger.tick_state("c", NOW).open == {}
    assert ledger.slept("c", NOW - timedelta(days=1)) == []
    # But one that goes on is not ended by a later try that failed.
    done(ledger, sleep("u2"))
    done(ledger, sleep("u2"), result=result)
    assert "u2" in ledger.tick_state("c", NOW).open


def test_what_else_is_kept(ledger: SqlLedger) -> None:
    until = NOW + timedelta(hours=1)
    ledger.begin([sleep(hold=Hold("u1", until, "person"))])
    ledger.begin([sleep("u2", hold=Hold("u2", NOW, "person"))])
    ledger.begin([sleep(reverted=True), sleep("u3", reverted=True)])
    # A try counts from when it is begun: a crash after it does not make room for another.
    reverts = {uid: row.reverts for uid, row in ledger.tick_state("c", NOW).open.items()}
    assert reverts == {"u1": 1, "u2": 0, "u3": 1}
    assert ledger.tick_state("c", NOW).holds == {"u1": Hold("u1", until, "person")}
    ledger.begin([sleep(hold=Hold("u1", until, "reverted"))])
    assert ledger.tick_state("c", NOW).holds["u1"].reason == "reverted"
    census = {"/apis/apps/v1/deployments": Census(7, 3), "other": Census(1, 0)}
    ledger.set_baseline("c", census, NOW)
    ledger.set_baseline("c", {"other": Census(2, 1)}, NOW)
    assert ledger.tick_state("c", NOW).baseline == census | {"other": Census(2, 1)}
    state = ledger.tick_state("c", until)
    assert state.looked_at == NOW
    ledger.close_sleeps("c", ["u1"], "gone", until)
    ledger.close_sleeps("c", ["u2", "unknown"], "left-awake", until)
    assert set(ledger.tick_state("c", NOW).open) == {"u3"}
    done(ledger, sleep("u3"))
    done(ledger, wake("u3"))
    ledger.waited("c", [Waited("u3", cause="Unschedulable: no GPU")])
    [late] = ledger.tick_state("c", NOW).waiting
    assert late.cause == "Unschedulable: no GPU"
    ledger.waited("c", [Waited("u3", until=until)])
    assert not ledger.tick_state("c", NOW).waiting
    assert "Unschedulable: no GPU" in {one.cause for one in ledger.slept("c", NOW - timedelta(1))}
    assert ledger.scopes() == {"c"}
    unfinished = {one.id for one in ledger.tick_state("c", NOW).unfinished}
    ledger.prune("other", NOW + timedelta(days=1))
    assert len(ledger.history("c")) > len(unfinished)
    ledger.prune("c", NOW + timedelta(days=1))
    assert {one.id for one in ledger.history("c")} == unfinished
    assert ledger.slept("c", NOW - timedelta(days=1)) == []


SETTINGS = st.none() | st.booleans() | st.integers(0, 2**31 - 1) | st.text(max_size=40)
NAMES = st.text(min_size=1, max_size=300)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(before=SETTINGS, name=NAMES, by=st.text(max_size=50), microsecond=st.integers(0, 999_999))
def test_any_setting_and_name_come_back_as_they_were(
    ledger: SqlLedger, before: Any, name: str, by: str, microsecond: int
) -> None:
    name = name.replace("\x00", "").encode("utf-8", "replace").decode() or "x"
    by = by.replace("\x00", "").encode("utf-8", "replace").decode()
    uid = uuid.uuid4().hex
    memory = Memory(before, NOW.replace(microsecond=microsecond), by, None, True)
    key = WorkloadKey("c", "ml", "Deployment", name)
    [id_] = ledger.begin([replace(sleep(uid, memory=memory), key=key, from_=before)])
    row = ledger.tick_state("c", NOW).open[uid]
    assert (row.memory, row.key) == (memory, key)
    assert type(row.memory.before) is type(before)
    [change] = ledger.history("c", key, 1)
    assert (change.id, change.memory) == (id_, memory)


def test_many_at_once(ledger: SqlLedger) -> None:
    ids = ledger.begin([sleep(f"u{n}") for n in range(1200)])
    assert len(set(ids)) == 1200
    with ThreadPoolExecutor(4) as pool:
        for part in range(4):
            pool.submit(ledger.finish, [Outcome(id_, NOW, "done") for id_ in ids[part::4]])
    state = ledger.tick_state("c", NOW)
    assert (len(state.open), len(state.unfinished)) == (1200, 0)


def run(code: str, url: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, url],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


OPEN = "import sys; from jobs.ledger.ledger import open_ledger; ledger = open_ledger(sys.argv[1])"


def test_two_processes_make_the_tables_once(url: str) -> None:
    running = [run(OPEN, url) for _ in range(3)]
    for one in running:
        _, said = one.communicate(timeout=60)
        assert one.returncode == 0, said
    open_ledger(url).close()


def test_a_process_that_is_killed_leaves_its_intents(url: str) -> None:
    code = f"""{OPEN}
from tests.jobs.ledger.test_ledger import sleep
ledger.begin([sleep("u1"), sleep("u2")])
print("begun", flush=True)
import time; time.sleep(60)
"""
    process = run(code, url)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    ledger = open_ledger(url)
    state = ledger.tick_state("c", NOW)
    assert {change.uid for change in state.unfinished} == {"u1", "u2"}
    assert state.open["u1"].memory == MEMORY
    ledger.close()


def test_a_database_that_goes_away_is_told_and_found_again(server: Postgres) -> None:
    ledger = open_ledger(server.create(f"t{uuid.uuid4().hex}"))
    done(ledger, sleep())
    server.stop()
    try:
        with pytest.raises(LedgerError) as lost:
            ledger.tick_state("c", NOW)
        assert "secret-word" not in str(lost.value)
        assert "\n" not in str(lost.value)
    finally:
        server.start()
    assert "u1" in ledger.tick_state("c", NOW).open
    ledger.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:secret-word@127.0.0.1:9/none",
        "mysql://me:secret-word@127.0.0.1/none",
        "postgresql://me:secret-word@:port:/none",
        "sqlite:////proc/nowhere/ledger.db",
    ],
)
def test_what_cannot_be_opened_is_one_line_without_its_password(url: str) -> None:
    with pytest.raises(LedgerError) as refused:
        open_ledger(url)
    assert "secret-word" not in str(refused.value)
    assert str(refused.value).isprintable()


def test_a_newer_ledger_is_refused(url: str) -> None:
    ledger = open_ledger(url)
    with ledger._database._engine.begin() as connection:
        connection.execute(text("UPDATE schema_version SET version = 99"))
    ledger.close()
    with pytest.raises(LedgerError, match="99"):
        open_ledger(url)


def test_a_full_disk_and_a_broken_file_are_told(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger = open_ledger(f"sqlite:///{path}")
    assert path.stat().st_mode & 0o077 == 0
    with ledger._database._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
        with pytest.raises(LedgerError, match="full"):
            ledger.begin([sleep(f"u{n}") for n in range(5000)])
    ledger.close()


def damaged(path: Path, how: str) -> None:
    """A ledger with a sleep in it whose file was spoilt."""
    ledger = open_ledger(f"sqlite:///{path}")
    done(ledger, sleep())
    ledger.begin([sleep(f"u{n}") for n in range(300)])
    ledger.close()
    if how == "no database":
        for file in path.parent.glob("ledger.db*"):
            file.unlink()
        path.write_bytes(b"this is no database" * 100)
        return
    content = bytearray(path.read_bytes())
    content[4096:-4096] = os.urandom(len(content) - 8192)
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["no database", "pages"])
def test_a_damaged_file_is_kept_aside_and_a_new_one_begun(
    tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "ledger.db"
    damaged(path, how)
    spoilt = path.read_bytes()
    ledger = open_ledger(f"sqlite:///{path}")
    assert ledger.tick_state("c", NOW).open == {}
    done(ledger, sleep())
    ledger.close()
    [kept] = tmp_path.glob("ledger.db.damaged-*")
    assert kept.read_bytes() == spoilt
    [said] = [record.getMessage() for record in caplog.records]
    assert str(kept) in said
    assert said.isprintable()
    # The next one finds a good file, and leaves it.
    again = open_ledger(f"sqlite:///{path}")
    assert "u1" in again.tick_state("c", NOW).open
    again.close()


def test_a_file_that_is_damaged_while_it_is_open_says_so(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger = open_ledger(f"sqlite:///{path}")
    assert not ledger.is_damaged
    ledger.begin([sleep(f"u{n}") for n in range(300)])
    ledger.close()
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(LedgerError):
        ledger.tick_state("c", NOW)
    assert ledger.is_damaged
    assert not open_ledger(f"sqlite:///{path}").is_damaged


def test_two_clusters_of_one_name_are_kept_apart(ledger: SqlLedger) -> None:
    one, other = (ClusterLedger.of(ledger, "c", uid) for uid in ("uid-1", "uid-2"))
    one.begin([sleep()])
    assert one.tick_state(NOW).open["u1"].key == KEY
    assert other.tick_state(NOW).open == {}
    # Who may not ask which cluster it is means the only one of that name.
    assert "u1" in ClusterLedger.of(ledger, "c", "").tick_state(NOW).open
    other.begin([sleep()])
    assert ClusterLedger.of(ledger, "c", "").tick_state(NOW).open == {}


def test_of_two_sleeps_begun_at_once_the_one_that_was_done_is_remembered(
    ledger: SqlLedger,
) -> None:
    # Each process writes its intent; the patch of the first goes through, the other's does not.
    mine, theirs = replace(MEMORY, before=4), replace(MEMORY, before=5, by="person bob")
    for first in (True, False):
        uid = f"u{first}"
        [one] = ledger.begin([sleep(uid, memory=mine, replace_memory=True)])
        [other] = ledger.begin([sleep(uid, memory=theirs, replace_memory=True)])
        both = [Outcome(one, NOW, "done"), Outcome(other, NOW, "skipped")]
        for outcome in both if first else reversed(both):
            ledger.finish([outcome])
        assert ledger.tick_state("c", NOW).open[uid].memory == mine
    # Once it is woken, an outcome that comes late opens nothing.
    [late] = ledger.begin([sleep("u9", replace_memory=True)])
    done(ledger, wake("u9"))
    ledger.finish([Outcome(late, NOW, "done")])
    assert "u9" not in ledger.tick_state("c", NOW).open
    # An intent of the same run that a later one took the place of ends nothing.
    [early] = ledger.begin([sleep("u8")])
    done(ledger, sleep("u8"))
    ledger.finish([Outcome(early, NOW, "superseded")])
    assert "u8" in ledger.tick_state("c", NOW).open


def test_only_the_latest_sleep_is_waited_for(ledger: SqlLedger) -> None:
    for day in range(2):
        done(ledger, sleep(), NOW + timedelta(days=day))
        done(ledger, wake(at=NOW + timedelta(days=day)), NOW + timedelta(days=day))
    at = NOW + timedelta(days=1, minutes=5)
    [waiting] = ledger.tick_state("c", at).waiting
    assert waiting.woken_at == NOW + timedelta(days=1)
    ledger.waited("c", [Waited("u1", ready_at=at, until=at)])
    state = ledger.tick_state("c", at)
    assert (state.waiting, state.ready_times) == ([], {KEY: [300.0]})


def test_the_latest_times_to_ready_are_enough(ledger: SqlLedger) -> None:
    for day in range(25):
        morning = NOW + timedelta(days=day)
        done(ledger, sleep(), morning)
        done(ledger, wake(at=morning), morning)
        ready = morning + timedelta(seconds=day)
        ledger.waited("c", [Waited("u1", ready_at=ready, until=ready)])
    [times] = ledger.tick_state("c", NOW + timedelta(days=26)).ready_times.values()
    assert sorted(times) == [float(day) for day in range(5, 25)]


def test_processes_that_write_at_once_do_not_stumble(url: str) -> None:
    code = f"""{OPEN}
from analyzer.sleep.limits import Census
from analyzer.sleep.model import Hold
from tests.jobs.ledger.test_ledger import NOW, sleep
for n in range(40):
    ledger.begin([sleep("u1", hold=Hold("u1", NOW, "person"))])
    ledger.set_baseline("c", {{"s": Census(n, 0)}}, NOW)
"""
    open_ledger(url).close()
    running = [run(code, url) for _ in range(3)]
    for one in running:
        _, said = one.communicate(timeout=60)
        assert one.returncode == 0, said


def test_many_may_open_a_new_one_at_the_same_time(server: Postgres, tmp_path: Path) -> None:
    for round_ in range(12):
        for url in (
            f"sqlite:///{tmp_path / str(round_) / 'ledger.db'}",
            server.create(f"t{uuid.uuid4().hex}"),
        ):
            together = threading.Barrier(4)

            def open_it(url: str = url, together: threading.Barrier = together) -> frozenset[str]:
                together.wait()
                ledger = open_ledger(url)
                found = ledger.scopes()
                ledger.close()
                return found

            with ThreadPoolExecutor(4) as pool:
                opened = [pool.submit(open_it) for _ in range(4)]
            assert [one.result() for one in opened] == [frozenset()] * 4


def test_changes_that_came_to_nothing_are_told_in_order(ledger: SqlLedger) -> None:
    def undone(uid: str, minutes: int, result: str, scope: str = "c") -> None:
        at = NOW + timedelta(minutes=minutes)
        key = replace(KEY, cluster=scope, name=uid)
        [id_] = ledger.begin([replace(sleep(uid), key=key, at=at)])
        if result:
            ledger.finish([Outcome(id_, NOW + timedelta(hours=9), result, f"why {uid}")])

    for uid, minutes, result in (
        ("before", -1, "failed"),
        ("first", 0, "skipped"),
        ("done", 1, "done"),
        ("later", 2, "superseded"),
        ("open", 3, ""),
        ("last", 59, "failed"),
        ("after", 60, "failed"),
    ):
        undone(uid, minutes, result)
    undone("other", 5, "failed", "other")
    found = ledger.not_done("c", NOW, NOW + timedelta(hours=1))
    assert found == [
        NotDone(replace(KEY, name="first"), NOW, "sleep", "skipped", "why first"),
        NotDone(
            replace(KEY, name="last"), NOW + timedelta(minutes=59), "sleep", "failed", "why last"
        ),
    ]


def test_what_was_not_done_has_the_name_that_its_cluster_has(ledger: SqlLedger) -> None:
    mine, other = (ClusterLedger.of(ledger, "c", identity) for identity in ("a", "b"))
    [id_] = mine.begin([sleep()])
    mine.finish([Outcome(id_, NOW, "failed", "no")])
    [found] = mine.not_done(NOW, NOW + timedelta(seconds=1))
    assert found.key == KEY
    assert other.not_done(NOW, NOW + timedelta(seconds=1)) == []
    mine.set_baseline({"ml": Census(3, 1)}, NOW)
    # Who may not ask which one it is finds the only one.
    assert ClusterLedger.of(ledger, "c", "").not_done(NOW, NOW + timedelta(hours=1)) == [found]
