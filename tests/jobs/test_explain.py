"""``gpu-thrift explain`` as a shell sees it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from analyzer.analysis import Analysis
from analyzer.collect import recording
from analyzer.errors import UsageError
from jobs.commands.explain import chosen
from jobs.ledger.advice import SqlAdvice
from jobs.ledger.database import open_database
from reports.export import schema
from tests.builders import analysis, gpu_use, key, snapshot, workload, workload_use
from tests.jobs.ledger.test_advice import entry
from tests.jobs.test_cli import failed, run


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three workloads, two of which share a name."""
    path = tmp_path_factory.mktemp("recorded") / "week.json.gz"
    made = (
        workload("chat-production"),
        workload("chat-production", kind="StatefulSet"),
        workload("rerank", namespace="search"),
    )
    use = tuple(gpu_use(one.key, work=2.0) for one in made)
    recording.save(snapshot(workloads=made, use=use, failed={"west": "no answer"}), path)
    return path


class TestCommand:
    def test_it_tells_the_story_and_what_could_not_be_read(self, recorded: Path) -> None:
        done = run("explain", "search/rerank", "--recording", recorded)
        assert done.returncode == 4
        assert "west: no answer" in done.stderr
        assert "search/rerank" in done.stdout.splitlines()[0]
        # 8 GPUs x 168 h; 2 of 8 busy.
        assert "  1,344 GPU-h, 100% of them measured; 168 h of history\n" in done.stdout
        assert "  GPU work: mean 25%, p50 25%, p95 25%, max 25%\n" in done.stdout

    def test_json_is_the_workload_of_the_document(self, recorded: Path) -> None:
        done = run("explain", "rerank", "--recording", recorded, "--format", "json")
        made = json.loads(done.stdout)
        jsonschema.validate(made, {**schema()["$defs"]["workload"], "$defs": schema()["$defs"]})
        whole = run("analyze", "--recording", recorded, "--format", "json")
        assert made in json.loads(whole.stdout)["workloads"]

    @pytest.mark.parametrize(
        ("name", "start"), [("load.png", b"\x89PNG"), ("load.SVG", b"<?xml version")]
    )
    def test_a_plot_is_written_and_nothing_is_said_of_it(
        self, recorded: Path, tmp_path: Path, name: str, start: bytes
    ) -> None:
        done = run("explain", "rerank", "--recording", recorded, "--plot", tmp_path / name)
        assert done.returncode == 4
        assert [line for line in done.stderr.splitlines() if "west" not in line] == []
        assert (tmp_path / name).read_bytes().startswith(start)

    @pytest.mark.parametrize(
        ("arguments", "code", "said"),
        [
            (("rernk",), 2, "rernk: no such workload in the window; did you mean"),
            (("chat-production",), 2, "chat-production: several workloads are called so ("),
            (("rerank", "-n", "inference"), 2, "rerank: no such workload in the window"),
            (("rerank", "--plot", "/none/x.png"), 1, "/none/x.png: cannot write: No such file"),
            (("rerank", "--plot", "load.pdf"), 2, "load.pdf: expected .png or .svg at its end"),
            (("rerank", "--plot", "load"), 2, "load: expected .png or .svg at its end"),
            (("rerank", "--window", "1d"), 2, "--recording holds its own clusters and window"),
            ((), 2, "WORKLOAD"),
        ],
    )
    def test_an_error_is_one_line(
        self, recorded: Path, arguments: tuple[str, ...], code: int, said: str
    ) -> None:
        assert said in failed(run("explain", *arguments, "--recording", recorded), code)


def configured(folder: Path) -> tuple[Path, Path]:
    """A configuration file, and where its ledger is."""
    path, ledger = folder / "config.toml", folder / "state" / "ledger.db"
    path.write_text(f'[ledger]\nfile = "{ledger}"\n')
    return path, ledger


