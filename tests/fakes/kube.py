"""A Kubernetes API server for tests: real HTTP, real semantics, no cluster.

It keeps what clients rely on (resource versions and conflicts, pages bound to a snapshot,
selectors, the patch types, dry-run, /scale and /status, watch, discovery, access reviews, errors
as Status objects) and has no controllers: a Deployment gets no pods unless a test makes them.
``test_kube_standin.py`` holds it against a real API server.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.fakes.kubeapi.api import Api
from tests.fakes.kubeapi.errors import ApiError, unauthorized
from tests.fakes.kubeapi.kinds import Kind
from tests.fakes.kubeapi.requests import Close, Hang, Reply, Request
from tests.fakes.kubeapi.routes import Allow, Attempt, Router
from tests.fakes.kubeapi.store import Store

__all__ = ["Attempt", "Close", "Hang", "Kind", "KubeStandIn", "Reply", "Request"]

Fault = Callable[[Request], Reply | Hang | Close | None]


class KubeStandIn:
    """The server, running while its ``with`` block lasts.

    ``tokens`` maps bearer tokens to user names; without any, everybody is ``admin``, who may
    impersonate others. ``requests``
    is what was asked, in order. ``latency_s`` is waited before each answer.
    """

    def __init__(self, tokens: dict[str, str] | None = None, allow: Allow | None = None) -> None:
        self.tokens = dict(tokens or {})
        self.store = Store()
        self.api = Api(self.store)
        self.router = Router(self.api, allow) if allow else Router(self.api)
        self.requests: list[Request] = []
        self.latency_s = 0.0
        self._faults: list[Fault] = []
        self._stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    def __enter__(self) -> KubeStandIn:
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
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def register(self, kind: Kind) -> None:
        """Serves a custom kind without a CustomResourceDefinition."""
        self.api.kinds.append(replace(kind, custom=True))

    def allow(self, rule: Allow) -> None:
        """From now on only what ``rule`` says yes to is allowed."""
        self.router.allow = rule

    def inject(self, fault: Fault) -> None:
        """Asks ``fault`` before each request is served; what it returns is done instead."""
        self._faults.append(fault)

    def clear_faults(self) -> None:
        self._faults.clear()

    def expire(self) -> None:
        """Makes continue tokens and watches from before now too old (410)."""
        self.store.compact()

    def kubeconfig(self, path: Path, token: str = "", context: str = "stand-in") -> Path:
        """Writes a kubeconfig for this server."""
        token = token or next(iter(self.tokens), "")
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context,
            "clusters": [{"name": context, "cluster": {"server": self.url}}],
            "users": [{"name": context, "user": {"token": token} if token else {}}],
            "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        }
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    def serve(self, request: Request) -> Reply | Hang | Close:
        """The answer to a request; called by the connections' threads."""
        self.requests.append(request)
        if self.latency_s:
            time.sleep(self.latency_s)
        for fault in self._faults:
            done = fault(request)
            if done is not None:
                return done
        try:
            return self.router.answer(replace(request, user=self._user(request)))
        except ApiError as exc:
            return Reply(exc.code, exc.status)

    def _user(self, request: Request) -> str:
        user = "admin"
        if self.tokens:
            sort, _, token = request.headers.get("authorization", "").partition(" ")
            if sort.lower() != "bearer" or token not in self.tokens:
                raise unauthorized()
            user = self.tokens[token]
        return request.headers.get("impersonate-user", user) if user == "admin" else user

    def wait_for_stop(self, seconds: float) -> None:
        self._stopping.wait(seconds)


def _handler(standin: KubeStandIn) -> type[BaseHTTPRequestHandler]:
    return type("Handler", (_Handler,), {"standin": standin})


class _Handler(BaseHTTPRequestHandler):
    standin: KubeStandIn
    protocol_version = "HTTP/1.1"
    # Headers and body leave in two writes; without this the second waits for an ACK.
    disable_nagle_algorithm = True

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:  # the client went away, as some tests want it to
            self.close_connection = True

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            # The client went away, or thought better of it: what is not whole is not served.
            self.close_connection = True
            return
        request = Request(
            self.command,
            parts.path,
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            {name.lower(): value for name, value in self.headers.items()},
            body,
        )
        answer = self.standin.serve(request)
        if isinstance(answer, Reply):
            self._send(answer)
            return
        if isinstance(answer, Hang):
            self.standin.wait_for_stop(answer.seconds)
        self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def _send(self, reply: Reply) -> None:
        if reply.stream is not None:
            self._send_stream(reply)
            return
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _send_stream(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for one in reply.stream or ():
            line = json.dumps(one).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass
