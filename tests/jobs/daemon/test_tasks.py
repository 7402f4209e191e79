"""What the jobs do, on a real ledger and with analyses as they may come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from analyzer.analysis import Analysis
from analyzer.errors import PartlyDone, Unreachable
from analyzer.model import Window
from jobs.daemon.tasks import flags, usage
from jobs.daemon.tasks.flags import Telling
from jobs.ledger.database import Database, open_database
from jobs.ledger.notices import SqlNotices
from jobs.ledger.usage import SqlUsage
from jobs.periods import Period
from tests.builders import NOW, analysis, key, verdict, workload_use

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PERIOD = Period("2026-11-22T23:00Z", NOW - HOUR, NOW, NOW + HOUR / 12, HOUR)
MORNING = Period("2026-11-23", NOW - DAY, NOW, NOW, DAY)
GPUS = Telling("#gpus")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield opened
    opened.close()


def test_the_hour_of_the_period_is_recorded_not_that_of_the_run(database: Database) -> None:
    asked: list[Window] = []

    def analyse(window: Window) -> Analysis:
        asked.append(window)
        return analysis(workload_use(gpu_hours=8.0), window=window)

    book = SqlUsage(database)
    assert usage.run_once(PERIOD, analyse, book, NOW + 9 * DAY) == 1
    assert asked == [Window(NOW - HOUR, NOW)]
    [hour] = book.hours("main", NOW - DAY, NOW)
    assert (hour.begin, hour.workloads[0].gpu_hours) == (NOW - HOUR, 8.0)


def test_what_could_be_read_is_recorded_and_the_rest_named(database: Database) -> None:
    def analyse(window: Window) -> Analysis:
        return analysis(
            workload_use(), window=window, clusters=("main", "b"), failed={"b": "no answer"}
        )

    book = SqlUsage(database)
    with pytest.raises(PartlyDone, match="b: no answer"):
        usage.run_once(PERIOD, analyse, book, NOW)
    assert len(book.hours("main", NOW - DAY, NOW)) == 1
    assert book.hours("b", NOW - DAY, NOW) == []


def test_nothing_is_recorded_when_nothing_was_read(database: Database) -> None:
    def analyse(window: Window) -> Analysis:
        raise Unreachable("Prometheus is away")

    with pytest.raises(Unreachable):
        usage.run_once(PERIOD, analyse, SqlUsage(database), NOW)
    assert SqlUsage(database).hours("main", NOW - DAY, NOW) == []


def test_a_flag_is_told_once_and_posted_once(database: Database) -> None:
    notices = SqlNotices(database)
    asked: list[Window] = []

    def analyse(window: Window) -> Analysis:
        asked.append(window)
        return analysis(workload_use(verdict=verdict("idle")), window=window)

    assert flags.run_once(MORNING, analyse, notices, GPUS, NOW + HOUR) == 1
    assert asked == [Window(NOW - 7 * DAY, NOW)]
    # The process died before it could say that it was done.
    assert flags.run_once(MORNING, analyse, notices, GPUS, NOW + HOUR) == 0
    [waiting] = notices.waiting(NOW + DAY)
    assert waiting.channel == "#gpus"
    assert "chat-70b" in waiting.text
    assert set(notices.flags()) == {key()}


def test_a_second_try_tells_what_the_first_could_not_read(database: Database) -> None:
    notices = SqlNotices(database)
    both = ("main", "b")
    of_main, of_b = workload_use(), workload_use("other", cluster="b")
    with pytest.raises(PartlyDone, match="b: away"):
        flags.run_once(
            MORNING,
            lambda w: analysis(of_main, clusters=both, failed={"b": "away"}),
            notices,
            GPUS,
            NOW,
        )
    flags.run_once(MORNING, lambda w: analysis(of_main, of_b, clusters=both), notices, GPUS, NOW)
    first, second = notices.waiting(NOW)
    assert ("chat-70b" in first.text, "other" in first.text) == (True, False)
    assert ("chat-70b" in second.text, "other" in second.text) == (False, True)


def test_without_a_channel_it_is_logged_and_not_kept_for_later(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    notices = SqlNotices(database)
    flags.run_once(MORNING, lambda w: analysis(), notices, replace(GPUS, channel=""), NOW)
    assert notices.unsent() == 0
    assert "chat-70b: appeared" in caplog.text
