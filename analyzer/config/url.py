"""The address of a metric store."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from analyzer.config.kinds import Wrong, wrong
from analyzer.config.place import quoted


@dataclass(frozen=True, slots=True)
class Url:
    """A base URL, without a slash at its end; ``optional`` allows "" as well."""

    optional: bool = False
    type: ClassVar[str] = "URL"
    range: ClassVar[str] = "http or https"

    def parse(self, value: object) -> str:
        if not isinstance(value, str):
            raise wrong("an http or https URL", value)
        if self.optional and not value:
            return value
        # Whatever may hold a password or a token is kept out of the message.
        told = (
            ", the value is not shown" if re.search(r"[@?#]", value) else f", got {quoted(value)}"
        )
        fault = _url_fault(value)
        if fault:
            raise Wrong(fault + told)
        return value.rstrip("/")


def is_http(text: str) -> bool:
    """Whether it is a whole http or https address, of whatever path and query."""
    from urllib.parse import urlsplit  # noqa: PLC0415 (as below)

    try:
        url = urlsplit(text)
        return url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        return False


def _url_fault(text: str) -> str | None:
    from urllib.parse import urlsplit  # noqa: PLC0415 (costs more than the rest of this module)

    expected = "expected a URL such as http://prometheus.monitoring:9090"
    if not text.isprintable() or " " in text:
        return expected
    try:
        url = urlsplit(text)
        bad_port = url.port == 0
    except ValueError:
        return expected
    if url.scheme not in {"http", "https"} or not url.hostname or bad_port:
        return expected
    if "@" in url.netloc:
        return "expected a URL without a user name; use username with password_env or password_file"
    if "?" in text or "#" in text:
        return "expected a URL without a query or a fragment"
    if url.path.rstrip("/").endswith("/api/v1"):
        return "expected the base URL, without /api/v1"
    return None
