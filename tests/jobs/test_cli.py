"""The command line as a shell sees it: exit codes, one line an error, nothing more."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from analyzer.collect import recording
from jobs.cli import COMMANDS
from reports.export import schema
from tests.builders import gpu_use, snapshot, workload

PROGRAM = "import sys; sys.argv[0] = 'gpu-thrift'; from jobs.cli import main; main()"
ROOT = Path(__file__).parents[2]


def run(
    *arguments: str | Path, folder: Path | None = None, python: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": "/nonexistent"}
    return subprocess.run(
        [sys.executable, *python, "-c", PROGRAM, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=folder or "/",
        env=environ,
        timeout=120,
        check=False,
    )


def failed(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one line of an error."""
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    [line] = done.stderr.splitlines()
    return line


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One underused production deployment."""
    path = tmp_path_factory.mktemp("recorded") / "week.json.gz"
    made = workload("chat-production")
    recording.save(snapshot(workloads=(made,), use=(gpu_use(made.key, work=2.0),)), path)
    return path


@pytest.fixture(scope="module")
def partly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("partly") / "week.json.gz"
    recording.save(snapshot(failed={"west": "no answer"}), path)
    return path


def closed_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


class TestExitCodes:
    def test_done_is_0(self, recorded: Path) -> None:
        done = run("analyze", "--recording", recorded, "--format", "json")
        assert (done.returncode, done.stderr) == (0, "")
        document = json.loads(done.stdout)
        jsonschema.validate(document, schema())
        # 8 GPUs x 168 h; 2 of 8 busy.
        assert document["totals"]["gpu_hours"] == pytest.approx(1344)
        assert document["workloads"][0]["verdict"] == "underused"

    def test_an_unreachable_prometheus_is_1_and_one_line_that_names_it(self) -> None:
        url = f"http://127.0.0.1:{closed_port()}"
        line = failed(run("analyze", "--prometheus", url, "--no-cluster"), 1)
        assert url in line

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("analyse",), "Did you mean 'analyze'?"),
            (("flog",), "Did you mean 'flag'?"),
            (("xyzzy",), "One of: analyze, demo"),
            (("analyze", "--windw", "7d"), "--window"),
            (("analyze", "--window", "yesterday"), "--window"),
            (("analyze", "--format", "xml"), "'table', 'json', 'csv'"),
            (("analyze", "--cluster", "nowhere"), "no such cluster"),
            (("analyze", "--no-cluster", "--context", "c"), "contradicts"),
            (("--log-format", "xml", "analyze"), "'text', 'json'"),
            (("--config", "/none.toml", "analyze"), "/none.toml"),
            (("record",), "FILE"),
        ],
    )
    def test_bad_usage_is_2_and_says_what_would_do(
        self, arguments: tuple[str, ...], said: str
    ) -> None:
        assert said in failed(run(*arguments), 2)

    @pytest.mark.parametrize(
        "also",
        [
            ("--prometheus", "http://localhost:9090"),
            ("--window", "1d"),
            ("--no-cluster",),
            ("--cluster", "default"),
            ("--context", "c"),
        ],
    )
    def test_a_recording_goes_with_no_other_source(
        self, recorded: Path, also: tuple[str, ...]
    ) -> None:
        line = failed(run("analyze", "--recording", recorded, *also), 2)
        assert "--recording holds its own clusters and window" in line

    @pytest.mark.parametrize(("names", "code"), [("underused", 3), ("idle", 0)])
    def test_what_fail_on_names_is_3(self, recorded: Path, names: str, code: int) -> None:
        done = run("flag", "--recording", recorded, "--fail-on", names)
        assert done.returncode == code
        assert "chat-production" in done.stdout

    def test_partly_done_is_4_and_names_what_failed(self, partly: Path) -> None:
        done = run("analyze", "--recording", partly, "--format", "json")
        assert done.returncode == 4
        assert json.loads(done.stdout)["workloads"] == []
        assert "west: no answer" in done.stderr

    def test_a_recording_that_is_none_is_1(self, tmp_path: Path) -> None:
        (tmp_path / "x").write_text("hello")
        assert "not a recording" in failed(run("analyze", "--recording", tmp_path / "x"), 1)

    def test_a_file_that_cannot_be_written_is_1(self, recorded: Path) -> None:
        done = run("analyze", "--recording", recorded, "-o", "/none/report")
        assert "/none/report: cannot write" in failed(done, 1)


class TestStreams:
    def test_a_reader_that_goes_away_leaves_no_traceback(self, recorded: Path) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, "analyze", "--recording", recorded],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": "/nonexistent"},
            timeout=120,
            check=False,
        )
        os.close(writing)
        assert done.stderr == ""
        assert done.returncode != 0

    def test_a_log_line_is_json_when_asked(self) -> None:
        url = f"http://127.0.0.1:{closed_port()}"
        done = run("--log-format", "json", "analyze", "--prometheus", url, "--no-cluster")
        line = json.loads(failed(done, 1))
        assert line["level"] == "error"
        assert url in line["message"]
        assert set(line) == {"time", "level", "logger", "message"}


class TestHelp:
    def test_it_lists_every_command_and_loads_no_heavy_library(self) -> None:
        done = run("--help", python=("-X", "importtime"))
        assert done.returncode == 0
        for name in COMMANDS:
            assert f"\n  {name} " in done.stdout
        loaded = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
        assert "jobs.cli" in loaded
        assert not loaded & {"pandas", "kubernetes", "numpy", "prometheus_api_client", "rich"}

    @pytest.mark.parametrize("name", sorted(COMMANDS))
    def test_every_command_explains_itself(self, name: str) -> None:
        done = run(name, "--help")
        assert done.returncode == 0
        assert f"gpu-thrift {name}" in done.stdout.replace("-c ", "gpu-thrift ")


def test_demo_needs_nothing_and_writes_its_files(tmp_path: Path) -> None:
    done = run("demo", "-o", tmp_path / "out", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    kinds = {f"analysis.{kind}" for kind in ("json", "csv", "md", "txt")}
    kinds |= {f"report.{kind}" for kind in ("html", "json", "csv", "md")}
    assert names == kinds | {
        "recording.json.gz",
        "slack.json",
        "spend.png",
        "rhythm.png",
        "replay.png",
    }
    week = json.loads((tmp_path / "out" / "report.json").read_text())
    jsonschema.validate(week, schema())
    assert (week["week"]["name"], week["window"]["hours"]) == ("2026-W47", 168)
    document = json.loads((tmp_path / "out" / "analysis.json").read_text())
    jsonschema.validate(document, schema())
    # The recording says the same again.
    again = run(
        "analyze", "--recording", tmp_path / "out" / "recording.json.gz", "--format", "json"
    )
    assert json.loads(again.stdout)["workloads"] == document["workloads"]


def test_an_option_of_all_commands_is_told_where_it_belongs() -> None:
    line = failed(run("analyze", "--log-format", "json"), 2)
    assert "before the command: gpu-thrift --log-format" in line


def test_what_is_typed_wrong_is_one_line_that_says_where_to_read() -> None:
    assert "gpu-thrift analyze --help tells more" in failed(run("analyze", "--format", "x"), 2)
    assert "Did you mean 'run'?" in failed(run("rn"), 2)
