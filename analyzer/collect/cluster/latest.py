"""Asks at the last moment whether a request may still be sent.

Between a request's beginning and its first byte on the wire other threads run, a connection may
be made, and the whole process may be stopped for as long as it pleases whoever stopped it. So the
question is put again by the connection itself, right before each write to its socket; a request
that is refused halfway never becomes whole, and the server drops it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import urllib3


def ask_before_sending(manager: urllib3.PoolManager, ask: Callable[[], object]) -> None:
    """``ask`` raises when nothing that changes something may be sent any more."""
    known = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {scheme: _pool(made, ask) for scheme, made in known.items()}


def _pool(made: Any, ask: Callable[[], object]) -> Any:
    class Asking(made.ConnectionCls):  # type: ignore[misc]
        _changes = False

        def putrequest(self, method: str, *rest: Any, **named: Any) -> None:
            self._changes = method != "GET"
            super().putrequest(method, *rest, **named)

        def send(self, data: Any) -> None:
            if self.sock is None:
                self.connect()
            # A proxy is asked for a tunnel while the connection is made: that changes nothing.
            if self._changes:
                ask()
            super().send(data)

    return type(made.__name__, (made,), {"ConnectionCls": Asking})
