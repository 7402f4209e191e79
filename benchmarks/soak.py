"""What a daemon holds in the course of a simulated day, and how fast that grows.

    python -m benchmarks.soak [--hours 24] [--factor 1200]

One daemon with its pages asked for all the time; Prometheus, the stand-in of the API server and of
Slack run on the same machine.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.e2e.daemons.soak import soak
from tests.e2e.daemons.world import series
from tests.servers import prometheus


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--factor", type=float, default=1200)
    told = parser.parse_args()
    days = 2 + int(told.hours / 24)
    with tempfile.TemporaryDirectory() as name, prometheus(series(days)) as url:
        found = soak(Path(name), url, told.hours, told.factor)
    first, last = found.warm()[0], found.warm()[-1]
    print(f"{found.runs} runs of the sleep job, {found.changes} changes, {told.hours:g} hours")
    print(f"memory   {first.rss_kib / 1024:.1f} -> {last.rss_kib / 1024:.1f} MiB, ", end="")
    print(f"slope {found.kib_per_hour:+.1f} KiB an hour")
    for what in ("files", "threads"):
        values = [getattr(one, what) for one in found.warm()]
        before, after = found.halves(what)
        print(f"{what:8} median {before:g} -> {after:g}, {min(values)} to {max(values)}")


if __name__ == "__main__":
    main()
