"""``gpu-thrift run --once JOB``: what the daemon would do, now, however often it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from jobs.ledger.database import open_database
from jobs.ledger.usage import SqlUsage
from tests.conftest import Engine
from tests.e2e.daemons.world import CHANNEL, MONDAY, REPORT, Sections, World, series, world
from tests.fakes.slack import Fault

FILES = ("report.html", "report.md", "report.json", "report.csv")
NOW = MONDAY + timedelta(hours=9, minutes=30)


@pytest.fixture(scope="module")
def metrics(prometheus: Engine) -> str:
    return prometheus(series())


@pytest.fixture
def home(tmp_path: Path, metrics: str) -> Iterator[World]:
    with world(tmp_path, metrics) as made:
        yield made


def once(home: World, job: str, more: Sections | None = None) -> tuple[int, str, str]:
    return home.command(("run", "--once", job), NOW, more)


def test_the_report_is_made_and_posted_once(home: World) -> None:
    known = f"{CHANNEL} was told of 2026-W47 already: nothing is posted twice"
    for rest in (["2 messages posted"], [known, "0 messages posted"]):
        code, said, errors = once(home, "weekly-report")
        assert code == 0, errors
        files = [line for line in said.splitlines() if line.startswith("/")]
        assert {Path(file).name for file in files} >= set(FILES)
        assert all(Path(file).is_file() for file in files)
        assert said.splitlines()[len(files) :] == rest
    assert home.slack.posted() == REPORT


def test_flags_are_told_once(home: World) -> None:
    code, said, errors = once(home, "flag-underused")
    assert (code, said) == (0, "2 changes of flags\n1 message posted\n"), errors
    code, said, errors = once(home, "flag-underused")
    assert (code, said) == (0, "0 changes of flags\n0 messages posted\n"), errors
    [key] = home.slack.posted()
    assert key.startswith("flag-underused 2026-11-23")


def test_usage_of_the_last_full_hour_is_recorded(home: World) -> None:
    code, said, errors = once(home, "record-usage")
    assert (code, said) == (0, "usage of 2026-11-23T08:00Z is recorded for 1 cluster\n"), errors
    database = open_database(f"sqlite:///{home.home / 'ledger.db'}")
    [hour] = SqlUsage(database).hours("main", MONDAY, NOW)
    database.close()
    assert hour.begin == MONDAY + timedelta(hours=8)


def test_without_a_channel_nothing_is_posted_and_that_is_said(home: World) -> None:
    code, said, _ = once(home, "flag-underused", {"slack": {"channel": ""}})
    assert code == 0
    assert "nothing is posted: neither channel nor webhook is configured under [slack]" in said
    assert home.slack.posted() == []


def test_what_cannot_be_posted_stays_for_later(home: World) -> None:
    home.slack.faults = lambda call: Fault("500")
    code, _, errors = once(home, "weekly-report")
    assert code == 4
    assert REPORT[0] in errors
    home.slack.faults = lambda call: None
    assert once(home, "weekly-report")[0] in (0, 4)


def by_webhook(home: World) -> Sections:
    (home.home / "webhook").write_text(home.slack.hook)
    return {"slack": {"channel": "", "token_file": "", "webhook_file": home.home / "webhook"}}


def test_a_webhook_gets_the_report_once(home: World) -> None:
    for posted in ("1 message posted", "0 messages posted"):
        code, said, errors = once(home, "weekly-report", by_webhook(home))
        assert code == 0, errors
        assert said.splitlines()[-1] == posted
    assert len(home.slack.messages) == 1


def test_a_webhook_that_may_have_it_is_not_asked_twice_and_that_is_said(home: World) -> None:
    home.slack.faults = lambda call: Fault("lost")
    code, _, errors = once(home, "weekly-report", by_webhook(home))
    assert code == 4
    assert "it may be there, and is not sent again" in errors
    assert f"reports are kept in {home.home / 'reports'}" in errors
    assert "stand-in-webhook" not in errors
    home.slack.faults = lambda call: None
    code, said, errors = once(home, "weekly-report", by_webhook(home))
    assert code == 4
    assert said.endswith("0 messages posted\n")
    assert "already" not in said
    assert "it may be there" in errors
    assert len(home.slack.messages) == 1


def test_without_prometheus_it_fails_with_one_line(home: World) -> None:
    away = {"clusters.prometheus": {"url": "http://127.0.0.1:9"}}
    for job in ("weekly-report", "flag-underused", "record-usage"):
        code, _, errors = once(home, job, away)
        assert code == 1
        [line] = errors.splitlines()
        assert "http://127.0.0.1:9/" in line
        assert "connection refused" in line
    assert home.slack.posted() == []
