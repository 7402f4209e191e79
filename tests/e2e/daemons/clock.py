"""A clock that several processes share, and that a test sets and speeds up."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

_FORM = struct.Struct("ddd")


class SharedClock:
    """Kept in a file. ``set`` may be called at any time, and is seen at once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def set(self, now: datetime, factor: float) -> None:
        """It is ``now``, and from now on time goes ``factor`` times as fast."""
        new = self._path.with_suffix(".new")
        new.write_bytes(_FORM.pack(time.time(), now.timestamp(), factor))
        new.replace(self._path)

    def seconds(self) -> float:
        real, simulated, factor = _FORM.unpack(self._path.read_bytes())
        return float(simulated + (time.time() - real) * factor)

    def __call__(self) -> datetime:
        return datetime.fromtimestamp(self.seconds(), UTC)


def wait_until(what: Callable[[], bool], seconds: float, why: Callable[[], object] = str) -> None:
    """Waits for something that has to happen; ``seconds`` only bounds how long a failure takes."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, why()
        time.sleep(0.05)
