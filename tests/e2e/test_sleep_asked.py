"""What a command does between the question and the answer, and with more than one cluster."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.run import program
from tests.e2e.sleepers import DEPLOYMENT, PRODUCTION, config, make, ours, read
from tests.fakes.kubeapi.caller import Caller, caller


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Caller]:
    with caller("stand-in", tmp_path) as made:
        yield made


def run(file: Path, *args: str) -> Any:
    return program("--config", file, *args)


def replicas(api: Caller, name: str) -> int:
    return int(read(api, DEPLOYMENT, name)["spec"]["replicas"])


def test_only_what_was_shown_is_done(api: Caller, tmp_path: Path) -> None:
    make(api, DEPLOYMENT, "shown")
    file = config(api, tmp_path, awake="always")
    ours_, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", "from jobs.cli import main; main()", "--config", file, "scale-down"],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    said = b""
    while b"[y/N]" not in said:
        piece = os.read(process.stdout.fileno(), 4096)
        assert piece, said
        said += piece
    make(api, DEPLOYMENT, "later")
    os.write(ours_, b"y\n")
    rest, _ = process.communicate(timeout=60)
    os.close(ours_)
    os.close(theirs)
    assert process.returncode == 0, rest
    assert b"1 workload done" in rest
    assert (replicas(api, "shown"), replicas(api, "later")) == (0, 4)


def test_a_person_too_is_asked_twice_when_production_seems_to_be_gone(
    api: Caller, tmp_path: Path
) -> None:
    for n in range(3):
        make(api, DEPLOYMENT, f"live{n}", PRODUCTION)
        make(api, DEPLOYMENT, f"w{n}")
    file = config(api, tmp_path, awake="always")
    assert run(file, "run", "--once", "sleep").returncode == 0
    for n in range(3):
        labels = {"metadata": {"labels": {"environment": "development"}}}
        api.patch(f"{DEPLOYMENT.path}/live{n}", labels)
    told = run(file, "scale-down", "--yes")
    assert told.returncode == 2
    assert "production is 0% of the workloads (0 of 6), it was 50%" in told.stderr
    assert "--accept-change" in told.stderr
    assert replicas(api, "live0") == 4
    assert run(file, "scale-down", "--yes", "--accept-change").returncode == 0
    assert replicas(api, "live0") == 0
    # Waking is never refused for it.
    assert run(file, "scale-up", "--yes").returncode == 0
    assert replicas(api, "live0") == 4


def test_one_cluster_that_is_away_stops_no_other(api: Caller, tmp_path: Path) -> None:
    make(api, DEPLOYMENT, "w0")
    one = config(api, tmp_path, awake="always")
    away = tmp_path / "away"
    text = Path(api.kubeconfig).read_text().replace(api.url, "http://127.0.0.1:9")
    away.write_text(text)
    part = one.read_text()
    head, _, tail = part.partition("[[clusters]]\n")
    other = tail.replace(str(api.kubeconfig), str(away))
    named = f'{head}[[clusters]]\nname = "here"\n{tail}\n[[clusters]]\nname = "away"\n{other}'
    file = tmp_path / "both.toml"
    file.write_text(named)
    for args in (("status",), ("schedule",), ("scale-down", "--dry-run"), ("scale-down", "--yes")):
        told = run(file, *args)
        assert told.returncode == 4, (args, told)
        assert "away: " in told.stderr
        assert "w0" in told.stdout or args == ("status",)
        assert "Traceback" not in told.stderr
    found = read(api, DEPLOYMENT, "w0")
    assert (found["spec"]["replicas"], bool(ours(found))) == (0, True)


def test_one_cluster_whose_context_is_gone_stops_no_other(api: Caller, tmp_path: Path) -> None:
    make(api, DEPLOYMENT, "w0")
    one = config(api, tmp_path, awake="always")
    head, _, tail = one.read_text().partition("[[clusters]]\n")
    gone = tail.replace("kubeconfig =", 'context = "gone"\nkubeconfig =')
    assert gone != tail
    file = tmp_path / "both.toml"
    file.write_text(
        f'{head}[[clusters]]\nname = "here"\n{tail}\n[[clusters]]\nname = "away"\n{gone}'
    )
    for args in (("status",), ("run", "--once", "sleep"), ("scale-down", "--yes")):
        told = run(file, *args)
        assert told.returncode == 4, (args, told)
        assert "away: " in told.stderr
        assert "gone" in told.stderr
    found = read(api, DEPLOYMENT, "w0")
    assert (found["spec"]["replicas"], bool(ours(found))) == (0, True)
