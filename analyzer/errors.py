"""The exceptions of gpu-thrift. Each carries one line that a person can act on.

GpuThriftError            exit 1
 ├─ ConfigError           exit 2  configuration file or option
 ├─ UsageError            exit 2  a command's arguments against the world
 ├─ SourceError           exit 1  a source of facts could not be read
 │   ├─ Unreachable               no answer: refused, timed out, name unknown, TLS
 │   ├─ Denied                    401 or 403
 │   ├─ BadAnswer                 an answer that is not what was asked for
 │   └─ TooMuch                   the server says the query asks for too much
 └─ PartlyDone            exit 4  some of it worked; each failure is named
"""

from __future__ import annotations

from collections.abc import Mapping


class GpuThriftError(Exception):
    """Base of everything that is raised on purpose."""

    exit_code = 1


class ConfigError(GpuThriftError):
    """The configuration cannot be used; names the file, the key and what is accepted."""

    exit_code = 2


class UsageError(GpuThriftError):
    """What was asked for cannot be done here."""

    exit_code = 2


class SourceError(GpuThriftError):
    """A source of facts could not be read."""


class Unreachable(SourceError):
    """No answer at all."""


class Denied(SourceError):
    """The server refused these credentials."""


class BadAnswer(SourceError):
    """The server answered with something that cannot be used."""


class TooMuch(SourceError):
    """The server refused the size of a query; a smaller span may pass."""


def each_named(failed: Mapping[str, str]) -> str:
    """What could not be read, by name, each with its reason."""
    return "; ".join(f"{name}: {why}" for name, why in sorted(failed.items()))


class PartlyDone(GpuThriftError):
    """Some of the work was done; the message names each part that was not."""

    exit_code = 4
