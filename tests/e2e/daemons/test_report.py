"""``gpu-thrift report`` with a real Prometheus, and what it sends and keeps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import Engine
from tests.e2e.daemons.world import CHANNEL, MONDAY, REPORT, Sections, World, series, world
from tests.fakes.slack import Fault

NOW = MONDAY + timedelta(hours=9, minutes=30)
NOWHERE: Sections = {"slack": {"channel": "", "token_file": ""}}


@pytest.fixture(scope="module")
def metrics(prometheus: Engine) -> str:
    return prometheus(series())


@pytest.fixture
def home(tmp_path: Path, metrics: str) -> Iterator[World]:
    with world(tmp_path, metrics) as made:
        yield made


def report(home: World, *given: str | Path, more: Sections | None = None) -> tuple[int, str, str]:
    return home.command(("report", *map(str, given)), NOW, more)


def test_to_look_at_it_sends_nothing_and_makes_no_ledger(home: World) -> None:
    for given in ((), ("--preview",), ("--week", "2026-W47"), ("--week", "2026w47")):
        code, said, errors = report(home, *given)
        assert (code, errors) == (0, "")
        assert f"--- Message to {CHANNEL} ---\nGPU report 2026-W47" in said
        assert "--- Reply in its thread ---" in said
        assert "no ledger is there: what slept" in said
        assert max(map(len, said.splitlines())) <= 80
    assert home.slack.calls == []
    assert not (home.home / "ledger.db").exists()
    assert not (home.home / "reports").exists()


def test_its_files_are_whole(home: World, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    more: Sections = {"web": {"url": "https://thrift.example.com/gpu/"}}
    code, said, errors = report(home, "-o", folder, more=more)
    assert (code, errors) == (0, "")
    written = {path.name for path in folder.iterdir()}
    assert written == {Path(line).name for line in said.splitlines()}
    assert written >= {"report.html", "report.md", "report.json", "report.csv", "slack.json"}
    document = json.loads((folder / "report.json").read_text())
    assert document["week"]["name"] == "2026-W47"
    # 2026-11-16 to 2026-11-23, from the calendar.
    assert document["window"]["start"] == "2026-11-16T00:00:00Z"
    message, _ = json.loads((folder / "slack.json").read_text())
    page = "https://thrift.example.com/gpu/reports/2026-W47/report.html"
    assert f"<{page}|Open the report>" in json.dumps(message["blocks"])
    assert home.slack.calls == []


def test_it_is_published_once_however_often_it_is_asked_for(home: World) -> None:
    code, said, errors = report(home, "--publish")
    assert (code, errors) == (0, "")
    assert said.endswith("2 messages posted\n")
    assert (home.home / "reports" / "2026-W47" / "report.html").is_file()
    code, said, errors = report(home, "--publish", "--week", "2026-W47")
    assert (code, errors) == (0, "")
    assert f"{CHANNEL} was told of 2026-W47 already: nothing is posted twice" in said
    assert home.slack.posted() == REPORT
    parent, reply = home.slack.messages
    assert reply["thread_ts"] == parent["ts"]
    shown = [block["slack_file"]["id"] for block in reply["blocks"] if block["type"] == "image"]
    assert len(shown) >= 2


def test_what_could_not_be_posted_is_posted_by_the_next_one(home: World) -> None:
    home.slack.faults = lambda call: Fault("429") if call.method == "chat.postMessage" else None
    code, _, errors = report(home, "--publish")
    assert code == 4
    assert "not everything was posted: weekly-report 2026-W47 of main" in errors
    home.slack.faults = lambda call: None
    later = NOW + timedelta(minutes=5)
    code, said, errors = home.command(("report", "--publish"), later)
    assert (code, errors) == (0, "")
    assert "2 messages posted" in said
    assert home.slack.posted() == REPORT


def test_without_slack_it_is_written_and_printed_and_that_is_said(home: World) -> None:
    code, said, errors = report(home, "--publish", more=NOWHERE)
    assert (code, errors) == (0, "")
    assert "--- Message to nobody: no channel is configured under [slack] ---" in said
    assert "nothing is posted: neither channel nor webhook is configured under [slack]" in said
    assert (home.home / "reports" / "2026-W47" / "report.html").is_file()
    assert home.slack.calls == []


def test_the_figures_are_prometheus_s(home: World, tmp_path: Path) -> None:
    """``series`` has two production pods of one L4 GPU each at 12 %, for the last day of the week
    and on."""
    report(home, "-o", tmp_path / "out")
    document = json.loads((tmp_path / "out" / "report.json").read_text())
    names = {one["name"] for one in document["workloads"]}
    assert names == {"chat-production-0", "chat-production-1"}
    for one in document["workloads"]:
        assert one["utilisation"]["mean"] == pytest.approx(0.12, abs=0.001)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (("--week", "47"), "--week '47': expected an ISO week such as 2026-W47"),
        (("--week", "2026-W54"), "--week '2026-W54': expected an ISO week"),
        (("--week", "2026-W48"), "--week 2026-W48: that week is not over"),
        (("--week", "9999-W52"), "--week 9999-W52: no such week"),
        (("--publish", "--preview"), "--publish and --preview contradict each other"),
        (("--publish", "--team", "chat"), "--publish is for every team"),
        (("--publish", "--cluster", "main"), "--publish is for all clusters"),
        (("--cluster", "west"), "--cluster west: no such cluster is configured"),
        (("--team", "chat\x1b[31m"), "no workload is labelled so"),
    ],
)
def test_what_cannot_be_meant_is_one_line(home: World, given: tuple[str, ...], line: str) -> None:
    code, said, errors = report(home, *given)
    assert (code, said) == (2, "")
    [told] = errors.splitlines()
    assert line in told
    assert told.isprintable()
    assert home.slack.calls == []


def test_a_folder_that_cannot_be_written_and_a_prometheus_that_is_away_are_named(
    home: World, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    code, _, errors = report(home, "-o", tmp_path / "file" / "below")
    assert code == 1
    assert "cannot write the report" in errors
    away: Sections = {"clusters.prometheus": {"url": "http://127.0.0.1:9"}}
    code, said, errors = report(home, more=away)
    assert (code, said) == (1, "")
    [line] = errors.splitlines()
    assert "connection refused" in line
