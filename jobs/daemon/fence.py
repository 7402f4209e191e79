"""Ends a process that is stopped in the middle of a change, once another one may act.

A process may be stopped (by a debugger, a frozen container, a node that swaps) after it was told
that it may send something, and before it does. When it goes on, nothing asks it again. So the
kernel is asked for a signal at that moment, which ends also what is stopped; it is taken back as
soon as the bytes have left, so that a process that merely waits for an answer is never ended.

https://man7.org/linux/man-pages/man2/timer_create.2.html
"""

from __future__ import annotations

import ctypes
import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from jobs.daemon.leadership import NotLeader

_CLOCK_MONOTONIC = 1
_TIMER_ABSTIME = 1
_SIGEV_SIGNAL = 0


class _Time(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Setting(ctypes.Structure):
    _fields_ = (("interval", _Time), ("value", _Time))


class _Event(ctypes.Structure):
    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("rest", ctypes.c_char * 48),
    )


@contextmanager
def fenced(until: float) -> Iterator[None]:
    """Within it the process does not outlive ``until``, a time of ``time.monotonic``.

    Raises ``NotLeader`` when that is over already.

    The first process of a container cannot be ended from inside it, and systems other than Linux
    have no such timer: there the question before each change is all there is.
    """
    timer = None if math.isinf(until) else _armed(until)
    try:
        # A timer that is set when its time is over comes soon, not at once.
        if time.monotonic() >= until:
            raise NotLeader("the time in which this process may change anything is over")
        yield
    finally:
        if timer is not None:
            _timers().timer_delete(timer)


def _armed(until: float) -> ctypes.c_void_p | None:
    library = _timers()
    timer = ctypes.c_void_p()
    event = _Event(signal=signal.SIGKILL, notify=_SIGEV_SIGNAL)
    if library is None or library.timer_create(
        _CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(timer)
    ):
        return None
    fraction, whole = math.modf(until)
    setting = _Setting(value=_Time(int(whole), int(fraction * 1e9)))
    library.timer_settime(timer, _TIMER_ABSTIME, ctypes.byref(setting), None)
    return timer


@cache
def _timers() -> Any:
    """The C library that has them, None where there is none."""
    for name in (None, "librt.so.1"):
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        if hasattr(library, "timer_create"):
            return library
    return None
