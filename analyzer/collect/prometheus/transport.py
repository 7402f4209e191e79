"""How a Prometheus is reached: one session with limits, retries and errors that name their cause.

prometheus-api-client takes a ``requests.Session``; this one gives every exchange a deadline and a
size, tries again what can pass a moment later without losing the server's own words, keeps
credentials on the host they are meant for, and turns whatever goes wrong into a ``SourceError``.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests import exceptions as http
from urllib3.exceptions import HTTPError

from analyzer.collect.prometheus.answers import (
    AGAIN,
    Answered,
    Asked,
    NoAnswer,
    TooMuchAnswer,
    WrongAnswer,
    clip,
    document,
    no_answer,
    refusal,
    results,
    values,
)
from analyzer.collect.prometheus.deadline import Deadline, DeadlineAdapter
from analyzer.collect.prometheus.endpoint import Credentials, Endpoint, bare
from analyzer.errors import SourceError

__all__ = ["Answer", "Endpoint", "PrometheusSession"]

MAX_ANSWER_BYTES = 512 * 1024 * 1024
"""An answer above this, unpacked, is refused: it would not fit beside the others in memory."""

MAX_WAIT_S = 30.0
"""Longest wait before trying again, also when the server's Retry-After asks for more."""

MAX_REDIRECTS = 5
_CHUNK_BYTES = 256 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_DEFAULT_PORTS = {"http": 80, "https": 443}

Remark = Callable[[str, str], None]
"""Called with "warning", "info" or "partial" and the server's text, for each in an answer."""


class Answer(requests.Response):
    """A response that has been read, checked and decoded, once."""

    found: dict[str, Any]

    def json(self, **_kwargs: Any) -> dict[str, Any]:
        return self.found


