"""The report of a week is made once, whole, and waits for a cluster only for so long."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from analyzer.config import Config
from analyzer.errors import GpuThriftError, PartlyDone
from analyzer.history import UsedBy, UsedHour
from analyzer.model import Snapshot, Window
from jobs.daemon.tasks import report
from jobs.ledger.database import Database, open_database
from jobs.ledger.notices import SqlNotices
from jobs.ledger.usage import SqlUsage
from jobs.periods import Period
from jobs.reading import Looked
from jobs.wiring import analysed
from tests import builders as make
from tests.builders import NOW

HOUR, WEEK = timedelta(hours=1), timedelta(days=7)
PERIOD = Period("2026-W47", NOW - WEEK, NOW, NOW + 9 * HOUR, WEEK)
FILES = ["report.html", "report.md", "report.json", "report.csv", "spend.png", "rhythm.png"]
FILES += ["replay.png"]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield opened
    opened.close()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    usual = Config()
    slack = replace(usual.slack, channel="#gpus", token_env="TOKEN")
    return replace(usual, slack=slack, web=replace(usual.web, folder=tmp_path / "reports"))


def snapshot(window: Window) -> Snapshot:
    chat = make.workload(pod_labels={"team": "chat"})
    embed = make.workload("embed", pod_labels={"team": "search"})
    use = (make.gpu_use(chat.key, span=window), make.gpu_use(embed.key, span=window, work=0.0))
    return make.snapshot(window, workloads=(chat, embed), use=use)


def look(window: Window) -> Looked:
    found = snapshot(window)
    return Looked(found, analysed(Config(), found, window.end))


def partly(window: Window) -> Looked:
    both = replace(snapshot(window), clusters=("main", "west"), failed={"west": "no answer"})
    return Looked(both, analysed(Config(), both, window.end))


def test_doing_it_twice_writes_the_same_files_and_posts_once(
    database: Database, config: Config, tmp_path: Path
) -> None:
    made = report.run_once(PERIOD, look, database, config, PERIOD.due)
    first = {file.name: file.read_bytes() for file in made.files}
    again = report.run_once(PERIOD, look, database, config, PERIOD.due + HOUR)
    assert {file.name: file.read_bytes() for file in again.files} == first
    assert [file.name for file in made.files] == FILES
    assert {f.name for f in (tmp_path / "reports" / "2026-W47").iterdir()} == set(FILES)
    document = json.loads(first["report.json"])
    assert (document["window"]["hours"], document["week"]["name"]) == (168, "2026-W47")
    [notice] = SqlNotices(database).waiting(NOW + WEEK)
    assert (notice.key, notice.channel) == ("weekly-report 2026-W47 of main @#gpus", "#gpus")


def test_weeks_before_it_come_from_the_ledger(database: Database, config: Config) -> None:
    used = UsedBy(make.key(), "production", "chat", None, "L4", 8.0, 8.0, 4.0, 10.0, 5.0)
    begin = NOW - 2 * WEEK
    hours = [UsedHour("main", begin + n * HOUR, (used,)) for n in range(168)]
    SqlUsage(database).record(hours)
    made = report.run_once(PERIOD, look, database, config, PERIOD.due)
    [whole] = made.reports
    assert [(one.name, one.hours) for one in whole.digest.before] == [
        ("2026-W43", 0.0),
        ("2026-W44", 0.0),
        ("2026-W45", 0.0),
        ("2026-W46", 168.0),
    ]
    found = whole.digest.comparison
    assert found is not None
    assert (found.weeks, found.mean_cost_usd, found.mean_idle_cost_usd) == (1, 1680.0, 840.0)


def test_teams_have_their_own_where_a_channel_is_theirs(
    database: Database, config: Config, tmp_path: Path
) -> None:
    teams = {"search": "#search", "chat": "#gpus", "nobody": "#search"}
    config = replace(config, slack=replace(config.slack, teams=teams))
    made = report.run_once(PERIOD, look, database, config, PERIOD.due)
    whole, search = made.reports
    # What goes to the channel of everything is told there already.
    assert [use.workload.key.name for use in whole.digest.analysis.workloads] == [
        "chat-70b",
        "embed",
    ]
    assert [use.workload.key.name for use in search.digest.analysis.workloads] == ["embed"]
    assert (search.channel, search.digest.teams) == ("#search", ("nobody", "search"))
    assert (tmp_path / "reports" / search.folder / "report.html").is_file()
    assert search.folder.parent.name == "2026-W47"
    parents = [one.key for one in SqlNotices(database).waiting(NOW + WEEK)]
    assert parents == [
        "weekly-report 2026-W47 of main @#gpus",
        "weekly-report 2026-W47 of main @#search",
    ]


def test_a_cluster_that_cannot_be_read_is_waited_for_and_then_left_out(
    database: Database, config: Config, tmp_path: Path
) -> None:
    almost = PERIOD.due + report.PATIENCE - timedelta(seconds=1)
    with pytest.raises(PartlyDone, match="west: no answer"):
        report.run_once(PERIOD, partly, database, config, almost)
    assert not (tmp_path / "reports").exists()
    assert SqlNotices(database).waiting(NOW + WEEK) == []
    made = report.run_once(PERIOD, partly, database, config, PERIOD.due + report.PATIENCE)
    assert made.failed == {"west": "no answer"}
    [notice] = SqlNotices(database).waiting(NOW + WEEK)
    assert "west: no answer" in notice.text
    assert all("no answer" in file.read_text() for file in made.files[:3])


def test_a_folder_that_cannot_be_written_is_named_and_nothing_is_told(
    database: Database, config: Config, tmp_path: Path
) -> None:
    (tmp_path / "reports").write_text("a file")
    with pytest.raises(GpuThriftError, match="cannot write the report"):
        report.run_once(PERIOD, look, database, config, PERIOD.due)
    assert SqlNotices(database).waiting(NOW + WEEK) == []
