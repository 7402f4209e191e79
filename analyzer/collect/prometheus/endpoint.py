"""Where a Prometheus is, and how to be let in without a secret showing anywhere."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth


@dataclass(frozen=True)
class Endpoint:
    """Where a Prometheus is and how to be let in. A user and password in the URL become
    ``basic``; no representation shows a secret."""

    url: str
    timeout_s: float = 60.0
    retries: int = 3
    bearer_token: str | None = field(default=None, repr=False)
    basic: tuple[str, str] | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca_file: str | None = None
    client_cert: tuple[str, str] | None = None
    verify_tls: bool = True

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.username is not None:
            inline = (unquote(parts.username), unquote(parts.password or ""))
            object.__setattr__(self, "basic", self.basic or inline)
        object.__setattr__(self, "url", bare(self.url).rstrip("/"))

    @property
    def credentials(self) -> str:
        """What is sent to be let in, in words."""
        if self.bearer_token is not None:
            return "a bearer token"
        if self.basic is not None:
            return "a user name and password"
        if any(name.lower() == "authorization" for name in self.headers):
            return "an Authorization header"
        if self.client_cert is not None:
            return "a client certificate"
        return "a request without credentials"

    def file_problem(self) -> str:
        """Which of the certificate files cannot be used and why, "" when all can. requests tells
        of them in words that do not name the file."""
        context = ssl.create_default_context()
        try:
            if self.verify_tls and self.ca_file is not None:
                folder = Path(self.ca_file).is_dir()
                context.load_verify_locations(**{"capath" if folder else "cafile": self.ca_file})
        except OSError as error:
            return f"ca_file {self.ca_file} cannot be used: {_why(error)}"
        try:
            if self.client_cert is not None:
                context.load_cert_chain(*self.client_cert, password="")
        except OSError as error:
            files = " and client_key_file ".join(self.client_cert or ())
            return f"client_cert_file {files} cannot be used: {_why(error)}"
        return ""

    def redacted(self, text: str) -> str:
        """The text with every secret of this endpoint blotted out, should a server echo one."""
        secrets = [self.bearer_token, self.basic and self.basic[1], *self.headers.values()]
        for secret in sorted(filter(None, secrets), key=len, reverse=True):
            if len(secret) >= 6:  # shorter ones would blot out ordinary words
                text = text.replace(secret, "***")
        return text


class Credentials(AuthBase):
    """Puts an endpoint's headers on a request. As the session's own auth it also keeps requests
    from looking for one in ~/.netrc."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self._endpoint.headers)
        if self._endpoint.bearer_token is not None:
            request.headers["Authorization"] = f"Bearer {self._endpoint.bearer_token}"
        elif self._endpoint.basic is not None:
            user, password = (part.encode() for part in self._endpoint.basic)
            return HTTPBasicAuth(user, password)(request)  # type: ignore[no-any-return]
        return request


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "no PEM, or it needs a password").replace("_", " ").lower()
    return (error.strerror or "unreadable").lower()


def bare(url: str) -> str:
    """The URL without credentials, query and fragment: fit to be shown."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
