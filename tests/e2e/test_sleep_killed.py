"""SIGKILL in the middle of a sweep over 300 workloads, at 50 points: all come back as they were."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jobs.ledger.ledger import open_ledger
from tests.e2e.sleepers import DEPLOYMENT, config, make, ours
from tests.fakes.kube import KubeStandIn, Request
from tests.fakes.kubeapi.caller import Caller, caller

WORKLOADS = 300
NIGHTS = 25
"""Two kills each: one while all go to sleep, one while all wake."""

EVENING = datetime(2026, 11, 23, 21, 0, tzinfo=UTC)


@dataclass
class Killer:
    """Ends a process at its n-th write that the server sees."""

    pid: int = 0
    after: int = 0
    seen: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request) -> None:
        if request.method not in ("PATCH", "POST"):
            return
        with self.lock:
            self.seen += 1
            if self.pid and self.seen == self.after:
                os.kill(self.pid, signal.SIGKILL)


@contextmanager
def sweeper(directory: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.sweep"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Without pods, nothing is ever ready, which is told of each.
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "HOME": str(directory)},
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(timeout=30)


def sweep(
    process: subprocess.Popen[str], file: Path, now: datetime, killer: Killer, after: int
) -> int:
    """How the job ended; killed at its write number ``after``, 0 for never."""
    assert process.stdin is not None
    assert process.stdout is not None
    killer.pid, killer.after, killer.seen = 0, after, 0
    process.stdin.write(f"{file} {now.isoformat()}\n")
    process.stdin.flush()
    killer.pid = int(process.stdout.readline())
    return int(process.stdout.readline())


def settings(api: Caller) -> dict[str, dict[str, object]]:
    found = api.call("GET", DEPLOYMENT.path).body["items"]
    return {
        item["metadata"]["name"]: {"replicas": item["spec"]["replicas"], **ours(item)}
        for item in found
    }


def test_killed_at_fifty_points_all_come_back(tmp_path: Path) -> None:
    chance = random.Random(20261124)
    killer = Killer()
    with caller("stand-in", tmp_path) as api, sweeper(tmp_path) as process:
        wanted: dict[str, dict[str, object]] = {}
        for n in range(WORKLOADS):
            make(api, DEPLOYMENT, f"w{n:03}", spec={"replicas": 1 + n % 9})
            wanted[f"w{n:03}"] = {"replicas": 1 + n % 9}
        assert isinstance(api.standin, KubeStandIn)
        api.standin.inject(killer)
        file = config(api, tmp_path, awake="08:00-20:00", max_gpus=5000)
        killed = 0
        for night in range(NIGHTS):
            now = EVENING + timedelta(days=night)
            killed += sweep(process, file, now, killer, chance.randint(1, 590)) == -signal.SIGKILL
            assert sweep(process, file, now + timedelta(minutes=5), killer, 0) in (0, 4)
            asleep = settings(api)
            assert {one["replicas"] for one in asleep.values()} == {0}
            memory = {name: one["gpu-thrift.io/replicas"] for name, one in asleep.items()}
            assert memory == {name: str(one["replicas"]) for name, one in wanted.items()}
            now += timedelta(hours=12)
            killed += sweep(process, file, now, killer, chance.randint(1, 590)) == -signal.SIGKILL
            # The end of the night: 300 of 300, and nothing of ours left behind.
            assert sweep(process, file, now + timedelta(minutes=5), killer, 0) in (0, 4)
            assert settings(api) == wanted
        assert killed == 2 * NIGHTS
        final = now + timedelta(minutes=15)
        sweep(process, file, final, killer, 0)
        ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
        state = ledger.tick_state("default", final)
        assert (state.open, state.unfinished) == ({}, [])
        ledger.close()
