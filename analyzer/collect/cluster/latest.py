"""Asks at the last moment whether a request may still be sent, and watches over its sending.

Between a request's beginning and its first byte on the wire other threads run, a connection may
be made, and the whole process may be stopped for as long as it pleases whoever stopped it. So the
question is put again by the connection itself, right before each write to its socket; a request
that is refused halfway never becomes whole, and the server drops it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import urllib3

Around = Callable[[], AbstractContextManager[None]]


def watch_sending(manager: urllib3.PoolManager, around: Around) -> None:
    """``around`` is entered around each write to a socket that is part of a change; it raises when
    nothing may be changed any more."""
    known = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _pool(made, around) for scheme, made in known.items()}


def _pool(made: Any, around: Around) -> Any:
    class Watched(made.ConnectionCls):  # type: ignore[misc]
        _changes = False

        def putrequest(self, method: str, *rest: Any, **named: Any) -> None:
            self._changes = method != "GET"
            super().putrequest(method, *rest, **named)

        def send(self, data: Any) -> None:
            if self.sock is None:
                self.connect()
            with around() if self._changes else nullcontext():
                super().send(data)

    return type(made.__name__, (made,), {"ConnectionCls": Watched})
