"""A TCP proxy that misbehaves on demand, in front of any server."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from types import TracebackType
from typing import Literal

Mode = Literal["well", "slow", "refusing", "hanging", "mute", "lying"]
MODES: tuple[Mode, ...] = ("slow", "refusing", "hanging", "mute", "lying")

_RESET = struct.pack("ii", 1, 0)
LIE = b"<html><body>Welcome to the captive portal</body></html>"


class ChaosProxy:
    """Forwards to ``127.0.0.1:port`` while its ``with`` block lasts.

    ``slow`` waits ``delay_s`` before each piece of an answer. ``refusing`` resets every connection,
    ``hanging`` takes what is sent and passes nothing on, ``mute`` passes it on and brings no answer
    back; all of them hold for connections that are open already. ``lying`` answers whatever comes
    with ``lie``: a good HTTP answer of another service, unless a test sets something else.
    """

    def __init__(self, port: int, delay_s: float = 0.4) -> None:
        self.delay_s = delay_s
        self.lie = http(LIE)
        self._target = port
        self._mode: Mode = "well"
        self._stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> ChaosProxy:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        # Wakes the thread that accepts.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._cut()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def mode(self) -> Mode:
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        before, self._mode = self._mode, mode
        if mode in ("refusing", "lying") or before in ("hanging", "mute", "lying"):
            self._cut()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._mode == "refusing":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                client.close()
                continue
            self._keep(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        if self._mode == "lying":
            self._tell_lies(client)
            return
        try:
            server = socket.create_connection(("127.0.0.1", self._target), 5)
            server.settimeout(None)
        except OSError:
            self._drop(client)
            return
        self._keep(server)
        threading.Thread(target=self._pipe, args=(client, server, False), daemon=True).start()
        self._pipe(server, client, True)

    def _pipe(self, source: socket.socket, to: socket.socket, is_answer: bool) -> None:
        try:
            while data := source.recv(65536):
                if is_answer and self._mode == "slow":
                    self._stopping.wait(self.delay_s)
                if self._mode == "hanging" or (is_answer and self._mode == "mute"):
                    # What is swallowed never arrives: the connection is of no use any more.
                    continue
                to.sendall(data)
        except OSError:
            pass
        if self._mode not in ("hanging", "mute"):
            self._drop(source)
            self._drop(to)

    def _tell_lies(self, client: socket.socket) -> None:
        with suppress(OSError):
            while client.recv(65536):
                client.sendall(self.lie)
        self._drop(client)

    def _keep(self, one: socket.socket) -> None:
        with self._lock:
            self._open.add(one)

    def _drop(self, one: socket.socket) -> None:
        with self._lock:
            self._open.discard(one)
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()

    def _cut(self) -> None:
        with self._lock:
            found = list(self._open)
        for one in found:
            self._drop(one)


def http(body: bytes, kind: str = "text/html") -> bytes:
    """An HTTP answer that is well formed."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
