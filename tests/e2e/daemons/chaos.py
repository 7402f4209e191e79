"""A daemon between servers that misbehave, alone and two at a time; and what must hold."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations, product
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import create_engine, text

from tests.e2e.daemons.clock import wait_until
from tests.e2e.daemons.world import MONDAY, REPORT, Daemon, World, workloads, world
from tests.fakes.chaos import LIE, MODES, ChaosProxy, Mode, http

SERVICES = ("prometheus", "kubernetes", "ledger", "slack")
Faults = Mapping[str, Mode]

SINGLES: list[Faults] = [{service: mode} for service in SERVICES for mode in MODES]
PAIRS: list[Faults] = [
    {one: a, two: b} for one, two in combinations(SERVICES, 2) for a, b in product(MODES, repeat=2)
]

BEFORE = MONDAY + timedelta(hours=7, minutes=30)
AFTER = MONDAY + timedelta(hours=9, minutes=1)
FACTOR = 60.0
FAULT_S = 3.0

_EMPTY = b'{"status":"success","data":{"resultType":"vector","result":[]},"kind":"List","items":[]}'
LIES = {
    # Another service's page, and what looks like an answer and says that there is nothing at all.
    "prometheus": http(_EMPTY, "application/json"),
    "kubernetes": http(_EMPTY, "application/json"),
    "slack": http(b'{"ok":true}', "application/json"),
    "ledger": b"E\x00\x00\x00\x20SFATAL\x00C99999\x00Mthis is no database\x00\x00",
}


def name_of(faults: Faults) -> str:
    return "+".join(f"{service} {mode}" for service, mode in faults.items())


@dataclass
class Scene:
    """One daemon, its world, and a proxy before each server."""

    world: World
    proxies: Mapping[str, ChaosProxy]
    database: str

    def set(self, faults: Faults) -> None:
        for service, proxy in self.proxies.items():
            proxy.mode = faults.get(service, "well")

    def rows(self, query: str) -> list[tuple[str, ...]]:
        url = self.database.replace("postgresql:", "postgresql+psycopg:")
        engine = create_engine(url, connect_args={"client_encoding": "utf8"})
        try:
            with engine.connect() as connection:
                return [tuple(map(str, row)) for row in connection.execute(text(query))]
        finally:
            engine.dispose()


@contextmanager
def scene(home: Path, prometheus: str, database: str, lies: bool) -> Iterator[Scene]:
    """``lies``: whether lies look like answers; else they are another service's page."""
    with ExitStack() as stack:
        made = stack.enter_context(world(home, prometheus))
        ports = {
            "prometheus": urlsplit(prometheus).port,
            "kubernetes": urlsplit(made.api.url).port,
            "ledger": urlsplit(database).port,
            "slack": urlsplit(made.slack.url).port,
        }
        proxies = {}
        for service, port in ports.items():
            assert port
            proxy = stack.enter_context(ChaosProxy(port))
            proxy.lie = LIES[service] if lies else http(LIE)
            proxies[service] = proxy
        secret = home / "database"
        port = ports["ledger"]
        secret.write_text(database.replace(f":{port}/", f":{proxies['ledger'].port}/"))
        kubeconfig = home / "kube-proxied"
        real = Path(made.api.kubeconfig).read_text()
        kubeconfig.write_text(real.replace(made.api.url, proxies["kubernetes"].url))
        made.sections["ledger"] = {"url_file": secret}
        made.sections["slack"]["url"] = f"{proxies['slack'].url}/api"
        made.sections["clusters.prometheus"] |= {"url": proxies["prometheus"].url, "timeout": "1s"}
        made.sections["clusters.kubernetes"] |= {"kubeconfig": kubeconfig, "timeout": "1s"}
        made.sections["leadership"]["duration"] = "4s"
        made.clock.set(BEFORE, FACTOR)
        yield Scene(made, proxies, database)


def play(at: Scene, faults: Faults) -> None:
    """Everything becomes due while the faults last; then they end, and all of it is done."""
    home = at.world
    awake = workloads(home)
    daemon = home.start()

    def why() -> str:
        return f"{name_of(faults)}\n{daemon.said()}"

    wait_until(lambda: home.replicas() == {**awake, "late": 0}, 60, why)
    wait_until(lambda: daemon.get("/readyz").status_code == 200, 60, why)
    at.set(faults)
    home.clock.set(AFTER, FACTOR)
    end = time.monotonic() + FAULT_S
    while time.monotonic() < end:
        # A page never waits for what hangs, and no fault of others means that this process is ill.
        health = daemon.get("/healthz", seconds=5)
        assert health.status_code == 200, health.text + why()
        assert daemon.get("/", seconds=5).status_code == 200
        check_writes(home, awake, why())
        time.sleep(0.2)
    at.set({})
    wait_until(lambda: home.replicas() == {**awake, "early": 0}, 90, why)
    wait_until(lambda: len(posted(home)) == 3, 120, why)
    done = "SELECT job, period FROM runs WHERE outcome = 'done' AND job = 'record-usage'"
    wait_until(lambda: ("record-usage", "2026-11-23T08:00Z") in at.rows(done), 90, why)
    wait_until(lambda: daemon.get("/readyz").status_code == 200, 60, why)
    check(at, daemon, awake, why())


def check_writes(home: World, awake: Mapping[str, int], why: str) -> None:
    """Nothing but the two that may sleep was ever changed, and only to where it belongs."""
    for event in list(home.standin.store.history):
        if not event.key[0].startswith("deployments") or event.old is None or event.new is None:
            continue
        name, replicas = event.key[2], event.new["spec"]["replicas"]
        assert name in ("early", "late"), why
        assert replicas in (0, awake[name]), why


def posted(home: World) -> list[str]:
    """The messages; the clock was set forward by more than an hour, for which sleep may have
    failed. Where it is half past nine before all is done, the morning is told of as well, once, if
    the faults left anything undone."""
    keys = home.slack.posted()
    assert len(keys) == len(set(keys)), keys
    return sorted(
        key for key in keys if not key.startswith(("job-failed sleep ", "morning-check "))
    )


def check(at: Scene, daemon: Daemon, awake: Mapping[str, int], why: str) -> None:
    home = at.world
    check_writes(home, awake, why)
    assert home.replicas()["chat"] == awake["chat"], why
    assert home.memory("late") == {"gpu-thrift.io/awake": "Mon 09:00-23:00"}, why
    assert home.memory("early")["gpu-thrift.io/replicas"] == str(awake["early"]), why
    flags, *report = posted(home)
    assert flags.startswith("flag-underused 2026-11-23"), why
    assert report == REPORT, why
    twice = "SELECT job, period FROM runs GROUP BY job, period HAVING count(*) > 1"
    assert at.rows(twice) == [], why
    assert daemon.end() == 0, why
    assert "Traceback" not in daemon.said(), why
    for secret in ("xoxb-", "admin-token", "secret-word"):
        assert secret not in daemon.said(), why
