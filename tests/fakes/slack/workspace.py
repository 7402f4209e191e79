"""What the stand-in keeps, and how it answers each method.

https://docs.slack.dev/reference/methods/conversations.history
https://docs.slack.dev/reference/methods/conversations.replies
https://docs.slack.dev/reference/methods/files.getUploadURLExternal
https://docs.slack.dev/reference/methods/files.completeUploadExternal
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.fakes.slack.limits import problem

TOKEN = "xoxb-000-stand-in"
SECRET = "T000/B000/stand-in-webhook"
"""What an address has to end in to post by webhook."""

UPLOAD_ALT = 1_000

Params = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One request: the method's name (``upload`` and ``webhook`` for those addresses), what it was
    given, its headers (lower case), and its body."""

    method: str
    params: Params
    headers: dict[str, str]
    body: bytes = field(default=b"", repr=False)
    at: str = ""


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


@dataclass
class File:
    """An upload. ``looked_at`` is how many messages that name it are still refused, as Slack does
    not know a file at once."""

    id: str
    name: str
    length: int
    alt: str
    content: bytes | None = None
    title: str = ""
    complete: bool = False
    looked_at: int = 0


_SCOPES = {
    "chat.postMessage": "chat:write",
    "conversations.history": "channels:history",
    "conversations.replies": "channels:history",
    "conversations.list": "channels:read",
    "files.getUploadURLExternal": "files:write",
    "files.completeUploadExternal": "files:write",
}


