"""Two daemons on one ledger and one cluster, killed and paused at random; and what must hold."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from tests.e2e.daemons.clock import wait_until
from tests.e2e.daemons.world import MONDAY, REPORT, Daemon, World, world
from tests.e2e.sleepers import DEPLOYMENT, DEVELOPMENT, PRODUCTION, make
from tests.fakes.kube import Request

FACTOR = 300.0
START = MONDAY + timedelta(hours=7, minutes=50)
LEASE_S = 3.0
HOUR = timedelta(hours=1)
LATE = timedelta(minutes=10)
"""Two seconds: what was decided just before the hour may arrive after it."""

AHEAD = timedelta(minutes=20)
NOON, EVENING = MONDAY.replace(hour=12), MONDAY.replace(hour=21)
"""An even and an odd hour."""

EVEN = ", ".join(f"{hour:02}:00-{hour + 1:02}:00" for hour in range(0, 24, 2))
ODD = ", ".join(f"{hour:02}:00-{hour + 1:02}:00" for hour in range(1, 24, 2))
WORKLOADS = 12


@dataclass
class Witness:
    """Sees every request as it arrives, and who holds the Lease at that moment."""

    world: World
    tokens: dict[str, str]
    identities: dict[str, str] = field(default_factory=dict)
    holder: str = ""
    wrong: list[str] = field(default_factory=list)
    writes: int = 0
    terms: int = 0
    renewed: dict[str, float] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    """What was done to the daemons, with the time."""
    ambush: dict[str, int] = field(default_factory=dict)
    """Process ids by user: each is stopped at its next write."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: Request) -> None:
        if request.method == "GET":
            return
        who = self.tokens.get(request.headers.get("authorization", "").partition(" ")[2], "")
        if not who:
            return
        with self.lock:
            if "/leases" in request.path:
                self._lease(who, request.body())
            elif "/deployments/" in request.path:
                self._workload(who, request)

    def _lease(self, who: str, lease: dict[str, dict[str, str]]) -> None:
        # Whether the server takes it is seen at the next write: it keeps the truth.
        if lease["spec"].get("holderIdentity"):
            self.identities[who] = lease["spec"]["holderIdentity"]
            self.renewed[who] = time.monotonic()

    def _workload(self, who: str, request: Request) -> None:
        name = request.path.rsplit("/", 1)[-1]
        holder = self._lease_holder()
        if holder != self.identities.get(who):
            ago = time.monotonic() - self.renewed.get(who, 0)
            self.wrong.append(
                f"{who} ({self.identities.get(who)}) wrote {name} while {holder} held the Lease, "
                f"{ago:.2f} s after its own last word; {self.log[-8:]}"
            )
        if holder != self.holder:
            self.holder = holder
            self.terms += 1
        replicas = request.body().get("spec", {}).get("replicas")
        if replicas is None or "dryRun" in request.query:
            return
        self.writes += 1
        if (pid := self.ambush.pop(who, 0)) != 0:
            # Others of its threads are about to write as well.
            os.kill(pid, signal.SIGSTOP)
        now = self.world.clock()
        # It wakes ahead of its window, by as long as a model may take to load.
        until = now + AHEAD if replicas else now
        if replicas not in {expected(at)[name] for at in (now - LATE, now, until)}:
            self.wrong.append(f"{who} set {name} to {replicas} at {now:%H:%M}")

    def _lease_holder(self) -> str:
        objects = self.world.standin.store.objects
        return next(
            (
                str(one["spec"].get("holderIdentity"))
                for (_, _, name), one in list(objects.items())
                if name == "gpu-thrift" and "holderIdentity" in one.get("spec", {})
            ),
            "",
        )


def expected(now: datetime) -> dict[str, int]:
    """The replicas of every workload at a time, from the schedules as they are written."""
    awake = {f"w{n:02}": 1 + n % 4 for n in range(WORKLOADS)}
    asleep = {name for name in awake if int(name[1:]) % 2 != now.hour % 2}
    return {"chat": 2, **{name: 0 if name in asleep else n for name, n in awake.items()}}


