"""A connection to Postgres whose every wait ends.

The server's own limits do not help where the server itself is what hangs, and the operating
system's only where nothing at all answers: a proxy that accepts and says nothing passes both.
"""

from __future__ import annotations

from typing import Any

import psycopg

LONGEST_S = 15.0
"""Longest wait for one answer, longer than the server lets a statement run."""


class Bounded(psycopg.Connection[Any]):
    """Waits at most ``LONGEST_S`` seconds for an answer; then it is closed."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        try:
            return super().wait(gen, interval, LONGEST_S if timeout is None else timeout)
        except psycopg.errors._WaitTimeout as error:
            # What the answer would have been is not known: nothing more may be asked of it.
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no answer within {LONGEST_S:g} s") from error
