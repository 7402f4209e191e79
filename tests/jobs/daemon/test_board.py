"""What the daemon remembers of its jobs and clusters, and what it has to tell."""

from __future__ import annotations

from datetime import timedelta

from analyzer.errors import Unreachable
from jobs.daemon.board import LONG, Board
from jobs.ledger.runs import Run
from jobs.metrics import Metrics
from jobs.periods import DAY, MINUTE, Period
from jobs.sleeping.tick import Report
from tests.builders import NOW

NOON = Period("2026-11-23T12:00Z", NOW, NOW, NOW, MINUTE)
DAILY = Period("2026-11-23", NOW, NOW, NOW, DAY)


def board() -> Board:
    return Board(Metrics(("sleep", "weekly-report")))


def fail(on: Board, minutes: int, outcome: str = "failed") -> None:
    at = NOW + minutes * MINUTE
    on.begun("sleep", NOON, at)
    if outcome == "failed":
        on.failed("sleep", Unreachable("the API is\naway"))
    on.ended("sleep", outcome, 1.0, at)


def test_a_job_that_fails_for_long_is_told_once() -> None:
    made = board()
    half = int(LONG / MINUTE)
    for minute in range(half):
        fail(made, minute)
    assert made.lost() == []
    fail(made, half)
    [lost] = made.lost()
    assert (lost.job, lost.period) == ("sleep", NOON.key)
    assert "no run succeeded since" in lost.why
    assert "the API is away" in lost.why
    fail(made, half + 1)
    assert made.lost() == [lost]
    made.told([lost])
    fail(made, 10 * half)
    assert made.lost() == []


def test_a_success_or_another_leader_ends_the_row_of_failures() -> None:
    for end in ("done", "retired"):
        made = board()
        fail(made, 0)
        if end == "done":
            fail(made, 1, "done")
        else:
            made.retire()
        fail(made, 2 * int(LONG / MINUTE))
        assert made.lost() == []


def test_a_failed_run_of_a_day_is_for_the_ledger_to_tell() -> None:
    made = board()
    made.begun("weekly-report", DAILY, NOW)
    made.failed("weekly-report", Unreachable("away"))
    made.ended("weekly-report", "failed", 1.0, NOW + 2 * LONG)
    assert made.lost() == []
    last = made.last("weekly-report")
    assert last is not None
    assert (last.outcome, last.says) == ("failed", "away")
    assert made.error("weekly-report") == "away"
    made.begun("weekly-report", DAILY, NOW)
    assert made.error("weekly-report") == ""


def test_the_ledger_tells_of_runs_before_this_process_and_no_more() -> None:
    made = board()
    old = Run("sleep", "p", NOW, "x", "r", 1, NOW, NOW, None, NOW, "done", "")
    made.remember({"sleep": old})
    last = made.last("sleep")
    assert last is not None
    assert (last.at, last.outcome) == (NOW, "done")
    fail(made, 5)
    made.remember({"sleep": old})
    last = made.last("sleep")
    assert last is not None
    assert last.outcome == "failed"


def test_only_the_leader_tells_of_clusters() -> None:
    metrics = Metrics(("sleep",))
    made = Board(metrics)
    for name in ("main", "west"):
        made.heard(Report(name), NOW)
    assert [one.name for one in made.clusters(["west", "main", "none"])] == ["west", "main"]
    made.keep_clusters(["main"])
    assert [one.name for one in made.clusters(["west", "main"])] == ["main"]
    made.retire()
    assert made.clusters(["main"]) == []
    assert 'cluster="' not in metrics.render("")[1].decode()


def test_without_a_ledger_what_sleeps_stays_as_it_was_known() -> None:
    made = board()
    made.heard(Report("main"), NOW)
    [line] = made.clusters(["main"])
    assert (line.asleep, line.saved_usd) == (0, None)
    made.heard(Report("main", refused="half of the fleet is gone"), NOW + timedelta(hours=1))
    [line] = made.clusters(["main"])
    assert "half of the fleet is gone" in line.problems[0]
