"""The command line at another time: ``python -m tests.e2e.daemons.cli NOW ARGUMENTS…``."""

from __future__ import annotations

import sys

import time_machine

from jobs.cli import main

if __name__ == "__main__":
    with time_machine.travel(sys.argv.pop(1), tick=True):
        main()
