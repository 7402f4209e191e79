"""The daemon with another clock: ``python -m tests.e2e.daemons.process CONFIG CLOCK``."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path

from analyzer.config import load
from jobs.daemon.service import Pace, Service
from jobs.ledger import bounded
from jobs.logs import set_up_logging
from tests.e2e.daemons.clock import SharedClock

EVERY_S = float(os.environ.get("TEST_EVERY_S", "0.25"))
PACE = Pace(every=timedelta(seconds=EVERY_S), rest_s=1.0)


def main() -> int:
    config, clock = map(Path, sys.argv[1:])
    bounded.LONGEST_S = 2.0
    set_up_logging("text", 2, timed=True)
    return Service(lambda: load(config, os.environ), SharedClock(clock), PACE).run()


if __name__ == "__main__":
    sys.exit(main())
