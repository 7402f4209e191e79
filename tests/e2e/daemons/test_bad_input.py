"""What a daemon cannot begin with: one clear line, and the right exit code."""

from __future__ import annotations

import signal
import socket
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.e2e.daemons.clock import wait_until
from tests.e2e.daemons.world import Daemon, Sections, World, world
from tests.e2e.run import program
from tests.e2e.sleepers import DEPLOYMENT, make
from tests.fakes.kube import Attempt

NEVER = {"sleep": {"awake": "Sun 03:00-03:01"}}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, "http://127.0.0.1:9") as made:
        yield made


def ended(home: World, more: Sections | None = None, *args: str) -> tuple[int, str]:
    """Exit code and what was said, of the command as it is installed."""
    done = program("--config", home.config("bad", more), "run", *args)
    assert done.stdout == ""
    return done.returncode, done.stderr


def run(home: World, more: Sections | None = None) -> Daemon:
    main = [sys.executable, "-c", "from jobs.cli import main; main()"]
    return home.run([*main, "--config", str(home.config("cli", more)), "run"], "cli")


def one_line(said: str) -> str:
    [line] = said.splitlines()
    assert "gpu-thrift: error: " in line
    return line


def test_without_the_right_to_the_lease(home: World) -> None:
    def rule(attempt: Attempt) -> bool:
        return attempt.resource != "leases"

    home.standin.allow(rule)
    code, said = ended(home)
    assert code == 1
    assert "allow get, create and update of leases in namespace" in one_line(said)


def test_a_second_daemon_that_may_only_read_the_lease_says_so_once_it_would_act(
    home: World,
) -> None:
    first = run(home)
    wait_until(lambda: first.metric("gpu_thrift_leader") == 1, 30, first.said)
    home.standin.allow(lambda one: one.resource != "leases" or one.verb == "get")
    second = run(home)
    wait_until(lambda: second.get("/healthz").status_code == 200, 30, second.said)
    first.kill()
    wait_until(lambda: "leases" in second.get("/readyz").text, 30, second.said)
    assert second.get("/readyz").status_code == 503
    assert second.metric("gpu_thrift_leader") == 0


def test_a_state_path_that_cannot_be_written(home: World) -> None:
    (home.home / "file").write_text("")
    code, said = ended(home, {"ledger": {"file": home.home / "file" / "ledger.db"}})
    assert code == 1
    assert f"ledger {home.home}/file/ledger.db: cannot be opened" in one_line(said)


def test_a_folder_for_reports_that_cannot_be_written(home: World) -> None:
    (home.home / "file").write_text("")
    code, said = ended(home, {"web": {"reports": home.home / "file" / "reports"}})
    assert code == 1
    assert f"{home.home}/file/reports: reports cannot be written" in one_line(said)


def test_a_port_in_use(home: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = ended(home, {"web": {"port": port}})
    assert code == 1
    assert f"cannot listen on 127.0.0.1:{port}: the address is in use" in one_line(said)


def test_a_job_that_is_not_known(home: World) -> None:
    code, said = ended(home, None, "--once", "weekly")
    assert code == 2
    line = one_line(said)
    assert "'weekly' is not one of" in line
    assert "weekly-report" in line
    assert "run --help tells more" in line


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--dry-run",), "--dry-run is for one run: add --once JOB"),
        (("--cluster", "main"), "--cluster is for one run: add --once JOB"),
        (("--once", "weekly-report", "--dry-run"), "--dry-run is for --once sleep"),
        (("--once", "record-usage", "--cluster", "main"), "--cluster is for --once sleep"),
    ],
)
def test_an_option_that_would_be_passed_over(home: World, args: tuple[str, ...], told: str) -> None:
    code, said = ended(home, None, *args)
    assert code == 2
    assert told in one_line(said)


def test_a_configuration_that_cannot_be_read(home: World) -> None:
    code, said = ended(home, {"jobs": {"weekly_report": "someday"}})
    assert code == 2
    assert "[jobs] weekly_report" in one_line(said)


def test_a_corrupt_ledger_is_kept_aside_and_memory_comes_from_the_cluster(home: World) -> None:
    make(home.api, DEPLOYMENT, "lab", spec={"replicas": 3})
    daemon = run(home, NEVER)
    wait_until(lambda: home.replicas() == {"lab": 0}, 60, daemon.said)
    assert daemon.end() == 0
    for name in ("ledger.db-wal", "ledger.db-shm"):
        (home.home / name).unlink(missing_ok=True)
    rubbish = b"not a database at all" * 500
    (home.home / "ledger.db").write_bytes(rubbish)

    awake = f"{datetime.now(UTC):%a} 00:00-24:00"
    daemon = run(home, {"sleep": {"awake": awake}})
    wait_until(lambda: home.replicas() == {"lab": 3}, 60, daemon.said)
    assert daemon.end() == 0
    [aside] = home.home.glob("ledger.db.damaged-*")
    assert aside.read_bytes() == rubbish
    assert str(aside) in daemon.said()
    with sqlite3.connect(home.home / "ledger.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_ledger_that_becomes_corrupt_is_replaced_without_a_restart(home: World) -> None:
    make(home.api, DEPLOYMENT, "lab", spec={"replicas": 3})
    daemon = home.start("hurt", NEVER)
    wait_until(lambda: home.replicas() == {"lab": 0}, 60, daemon.said)
    path = home.home / "ledger.db"
    with closing(sqlite3.connect(path, timeout=20)) as connection:
        # What the daemon keeps in memory is no good after somebody else wrote.
        connection.execute("UPDATE jobs SET settled = settled")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xaa" * (path.stat().st_size - 4096))
    home.clock.set(home.clock(), 60)
    wait_until(lambda: bool(list(home.home.glob("ledger.db.damaged-*"))), 60, daemon.said)
    home.config("hurt", {"sleep": {"awake": "Mon-Sun 00:00-24:00"}})
    wait_until(lambda: home.replicas() == {"lab": 3}, 60, daemon.said)
    assert daemon.end() == 0


def test_a_ledger_that_somebody_moved_away_is_begun_anew(home: World) -> None:
    make(home.api, DEPLOYMENT, "lab", spec={"replicas": 3})
    daemon = home.start("moved", NEVER)
    wait_until(lambda: home.replicas() == {"lab": 0}, 60, daemon.said)
    file = home.home / "ledger.db"
    file.rename(home.home / "elsewhere.db")
    home.clock.set(home.clock(), 60)
    wait_until(file.exists, 60, daemon.said)
    home.config("moved", {"sleep": {"awake": "Mon-Sun 00:00-24:00"}})
    wait_until(lambda: home.replicas() == {"lab": 3}, 60, daemon.said)
    assert daemon.end() == 0
    with sqlite3.connect(file) as connection:
        found = connection.execute(
            "SELECT count(*) FROM sleeps WHERE closed_at IS NOT NULL"
        ).fetchone()
    assert found == (1,)


def test_postgres_may_be_away_at_the_start(home: World) -> None:
    secret = home.home / "database"
    secret.write_text("postgresql://me:very-secret@127.0.0.1:9/none")
    make(home.api, DEPLOYMENT, "lab", spec={"replicas": 3})
    del home.sections["ledger"]
    daemon = run(home, {**NEVER, "ledger": {"url_file": secret}})
    wait_until(lambda: daemon.get("/readyz").status_code == 503, 60, daemon.said)
    assert "begins without the ledger" in daemon.said()
    assert "very-secret" not in daemon.said() + daemon.get("/").text
    # Without a ledger nothing is put to sleep.
    assert home.replicas() == {"lab": 3}
    assert daemon.end(signal.SIGINT) == 0
