"""What advice costs next to reading what it is made from. Run by ``make bench``.

    python -m benchmarks.sizing [--workloads 2000] [--many 10000] [--read 500] [--rounds 3]

Two fleets, of half of ``--read`` workloads and of all of them, are scraped every five minutes and
read from a Prometheus each; what reading ``--workloads`` takes is extrapolated along the line
through both. Fewer samples than the usual every minute make reading quick, so the ratio is at its
worst. ``--read 2000`` reads as many as are analysed, and nothing is extrapolated.

What is analysed is made up as facts (``benchmarks.fleets``), for Prometheus tells nothing of pods
on nodes. Every measurement is a process of its own. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.analyze import DAYS, ENVIRON, Figure, fleet, prometheus, show

SCRAPE_S = 300
GPUS_A_WORKLOAD = 5.7
"""Of the fleets that ``benchmarks.generate`` makes."""


def read(url: str) -> dict[str, float]:
    """Seconds of reading a fleet, of analysing it and of advice on it, and how large it is."""
    from datetime import UTC, datetime, timedelta

    from analyzer.collect.snapshot import take_snapshot
    from analyzer.config import Config
    from analyzer.model import Window
    from jobs.wiring import Choice, analysed, chosen_clusters, read_settings, sources

    config, now = Config(), datetime.now(UTC)
    choice = Choice(prometheus=url, no_cluster=True)
    made = sources(chosen_clusters(config, choice), choice)
    window = Window.ending(now, timedelta(days=DAYS))
    began = time.perf_counter()
    snapshot = take_snapshot(made, read_settings(config), window, now)
    done = time.perf_counter()
    analysed(config, snapshot, now)
    return {
        "workloads": len(snapshot.workloads),
        "read_s": done - began,
        "decide_s": time.perf_counter() - done,
    }


def decide(workloads: int, only_hold: bool) -> dict[str, float]:
    """Seconds of analysing and of advice on a fleet that is made up, and the peak in MB."""
    from analyzer.config import Config
    from analyzer.sizing.advise import advised
    from analyzer.usage import analyse
    from benchmarks.fleets import END
    from benchmarks.fleets import fleet as made_up
    from jobs.wiring import decide_settings, sizing_settings

    config, snapshot = Config(), made_up(workloads, DAYS)
    began = half = time.perf_counter()
    if not only_hold:
        analysis = analyse(snapshot, decide_settings(config), END)
        half = time.perf_counter()
        advised(snapshot, analysis, sizing_settings(config))
    done = time.perf_counter()
    return {"analyse_s": half - began, "advice_s": done - half, "decide_s": done - began}


def child(*given: object) -> dict[str, float]:
    """What a process of its own measured, and its peak."""
    command = [sys.executable, "-m", "benchmarks.sizing", *map(str, given)]
    done = subprocess.run(command, check=True, env=ENVIRON, stdout=subprocess.PIPE, text=True)
    told: dict[str, float] = json.loads(done.stdout)
    return told


def medians(rounds: int, *given: object) -> dict[str, float]:
    told = [child(*given) for _ in range(rounds)]
    return {name: median(one[name] for one in told) for name in told[0]}


def reading(home: Path, most: int, workloads: int, rounds: int) -> tuple[list[Figure], float]:
    """Figures of reading, and seconds that reading ``workloads`` takes by them."""
    figures: list[Figure] = []
    told: list[dict[str, float]] = []
    for size in (most // 2, most):
        with ExitStack() as stack:
            directory = fleet(home, int(size * GPUS_A_WORKLOAD), SCRAPE_S)
            url = stack.enter_context(prometheus(directory))
            child("read", url)
            told.append(medians(rounds, "read", url))
        one = told[-1]
        mine = f"{one['workloads']:.0f} workloads from Prometheus"
        figures += [
            Figure(f"{mine}: reading", one["read_s"], "s"),
            Figure("  analysing and advice", one["decide_s"], "s"),
            Figure("  that / reading", one["decide_s"] / one["read_s"], "", 5),
        ]
    small, large = told
    each_s = (large["read_s"] - small["read_s"]) / (large["workloads"] - small["workloads"])
    whole_s = large["read_s"] + each_s * (workloads - large["workloads"])
    figures.append(Figure(f"{workloads} workloads: reading, extrapolated", whole_s, "s"))
    return figures, whole_s


def deciding(workloads: int, rounds: int, reading_s: float | None) -> list[Figure]:
    """``reading_s`` is None where nothing is aimed at."""
    held, told = child("hold", workloads), medians(rounds, "decide", workloads)
    target = None if reading_s is None else 400.0
    figures = [
        Figure(f"{workloads} workloads: analysing", told["analyse_s"], "s"),
        Figure("  advice", told["advice_s"], "s"),
        Figure("  both, each workload", told["decide_s"] / workloads * 1000, "ms"),
        Figure("  peak memory", told["peak_mb"], "MB", target),
        Figure("  of that the facts alone", held["peak_mb"], "MB"),
    ]
    if reading_s is not None:
        figures.append(Figure("  both / reading", told["decide_s"] / reading_s, "", 5))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="?", choices=("read", "decide", "hold"))
    parser.add_argument("of", nargs="?", help="URL, or how many workloads")
    parser.add_argument("--workloads", type=int, default=2000)
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--read", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    if given.what:
        told: dict[str, Any] = (
            read(given.of) if given.what == "read" else decide(int(given.of), given.what == "hold")
        )
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(told | {"peak_mb": peak_mb}))
        return
    home = Path(os.environ.get("BENCH_DIR") or Path.home() / ".cache" / "gpu-thrift-bench")
    print(f"{DAYS} days, medians of {given.rounds} rounds")
    figures, reading_s = reading(home, given.read, given.workloads, given.rounds)
    figures += deciding(given.workloads, given.rounds, reading_s)
    show([*figures, *deciding(given.many, 1, None)])


if __name__ == "__main__":
    main()
