"""The HTTP server below ``jobs.web``: waitress in a thread of its own, which ends when told.

It has to answer a probe whatever other clients do: no client can hold one of the threads, and
where connections run out, the one that waited longest goes. What it refuses before the application
is asked has the same headers as every other answer.
"""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from waitress.channel import HTTPChannel  # type: ignore[import-untyped]
from waitress.server import create_server  # type: ignore[import-untyped]
from waitress.task import ErrorTask  # type: ignore[import-untyped]
from waitress.wasyncore import dispatcher  # type: ignore[import-untyped]

from analyzer.errors import GpuThriftError
from reports.text import visible

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

CONNECTIONS = 48
IDLE_S = 15

NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
HEADERS = {
    "Content-Security-Policy": NOTHING,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}
NO_ADDRESS = "no such address here; correct host under [web] in the configuration"
REFUSALS = {
    errno.EADDRINUSE: "the address is in use; choose another port under [web] in the configuration",
    errno.EACCES: "not permitted; choose a port above 1023 under [web] in the configuration",
    errno.EADDRNOTAVAIL: NO_ADDRESS,
}


class _Refusal(ErrorTask):  # type: ignore[misc]
    """What the server answers before the application is asked."""

    def build_response_header(self) -> bytes:
        self.response_headers.extend(HEADERS.items())
        header: bytes = super().build_response_header()
        return header


class _Channel(HTTPChannel):  # type: ignore[misc]
    error_task_class = _Refusal

    def __init__(self, server: Any, *rest: Any, **named: Any) -> None:
        waiting = [each for each in server.active_channels.values() if not each.requests]
        if waiting and len(server.active_channels) >= CONNECTIONS:
            min(waiting, key=lambda each: each.last_activity).handle_close()
        super().__init__(server, *rest, **named)

    def service(self) -> None:
        # The lock is held until all that came in one packet was parsed.
        with self.requests_lock:
            if len(self.requests) > 1:
                # Of requests sent ahead only the first is answered: hundreds fit into a packet,
                # each could hold an open file, and a thread would wait for the client to read.
                self.requests[0].headers["CONNECTION"] = "close"
        super().service()


class WebServer:
    """Listens from the beginning, answers from ``start`` until ``close``."""

    def __init__(self, app: WSGIApplication, host: str, port: int) -> None:
        self._server: Any = create_server(
            app,
            sockets=[_listen(host, port)],
            ident=None,
            threads=4,
            connection_limit=CONNECTIONS + 10,
            channel_timeout=IDLE_S,
            cleanup_interval=5,
            max_request_body_size=64 * 1024,
            max_request_header_size=16 * 1024,
            asyncore_use_poll=True,
        )
        self._server.channel_class = _Channel
        self.port = int(self._server.effective_port)
        self._thread = threading.Thread(target=self._server.run, name="web", daemon=True)
        self._open = True

    def start(self) -> None:
        """Answers from now on, in threads of its own."""
        self._thread.start()

    def close(self) -> None:
        """Frees the port, lets answers under way a second to end, and cuts every connection."""
        if not self._open:
            return
        self._open = False
        self._inside(lambda: dispatcher.close(self._server))
        self._server.task_dispatcher.shutdown(timeout=1)
        self._inside(self._cut)
        if self._thread.is_alive():
            self._thread.join(1)
        # Only now: whoever pulls it would write to a file that was opened since.
        self._server.trigger.close()

    def _inside(self, do: Callable[[], None]) -> None:
        # Sockets belong to the thread that polls them.
        if self._thread.is_alive():
            self._server.trigger.pull_trigger(do)
        else:
            do()

    def _cut(self) -> None:
        for channel in list(self._server.active_channels.values()):
            channel.handle_close()
        # With nothing left to poll the thread ends.
        self._server.trigger.del_channel()


def _listen(host: str, port: int) -> socket.socket:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    kind, any_address = socket.SOCK_STREAM, socket.AI_PASSIVE
    try:
        found = socket.getaddrinfo(host or None, port, type=kind, flags=any_address)
        family, *_, address = min(found, key=lambda each: each[0])
        both = host == "::" and socket.has_dualstack_ipv6()
        return socket.create_server(address, family=family, dualstack_ipv6=both)
    except (socket.gaierror, UnicodeError) as error:
        # A name that is not known, or cannot be one.
        raise GpuThriftError(f"cannot listen on {visible(where)}: {NO_ADDRESS}") from error
    except OSError as error:
        why = REFUSALS.get(error.errno or 0, error.strerror)
        raise GpuThriftError(f"cannot listen on {visible(where)}: {why}") from error
