"""What a Prometheus-compatible server meant: errors with its own words, or the document.

Every message starts with the place that was asked and stays on one line. Classes with a status
let the callers tell one refusal from another without reading texts.
"""

from __future__ import annotations

import gc
import html
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
from requests import exceptions as http

from analyzer.errors import BadAnswer, Denied, SourceError, TooMuch, Unreachable

AGAIN = frozenset({429, 502, 503, 504})
"""Statuses that say nothing about the query: the same one may pass a moment later."""

_TOO_SLOW = re.compile(r"timed?[ -]?out|context deadline exceeded|maxQueryDuration", re.I)
_TOO_MUCH = re.compile(
    r"too many (samples|points|chunks|(unique )?time ?series|series|bytes|data)"
    r"|exceeded maximum resolution"
    r"|-search\.max(Points|Samples|Unique|Memory|Series)"
    r"|matching time ?series exceeds"
    r"|err-mimir-max-"
    r"|(exceed(s|ed)?|hit|violat(es|ed)|reached)\b.{0,60}\b(limit|maximum)"
    r"|\blimit\b.{0,40}\b(exceeded|violated|reached)"
    r"|time range exceeds"
    r"|(larger|greater|bigger) than max",
    re.I | re.S,
)
_EXCERPT = 300
_DECODING = threading.Lock()