class Workspace:
    """``scopes`` are the token's. Each file is refused by the first ``not_ready`` messages."""

    def __init__(self) -> None:
        self.channels = [Channel("C0GENERAL1", "general"), Channel("C0GPUS0001", "gpus")]
        self.files: dict[str, File] = {}
        self.scopes = {"chat:write", "files:write", "channels:history", "channels:read"}
        self.not_ready = 0
        self.token = TOKEN
        self.clock: Callable[[], float] = time.time
        self._last = 0

    def answer(self, call: Call, address: str) -> dict[str, Any]:
        """``address`` is where files are uploaded to, without their id."""
        if call.headers.get("authorization") != f"Bearer {self.token}":
            return _no("invalid_auth")
        needed = _SCOPES.get(call.method, "")
        if needed and needed not in self.scopes:
            return {**_no("missing_scope"), "needed": needed}
        methods: Mapping[str, Callable[[Params], dict[str, Any]]] = {
            "auth.test": self._auth,
            "chat.postMessage": self._post,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
            "conversations.list": self._list,
            "files.getUploadURLExternal": lambda params: self._begin_upload(params, address),
            "files.completeUploadExternal": self._complete_upload,
        }
        method = methods.get(call.method)
        return method(call.params) if method else _no("unknown_method")

    def upload(self, call: Call) -> tuple[int, str]:
        file = self.files.get(call.at)
        if file is None or "authorization" in call.headers or len(call.body) != file.length:
            return 400, "bad request"
        file.content = call.body
        return 200, f"OK - {file.length}"

    def webhook(self, call: Call) -> tuple[int, str]:
        if call.at != SECRET:
            return 404, "no_service"
        if "authorization" in call.headers:
            return 400, "invalid_token"
        try:
            message = json.loads(call.body)
        except ValueError:
            return 400, "invalid_payload"
        if set(message) - {"text", "blocks"} or list(_named(message.get("blocks"))):
            return 400, "invalid_payload"
        wrong = problem(message)
        if wrong:
            return 400, wrong
        self._append(self.channels[1], message)
        return 200, "ok"

    def _append(self, channel: Channel, message: dict[str, Any]) -> dict[str, Any]:
        self._last = max(self._last + 1, int(self.clock() * 1_000_000))
        ts = f"{self._last // 1_000_000}.{self._last % 1_000_000:06d}"
        made = {"type": "message", "blocks": [], "metadata": None, **message, "ts": ts}
        channel.messages.append(made)
        return made

    def _auth(self, _: Params) -> dict[str, Any]:
        return {"ok": True, "user": "gpu-thrift", "team": "Example", "bot_id": "B0"}

    def _post(self, params: Params) -> dict[str, Any]:
        name, thread = str(params.get("channel", "")), params.get("thread_ts")
        channel = next(
            (one for one in self.channels if name in (one.id, one.name, f"#{one.name}")), None
        )
        if channel is None:
            return _no("channel_not_found")
        if thread is not None and thread not in [one["ts"] for one in _parents(channel)]:
            return _no("thread_not_found")
        wrong = problem(params)
        if wrong:
            return _no(wrong)
        bad = [at for at, file in _named(params.get("blocks")) if not self._is_ready(file)]
        if bad:
            reasons = [f"invalid slack file [json-pointer:/blocks/{at}/slack_file]" for at in bad]
            more = {"messages": [f"[ERROR] {reason}" for reason in reasons]}
            return {**_no("invalid_blocks"), "errors": reasons, "response_metadata": more}
        kept = {key: params.get(key) for key in ("text", "metadata")}
        message = self._append(channel, {**kept, "blocks": params.get("blocks") or []})
        if thread is not None:
            message["thread_ts"] = thread
        return {"ok": True, "channel": channel.id, "ts": message["ts"], "message": message}

    def _is_ready(self, name: str) -> bool:
        file = self.files.get(name)
        if file is None or not file.complete:
            return False
        file.looked_at -= 1
        return file.looked_at < 0

    def _history(self, params: Params) -> dict[str, Any]:
        channel = self._by_id(params)
        if channel is None:
            return _no("channel_not_found")
        oldest = float(params.get("oldest") or 0)
        # Replies are no messages of the channel.
        found = [one for one in reversed(_parents(channel)) if float(one["ts"]) > oldest]
        return {"ok": True, **_page("messages", _told(found, params), params)}

    def _replies(self, params: Params) -> dict[str, Any]:
        channel, ts = self._by_id(params), params.get("ts")
        if channel is None:
            return _no("channel_not_found")
        found = [one for one in channel.messages if ts in (one["ts"], one.get("thread_ts"))]
        if not found:
            return _no("thread_not_found")
        return {"ok": True, **_page("messages", _told(found, params), params)}

    def _by_id(self, params: Params) -> Channel | None:
        """Only an id will do where messages are read."""
        return next((one for one in self.channels if one.id == params.get("channel")), None)

    def _list(self, params: Params) -> dict[str, Any]:
        found = [{"id": one.id, "name": one.name} for one in self.channels]
        return {"ok": True, **_page("channels", found, params)}

    def _begin_upload(self, params: Params, address: str) -> dict[str, Any]:
        length, alt = int(params.get("length") or 0), str(params.get("alt_txt") or "")
        if not (params.get("filename") and length > 0):
            return _no("missing_argument")
        if len(alt) > UPLOAD_ALT:
            return _no("alt_txt_too_large")
        name = f"F{len(self.files):09d}"
        self.files[name] = File(name, str(params["filename"]), length, alt)
        return {"ok": True, "upload_url": f"{address}{name}", "file_id": name}

    def _complete_upload(self, params: Params) -> dict[str, Any]:
        asked = json.loads(params.get("files") or "[]")
        found = [self.files.get(one.get("id")) for one in asked]
        if not found or any(one is None or one.content is None for one in found):
            return _no("file_not_found")
        for one, file in zip(asked, found, strict=True):
            assert file is not None
            if not file.complete:
                file.looked_at = self.not_ready
            file.complete, file.title = True, one.get("title", "")
        channel = next((one for one in self.channels if one.id == params.get("channel_id")), None)
        if channel is not None:
            self._append(channel, {"text": "shared a file"})
        return {"ok": True, "files": asked}


def _no(error: str) -> dict[str, Any]:
    return {"ok": False, "error": error}


def _parents(channel: Channel) -> list[dict[str, Any]]:
    return [one for one in channel.messages if "thread_ts" not in one]


def _named(blocks: Any) -> Iterator[tuple[int, str]]:
    """The files that image blocks name, and where."""
    for at, block in enumerate(blocks or []):
        if "slack_file" in block:
            yield at, str(block["slack_file"].get("id", ""))


def _told(found: list[dict[str, Any]], params: Params) -> list[dict[str, Any]]:
    if params.get("include_all_metadata") in (True, "1", "true"):
        return found
    return [{k: v for k, v in one.items() if k != "metadata"} for one in found]


def _page(key: str, found: list[dict[str, Any]], params: Params) -> dict[str, Any]:
    begin = int(params.get("cursor") or 0)
    limit = int(params.get("limit") or 100)
    more = str(begin + limit) if begin + limit < len(found) else ""
    page = {key: found[begin : begin + limit], "response_metadata": {"next_cursor": more}}
    return {**page, "has_more": bool(more)}
