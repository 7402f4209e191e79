"""The daily look at recommendations, on a real ledger and through the daemon's own wiring."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import jobs.daemon.work
from analyzer.advice import Advice, Recommendation
from analyzer.analysis import Analysis, WorkloadUse
from analyzer.config import load
from analyzer.errors import PartlyDone
from analyzer.history import UsedBy, UsedHour
from analyzer.model import Window
from analyzer.wishes import REJECT, SNOOZE_UNTIL
from jobs.breaker import Breakers
from jobs.daemon.runner import Turn
from jobs.daemon.state import State
from jobs.daemon.tasks import advice, daily
from jobs.daemon.tasks.advice import Books
from jobs.daemon.tasks.flags import Telling
from jobs.daemon.work import Surroundings, work
from jobs.ledger.advice import SqlAdvice
from jobs.ledger.database import Database, open_database
from jobs.ledger.errors import LedgerError, Superseded
from jobs.ledger.notices import SqlNotices
from jobs.ledger.runs import Claim, SqlRuns
from jobs.ledger.usage import SqlUsage
from jobs.periods import Period
from tests.builders import H100, NOW, analysis, key, recommendation, workload_use

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PERIOD = Period("2026-11-23", NOW - DAY, NOW, NOW, DAY)
CHANNEL = Telling("#gpus")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield opened
    opened.close()


@pytest.fixture
def books(database: Database) -> Books:
    return Books(SqlAdvice(database), SqlUsage(database))


def use(*given: Recommendation, **more: Any) -> WorkloadUse:
    return workload_use(**({"replicas": 8, "advice": Advice(given)} | more))


def recorded(begin: datetime, days: int, gpus: float, cluster: str = "main") -> list[UsedHour]:
    """So many H100s at $6.88, beside another workload that is none of ours."""

    def used(name: str, held: float) -> UsedBy:
        one = key(name, cluster=cluster)
        return UsedBy(one, "production", None, None, H100, held, held, 0.0, held * 6.88, None)

    both = (used("chat-70b", gpus), used("other", 500))
    return [UsedHour(cluster, begin + n * HOUR, both) for n in range(days * 24)]


def test_followed_advice_is_measured_a_week_later(
    books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    """32 GPUs before and 16 after: 16 × 168 GPU-hours a week, 16 × $6.88 × 730 a month."""
    caplog.set_level(logging.INFO, "gpu_thrift.advice")
    morning = NOW + 8 * HOUR
    books.usage.record(recorded(NOW - 14 * DAY, 14, 32) + recorded(NOW, 2, 1000))
    assert advice.run_once(analysis(use(recommendation())), books, morning) == 1
    assert caplog.messages == []
    assert advice.run_once(analysis(use(replicas=4)), books, morning + DAY) == 1
    [line] = caplog.messages
    assert line == ("main/inference/Deployment/chat-70b: reduce-replicas from 8 to 4: accepted")
    [entry] = books.advice.entries()
    assert entry.accepted is not None
    # Of the week before the first look eight hours are in the noisy days.
    assert entry.accepted.baseline_gpu_hours_per_week == pytest.approx(160 * 32 + 8 * 1000)
    assert entry.accepted.note == "not yet: the week after it ends at 2026-12-02 08:00 UTC"
    books.usage.record(recorded(NOW + 2 * DAY, 12, 16))
    for day in range(2, 12):
        advice.run_once(analysis(use(replicas=4)), books, morning + day * DAY)
        [entry] = books.advice.entries()
        assert entry.accepted is not None
        assert entry.accepted.settled == (day >= 9)
    assert entry.accepted.gpu_hours_per_week == pytest.approx(160 * 32 + 8000 - 16 * 168)
    assert len(caplog.messages) == 1


def test_each_cluster_is_measured_by_its_own_hours(books: Books) -> None:
    both = ("main", "b")
    books.usage.record(recorded(NOW - 7 * DAY, 7, 32) + recorded(NOW - 7 * DAY, 7, 8, "b"))
    for at, count, given in ((NOW, 8, (recommendation(),)), (NOW + DAY, 4, ())):
        uses = [use(*given, replicas=count, cluster=one) for one in both]
        advice.run_once(analysis(*uses, clusters=both), books, at)
    found = {one.key.cluster: one.accepted for one in books.advice.entries()}
    assert {
        name: one.baseline_gpu_hours_per_week for name, one in found.items() if one is not None
    } == {"main": pytest.approx(32 * 168), "b": pytest.approx(8 * 168)}


def test_a_rejection_is_logged_once_and_a_bad_one_each_time(
    books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gpu_thrift.advice")
    no = analysis(use(recommendation(), annotations={REJECT: "all"}))
    advice.run_once(no, books, NOW)
    advice.run_once(no, books, NOW + DAY)
    assert [line.split(": ")[-1] for line in caplog.messages] == ["rejected"]
    caplog.clear()
    # The snooze is named by whoever looks for flags.
    wrong = {REJECT: "everything", SNOOZE_UNTIL: "soon"}
    advice.run_once(analysis(use(recommendation(), annotations=wrong)), books, NOW)
    [line] = caplog.messages
    assert line.startswith("main/inference/Deployment/chat-70b: gpu-thrift.io/reject: expected")


def test_what_is_over_for_400_days_is_let_go(books: Books) -> None:
    advice.run_once(analysis(use(recommendation())), books, NOW)
    advice.run_once(analysis(use(replicas=4)), books, NOW + DAY)
    advice.run_once(analysis(use(replicas=4)), books, NOW + 401 * DAY)
    assert len(books.advice.entries()) == 1
    advice.run_once(analysis(use(replicas=4)), books, NOW + 402 * DAY)
    assert books.advice.entries() == []


def test_a_retried_day_changes_nothing_but_when_it_was_last_given(
    database: Database, books: Books
) -> None:
    asked: list[Window] = []

    def analyse(window: Window) -> Analysis:
        asked.append(window)
        return analysis(use(recommendation()), window=window)

    assert daily.run_once(PERIOD, analyse, database, CHANNEL, NOW) == 1
    [first] = books.advice.entries()
    assert daily.run_once(PERIOD, analyse, database, CHANNEL, NOW + HOUR) == 0
    assert books.advice.entries() == [replace(first, last_seen=NOW + HOUR)]
    # One analysis a look serves both.
    assert asked == [Window(NOW - 7 * DAY, NOW)] * 2


def test_advice_is_followed_where_a_cluster_was_read(database: Database, books: Books) -> None:
    both = ("main", "b")
    first = analysis(use(recommendation()), use(recommendation(), cluster="b"), clusters=both)
    daily.run_once(PERIOD, lambda _: first, database, CHANNEL, NOW)
    away = analysis(use(replicas=4), clusters=both, failed={"b": "away"})
    with pytest.raises(PartlyDone, match="b: away"):
        daily.run_once(PERIOD, lambda _: away, database, CHANNEL, NOW + DAY)
    assert {one.key.cluster: one.state for one in books.advice.entries()} == {
        "main": "accepted",
        "b": "open",
    }


def test_a_cluster_and_a_ledger_that_fail_are_both_told(database: Database) -> None:
    with database.writing() as connection:
        connection.exec_driver_sql("DROP TABLE advice")
    away = analysis(use(), clusters=("main", "b"), failed={"b": "away"})
    with pytest.raises(PartlyDone, match=r"b: away; .*advice"):
        daily.run_once(PERIOD, lambda _: away, database, CHANNEL, NOW)
    with pytest.raises(LedgerError, match="advice"):
        daily.run_once(PERIOD, lambda _: analysis(use()), database, CHANNEL, NOW)
    # Flags were told before.
    assert SqlNotices(database).unsent() == 1


def test_the_daemon_s_job_follows_advice_and_a_superseded_run_writes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what is read is replaced."""
    analyses = [analysis(use(recommendation())), analysis(use(replicas=4))]
    monkeypatch.setattr(jobs.daemon.work, "analysing", lambda _: lambda _: analyses[0])
    path = tmp_path / "config.toml"
    path.write_text("")
    config = load(path, {"HOME": str(tmp_path)})
    breakers = Breakers(lambda *_: None)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    state = State(lambda: url, breakers.of("ledger", "the ledger", LedgerError))
    stop = threading.Event()
    around = Surroundings(state, breakers, lambda: 10.0, stop, lambda: NOW, lambda _: None)
    job = work(config, around).jobs["flag-underused"]
    runs, book = state.runs(), SqlAdvice(state.open())

    def turn(now: datetime, holder: str) -> Turn:
        period = Period(f"{now:%Y-%m-%d}", now - DAY, now, now, DAY)
        run = runs.claim(Claim(job.name, period.key, period.due, holder, holder), now)
        return Turn(period, now, stop, holder, run)

    job.run(turn(NOW, "a"))
    assert [(one.state, one.first_seen) for one in book.entries()] == [("open", NOW)]
    analyses.pop(0)
    late = turn(NOW + DAY, "a")
    latest = turn(NOW + DAY, "b")
    with pytest.raises(Superseded):
        job.run(late)
    assert [one.state for one in book.entries()] == ["open"]
    job.run(latest)
    [entry] = book.entries()
    assert (entry.state, entry.state_since, entry.last_seen) == ("accepted", NOW + DAY, NOW)
    state.close()


def test_a_run_that_was_taken_over_writes_no_advice(database: Database, books: Books) -> None:
    runs = SqlRuns(database)
    first, _ = [
        runs.claim(Claim("flag-underused", PERIOD.key, NOW, holder, holder), NOW)
        for holder in ("a", "b")
    ]
    with pytest.raises(Superseded):
        advice.run_once(analysis(use(recommendation())), books, NOW, run=first)
    assert books.advice.entries() == []
