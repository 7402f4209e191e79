"""Keeps requests to a rate, however many threads send them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class TokenBucket:
    """``rate`` tokens a second, at most ``burst`` saved up."""

    def __init__(
        self,
        rate: float,
        burst: float,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate, self._burst = rate, max(1.0, burst)
        self._clock, self._pause = clock, pause
        self._tokens, self._filled_at = self._burst, clock()
        self._lock = threading.Lock()

    def take(self) -> None:
        """Waits until there is a token, and takes it. Waiters are served in their order."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
            self._filled_at = now
            # A debt is what makes the next one wait longer.
            self._tokens -= 1
            wait = -self._tokens / self._rate
        if wait > 0:
            self._pause(wait)