class Answered(SourceError):
    """The server answered, and not with what was asked for. ``slow``: for want of time."""

    def __init__(self, message: str, status: int, slow: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.slow = slow
        self.retry_after_s: float | None = None


class DeniedAnswer(Answered, Denied):
    """401 or 403."""


class WrongAnswer(Answered, BadAnswer):
    """Anything else that cannot be used."""


class TooMuchAnswer(Answered, TooMuch):
    """The query asks for too much at once."""


class NoAnswer(Unreachable):
    """``again``: trying once more can help. ``slow``: there was no whole answer in time."""

    def __init__(self, message: str, again: bool = False, slow: bool = False) -> None:
        super().__init__(message)
        self.again = again
        self.slow = slow


@dataclass(frozen=True, slots=True)
class Asked:
    """Where a question went, and with which credentials (in words, never the value)."""

    place: str
    credentials: str


def refusal(asked: Asked, status: int, body: bytes) -> Answered:
    """The error for an answer that is not 2xx, or is and says ``"status": "error"``."""
    said = server_text(body)
    place = f"{asked.place} answered {_status(status)}"
    tail = f": {clip(said)}" if said else ""
    if status in {401, 403}:
        return DeniedAnswer(
            f"{place} to {asked.credentials}{tail}; check the credentials and what they may read",
            status,
        )
    if status == 504 or (status in {408, 422, 500, 503} and _TOO_SLOW.search(said)):
        kind = WrongAnswer if status == 504 else TooMuchAnswer
        return kind(f"{place}{tail}", status, slow=True)
    if status == 413 or (status != 429 and _TOO_MUCH.search(said)):
        return TooMuchAnswer(f"{place}{tail}", status)
    if status == 404:
        return WrongAnswer(
            f"{place}{tail}; does the URL lack a path prefix (such as /prometheus)?", status
        )
    return WrongAnswer(f"{place}{tail}", status)


def document(asked: Asked, body: bytes) -> dict[str, Any]:
    """The answer's JSON object, known to say success and to have ``data``.

    Raises ``BadAnswer`` for anything that is not that, and as ``refusal`` for a stated error.
    """
    try:
        found = _decoded(body)
    except orjson.JSONDecodeError as error:
        raise WrongAnswer(_not_json(asked, body, error), 200) from error
    if isinstance(found, dict) and found.get("status") == "error":
        raise refusal(asked, 200, body)
    if not isinstance(found, dict) or found.get("status") != "success" or "data" not in found:
        raise WrongAnswer(
            f"{asked.place} answered with JSON that is not Prometheus' (no status and data): "
            f"{clip(_text(body))}; is this a Prometheus?",
            200,
        )
    return found


def _decoded(body: bytes) -> Any:
    """JSON without the garbage collector, which would look through the hundred thousand lists of
    a large answer again and again while they are made: it takes 60 % of the time. The lock costs
    nothing, for the decoder lets no other thread run."""
    with _DECODING:
        collected = gc.isenabled()
        gc.disable()
        try:
            return orjson.loads(body)
        finally:
            if collected:
                gc.enable()


def results(asked: Asked, found: dict[str, Any]) -> None:
    """Check that a query's ``data.result`` is a list; a null one, which some proxies send for
    "nothing", becomes an empty list."""
    data = found["data"]
    if not isinstance(data, dict) or not isinstance(data.get("result", 0), list | None):
        raise WrongAnswer(f"{asked.place} answered a query without a list of results", 200)
    data["result"] = data["result"] or []


def values(asked: Asked, found: dict[str, Any]) -> None:
    """Check that ``data`` is a list of texts; null means none here too."""
    found["data"] = found["data"] or []
    listed = found["data"]
    if not isinstance(listed, list) or not all(isinstance(value, str) for value in listed):
        raise WrongAnswer(f"{asked.place} answered without a list of names", 200)


def server_text(body: bytes) -> str:
    """The server's own words: a JSON answer's ``error``, an HTML page's title, or the text."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if isinstance(found, dict):
        said = found.get("error") or found.get("message")
        if isinstance(said, str):
            return " ".join(said.split())
    text = _text(body)
    return f"an HTML page titled “{_title(text)}”" if _is_html(text) else text


def clip(text: str) -> str:
    """One line of at most 300 characters; the middle goes, as the reason is often at the end."""
    line = "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
    if len(line) <= _EXCERPT:
        return line
    return f"{line[: _EXCERPT // 3]} … {line[-_EXCERPT * 2 // 3 :]}"


def no_answer(asked: Asked, error: Exception, timeout_s: float) -> SourceError:
    """The error for a request that failed under way, with a short cause in place of a trace."""
    if isinstance(error, http.ContentDecodingError):
        return WrongAnswer(f"{asked.place} answered with data that cannot be decompressed", 200)
    if isinstance(error, http.ReadTimeout):
        return NoAnswer(f"{asked.place} did not answer within {timeout_s:g} s", slow=True)
    if isinstance(error, http.InvalidURL | http.MissingSchema | http.InvalidSchema):
        return NoAnswer(f"{asked.place} is not a URL that can be asked; expected http(s)://HOST")
    cause, again = _cause(error, timeout_s)
    via = " through the proxy" if isinstance(error, http.ProxyError) else ""
    return NoAnswer(f"{asked.place} cannot be reached{via}: {cause}", again=again)


def _cause(error: Exception, timeout_s: float) -> tuple[str, bool]:
    """The human cause of a failed connection, and whether trying again can help."""
    for inner in _inner(error):
        if isinstance(inner, ssl.SSLCertVerificationError):
            why = inner.verify_message.rstrip(".") or "verification failed"
            return f"its TLS certificate is not trusted ({why}); set ca_file to its CA", False
        if isinstance(inner, ssl.SSLError):
            return _tls_cause(inner)
        if isinstance(inner, socket.gaierror):
            return f"the host name cannot be resolved ({inner.strerror})", True
        if isinstance(inner, ConnectionRefusedError):
            return "connection refused; is it running, and is the port right?", True
        if isinstance(inner, TimeoutError | http.ConnectTimeout):
            return f"no connection within {timeout_s:g} s", True
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror.lower(), True
    if isinstance(error, http.ChunkedEncodingError):
        return "the connection was closed in the middle of the answer", True
    return "the connection was closed without an answer", True


def _tls_cause(error: ssl.SSLError) -> tuple[str, bool]:
    """A server that wants another client certificate may hang up before its alert is read."""
    hint = "set client_cert_file and client_key_file"
    if isinstance(error, ssl.SSLEOFError):
        return (
            f"the server ended the TLS connection; if it wants a client certificate, {hint}",
            True,
        )
    why = (error.reason or "handshake failed").replace("_", " ").lower()
    about_ours = "certificate" in why or "unknown ca" in why
    return f"TLS failed ({why})" + (f"; {hint}" if about_ours else ""), False


def _inner(error: BaseException) -> Iterator[BaseException]:
    """Every exception wrapped in this one, the innermost first."""
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.append(one)
        linked = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
        waiting += [each for each in linked if isinstance(each, BaseException)]
    return reversed(seen)


def _not_json(asked: Asked, body: bytes, error: orjson.JSONDecodeError) -> str:
    text = _text(body)
    if not text:
        return f"{asked.place} answered 200 with nothing in it; is this a Prometheus?"
    if _is_html(text):
        return (
            f"{asked.place} answered with HTML, not JSON (page titled “{_title(text)}”): "
            "is this a Prometheus, or a login page before it?"
        )
    if text[0] in "{[":
        return f"{asked.place} answered with broken JSON ({error.msg} at byte {error.pos})"
    return f"{asked.place} answered with text, not JSON: {clip(text)}; is this a Prometheus?"


def _text(body: bytes) -> str:
    return " ".join(body[:20_000].decode("utf-8", "replace").split())


def _is_html(text: str) -> bool:
    return text[:1] == "<"


def _title(text: str) -> str:
    found = re.search(r"<title[^>]*>(.*?)</title>", text, re.I | re.S)
    return clip(html.unescape(found[1])) if found else "(none)"


def _status(status: int) -> str:
    if status == 200:
        return "with an error"
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