class PrometheusSession(requests.Session):
    """Requests to one endpoint. May be shared by as many threads as ``pool_size``.

    Options given to a request are ignored in favour of the endpoint's. Raises ``SourceError``,
    and nothing else, for anything but a successful Prometheus answer.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        remark: Remark,
        pool_size: int = 4,
        pause: Callable[[float], None] = time.sleep,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._remark = remark
        self._pause = pause
        self._max_bytes = max_bytes
        self._governed = DeadlineAdapter(pool_connections=1, pool_maxsize=pool_size)
        self.auth = Credentials(endpoint)
        self.headers.update({"User-Agent": "gpu-thrift", "Accept": "application/json"})
        # True lets REQUESTS_CA_BUNDLE stand, as everywhere else; a path of our own overrules it.
        self.verify = (endpoint.ca_file or True) if endpoint.verify_tls else False
        self.cert = endpoint.client_cert
        if not endpoint.verify_tls:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    def get_adapter(self, url: str | bytes) -> DeadlineAdapter:  # noqa: ARG002
        """Always ours: prometheus-api-client mounts one of its own, which retries in silence."""
        return self._governed

    def close(self) -> None:
        self._governed.close()
        super().close()

    def request(self, method: str | bytes, url: str | bytes, *_args: Any, **kwargs: Any) -> Answer:
        verb, place = str(method), str(url)
        asked = Asked(bare(place), self._endpoint.credentials)
        attempt = 0
        while True:
            try:
                return self._followed(asked, verb, place, kwargs.get("params") or {})
            except (Answered, NoAnswer) as error:
                error.args = (self._endpoint.redacted(str(error)),)
                if attempt >= self._endpoint.retries or not _passing(error):
                    raise
                self._pause(_wait_s(error, attempt))
                attempt += 1

    def _followed(self, asked: Asked, verb: str, url: str, params: Mapping[str, Any]) -> Answer:
        """The answer, after redirects within the host. One elsewhere is most often a login page,
        and credentials have no business there."""
        for _ in range(MAX_REDIRECTS):
            answer = self._exchange(asked, verb, url, params)
            if answer.status_code not in _REDIRECTS:
                return self._checked(asked, answer)
            target = urljoin(url, answer.headers.get("location", ""))
            if not _same_host(url, target):
                raise WrongAnswer(
                    f"{asked.place} redirects to another host, {bare(target)}, which is not "
                    "followed; set url to the Prometheus itself",
                    answer.status_code,
                )
            url, params = target, (params if verb == "POST" or "?" not in target else {})
        raise WrongAnswer(f"{asked.place} redirects in circles", 310)

    def _exchange(self, asked: Asked, verb: str, url: str, params: Mapping[str, Any]) -> Answer:
        """One request and its whole body, within the deadline and the size."""
        timeout_s = self._endpoint.timeout_s
        with Deadline(timeout_s) as deadline:
            try:
                response = super().request(
                    verb,
                    url,
                    params=None if verb == "POST" else params,
                    data=params if verb == "POST" else None,
                    timeout=timeout_s,
                    allow_redirects=False,
                    stream=True,
                    verify=self.verify,
                )
                with response:
                    body = self._body(asked, response)
                if deadline.expired:  # a body without a length then seems to end in good order
                    raise http.ReadTimeout
            except (http.RequestException, HTTPError, OSError) as error:
                if deadline.expired:
                    raise NoAnswer(
                        f"{asked.place} gave no whole answer within {timeout_s:g} s", slow=True
                    ) from error
                problem = self._endpoint.file_problem()
                if problem:
                    raise NoAnswer(f"{asked.place} cannot be asked: {problem}") from error
                raise no_answer(asked, error, timeout_s) from error
            except ValueError:
                # the cause would quote the value, which is as likely as not a secret
                raise NoAnswer(
                    f"{asked.place} cannot be asked: a header, token or password has a character "
                    "that HTTP does not allow (a line break?)"
                ) from None
        answer = Answer()
        answer.status_code, answer.headers, answer._content = (
            response.status_code,
            response.headers,
            body,
        )
        return answer

    def _body(self, asked: Asked, response: requests.Response) -> bytes:
        parts: list[bytes] = []
        size = 0
        for part in response.iter_content(_CHUNK_BYTES):
            size += len(part)
            if size > self._max_bytes:
                raise TooMuchAnswer(
                    f"{asked.place} answered with more than {self._max_bytes // 1024**2} MB",
                    response.status_code,
                )
            parts.append(part)
        return b"".join(parts)

    def _checked(self, asked: Asked, answer: Answer) -> Answer:
        body = answer.content
        answer._content = b""  # decoded once; both at a time would double the memory
        if not answer.ok:
            error = refusal(asked, answer.status_code, body)
            error.retry_after_s = _retry_after_s(answer.headers)
            raise error
        answer.status_code = 200
        found = document(asked, body)
        if asked.place.endswith(("/query", "/query_range")):
            results(asked, found)
        elif asked.place.endswith("/values"):
            values(asked, found)
        self._pass_on(found)
        answer.found = found
        return answer

    def _pass_on(self, found: Mapping[str, Any]) -> None:
        for key, kind in (("warnings", "warning"), ("infos", "info")):
            texts = found.get(key)
            for text in texts if isinstance(texts, list) else ():
                self._remark(kind, clip(self._endpoint.redacted(str(text))))
        if found.get("isPartial"):  # VictoriaMetrics' way of saying it
            self._remark("partial", "the answer is partial: not every storage node answered")


def _same_host(before: str, after: str) -> bool:
    """Same scheme, host and port; going from http to https on the standard ports counts too."""
    old, new = urlsplit(before), urlsplit(after)
    try:
        old_port = old.port or _DEFAULT_PORTS.get(old.scheme)
        new_port = new.port or _DEFAULT_PORTS.get(new.scheme)
    except ValueError:
        return False
    upgraded = (old.scheme, old_port, new.scheme, new_port) == ("http", 80, "https", 443)
    return old.hostname == new.hostname and (
        upgraded or (old.scheme == new.scheme and old_port == new_port)
    )


def _passing(error: SourceError) -> bool:
    """Whether the same request may succeed a moment later."""
    if isinstance(error, NoAnswer):
        return error.again
    return isinstance(error, WrongAnswer) and error.status in AGAIN


def _wait_s(error: SourceError, attempt: int) -> float:
    """Half a second, doubled with each attempt, give or take half; or what the server asked."""
    asked_s = error.retry_after_s if isinstance(error, Answered) else None
    if asked_s is not None:
        return min(asked_s, MAX_WAIT_S)
    backoff_s: float = min(0.5 * 2.0**attempt, MAX_WAIT_S)
    return backoff_s * random.uniform(0.5, 1.5)  # noqa: S311


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds of Retry-After; a date counts from the server's own Date, whatever our clock."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}", value):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
        return max(0.0, (until - parsedate_to_datetime(headers["date"])).total_seconds())
    except (ValueError, TypeError, KeyError):
        return None
