"""A process that runs the sleep job in children of its own, so that each costs no start-up.

Reads lines of ``CONFIG NOW``; answers the child's process id at once, then how it ended.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime
from pathlib import Path

from analyzer.config import load
from analyzer.errors import GpuThriftError
from jobs.sites import sites
from jobs.sleeping.tick import run_once
from jobs.wiring import Choice

# Loaded here once, for every child.
import jobs.ledger.ledger  # noqa: F401  isort: skip


def child(config: str, now: str) -> int:
    at = datetime.fromisoformat(now)
    [site] = sites(load(Path(config), os.environ), Choice())
    try:
        report = run_once(site, at)
    except GpuThriftError as error:
        print(error, file=sys.stderr)
        return 1
    for line in report.failures:
        print(line, file=sys.stderr)
    return 4 if report.failures else 0


def main() -> None:
    for line in sys.stdin:
        config, now = line.split()
        pid = os.fork()
        if pid == 0:
            os._exit(child(config, now))
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
