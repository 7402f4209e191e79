"""Keeps the process from growing in the course of months."""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8
ARENAS = 2


def few_arenas() -> None:
    """glibc gives threads memory pools of their own, eight for each core; each keeps what was
    once needed at the same time in it. A process that mostly waits needs no more than two.

    Does nothing where the C library has no such setting.
    https://www.gnu.org/software/libc/manual/html_node/Malloc-Tunable-Parameters.html
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, ARENAS)
