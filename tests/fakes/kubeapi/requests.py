"""A request as the stand-in understands it, and what it may answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.kubeapi.errors import bad_request


@dataclass(frozen=True)
class Request:
    """One request. Header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    raw_body: bytes = field(default=b"", repr=False)
    user: str = ""

    def body(self) -> Any:
        if not self.raw_body:
            return {}
        try:
            return json.loads(self.raw_body)
        except ValueError as exc:
            raise bad_request(f"the object provided is unrecognized: {exc}") from exc

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "application/json").split(";")[0].strip()

    def wants(self, what: str) -> bool:
        """Whether the first choice of Accept is PartialObjectMetadata or its list."""
        first = self.headers.get("accept", "").split(",")[0]
        return f"as={what}" in first.split(";") and "g=meta.k8s.io" in first.split(";")


@dataclass(frozen=True)
class Reply:
    """An answer: ``body`` is JSON when it is not bytes; ``stream`` sends one JSON line each."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    stream: Iterator[Any] | None = None


@dataclass(frozen=True)
class Hang:
    """No answer for so long, then the connection is closed."""

    seconds: float


class Close:
    """The connection is closed without an answer."""