class TestLedger:
    def test_it_says_what_became_of_the_advice_of_this_workload_alone(
        self, recorded: Path, tmp_path: Path
    ) -> None:
        path, ledger = configured(tmp_path)
        database = open_database(f"sqlite:///{ledger}")
        mine = replace(entry("rerank", state="rejected"), key=key("rerank", "search"))
        SqlAdvice(database).set_entries([mine, entry("chat-production")])
        database.close()
        done = run("--config", path, "explain", "search/rerank", "--recording", recorded)
        assert done.stdout.count("What became of it\n") == 1
        assert "  reduce-replicas 8 → 4: rejected since " in done.stdout
        assert done.stdout.count("- predicted: ") == 1
        other = ("sts/chat-production", "--recording", recorded)
        assert "What became" not in run("--config", path, "explain", *other).stdout

    def test_no_ledger_is_made(self, recorded: Path, tmp_path: Path) -> None:
        path, ledger = configured(tmp_path)
        done = run("--config", path, "explain", "rerank", "--recording", recorded)
        assert done.returncode == 4
        assert "What became" not in done.stdout
        assert not ledger.parent.exists()

    def test_a_ledger_that_cannot_be_read_is_one_line(self, recorded: Path, tmp_path: Path) -> None:
        path, ledger = configured(tmp_path)
        ledger.parent.mkdir()
        ledger.write_bytes(b"this is no database" * 100)
        done = run("--config", path, "explain", "rerank", "--recording", recorded)
        assert done.returncode == 4
        [line] = [one for one in done.stdout.splitlines() if "the ledger could not be read" in one]
        assert line.endswith("file is not a database")
        assert "Thresholds that decided" in done.stdout


def fleet() -> Analysis:
    return analysis(
        workload_use("chat"),
        workload_use("chat", kind="StatefulSet"),
        workload_use("chat", namespace="search"),
        workload_use("rerank", namespace="search"),
        workload_use("rerank", namespace="search", cluster="west"),
        workload_use("chat/odd"),
        clusters=("main", "west"),
    )


class TestChosen:
    @pytest.mark.parametrize(
        ("text", "meant"),
        [
            ("search/chat", key("chat", "search")),
            ("main/search/chat", key("chat", "search")),
            ("sts/chat", key("chat", kind="StatefulSet")),
            ("statefulsets.apps/chat", key("chat", kind="StatefulSet")),
            ("inference/deploy/chat", key("chat")),
            ("main/inference/Deployment/chat", key("chat")),
            ("west/rerank", key("rerank", "search", cluster="west")),
            ("west/deployment/rerank", key("rerank", "search", cluster="west")),
            ("main/inference/chat/odd", key("chat/odd")),
        ],
    )
    def test_it_may_be_called_in_many_ways(self, text: str, meant: object) -> None:
        assert chosen(fleet(), text) == meant

    @pytest.mark.parametrize("text", ["chat", "search/rerank", "inference/chat", "main/chat"])
    def test_several_are_listed(self, text: str) -> None:
        with pytest.raises(UsageError, match=r"several workloads are called so \(main/.*add -n or"):
            chosen(fleet(), text)

    @pytest.mark.parametrize("text", ["", "/", "chat/search", "north/rerank", "chat/"])
    def test_what_is_not_there_is_no_workload(self, text: str) -> None:
        with pytest.raises(UsageError, match="no such workload in the window"):
            chosen(fleet(), text)

    def test_a_namespace_narrows_it(self) -> None:
        assert chosen(fleet(), "chat", ("search",)) == key("chat", "search")

    def test_a_long_list_is_counted(self) -> None:
        many = analysis(*(workload_use("chat", namespace=f"team-{n}") for n in range(9)))
        with pytest.raises(UsageError, match="team-4/Deployment/chat and 4 more"):
            chosen(many, "chat")

    def test_what_could_not_be_read_is_named(self) -> None:
        lacking = analysis(workload_use("chat"), failed={"west": "no answer"})
        with pytest.raises(UsageError, match=r"no such workload in the window; not read: west$"):
            chosen(lacking, "xyzzy")

    def test_names_cannot_steer_a_terminal(self) -> None:
        with pytest.raises(UsageError) as caught:
            chosen(analysis(workload_use("chat\x1b[2J")), "chat\x1b[2K")
        assert "\x1b" not in str(caught.value)
