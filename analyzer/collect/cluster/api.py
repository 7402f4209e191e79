"""One Kubernetes API server over HTTP: requests, retries, pages and errors.

Lists are read page by page and parsed with orjson instead of the client's typed models (six
times faster, and only a page is in memory). Every failure leaves as a ``SourceError`` of one
line; no message quotes a credential. Importing this module loads the client library, so
``cluster`` does it late.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import urlsplit

import orjson
import urllib3
from kubernetes import client, config
from urllib3 import exceptions as transport

from analyzer.collect.cluster import credentials
from analyzer.collect.cluster.latest import watch_sending
from analyzer.errors import BadAnswer, Denied, SourceError, Unreachable

PAGE_ITEMS = 500
"""Items asked for at once: what kubectl uses; a page of pods is then about 5 MB."""

ATTEMPTS = 4
"""Tries of one request, the first included: waits of 0.5, 1 and 2 s outlast an API server that
is being replaced behind a load balancer, and no more."""

MAX_WAIT_S = 10.0
"""The longest wait between tries, whatever Retry-After says."""

CONNECT_TIMEOUT_S = 10.0
"""Cap on the time for a connection: a cluster that is away should be noticed soon."""

CONNECTIONS = 64
"""Connections kept open: one for each change that may be under way at the same time."""

RETRIED = frozenset({429, 500, 502, 503, 504})

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
METADATA_LIST = f"{JSON};as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,{JSON}"

T = TypeVar("T")


class Forbidden(Denied):
    """403: known, but not allowed to do this."""


class NotFound(BadAnswer):
    """404: no such object, or a kind that this cluster does not have."""


class Conflict(BadAnswer):
    """409: the object is not what the request took it for, or is there already."""


class ServerFault(BadAnswer):
    """5xx or 429, still after all tries."""


class Expired(BadAnswer):
    """410: the snapshot behind a continue token is gone."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask. ``path`` starts with a slash; ``body`` is sent as JSON of ``content_type``."""

    path: str
    method: str = "GET"
    query: tuple[tuple[str, str], ...] = ()
    accept: str = JSON
    body: Mapping[str, Any] | None = None
    content_type: str = JSON


