"""Everything that a daemon meets: a cluster, Prometheus, Slack, a ledger; and daemons in it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import requests

from tests.e2e.daemons.clock import SharedClock, wait_until
from tests.e2e.sleepers import DEPLOYMENT, DEVELOPMENT, PRODUCTION, make, ours, read
from tests.fakes.kube import KubeStandIn
from tests.fakes.kubeapi.caller import Caller, caller
from tests.fakes.slack import TOKEN, SlackStandIn
from tests.openmetrics import RawSeries

CHANNEL = "C0GPUS0001"
REPORT = [f"weekly-report 2026-W47 of main{part}" for part in ("", " details")]
"""The marks of the messages of the week before ``MONDAY``."""

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)

Sections = Mapping[str, Mapping[str, Any]]


def series(days: int = 1) -> list[RawSeries]:
    """Two GPUs of production that hardly work, for two days before and ``days`` after."""
    begin = MONDAY.timestamp()
    times = np.arange(begin - 48 * 3600, begin + days * 24 * 3600, 60.0) + 7
    return [
        RawSeries(
            "DCGM_FI_DEV_GPU_UTIL",
            {
                "UUID": f"GPU-{index}",
                "gpu": str(index),
                "modelName": "NVIDIA A100-SXM4-80GB",
                "Hostname": "n1",
                "namespace": "ml",
                "pod": f"chat-production-{index}",
            },
            times,
            np.full(times.size, 12.0),
        )
        for index in range(2)
    ]


@dataclass
class Daemon:
    """A process that runs; ``log`` is what it says."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def url(self) -> str:
        """Where it serves, once it does."""

        def found() -> bool:
            return self.process.poll() is not None or "says how it is" in self.said()

        wait_until(found, 60, self.said)
        there = re.search(r"(http://\S+)/ says how it is", self.said())
        assert there, self.said()
        return there[1]

    def get(self, path: str, seconds: float = 10) -> requests.Response:
        return requests.get(self.url + path, timeout=seconds)

    def metric(self, name: str) -> float:
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.get("/metrics").text, re.MULTILINE)
        assert found, name
        return float(found[1])

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.kill(self.pid, number)

    def end(self, number: int = signal.SIGTERM, seconds: float = 40) -> int:
        self.kill(number)
        return self.process.wait(seconds)


@dataclass
class World:
    """``standin`` is the cluster behind ``api``; ``sections`` is what every daemon is told."""

    home: Path
    api: Caller
    standin: KubeStandIn
    slack: SlackStandIn
    clock: SharedClock
    sections: dict[str, dict[str, Any]]
    daemons: list[Daemon] = field(default_factory=list)

    def config(self, name: str, more: Sections | None = None) -> Path:
        """Writes a configuration; ``more`` is merged over what every daemon is told."""
        told: dict[str, dict[str, Any]] = {key: dict(one) for key, one in self.sections.items()}
        for key, one in (more or {}).items():
            told.setdefault(key, {}).update(one)
        clusters = {key: told.pop(key) for key in list(told) if key.startswith("clusters.")}
        lines = [line for key, one in told.items() for line in (f"[{key}]", *_lines(one))]
        lines += ["[[clusters]]", 'name = "main"']
        lines += [line for key, one in clusters.items() for line in (f"[{key}]", *_lines(one))]
        path = self.home / f"{name}.toml"
        path.write_text("\n".join(lines) + "\n")
        return path

    def start(self, name: str = "one", more: Sections | None = None, **environ: str) -> Daemon:
        """Another daemon, with a clock that is the world's."""
        config = self.config(name, more)
        command = [sys.executable, "-m", "tests.e2e.daemons.process", str(config)]
        return self.run([*command, str(self.home / "clock")], name, environ)

    def run(
        self,
        command: list[str],
        name: str,
        environ: Mapping[str, str] = MappingProxyType({}),
        cwd: Path = Path(__file__).parents[3],
    ) -> Daemon:
        log = self.home / f"{name}-{len(self.daemons)}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=cwd,
                env={**os.environ, "HOME": str(self.home), "NO_COLOR": "1", **environ},
            )
        self.daemons.append(Daemon(process, log))
        return self.daemons[-1]

    def command(
        self, given: Sequence[str], now: datetime, more: Sections | None = None
    ) -> tuple[int, str, str]:
        """The exit code, output and errors of a command that is run at another time."""
        config = self.config("command", more)
        python = [sys.executable, "-m", "tests.e2e.daemons.cli", now.isoformat()]
        done = subprocess.run(
            [*python, "--config", str(config), *given],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            cwd=Path(__file__).parents[3],
            env={**os.environ, "HOME": str(self.home), "NO_COLOR": "1"},
        )
        return done.returncode, done.stdout, done.stderr

    def replicas(self) -> dict[str, int]:
        found = self.api.call("GET", DEPLOYMENT.path).body["items"]
        return {one["metadata"]["name"]: one["spec"]["replicas"] for one in found}

    def memory(self, name: str) -> dict[str, str]:
        """The annotations of ours that a deployment has."""
        return ours(read(self.api, DEPLOYMENT, name))

    def writes(self) -> list[tuple[str, str]]:
        """Method and path of every write to a workload, in order."""
        return [
            (one.method, one.path)
            for one in self.standin.requests
            if one.method != "GET" and "/deployments/" in one.path
        ]


