"""A week of which Prometheus has a part, or nothing: what is missing is neither free nor idle."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyzer.history import UsedBy, UsedHour
from analyzer.model import WorkloadKey
from jobs.ledger.database import open_database
from jobs.ledger.usage import SqlUsage
from tests.conftest import Engine
from tests.e2e.daemons.world import MONDAY, world
from tests.openmetrics import RawSeries

HOUR, WEEK = timedelta(hours=1), timedelta(weeks=1)
NOW = MONDAY + 9 * HOUR
POD = "chat-production-7d9f8c6b5-abcde"


def fleet(begin: float, end: float) -> list[RawSeries]:
    """One GPU of production at 25 %, on a node of two, in these hours of the week before
    ``MONDAY``; a node without GPUs tells that kube-state-metrics is there."""
    start = (MONDAY - WEEK).timestamp()
    times = np.arange(start + begin * 3600, start + end * 3600, 120.0) + 7

    def one(name: str, value: float, **labels: str) -> RawSeries:
        return RawSeries(name, labels, times, np.full(times.size, value))

    pod = {"namespace": "ml", "pod": POD}
    owner = {"owner_kind": "Deployment", "owner_name": "chat-production"}
    gpu = {"resource": "nvidia_com_gpu", "unit": "integer"}
    return [
        one(
            "DCGM_FI_DEV_GPU_UTIL",
            25.0,
            UUID="GPU-0",
            gpu="0",
            modelName="NVIDIA L4",
            Hostname="n1",
            **pod,
        ),
        one("kube_pod_container_resource_requests", 1.0, container="c", node="n1", **gpu, **pod),
        one("kube_pod_owner", 1.0, owner_is_controller="true", **owner, **pod),
        one("kube_node_status_allocatable", 2.0, node="n1", **gpu),
        one("kube_node_info", 1.0, node="n1"),
        one("kube_node_info", 1.0, node="n2"),
    ]


def remember(path: Path) -> None:
    """Four whole weeks of one L4 at $0.805, three quarters of it idle."""
    key = WorkloadKey("main", "ml", "Deployment", "chat-production")
    used = UsedBy(key, "production", None, None, "L4", 1.0, 1.0, 0.25, 0.805, 0.60375)
    database = open_database(f"sqlite:///{path}")
    begin = MONDAY - 5 * WEEK
    SqlUsage(database).record([UsedHour("main", begin + n * HOUR, (used,)) for n in range(28 * 24)])
    database.close()


def report(home: Path, prometheus: Engine, found: list[RawSeries]) -> tuple[dict[str, Any], str]:
    with world(home, prometheus(found)) as made:
        remember(home / "ledger.db")
        out = home / "out"
        code, said, errors = made.command(
            ("report", "--no-cluster", "--preview", "-o", str(out)), NOW
        )
        assert (code, errors) == (0, "")
        document: dict[str, Any] = json.loads((out / "report.json").read_text())
        return document, " ".join(said.split())


@pytest.mark.parametrize(("begin", "end"), [(0, 84), (84, 168)])
def test_half_a_week_is_told_as_half_a_week(
    tmp_path: Path, prometheus: Engine, begin: float, end: float
) -> None:
    document, said = report(tmp_path, prometheus, fleet(begin, end))
    week = document["week"]
    assert week["this"]["hours"] == pytest.approx(84, abs=0.2)
    assert (week["this"]["of_hours"], week["comparison"]) == (168, None)
    # 84 hours of an L4 at $0.805.
    assert week["this"]["cost_usd"] == pytest.approx(67.62, abs=0.2)
    assert "of 168 h known)" in said
    assert "less than" not in said
    assert "Not compared with other weeks" in said


def test_a_whole_week_is_compared(tmp_path: Path, prometheus: Engine) -> None:
    document, said = report(tmp_path, prometheus, fleet(0, 168))
    week = document["week"]
    assert week["this"]["hours"] == 168
    assert week["comparison"]["weeks"] == 4
    assert "as the mean of 4 weeks before ($135.24)" in said


def test_a_week_without_a_word_costs_nobody_knows_what(tmp_path: Path, prometheus: Engine) -> None:
    document, said = report(tmp_path, prometheus, fleet(-30, -1))
    assert document["week"]["this"]["hours"] == 0
    assert "Spent by workloads: ? (nothing was heard of any GPU)" in said
    assert "Idle of it: ?" in said
    assert "less than" not in said


def test_a_night_without_gpu_nodes_is_no_silence(tmp_path: Path, prometheus: Engine) -> None:
    """All nodes with GPUs left at noon on Friday; the others go on to tell of themselves."""
    found = [*fleet(0, 108)[:-1], fleet(0, 168)[-1]]
    document, _ = report(tmp_path, prometheus, found)
    week = document["week"]
    assert week["this"]["hours"] == 168
    assert week["comparison"]["change"] == pytest.approx(108 / 168 - 1, abs=0.01)
