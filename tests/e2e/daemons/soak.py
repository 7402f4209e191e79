"""A day of one daemon in little time, and what it holds meanwhile."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import linear_regression, median

from tests.e2e.daemons.clock import wait_until
from tests.e2e.daemons.rivals import fleet
from tests.e2e.daemons.world import MONDAY, World, world

START = MONDAY + timedelta(hours=8, minutes=30)
"""Soon before the jobs of the day and the week, which are the first to load some libraries."""


@dataclass(frozen=True)
class Sample:
    """``hours`` of simulated time since the start; what the process holds then."""

    hours: float
    rss_kib: int
    files: int
    threads: int


@dataclass(frozen=True)
class Soak:
    samples: Sequence[Sample]
    runs: int
    """Runs of the sleep job that were done."""
    changes: int
    """Times that something was put to sleep or woken."""

    @property
    def kib_per_hour(self) -> float:
        """How much its memory grows in an hour of simulated time, once it is warm."""
        warm = self.warm()
        return linear_regression([one.hours for one in warm], [one.rss_kib for one in warm])[0]

    def warm(self) -> Sequence[Sample]:
        """Without the first quarter, in which everything happens for the first time."""
        return self.samples[len(self.samples) // 4 :]

    def halves(self, what: str) -> tuple[float, float]:
        """The median of something in the first and in the second half of the warm part."""
        warm = [getattr(one, what) for one in self.warm()]
        middle = len(warm) // 2
        return median(warm[:middle]), median(warm[middle:])


def soak(home: Path, prometheus: str, hours: float, factor: float) -> Soak:
    """Runs a daemon for so many hours of its time, each of them ``factor`` times as fast, while
    its pages are asked for all the time."""
    with world(home, prometheus) as made:
        fleet(made)
        made.clock.set(START, factor)
        daemon = made.start(TEST_EVERY_S=str(30 / factor))
        wait_until(lambda: daemon.metric("gpu_thrift_leader") == 1, 60, daemon.said)
        begun = made.clock.seconds()
        samples: list[Sample] = []
        while (passed := (made.clock.seconds() - begun) / 3600) < hours:
            assert daemon.process.poll() is None, daemon.said()
            for path in ("/", "/metrics", "/healthz", "/readyz", "/reports/"):
                assert daemon.get(path).status_code in (200, 503)
            samples.append(_sample(daemon.pid, passed))
            time.sleep(0.2)
        runs = daemon.metric('gpu_thrift_job_runs_total{job="sleep",outcome="done"}')
        assert daemon.end() == 0
        return Soak(samples, int(runs), _changes(made))


def _sample(pid: int, hours: float) -> Sample:
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Sample(hours, int(status["VmRSS"].split()[0]), files, int(status["Threads"]))


def _changes(home: World) -> int:
    return sum(
        event.old["spec"]["replicas"] != event.new["spec"]["replicas"]
        for event in home.standin.store.history
        if event.key[0].startswith("deployments") and event.old and event.new
    )
