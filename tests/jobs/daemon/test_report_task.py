"""The report of a week is made once, whole, and waits for a cluster only for so long."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from analyzer.analysis import Analysis
from analyzer.errors import GpuThriftError, PartlyDone
from analyzer.model import Window
from jobs.daemon.periods import Period
from jobs.daemon.tasks import report
from jobs.daemon.tasks.report import Publishing
from jobs.ledger.database import Database, open_database
from jobs.ledger.notices import SqlNotices
from tests.builders import NOW, analysis, workload_use

HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
PERIOD = Period("2026-W47", NOW - WEEK, NOW, NOW + 9 * HOUR, WEEK)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield opened
    opened.close()


def analyse(window: Window) -> Analysis:
    return analysis(workload_use(), window=window)


def partly(window: Window) -> Analysis:
    both = ("main", "west")
    return analysis(workload_use(), window=window, clusters=both, failed={"west": "no answer"})


def test_doing_it_twice_writes_the_same_files_and_posts_once(
    database: Database, tmp_path: Path
) -> None:
    notices, publishing = SqlNotices(database), Publishing(tmp_path / "reports", "#gpus")
    made = report.run_once(PERIOD, analyse, notices, publishing, PERIOD.due)
    first = [file.read_bytes() for file in made.files]
    again = report.run_once(PERIOD, analyse, notices, publishing, PERIOD.due + HOUR)
    assert [file.read_bytes() for file in again.files] == first
    assert {file.name for file in (tmp_path / "reports" / "2026-W47").iterdir()} == {
        "report.md",
        "report.json",
        "report.csv",
    }
    document = json.loads(made.files[1].read_text())
    assert document["window"]["hours"] == 168
    [notice] = notices.waiting(NOW + WEEK)
    assert (notice.key, notice.channel) == ("weekly-report 2026-W47", "#gpus")


def test_a_cluster_that_cannot_be_read_is_waited_for_and_then_left_out(
    database: Database, tmp_path: Path
) -> None:
    notices, publishing = SqlNotices(database), Publishing(tmp_path / "reports", "#gpus")
    almost = PERIOD.due + report.PATIENCE - timedelta(seconds=1)
    with pytest.raises(PartlyDone, match="west: no answer"):
        report.run_once(PERIOD, partly, notices, publishing, almost)
    assert not (tmp_path / "reports").exists()
    assert notices.waiting(NOW + WEEK) == []
    late = PERIOD.due + report.PATIENCE
    made = report.run_once(PERIOD, partly, notices, publishing, late)
    assert made.failed == {"west": "no answer"}
    [notice] = notices.waiting(NOW + WEEK)
    assert "west: no answer" in notice.text
    assert "west: no answer" in made.files[0].read_text().replace("\\", "")


def test_a_folder_that_cannot_be_written_is_named_and_nothing_is_told(
    database: Database, tmp_path: Path
) -> None:
    (tmp_path / "reports").write_text("a file")
    notices = SqlNotices(database)
    with pytest.raises(GpuThriftError, match="cannot write the report"):
        report.run_once(
            PERIOD, analyse, notices, Publishing(tmp_path / "reports", "#gpus"), PERIOD.due
        )
    assert notices.waiting(NOW + WEEK) == []
