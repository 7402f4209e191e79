"""An HTTP server that answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

Behaviour = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Reply:
    """An ordinary answer. ``body`` that is no text or bytes is sent as JSON."""

    status: int = 200
    body: object = b""
    headers: dict[str, str] = field(default_factory=dict)

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        body = self.body
        if not isinstance(body, str | bytes):
            body = json.dumps(body)
        data = body.encode() if isinstance(body, str) else body
        handler.send_response(self.status)
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)


@dataclass
class Request:
    """``params`` are those of the URL and of a form together."""

    method: str
    path: str
    params: dict[str, list[str]]
    headers: dict[str, str]


@dataclass
class Hostile:
    url: str
    requests: list[Request]
    closing: threading.Event
    """Set when the test is over: a reply that hangs on purpose waits for this."""


def success(result: object, **more: object) -> Reply:
    """A Prometheus answer to a query."""
    data = {"resultType": "matrix", "result": result}
    return Reply(body={"status": "success", "data": data, **more})


@contextmanager
def serving(
    *replies: Behaviour, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> Iterator[Hostile]:
    """Serve the replies in turn, the last one again and again."""
    waiting = list(replies)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._answer("")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

        def _answer(self, form: str) -> None:
            parts = urlsplit(self.path)
            asked = {**parse_qs(parts.query), **parse_qs(form)}
            with lock:
                state.requests.append(
                    Request(self.command, parts.path, asked, dict(self.headers.items()))
                )
                reply = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            try:
                reply(self)
            except OSError:
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *args: object) -> None:
            pass  # clients that leave are what these tests are about

    server = Server((host, 0), Handler)
    if tls is not None:
        # the handshake belongs to the connection's own thread, or one bad client stops the rest
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    scheme = "https" if tls else "http"
    url = f"{scheme}://{host}:{server.server_address[1]}"
    state = Hostile(url, [], threading.Event())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        state.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def dribble(closing: Callable[[], threading.Event], head: Sequence[bytes]) -> Behaviour:
    """Send ``head``, then one byte every 50 ms until the client leaves."""

    def reply(handler: BaseHTTPRequestHandler) -> None:
        for part in head:
            handler.wfile.write(part)
        while not closing().wait(0.05):
            handler.wfile.write(b"x")
        handler.close_connection = True

    return reply
