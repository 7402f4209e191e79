"""Real servers on 127.0.0.1: Prometheus with blocks from promtool, and VictoriaMetrics.

Each is a context manager that yields the base URL and ends the process it started.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import requests

from tests.openmetrics import RawSeries, prometheus_text, write

START_TIMEOUT_S = 60
ATTEMPTS = 3
"""A port that was free can be taken before the server binds it; then another one is tried."""


def need(*binaries: str, package: str) -> None:
    """Skip the test, aloud, when a binary is missing; fail it in CI, where nothing is skipped."""
    missing = [name for name in binaries if shutil.which(name) is None]
    if not missing:
        return
    reason = f"{', '.join(missing)} not on PATH; install: sudo apt-get install -y {package}"
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def prometheus(series: Iterable[RawSeries], *flags: str) -> Iterator[str]:
    """A Prometheus that holds exactly ``series``; ``flags`` are added to its command line."""
    need("prometheus", "promtool", package="prometheus")
    with tempfile.TemporaryDirectory(prefix="gpu-thrift-prometheus-") as name:
        home = Path(name)
        data = home / "data"
        data.mkdir()
        _build_blocks(write(series, home / "samples.om"), data)
        config = home / "prometheus.yml"
        config.write_text("scrape_configs: []\n")

        def command(port: int) -> list[str]:
            return [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={data}",
                "--storage.tsdb.retention.time=100y",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=warn",
                *flags,
            ]

        with _running(command, "/-/ready", home / "log") as url:
            yield url


@contextmanager
def victoria_metrics(series: Iterable[RawSeries], *flags: str) -> Iterator[str]:
    """A single-node VictoriaMetrics that holds exactly ``series``."""
    need("victoria-metrics", package="victoria-metrics")
    with tempfile.TemporaryDirectory(prefix="gpu-thrift-victoria-") as name:
        home = Path(name)

        def command(port: int) -> list[str]:
            return [
                "victoria-metrics",
                f"-storageDataPath={home / 'data'}",
                "-retentionPeriod=100y",
                f"-httpListenAddr=127.0.0.1:{port}",
                "-memory.allowedBytes=256MB",
                "-loggerLevel=WARN",
                *flags,
            ]

        with _running(command, "/health", home / "log") as url:
            text = prometheus_text(series).encode()
            if text:
                answer = requests.post(f"{url}/api/v1/import/prometheus", data=text, timeout=60)
                answer.raise_for_status()
            requests.get(f"{url}/internal/force_flush", timeout=60).raise_for_status()
            yield url


ENGINES: dict[str, Callable[..., AbstractContextManager[str]]] = {
    "prometheus": prometheus,
    "victoria-metrics": victoria_metrics,
}


def _build_blocks(text: Path, data: Path) -> None:
    """Turn OpenMetrics text into blocks.

    promtool reads the whole file again for every block, and a block is two hours long unless
    told otherwise: with blocks of months there are one or two.
    """
    if text.stat().st_size <= len("# EOF\n"):
        return
    done = subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet",
         "--max-block-duration=2000h", str(text), str(data)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"promtool refused the samples: {done.stderr.strip()}")


@contextmanager
def _running(command: Callable[[int], list[str]], ready: str, log: Path) -> Iterator[str]:
    """Start the command on a free port, wait for ``ready`` to answer 200, end it afterwards."""
    for attempt in range(ATTEMPTS):
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        with log.open("w") as out:
            process = subprocess.Popen(command(port), stdout=out, stderr=subprocess.STDOUT)
        try:
            if _wait_until_ready(process, url + ready):
                yield url
                return
        finally:
            _end(process)
        if attempt == ATTEMPTS - 1 or "address already in use" not in log.read_text():
            raise RuntimeError(f"{command(port)[0]} did not start:\n{log.read_text()[-2000:]}")


def _wait_until_ready(process: subprocess.Popen[bytes], url: str) -> bool:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if requests.get(url, timeout=5).status_code == 200:
                return True
        except requests.RequestException:
            pass
        time.sleep(0.02)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
