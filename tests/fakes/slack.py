"""Slack's Web API for tests: real HTTP, the limits Slack documents, and faults on demand.

https://docs.slack.dev/reference/methods/chat.postMessage
https://docs.slack.dev/reference/methods/conversations.history
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

TOKEN = "xoxb-000-stand-in"

BLOCKS = 50
TEXT = 40_000
SECTION = 3_000
HEADER = 150
FIELDS = 10
FIELD = 2_000
ELEMENTS = 10
KEY_LIMIT = 8_000

SILENT = ("hang", "close", "lost", "hang-after")

Params = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One request: the method's name, what it was given, and its headers (lower case)."""

    method: str
    params: Params
    headers: dict[str, str]


@dataclass(frozen=True)
class Fault:
    """``kind`` happens instead of the answer. ``lost`` and ``hang-after`` accept the call first:
    the answer is what gets lost."""

    kind: Literal["429", "500", "slow", "hang", "close", "lost", "hang-after", "html", "not-ok"]
    seconds: float = 30.0
    error: str = "internal_error"


@dataclass
class Channel:
    id: str
    name: str
    messages: list[dict[str, Any]] = field(default_factory=list)


class SlackStandIn:
    """The server, running while its ``with`` block lasts. ``faults`` is asked before each call;
    what it returns happens instead. ``calls`` is what was asked, in order."""

    def __init__(self) -> None:
        self.channels = [Channel("C0GENERAL1", "general"), Channel("C0GPUS0001", "gpus")]
        self.calls: list[Call] = []
        self.faults: Callable[[Call], Fault | None] = lambda call: None
        self.clock: Callable[[], float] = time.time
        self.token = TOKEN
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._count = 0
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
        return f"http://127.0.0.1:{self._server.server_address[1]}/api"

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Everything that was posted, in order."""
        with self._lock:
            found = [message for one in self.channels for message in one.messages]
        return sorted(found, key=lambda message: float(message["ts"]))

    def posted(self) -> list[str]:
        """The keys of everything that was posted, in order."""
        return [one["metadata"]["event_payload"]["key"] for one in self.messages]

    def pause(self, seconds: float) -> None:
        self._stopping.wait(seconds)

    def answer(self, call: Call) -> dict[str, Any]:
        if call.headers.get("authorization") != f"Bearer {self.token}":
            return {"ok": False, "error": "invalid_auth"}
        methods = {
            "auth.test": self._auth,
            "chat.postMessage": self._post,
            "conversations.history": self._history,
            "conversations.list": self._list,
        }
        method = methods.get(call.method)
        if method is None:
            return {"ok": False, "error": "unknown_method"}
        with self._lock:
            return method(call.params)

    def _channel(self, name: str) -> Channel | None:
        return next(
            (one for one in self.channels if name in (one.id, one.name, f"#{one.name}")), None
        )

    def _auth(self, _: Params) -> dict[str, Any]:
        return {"ok": True, "user": "gpu-thrift", "team": "Example", "bot_id": "B0"}

    def _post(self, params: Params) -> dict[str, Any]:
        channel = self._channel(str(params.get("channel", "")))
        if channel is None:
            return {"ok": False, "error": "channel_not_found"}
        wrong = _problem(params)
        if wrong:
            return {"ok": False, "error": wrong}
        self._count += 1
        ts = f"{self.clock():.5f}{self._count % 10}"
        message = {
            "type": "message",
            "ts": ts,
            "text": params.get("text", ""),
            "blocks": params.get("blocks") or [],
            "metadata": params.get("metadata"),
        }
        channel.messages.append(message)
        return {"ok": True, "channel": channel.id, "ts": ts, "message": message}

    def _history(self, params: Params) -> dict[str, Any]:
        # Only an id will do here.
        channel = next((one for one in self.channels if one.id == params.get("channel")), None)
        if channel is None:
            return {"ok": False, "error": "channel_not_found"}
        oldest = float(params.get("oldest") or 0)
        found = [one for one in reversed(channel.messages) if float(one["ts"]) > oldest]
        if params.get("include_all_metadata") not in (True, "1", "true"):
            found = [{k: v for k, v in one.items() if k != "metadata"} for one in found]
        return {"ok": True, **_page("messages", found, params)}

    def _list(self, params: Params) -> dict[str, Any]:
        found = [{"id": one.id, "name": one.name} for one in self.channels]
        return {"ok": True, **_page("channels", found, params)}


def _page(key: str, found: list[dict[str, Any]], params: Params) -> dict[str, Any]:
    begin = int(params.get("cursor") or 0)
    limit = int(params.get("limit") or 100)
    more = str(begin + limit) if begin + limit < len(found) else ""
    page = {key: found[begin : begin + limit], "response_metadata": {"next_cursor": more}}
    return {**page, "has_more": bool(more)}


def _problem(params: Params) -> str:
    """What Slack would refuse a message for."""
    text, blocks = str(params.get("text") or ""), params.get("blocks") or []
    if not text and not blocks:
        return "no_text"
    if len(text) > TEXT:
        return "msg_too_long"
    if len(json.dumps(params.get("metadata") or {})) > KEY_LIMIT:
        return "metadata_too_large"
    if len(blocks) > BLOCKS or any(_is_bad(block) for block in blocks):
        return "invalid_blocks"
    return ""


def _is_bad(block: dict[str, Any]) -> bool:
    kind = block.get("type")
    if kind == "header":
        return not 0 < len(block["text"]["text"]) <= HEADER
    if kind == "section":
        fields = block.get("fields", [])
        texts = [block["text"]["text"]] if "text" in block else []
        return (
            len(fields) > FIELDS
            or not (fields or texts)
            or any(not 0 < len(one) <= SECTION for one in texts)
            or any(not 0 < len(one["text"]) <= FIELD for one in fields)
        )
    if kind == "context":
        return not 0 < len(block["elements"]) <= ELEMENTS
    return kind not in ("divider", "actions", "image", "rich_text", "table")


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
            self._send(200, slack.answer(call))
        elif fault.kind in SILENT:
            self._vanish(fault, call)
        elif fault.kind == "slow":
            slack.pause(fault.seconds)
            self._send(200, slack.answer(call))
        else:
            self._lie(fault)

    def _call(self) -> Call:
        asked = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "json" in self.headers.get("Content-Type", ""):
            params = json.loads(body or b"{}")
        else:
            form = {**parse_qs(asked.query), **parse_qs(body.decode())}
            params = {key: values[-1] for key, values in form.items()}
        headers = {key.lower(): value for key, value in self.headers.items()}
        return Call(asked.path.removeprefix("/api/"), params, headers)

    def _vanish(self, fault: Fault, call: Call) -> None:
        if fault.kind in ("lost", "hang-after"):
            self.server.slack.answer(call)
        if fault.kind in ("hang", "hang-after"):
            self.server.slack.pause(fault.seconds)
        self.close_connection = True
        self.connection.close()

    def _lie(self, fault: Fault) -> None:
        if fault.kind == "429":
            after = {"Retry-After": f"{fault.seconds:.0f}"}
            self._send(429, {"ok": False, "error": "ratelimited"}, after)
        elif fault.kind == "html":
            self._send(200, "<html>Please log in</html>")
        else:
            status = 500 if fault.kind == "500" else 200
            self._send(status, {"ok": False, "error": fault.error})

    def _send(
        self, status: int, answer: dict[str, Any] | str, more: dict[str, str] | None = None
    ) -> None:
        is_text = isinstance(answer, str)
        body = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if is_text else "application/json")
            self.send_header("Content-Length", str(len(body)))
            for key, value in (more or {}).items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            # Whoever asked has gone.
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Tests say what they want to be said."""