@dataclass
class Rivals:
    """What was done to two daemons, and what came of it."""

    world: World
    witness: Witness
    rng: random.Random
    database: str
    acts: Counter[str] = field(default_factory=Counter)
    running: dict[str, Daemon] = field(default_factory=dict)

    def begin(self, name: str) -> None:
        more = {"clusters.kubernetes": {"kubeconfig": self.world.home / f"kube-{name}"}}
        self.running[name] = self.world.start(name, more)

    def disturb(self, seconds: float) -> None:
        """Kills, pauses and ends one or the other at random, for so long."""
        for name in ("a", "b"):
            self.begin(name)
        first = self.running["a"]
        known = "SELECT job FROM jobs WHERE job = 'record-usage'"
        # From then on no period may be missed.
        assert first.url
        wait_until(lambda: bool(self.rows(known)), 60, first.said)
        self.world.clock.set(START, FACTOR)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(self.rng.uniform(0.3, 2.5))
            name = self.rng.choice(("a", "b"))
            act = self.rng.choice(("kill", "pause", "ambush", "term"))
            daemon = self.running[name]
            if act == "ambush" and not self._ambushed(name, daemon):
                continue
            self.acts[act] += 1
            self.witness.log.append(f"{time.monotonic():.2f} {act} {name}")
            if act in ("pause", "ambush"):
                daemon.kill(signal.SIGSTOP)
                time.sleep(self.rng.uniform(LEASE_S, 2.5 * LEASE_S))
                self.witness.log.append(f"{time.monotonic():.2f} goes on")
                daemon.kill(signal.SIGCONT)
                self.revive()
                continue
            daemon.kill(signal.SIGKILL if act == "kill" else signal.SIGTERM)
            daemon.process.wait(40)
            time.sleep(self.rng.uniform(0, 1))
            self.begin(name)

    def _ambushed(self, name: str, daemon: Daemon) -> bool:
        """Whether it was stopped in the middle of its changes; they are due every 12 s."""
        self.witness.ambush[name] = daemon.pid
        end = time.monotonic() + 12
        while name in self.witness.ambush and time.monotonic() < end:
            time.sleep(0.02)
        return self.witness.ambush.pop(name, 0) == 0

    def revive(self) -> None:
        """Starts anew what ended: a process that was stopped in the middle of a change does."""
        for name, daemon in list(self.running.items()):
            if daemon.process.poll() is not None:
                assert daemon.process.returncode == -signal.SIGKILL, daemon.said()
                self.acts["fenced"] += 1
                self.begin(name)

    def calm(self) -> datetime:
        """Lets time go on at its own pace until nothing is left to be done. Returns when."""
        self.revive()
        now = self.world.clock()
        self.world.clock.set(now, 60)
        said = self.running["a"].said
        hour = now.replace(minute=0, second=0, microsecond=0)

        def settled() -> bool:
            return self.periods("record-usage")[-1:] == [f"{hour - HOUR:%Y-%m-%dT%H:00Z}"]

        wait_until(settled, 60, said)
        wait_until(lambda: not self.rows("SELECT key FROM notices WHERE state = 'waiting'"), 120)
        wait_until(lambda: self.world.replicas() == expected(self.world.clock()), 60, said)
        return hour

    def rows(self, query: str) -> list[tuple[str, ...]]:
        url = make_url(self.database)
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg", query={"client_encoding": "utf8"})
        engine = create_engine(url)
        try:
            with engine.connect() as connection:
                return [tuple(row) for row in connection.execute(text(query))]
        finally:
            engine.dispose()

    def periods(self, job: str) -> list[str]:
        """The periods that were done, in order."""
        found = self.rows(
            f"SELECT period FROM runs WHERE job = '{job}' AND outcome = 'done' ORDER BY due"
        )
        return [period for (period,) in found]


def fleet(home: World) -> None:
    """Workloads that sleep every other hour, and one that never does."""
    make(home.api, DEPLOYMENT, "chat", PRODUCTION, spec={"replicas": 2})
    for n in range(WORKLOADS):
        awake = {"gpu-thrift.io/awake": f"Mon-Sun {ODD if n % 2 else EVEN}"}
        spec = {"replicas": 1 + n % 4}
        make(home.api, DEPLOYMENT, f"w{n:02}", DEVELOPMENT, annotations=awake, spec=spec)


@contextmanager
def rivals(home: Path, prometheus: str, seed: int, database: str) -> Iterator[Rivals]:
    tokens = {"token-a": "a", "token-b": "b"}
    with world(home, prometheus, tokens) as made:
        for token, name in tokens.items():
            made.standin.kubeconfig(home / f"kube-{name}", token)
        fleet(made)
        made.sections["leadership"]["duration"] = f"{LEASE_S:g}s"
        if database.startswith("postgresql"):
            secret = home / "database"
            secret.write_text(database)
            made.sections["ledger"] = {"url_file": secret}
        witness = Witness(made, tokens)
        made.standin.inject(witness)
        made.clock.set(START, 1.0)
        yield Rivals(made, witness, random.Random(seed), database)


def check(found: Rivals, end: datetime) -> None:
    """What must hold after any disturbance; ``end`` is the last full hour."""
    assert found.witness.wrong == [], found.witness.wrong
    first = START.replace(minute=0) + HOUR
    done = found.periods("record-usage")
    # Time went on while it was waited for.
    hours = range(max(len(done), int((end - first) / HOUR) + 1))
    assert done == [f"{first + (n - 1) * HOUR:%Y-%m-%dT%H:00Z}" for n in hours], done
    days = (end - START.replace(hour=9, minute=0)).days + 1
    assert found.periods("flag-underused") == [
        f"{(START + timedelta(days=n)).date()}" for n in range(days)
    ]
    assert found.periods("weekly-report") == ["2026-W47"]
    lost = found.rows("SELECT job, period FROM runs WHERE outcome = 'failed' AND job <> 'sleep'")
    assert [one for one in lost if one[0] != "post-notices"] == []
    keys = found.world.slack.posted()
    assert len(keys) == len(set(keys)), keys
    assert set(REPORT) <= set(keys)
    assert not [key for key in keys if key.startswith("job-failed")]
    for event in found.world.standin.store.history:
        name = event.key[2]
        if event.key[0].startswith("deployments") and event.old and event.new:
            before, after = event.old["spec"]["replicas"], event.new["spec"]["replicas"]
            full = expected(EVENING if int(name[1:]) % 2 else NOON)[name] if name != "chat" else 2
            assert {before, after} <= {0, full}, name
            assert name != "chat"
    for one in found.world.daemons:
        assert "Traceback" not in one.said()