@dataclass
class KubeApi:
    """An API server named by a kubeconfig. Nothing is read or sent before the first request.

    ``timeout_s`` bounds the wait for each answer in seconds. ``pause`` is how it waits between
    tries, ``attempts`` how many there are. ``guard`` is asked before every try that may change
    something, and again as it leaves: it raises when that is not allowed any more, and says for how
    many seconds it is. ``fence`` is entered as it leaves, with the time (``time.monotonic``) until
    which that holds. ``around`` is entered around every request.
    """

    kubeconfig: str
    context: str
    timeout_s: float
    pause: Callable[[float], None] = time.sleep
    attempts: int = ATTEMPTS
    guard: Callable[[], float] = lambda: float("inf")
    fence: Callable[[float], AbstractContextManager[Any]] = nullcontext
    around: Callable[[], AbstractContextManager[None]] = nullcontext

    def get(self, path: str) -> dict[str, Any]:
        """One object. Raises ``SourceError``."""
        return self.send(Request(path))

    def read_list(
        self,
        path: str,
        keep: Callable[[dict[str, Any]], T | None],
        metadata_only: bool = False,
        query: tuple[tuple[str, str], ...] = (),
    ) -> list[T]:
        """What ``keep`` makes of each item of a list, without its Nones.

        ``metadata_only`` asks the server to leave out spec and status; ``query`` is added to the
        request, such as a labelSelector. A list whose pages expire
        while it is read is started once more. Raises ``SourceError``.
        """
        accept = METADATA_LIST if metadata_only else JSON
        try:
            return self._pages(Request(path, query=query, accept=accept), keep)
        except Expired:
            return self._pages(Request(path, query=query, accept=accept), keep)

    def _pages(self, first: Request, keep: Callable[[dict[str, Any]], T | None]) -> list[T]:
        path = first.path
        kept: list[T] = []
        token = ""
        while True:
            further = (("continue", token),) if token else ()
            query = (*first.query, ("limit", str(PAGE_ITEMS)), *further)
            page = self.send(replace(first, query=query))
            try:
                kept += [one for item in page["items"] or () if (one := keep(item)) is not None]
                following = (page.get("metadata") or {}).get("continue") or ""
            except (AttributeError, KeyError, TypeError) as exc:
                raise BadAnswer(
                    f"{self.name}: {path} is not a list of Kubernetes objects; check the server "
                    "address in the kubeconfig"
                ) from exc
            if not following:
                return kept
            if following == token:
                raise BadAnswer(f"{self.name}: {path} repeats a page; the list never ends")
            token = following

    def allowed(self, verb: str, group: str, resource: str) -> bool:
        """Whether these credentials may do ``verb`` on ``resource`` in every namespace."""
        answer = self.send(
            Request(
                "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                method="POST",
                body={
                    "apiVersion": "authorization.k8s.io/v1",
                    "kind": "SelfSubjectAccessReview",
                    "spec": {
                        "resourceAttributes": {"verb": verb, "group": group, "resource": resource}
                    },
                },
            )
        )
        status = answer.get("status")
        return isinstance(status, dict) and status.get("allowed") is True

    def send(self, request: Request) -> dict[str, Any]:
        """The answer's JSON object. Transient failures are tried again, so a request must be
        one that may be repeated. Raises ``SourceError``."""
        with self.around():
            return self._sent(request)

    def _sent(self, request: Request) -> dict[str, Any]:
        for attempt in range(self.attempts):
            last = attempt == self.attempts - 1
            try:
                answer = self._once(request)
            except transport.ProtocolError as exc:
                if last:
                    raise Unreachable(f"{self.name} cut the connection ({request.path})") from exc
                self.pause(_wait_s(attempt))
                continue
            if answer.status not in RETRIED or last:
                return self._checked(request, answer)
            self.pause(_wait_s(attempt, answer.headers.get("Retry-After")))
        raise AssertionError  # pragma: no cover - the last attempt returns or raises

    def _once(self, request: Request) -> Any:
        headers = {"Accept": request.accept, "Accept-Encoding": "gzip"}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        opened = self._client
        try:
            with credentials.captured_plugin_errors():
                serialized = opened.param_serialize(
                    request.method,
                    request.path,
                    query_params=list(request.query),
                    header_params=headers,
                    body=request.body,
                    auth_settings=["BearerToken"],
                )
        except (config.ConfigException, OSError):
            # Its text may quote the user entry.
            raise Denied(f"{self.name}: the credentials cannot be renewed; log in again") from None
        allowed = float("inf") if request.method == "GET" else self.guard()
        longest = min(self.timeout_s, allowed)
        try:
            timeouts = (min(longest, CONNECT_TIMEOUT_S), longest)
            answer = opened.call_api(*serialized, _request_timeout=timeouts)
            answer.read()
        except transport.ProtocolError:
            raise
        except (transport.HTTPError, client.ApiException, OSError) as exc:
            raise Unreachable(f"{self.name} cannot be reached: {self._why(exc)}") from exc
        return answer

    def _sending(self) -> AbstractContextManager[Any]:
        asked = time.monotonic()
        return self.fence(asked + self.guard())

    def _checked(self, request: Request, answer: Any) -> dict[str, Any]:
        if 200 <= answer.status < 300:
            return self._parsed(request, answer)
        if answer.status == 401:
            raise Denied(f"{self.name} refused the credentials (401); renew the kubeconfig's login")
        kinds: dict[int, type[SourceError]] = {
            403: Forbidden,
            404: NotFound,
            409: Conflict,
            410: Expired,
            429: ServerFault,
        }
        usual = ServerFault if answer.status >= 500 else BadAnswer
        raise kinds.get(answer.status, usual)(
            f"{self.name} answered {answer.status} to {request.method} {request.path}"
            f"{_status_message(answer.data)}"
        )

    def _parsed(self, request: Request, answer: Any) -> dict[str, Any]:
        try:
            parsed = orjson.loads(answer.data)
        except orjson.JSONDecodeError as exc:
            sort = (answer.headers.get("Content-Type") or "no content type").split(";")[0]
            raise BadAnswer(
                f"{self.name} answered {request.path} with {sort} that is not valid JSON; check "
                "the server address in the kubeconfig"
            ) from exc
        if not isinstance(parsed, dict):
            raise BadAnswer(f"{self.name} answered {request.path} with JSON that is no object")
        return parsed

    @property
    def name(self) -> str:
        """How messages call this server: its address without any credentials."""
        parts = urlsplit(self._client.configuration.host)
        address = parts.hostname or "?"
        return (
            f"Kubernetes API {address}:{parts.port}" if parts.port else f"Kubernetes API {address}"
        )

    @cached_property
    def _client(self) -> Any:
        configuration = credentials.load(self.kubeconfig, self.context)
        # Ours alone decide: the transport's own would retry what is hopeless, and follow a
        # redirect to a login page with the token in hand.
        configuration.retries = False
        configuration.connection_pool_maxsize = CONNECTIONS
        if not configuration.verify_ssl:
            # The user's choice in the kubeconfig; a warning per request tells them nothing.
            urllib3.disable_warnings(transport.InsecureRequestWarning)
        opened = client.ApiClient(configuration)
        opened.user_agent = "gpu-thrift"
        watch_sending(opened.rest_client.pool_manager, self._sending)
        return opened

    def _why(self, exc: Exception) -> str:
        if isinstance(exc, client.ApiException):
            return f"TLS: {str(exc.reason).splitlines()[-1]}"
        if isinstance(exc, transport.NameResolutionError):
            return "its name cannot be resolved"
        if isinstance(exc, transport.TimeoutError) and not isinstance(
            exc, transport.NewConnectionError
        ):
            return f"no answer within {self.timeout_s:g} s"
        cause = exc if isinstance(exc, OSError) else exc.__cause__ or exc.__context__
        strerror = cause.strerror if isinstance(cause, OSError) else None
        return strerror or type(exc).__name__


def _wait_s(attempt: int, retry_after: str | None = None) -> float:
    """Seconds to wait after a failed try: what the server asked for, else doubling from 0.5."""
    asked = float(retry_after) if retry_after and retry_after.isdecimal() else 0.5 * 2**attempt
    return min(asked, MAX_WAIT_S)


def _status_message(body: bytes) -> str:
    """What a Kubernetes Status object says, ready to be appended; empty for anything else."""
    try:
        status = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ""
    message = status.get("message") if isinstance(status, dict) else None
    return f": {' '.join(message.split())[:300]}" if isinstance(message, str) and message else ""
