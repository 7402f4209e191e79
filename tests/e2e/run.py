"""Runs the program on a server and finds what it said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.oracle import Figures, figures
from tests.e2e.scenes import Scene, Truth

WITHIN = 0.01


def program(*args: str | Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """The command as installed, with nothing of this machine's configuration."""
    clean = {k: v for k, v in os.environ.items() if k != "KUBECONFIG"} | {"NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-c", "from jobs.cli import main; main()", *map(str, args)],
        capture_output=True,
        text=True,
        check=False,
        env=clean,
        timeout=timeout,
        cwd=Path(__file__).parents[2],
    )


@dataclass(frozen=True)
class Told:
    """One document, and where to find things in it."""

    document: dict[str, Any]
    config: Path
    stderr: str = ""

    @property
    def span_s(self) -> tuple[float, float]:
        window = self.document["window"]
        start, end = (datetime.fromisoformat(window[key]).timestamp() for key in ("start", "end"))
        return start, end

    def workloads(self, cluster: str) -> dict[str, dict[str, Any]]:
        return {w["name"]: w for w in self.document["workloads"] if w["cluster"] == cluster}

    def workload(self, cluster: str, name: str) -> dict[str, Any]:
        found = self.workloads(cluster)
        assert name in found, f"{cluster}: {name} is not among {sorted(found)}"
        return found[name]

    def pool(self, cluster: str, gpu_model: str = "") -> dict[str, Any]:
        found = [
            p
            for p in self.document["pools"]
            if p["cluster"] == cluster and gpu_model in (p["gpu_model"], "")
        ]
        assert len(found) == 1, f"{cluster}: {found}"
        return found[0]

    def warnings(self, cluster: str) -> dict[str, str]:
        return {
            w["code"]: w["message"] for w in self.document["warnings"] if w["cluster"] == cluster
        }


def config_for(scenes: Iterable[str], url: str, path: Path, more: str = "") -> Path:
    """One cluster a scene, told apart by the label that its series carry."""
    parts = [
        f'[[clusters]]\nname = "{name}"\nlabels = {{ cluster = "{name}" }}\n'
        f'[clusters.prometheus]\nurl = "{url}"\n'
        for name in scenes
    ]
    path.write_text(more + "\n" + "\n".join(parts))
    return path


def analyse(
    scenes: Iterable[Scene], url: str, home: Path, more: str = "", window: str = "2d"
) -> Told:
    """One run over all scenes of a module, which must end well."""
    config = config_for([s.cluster for s in scenes], url, home / "config.toml", more)
    arguments = ("--no-cluster", "--window", window, "--format", "json")
    done = program("--config", config, "analyze", *arguments)
    assert done.returncode == 0, done.stderr[-3000:]
    return Told(json.loads(done.stdout), config, done.stderr)


def close(expected: float, absolute: float = 1e-3) -> Any:
    return pytest.approx(expected, rel=WITHIN, abs=absolute)


def flat(workload: dict[str, Any]) -> dict[str, float]:
    """The figures of a workload that the oracle speaks of."""
    assert workload["utilisation"] is not None, workload["reason"]
    own = ("gpu_hours", "cost_usd", "idle_cost_usd", "coverage")
    return {key: workload[key] for key in own} | workload["utilisation"]


def check(told: Told, scene: Scene, name: str, **known: float) -> dict[str, Any]:
    """Every figure of a workload within 1 % of the oracle's, or of those ``known`` better."""
    workload = told.workload(scene.cluster, name)
    truth: Truth = scene.truths[name]
    expected: Figures = figures(truth, *told.span_s)
    wanted = asdict(expected) | known
    # Dollars are printed in cents.
    got = flat(workload)
    for key, value in wanted.items():
        assert got[key] == close(value, 0.006 if "usd" in key else 1e-3), (key, got, wanted)
    return workload
