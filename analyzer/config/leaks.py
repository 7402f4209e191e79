"""Finds secrets that were written into the configuration file itself.

The file is committed, mounted from ConfigMaps and pasted into tickets, so a secret in it is
refused rather than used. The check runs before any value is looked at, so that no later message
can quote one.
"""

from __future__ import annotations

import re

from analyzer.config.place import Place

_SECRET_KEY = re.compile(
    r"(?:^|_)(?:password|passwd|passphrase|pwd|token|secret|api_?key|access_?key|private_?key"
    r"|credentials?|auth|authorization|bearer|cookie)$"
)
_HEADER_WORD = re.compile(
    r"(?:^|_)(?:api|apikey|auth|authorization|cookie|credentials?|jwt|key|passwd|password|secret"
    r"|session|signature|token)(?:_|$)"
)
_SECRET_VALUE = re.compile(
    r"://[^/\s:@]*:[^/\s@]*@"  # user:password@ in a URL
    r"|^\s*eyJ[\w-]{8,}\.[\w-]+\."  # a JSON web token
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
_AUTH_SCHEME = re.compile(r"\s*(?:bearer|basic)\s+\S", re.IGNORECASE)
_ENV_OR_FILE = (
    "a secret does not belong in this file; name its environment variable in {0}_env "
    "or its file in {0}_file"
)
_HEADER = (
    "a secret does not belong in this file; name its environment variable under secret_headers_env"
)


def refuse_secrets(document: dict[str, object], place: Place) -> None:
    """Raise ``ConfigError``, without the secret, for one that was found."""
    # A list of work, not recursion: a hostile file can nest deeper than Python's stack.
    todo: list[tuple[Place, object]] = [(place, document)]
    while todo:
        here, value = todo.pop()
        if isinstance(value, dict):
            for key, inner in value.items():
                _refuse_key(here.at(key), inner)
                if key == "teams" and here.table == ("slack",):
                    todo += [(here.into(key), text) for text in _texts(inner)]
                # There the keys are header names and the values names of variables.
                elif key != "secret_headers_env":
                    todo.append((here.into(key), inner))
        elif isinstance(value, list):
            todo.extend((here.into(str(index)), item) for index, item in enumerate(value))
        elif isinstance(value, str):
            _refuse_value(here.parent(), value)


def _texts(value: object) -> list[str]:
    """The strings of a table whose keys are outside text: a team may be called ``auth``."""
    found = value.values() if isinstance(value, dict) else ()
    return [one for one in found if isinstance(one, str)]


def _refuse_key(place: Place, value: object) -> None:
    words = _words(place.key)
    if place.table[-1:] == ("headers",) and (
        _HEADER_WORD.search(words) or (isinstance(value, str) and _AUTH_SCHEME.match(value))
    ):
        raise place.error(_HEADER)
    if _SECRET_KEY.search(words) and not isinstance(value, dict):
        name = "password" if re.search(r"pass|pwd", words) else "bearer_token"
        raise place.error(_ENV_OR_FILE.format(name))


def _refuse_value(place: Place, value: str) -> None:
    if _SECRET_VALUE.search(value):
        name = "password" if "://" in value else "bearer_token"
        raise place.error(_ENV_OR_FILE.format(name))


def _words(key: str) -> str:
    """``X-Api-Key``, ``apiKey`` and ``api.key`` alike end in ``api_key``."""
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower())
