"""What ``gpu-thrift analyze`` costs next to the bare HTTP requests it makes. Run by ``make bench``.

    python -m benchmarks.analyze [--gpus 500] [--rounds 3]

One fleet is generated twice, scraped every 60 s and every 30 s, and each is served by a Prometheus
of its own. Analyses and replays of their requests take turns, so that whatever else the machine
does falls on both; medians are printed beside their targets. Nothing is asserted: a busy machine
is not a defect.

The fleets are kept in $BENCH_DIR (~/.cache/gpu-thrift-bench) for as long as they reach past now.
This process stays small and imports little, because Linux counts a parent's memory at the moment
of a fork towards the child's peak.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

DAYS = 7
AHEAD_S = 6 * 3600
"""Fleets reach this far past the moment they are made, and may be used again until then."""

# As for a user, compiled modules are kept.
ENVIRON = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True)
class Cost:
    """What one process took: seconds on the clock, seconds of CPU, peak resident MB."""

    wall_s: float
    cpu_s: float
    peak_mb: float


@dataclass(frozen=True)
class Figure:
    """One line of the table; ``target`` is an upper bound."""

    what: str
    value: float
    unit: str = ""
    target: float | None = None


def cost(command: list[str]) -> Cost:
    """Run a command to its end and measure it."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=ENVIRON, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} exited {process.returncode}")
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def fleet(home: Path, gpus: int, interval_s: int) -> Path:
    """Blocks of the fleet that reach past now, made anew where there are none."""
    directory = home / f"gpus{gpus}-days{DAYS}-every{interval_s}s"
    mark = directory / "reaches"
    if mark.exists() and float(mark.read_text()) > time.time() + 1800:
        return directory
    shutil.rmtree(directory, ignore_errors=True)
    end_s = int(time.time() + AHEAD_S) // 3600 * 3600
    days = DAYS + (AHEAD_S + 3600) / 86400
    print(f"generating {gpus} GPUs x {DAYS} days x {interval_s} s ...", file=sys.stderr)
    subprocess.run(
        [sys.executable, "-m", "benchmarks.generate", str(directory), "--gpus", str(gpus),
         "--days", str(days), "--interval", str(interval_s), "--end", str(end_s)],
        check=True, env=ENVIRON,
    )  # fmt: skip
    mark.write_text(str(end_s))
    return directory


@contextmanager
def prometheus(directory: Path) -> Iterator[str]:
    """The URL of a Prometheus that serves these blocks and neither compacts nor drops any."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [
        "prometheus", "--config.file=/dev/null", f"--storage.tsdb.path={directory}",
        f"--web.listen-address={address}", "--storage.tsdb.retention.time=100y",
        "--storage.tsdb.min-block-duration=2h", "--storage.tsdb.max-block-duration=2h",
        "--log.level=error",
    ]  # fmt: skip
    process = subprocess.Popen(command)
    try:
        for _ in range(600):
            if process.poll() is not None:
                raise SystemExit(f"prometheus exited {process.returncode}")
            try:
                with urllib.request.urlopen(f"http://{address}/-/ready"):
                    break
            except urllib.error.URLError:
                time.sleep(0.1)
        else:
            raise SystemExit("prometheus was not ready within a minute")
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait()


def analyze(url: str, scratch: Path) -> Cost:
    return cost(
        [str(Path(sys.executable).with_name("gpu-thrift")), "analyze", "--prometheus", url,
         "--no-cluster", "--window", f"{DAYS}d", "--format", "json",
         "-o", str(scratch / "analysis.json")]
    )  # fmt: skip


def replay(recorded: Path, at_once: int = 0) -> float:
    """Seconds from the first request to the last byte of the last answer; ``at_once`` requests at
    a time, by default as many as the program."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "benchmarks.replay",
            "run",
            str(recorded),
            "--at-once",
            str(at_once),
        ],
        check=True,
        env=ENVIRON,
        stdout=subprocess.PIPE,
        text=True,
    )
    return float(done.stdout)


def record(url: str, recorded: Path) -> Path:
    cost([sys.executable, "-m", "benchmarks.replay", "record", url, str(recorded),
          "--window", f"{DAYS}d"])  # fmt: skip
    return recorded


def measured(fleets: Mapping[int, str], scratch: Path, rounds: int) -> list[Figure]:
    """Rounds in which every interval is analysed and replayed once, after one of warming up."""
    requests = {every: record(url, scratch / f"{every}.json") for every, url in fleets.items()}
    costs: dict[int, list[Cost]] = {every: [] for every in fleets}
    bare: dict[int, list[float]] = {every: [] for every in fleets}
    serial: dict[int, list[float]] = {every: [] for every in fleets}
    for turn in range(rounds + 1):
        for every, url in fleets.items():
            taken, asked_s = analyze(url, scratch), replay(requests[every])
            if turn:
                costs[every].append(taken)
                bare[every].append(asked_s)
                serial[every].append(replay(requests[every], 1))
    found: list[Figure] = []
    for every in fleets:
        mine = f", scraped every {every} s"
        wall_s = median(c.wall_s for c in costs[every])
        found += [
            Figure(f"analyze{mine}: wall", wall_s, "s"),
            Figure(f"bare requests{mine}: wall", median(bare[every]), "s"),
            Figure("  analyze / bare requests", wall_s / median(bare[every]), "", 1.3),
            Figure(f"bare requests, one at a time{mine}", median(serial[every]), "s"),
            Figure("  analyze / that", wall_s / median(serial[every]), "", 1.3),
            Figure("  CPU of its own", median(c.cpu_s for c in costs[every]), "s"),
            Figure("  peak memory", median(c.peak_mb for c in costs[every]), "MB", 250),
        ]
    sparse, dense = (costs[every] for every in sorted(fleets, reverse=True))
    cpu = median(c.cpu_s for c in dense) / median(c.cpu_s for c in sparse)
    peak = median(c.peak_mb for c in dense) / median(c.peak_mb for c in sparse)
    found += [
        Figure("twice the samples: CPU of its own", cpu, "x", 1.1),
        Figure("twice the samples: peak memory", peak, "x", 1.1),
    ]
    return found


def start_up(rounds: int) -> Figure:
    """CPU that --help takes, after one call that leaves compiled modules behind."""
    command = [str(Path(sys.executable).with_name("gpu-thrift")), "--help"]
    cpu = [cost(command).cpu_s for _ in range(rounds + 1)][1:]
    return Figure("gpu-thrift --help: CPU", median(cpu), "s", 0.25)


def show(figures: list[Figure]) -> None:
    print(f"{'':50} {'measured':>10}    {'target':>8}")
    for one in figures:
        target = "" if one.target is None else f"<= {one.target:g}"
        missed = "  MISSED" if one.target is not None and one.value > one.target else ""
        print(f"{one.what:50} {one.value:10.2f} {one.unit:2} {target:>8}{missed}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gpus", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    home = Path(os.environ.get("BENCH_DIR") or Path.home() / ".cache" / "gpu-thrift-bench")
    directories = {every: fleet(home, given.gpus, every) for every in (60, 30)}
    with TemporaryDirectory() as scratch, ExitStack() as stack:
        fleets = {every: stack.enter_context(prometheus(d)) for every, d in directories.items()}
        print(f"{given.gpus} GPUs, {DAYS} days, medians of {given.rounds} rounds")
        show([*measured(fleets, Path(scratch), given.rounds), start_up(max(5, given.rounds))])


if __name__ == "__main__":
    main()
