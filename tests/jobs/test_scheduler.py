"""The scheduler wakes every job again and again, and ends in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from jobs.daemon.runner import Turn
from jobs.periods import EveryMinute
from jobs.scheduler import Scheduler
from tests.jobs.daemon.world import START, Clock, Daemons, MemoryRuns

FAST = timedelta(seconds=0.1)


class Accelerated(Clock):
    """A clock on which a minute takes a tenth of a second."""

    def __init__(self) -> None:
        super().__init__()
        self._begun = time.monotonic()

    def __call__(self) -> datetime:
        passed = (time.monotonic() - self._begun) * 600
        return START + timedelta(seconds=passed)


def until(holds: Callable[[], Any], within_s: float = 10) -> None:
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def daemons() -> Daemons:
    cadences = {"quick": EveryMinute(), "slow": EveryMinute()}
    made = Daemons(cadences, MemoryRuns(), ("quick", "slow"))
    made.clock = Accelerated()
    return made


@pytest.fixture
def scheduled(daemons: Daemons) -> Iterator[Scheduler]:
    made = Scheduler(daemons.start(), daemons.cadences, FAST)
    yield made
    made.shutdown(5)


def ran(daemons: Daemons, name: str) -> int:
    return sum(turn[0] == name for turn in daemons.ran)


def test_every_job_is_looked_at_again_and_again(daemons: Daemons, scheduled: Scheduler) -> None:
    scheduled.start()
    until(lambda: ran(daemons, "quick") >= 5 and ran(daemons, "slow") >= 5)
    assert scheduled.silence_s() < 5


def test_one_that_hangs_holds_up_no_other_and_is_seen(
    daemons: Daemons, scheduled: Scheduler
) -> None:
    leave = threading.Event()

    def hang(name: str, turn: Turn) -> None:
        if name == "slow":
            leave.wait(20)

    daemons.doing = hang
    scheduled.start()
    until(lambda: ran(daemons, "quick") >= 5)
    assert ran(daemons, "slow") == 0
    assert scheduled.busy_s()["slow"] > 0.2
    assert not scheduled.shutdown(0.2)
    leave.set()
    until(lambda: not scheduled.busy_s())


def test_shutdown_tells_what_runs_and_waits_for_it(daemons: Daemons) -> None:
    runner = daemons.start()
    scheduled = Scheduler(runner, daemons.cadences, FAST)
    begun = threading.Event()

    def work(name: str, turn: Turn) -> None:
        begun.set()
        assert turn.stop.wait(20)

    daemons.doing = work
    scheduled.start()
    assert begun.wait(5)
    assert scheduled.shutdown(5)
    assert scheduled.busy_s() == {}


def test_what_nobody_foresaw_is_logged_and_the_next_look_comes(
    daemons: Daemons, scheduled: Scheduler, caplog: pytest.LogCaptureFixture
) -> None:
    runner = scheduled._runner
    looks: list[str] = []

    def look(name: str) -> None:
        looks.append(name)
        raise RuntimeError("nobody foresaw this")

    runner.look = look  # type: ignore[method-assign]
    scheduled.start()
    until(lambda: len(looks) > 6)
    assert "could not be looked at" in caplog.text


def test_waking_looks_at_once(daemons: Daemons) -> None:
    daemons.lead.leads = False
    scheduled = Scheduler(daemons.start(), daemons.cadences, timedelta(hours=1))
    scheduled.start()
    until(lambda: not scheduled.busy_s())
    time.sleep(0.1)
    assert daemons.ran == []
    daemons.lead.leads = True
    scheduled.wake()
    until(lambda: ran(daemons, "quick") == 1)
    assert scheduled.shutdown(5)
