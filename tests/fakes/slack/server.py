"""The stand-in's HTTP: the Web API, the address of uploads, and an incoming webhook."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes.slack.workspace import SECRET, Call, Fault, Workspace

SILENT = ("hang", "close", "lost", "hang-after")

_STATUS = {
    "invalid_payload": 400,
    "action_prohibited": 403,
    "channel_not_found": 404,
    "no_service": 404,
    "no_team": 404,
    "channel_is_archived": 410,
}
"""Of a webhook's refusals."""


class SlackStandIn(Workspace):
    """The server, running while its ``with`` block lasts. ``faults`` is asked before each call;
    what it returns happens instead. ``calls`` is what was asked, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.faults: Callable[[Call], Fault | None] = lambda call: None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.slack = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    def __enter__(self) -> SlackStandIn:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"{self._base}/api"

    @property
    def hook(self) -> str:
        """The address of the webhook."""
        return f"{self._base}/services/{SECRET}"

    @property
    def _base(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Everything that was posted, in order."""
        with self._lock:
            found = [message for one in self.channels for message in one.messages]
        return sorted(found, key=lambda message: float(message["ts"]))

    def posted(self) -> list[str]:
        """The keys of everything that was posted with one, in order."""
        found = [one["metadata"] for one in self.messages if one["metadata"]]
        return [one["event_payload"]["key"] for one in found]

    def pause(self, seconds: float) -> None:
        self._stopping.wait(seconds)

    def told(self, call: Call) -> tuple[int, dict[str, Any] | str]:
        """Status and body."""
        with self._lock:
            if call.method == "upload":
                return self.upload(call)
            if call.method == "webhook":
                return self.webhook(call)
            return 200, self.answer(call, f"{self._base}/upload/v1/")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    slack: SlackStandIn


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        slack, call = self.server.slack, self._call()
        slack.calls.append(call)
        fault = slack.faults(call)
        if fault is None:
            self._send(*slack.told(call))
        elif fault.kind in SILENT:
            self._vanish(fault, call)
        elif fault.kind == "slow":
            slack.pause(fault.seconds)
            self._send(*slack.told(call))
        else:
            self._lie(fault, call)

    def _call(self) -> Call:
        asked = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {key.lower(): value for key, value in self.headers.items()}
        for prefix, method in (("/upload/v1/", "upload"), ("/services/", "webhook")):
            if asked.path.startswith(prefix):
                return Call(method, {}, headers, body, asked.path.removeprefix(prefix))
        if "json" in self.headers.get("Content-Type", ""):
            params = json.loads(body or b"{}")
        else:
            form = {**parse_qs(asked.query), **parse_qs(body.decode())}
            params = {key: values[-1] for key, values in form.items()}
        return Call(asked.path.removeprefix("/api/"), params, headers, body)

    def _vanish(self, fault: Fault, call: Call) -> None:
        if fault.kind in ("lost", "hang-after"):
            self.server.slack.told(call)
        if fault.kind in ("hang", "hang-after"):
            self.server.slack.pause(fault.seconds)
        self.close_connection = True
        self.connection.close()

    def _lie(self, fault: Fault, call: Call) -> None:
        is_api = call.method not in ("upload", "webhook")
        if fault.kind == "429":
            after = {"Retry-After": f"{fault.seconds:.0f}"}
            no: dict[str, Any] | str = {"ok": False, "error": "ratelimited"}
            self._send(429, no if is_api else "rate_limited", after)
        elif fault.kind == "html":
            self._send(200, "<html>Please log in</html>")
        elif fault.kind == "500":
            self._send(500, {"ok": False, "error": fault.error} if is_api else "rollup_error")
        elif is_api:
            self._send(200, {"ok": False, "error": fault.error})
        else:
            self._send(_STATUS.get(fault.error, 503), fault.error)

    def _send(
        self, status: int, answer: dict[str, Any] | str, more: dict[str, str] | None = None
    ) -> None:
        is_text = isinstance(answer, str)
        body = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        scopes = {"X-OAuth-Scopes": ",".join(sorted(self.server.slack.scopes))}
        try:
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if is_text else "application/json")
            self.send_header("Content-Length", str(len(body)))
            for key, value in {**scopes, **(more or {})}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            # Whoever asked has gone.
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Tests say what they want to be said."""
