"""Posts to an address that is a secret itself: a webhook, or where a file is to be uploaded.

Neither the address nor what a client says of it is ever told.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from analyzer.errors import BadAnswer, SourceError, Unreachable
from jobs.slack.answers import told

NEVER = (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError)
"""Reasons for which nothing was sent."""

_MOST = 10_000
"""Bytes of an answer that are looked at."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str


@dataclass(frozen=True, slots=True)
class Address:
    """``name`` is what people are told of it, ``url`` is http or https. A lost answer is
    ``unknown``."""

    name: str
    url: str = field(repr=False)
    timeout_s: float
    unknown: type[SourceError]

    def post(self, body: bytes, kind: str) -> Answer:
        """The answer, of whatever status. A redirection is not followed: what is posted would be
        lost on its way."""
        try:
            kinds = {"Content-Type": kind}
            request = Request(self.url, body, kinds, method="POST")  # noqa: S310 - http or https
            with _opener().open(request, timeout=self.timeout_s) as found:
                return _answer(found.status, found)
        except HTTPError as error:
            with error:
                return self._status(error)
        except URLError as error:
            sort = Unreachable if isinstance(error.reason, NEVER) else self.unknown
            raise sort(f"{self.name} cannot be reached: {told(error.reason)}") from error
        except http.client.InvalidURL:
            raise BadAnswer(f"{self.name} has an address that cannot be used") from None
        except (OSError, http.client.HTTPException) as error:
            raise self.unknown(f"{self.name} gave no answer: {told(error)}") from error
        except ValueError:
            raise BadAnswer(f"{self.name} has an address that cannot be used") from None

    def _status(self, error: HTTPError) -> Answer:
        try:
            return _answer(error.code, error)
        except (OSError, http.client.HTTPException):
            return Answer(error.code, {}, "")


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _opener() -> OpenerDirector:
    # Made anew, so that proxies are those of the environment as it is.
    return build_opener(_NoRedirect)


def _answer(status: int, found: Any) -> Answer:
    text = found.read(_MOST).decode("utf-8", "replace").strip()
    return Answer(status, dict(found.headers.items()), text)
