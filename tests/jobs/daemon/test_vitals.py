"""What the probes answer: a fault of others is no illness of this process, and the reverse."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from analyzer.config import load
from analyzer.errors import Unreachable
from jobs.breaker import Breaker
from jobs.daemon.board import Board
from jobs.daemon.reload import Reloader
from jobs.daemon.runner import Job, Runner, Settings
from jobs.daemon.vitals import DaemonVitals, Parts
from jobs.daemon.work import Work
from jobs.metrics import Metrics
from jobs.periods import EveryMinute
from jobs.web import Check
from tests.jobs.daemon.world import Clock, Lead, MemoryRuns


@dataclass
class Woken:
    """A scheduler as the probes see it."""

    silent: float = 1.0
    busy: dict[str, float] = field(default_factory=dict)

    def silence_s(self) -> float:
        return self.silent

    def busy_s(self) -> dict[str, float]:
        return self.busy


@dataclass
class Scene:
    scheduler: Woken
    lead: Lead
    server: Breaker
    vitals: DaemonVitals
    reloader: Reloader


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    config = load(None, {"XDG_STATE_HOME": str(tmp_path)})
    clock, lead, scheduler = Clock(), Lead(), Woken()
    board = Board(Metrics(("sleep",)))
    job = Job("sleep", EveryMinute(), lambda turn: None, latest_only=True)
    server = Breaker("prometheus", "Prometheus of main")
    work = Work(config, {"sleep": job}, (server,))
    settings = Settings(work.jobs, timedelta(days=1))
    runner = Runner(settings, MemoryRuns, lead, "me", clock, board)
    reloader = Reloader(config, lambda: config)
    parts = Parts(lambda: work, runner, scheduler, lead, board, reloader, clock)  # type: ignore[arg-type]
    return Scene(scheduler, lead, server, DaemonVitals(parts, tmp_path), reloader)


def wrong(checks: list[Check]) -> dict[str, str]:
    return {one.name: one.says for one in checks if not one.ok}


def test_all_is_well(scene: Scene) -> None:
    scene.scheduler.busy = {"sleep": 100.0, "weekly-report": 7000.0}
    assert wrong(scene.vitals.alive()) == {}
    assert wrong(scene.vitals.ready()) == {}


def test_what_only_a_new_process_would_mend(scene: Scene) -> None:
    scene.scheduler.silent = 200
    scene.scheduler.busy = {"sleep": 1801.0, "weekly-report": 7201.0, "record-usage": 7000.0}
    scene.lead.is_alive = False
    assert wrong(scene.vitals.alive()) == {
        "scheduler": "silent for 200 s",
        "sleep": "hangs since 1801 s",
        "weekly-report": "hangs since 7201 s",
        "leadership": "is not looked at any more",
    }


def test_a_server_that_is_away_is_not_our_illness(scene: Scene) -> None:
    with pytest.raises(Unreachable), scene.server():
        raise Unreachable("no answer\nwithin 2 s")
    assert wrong(scene.vitals.alive()) == {}
    assert wrong(scene.vitals.ready()) == {"Prometheus of main": "no answer within 2 s"}
    with scene.server():
        pass
    assert wrong(scene.vitals.ready()) == {}


def test_what_was_not_asked_does_not_answer(scene: Scene) -> None:
    assert scene.vitals.ready()[1].says == "not asked yet"
    with scene.server():
        pass
    assert scene.vitals.ready()[1].says == "answers"


def test_a_follower_is_ready_once_it_knows_whom_it_follows(scene: Scene) -> None:
    scene.lead.leads, scene.lead.holder = False, ""
    assert wrong(scene.vitals.ready()) == {"leadership": "nobody acts"}
    scene.lead.holder = "other"
    assert wrong(scene.vitals.ready()) == {}
    assert scene.vitals.page().role == "follower"
    scene.lead.says = "the Lease cannot be read"
    assert wrong(scene.vitals.ready()) == {"leadership": "the Lease cannot be read"}
    assert "the Lease cannot be read" in [one.says for one in scene.vitals.page().checks]


def test_the_page_names_jobs_reports_and_a_refused_configuration(
    scene: Scene, tmp_path: Path
) -> None:
    for week in ("2026-W46", "2026-W47"):
        (tmp_path / week).mkdir()
        (tmp_path / week / "report.html").write_text("x")
    scene.reloader.problem = "needs a restart: [web] port"
    page = scene.vitals.page()
    assert page.reports == ("2026-W47/report.html", "2026-W46/report.html")
    [line] = page.jobs
    assert (line.name, line.schedule, line.last) == ("sleep", "every minute", "")
    assert line.next_due == "2026-01-01 12:35 UTC"
    assert wrong(list(page.checks)) == {"configuration": "needs a restart: [web] port"}
