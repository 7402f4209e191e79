"""A limit on a whole HTTP exchange.

A socket's timeout starts anew with every byte, so a server that sends one byte a second holds a
reader for hours. Here a timer shuts the connection down when the time is up, whatever the reader
is waiting for.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

_exchange = threading.local()
"""The deadline that governs what this thread is doing, as ``_exchange.deadline``."""


class Deadline:
    """``with Deadline(seconds) as deadline:`` ends the exchange made in the block in time.

    ``expired`` tells afterwards whether it had to.
    """

    def __init__(self, seconds: float) -> None:
        self.expired = False
        self._lock = threading.Lock()
        self._sock: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> Deadline:
        _exchange.deadline = self
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        _exchange.deadline = None
        with self._lock:
            self._sock = None

    def watch(self, sock: object) -> None:
        """Shut this socket down when the time is up, or now if it is."""
        with self._lock:
            self._sock = sock if isinstance(sock, socket.socket) else None
            if self.expired:
                self._shut()

    def _expire(self) -> None:
        with self._lock:
            self.expired = True
            self._shut()

    def _shut(self) -> None:
        if self._sock is not None:
            with suppress(OSError):
                # not SSLSocket's own shutdown: it takes the TLS state from under the reader
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)


def _watch(sock: object) -> None:
    deadline: Deadline | None = getattr(_exchange, "deadline", None)
    if deadline is not None:
        deadline.watch(sock)


class _Connection(HTTPConnection):
    def getresponse(self) -> Any:
        _watch(self.sock)
        return super().getresponse()


class _TLSConnection(HTTPSConnection):
    def getresponse(self) -> Any:
        _watch(self.sock)
        return super().getresponse()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class DeadlineAdapter(HTTPAdapter):
    """requests' adapter with connections that a ``Deadline`` of the calling thread governs."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _govern(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        _govern(manager)
        return manager


def _govern(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
