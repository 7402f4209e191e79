"""Who is stopped in the middle of a change never goes on with it."""

from __future__ import annotations

import signal
import subprocess
import sys

HEAD = """
import os, signal, sys, time
from analyzer.errors import SourceError
from jobs.daemon.fence import fenced
"""


def run(body: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", HEAD + body], stdout=subprocess.PIPE, text=True)


def test_what_is_stopped_within_is_ended_without_going_on() -> None:
    process = run(
        "with fenced(time.monotonic() + 0.3):\n"
        "    os.kill(os.getpid(), signal.SIGSTOP)\n"
        "    print('sent', flush=True)\n"
    )
    # Nobody lets it go on: the timer alone ends it.
    assert process.wait(30) == -signal.SIGKILL
    assert process.stdout is not None
    assert process.stdout.read() == ""


def test_what_has_left_is_nobody_s_concern() -> None:
    process = run(
        "for _ in range(2000):\n"
        "    with fenced(time.monotonic() + 0.2):\n"
        "        pass\n"
        "with fenced(float('inf')):\n"
        "    pass\n"
        "time.sleep(0.5)\n"
        "print('alive')\n"
    )
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "alive\n")


def test_an_error_within_takes_the_timer_back() -> None:
    process = run(
        "try:\n"
        "    with fenced(time.monotonic() + 0.2):\n"
        "        raise OSError\n"
        "except OSError:\n"
        "    time.sleep(0.5)\n"
        "    print('alive')\n"
    )
    out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "alive\n")


def test_nothing_begins_when_the_time_is_over() -> None:
    process = run(
        "try:\n"
        "    with fenced(time.monotonic() - 0.001):\n"
        "        print('sent', flush=True)\n"
        "except SourceError:\n"
        "    pass\n"
    )
    out, _ = process.communicate(timeout=30)
    # Whether the timer or the error was first is not told.
    assert process.returncode in (0, -signal.SIGKILL)
    assert out == ""