def _lines(told: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {_toml(value)}" for key, value in told.items()]


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str | Path) else str(value)


@contextmanager
def world(home: Path, prometheus: str, tokens: Mapping[str, str] | None = None) -> Iterator[World]:
    """Whatever was started in it has ended afterwards. ``tokens`` maps tokens that the cluster
    takes, besides its own, to users."""
    clock = SharedClock(home / "clock")
    clock.set(MONDAY, 1.0)
    secret = home / "slack-token"
    secret.write_text(TOKEN)
    with caller("stand-in", home) as api, SlackStandIn() as slack:
        assert api.standin
        api.standin.tokens.update(tokens or {})
        slack.clock = clock.seconds
        sections: dict[str, dict[str, Any]] = {
            "analysis": {"window": "24h"},
            "sleep": {
                "enabled": True,
                "dry_run": False,
                "namespaces": [api.namespace],
                "grace": "0s",
                "when_metrics_missing": "sleep",
                "ready_deadline": "24h",
                "awake": "Mon 00:00-09:00",
            },
            "ledger": {"file": home / "ledger.db"},
            "jobs": {
                "flag_underused": "09:00",
                "weekly_report": "Mon 09:00",
                "record_usage": "0s",
                "grace_period": "10s",
            },
            "leadership": {"by": "lease", "namespace": api.namespace, "duration": "2s"},
            "web": {"port": 0, "reports": home / "reports"},
            "slack": {
                "channel": CHANNEL,
                "token_file": secret,
                "url": slack.url,
                "timeout": "1s",
            },
            "clusters.prometheus": {"url": prometheus, "timeout": "2s", "retries": 0},
            "clusters.kubernetes": {"kubeconfig": api.kubeconfig, "timeout": "2s"},
        }
        made = World(home, api, api.standin, slack, clock, sections)
        try:
            yield made
        finally:
            for one in made.daemons:
                if one.process.poll() is None:
                    one.kill(signal.SIGCONT)
                    one.kill()
                    one.process.wait(30)


def workloads(world: World) -> dict[str, int]:
    """A production deployment, and two that sleep at other times; their replicas when awake."""
    make(world.api, DEPLOYMENT, "chat", PRODUCTION, spec={"replicas": 2})
    make(world.api, DEPLOYMENT, "early", DEVELOPMENT, spec={"replicas": 3})
    late = {"gpu-thrift.io/awake": "Mon 09:00-23:00"}
    make(world.api, DEPLOYMENT, "late", DEVELOPMENT, annotations=late, spec={"replicas": 5})
    return {"chat": 2, "early": 3, "late": 5}
