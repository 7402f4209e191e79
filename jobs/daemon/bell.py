"""Wakes the main thread early. May be rung in a signal handler, where a lock may not be taken."""

from __future__ import annotations

import os
import select
from contextlib import suppress


class Bell:
    """One waits; anybody rings, from any thread or signal handler."""

    def __init__(self) -> None:
        self._out, self._in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def ring(self) -> None:
        # A full pipe is a bell that was rung.
        with suppress(BlockingIOError):
            os.write(self._in, b"\n")

    def wait(self, seconds: float) -> None:
        """Until it is rung, or was since the last time; at most so long."""
        if select.select([self._out], [], [], seconds)[0]:
            os.read(self._out, 4096)
