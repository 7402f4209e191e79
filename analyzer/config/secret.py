"""A value that must not be seen: masked wherever a program prints, given only on request."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

MASK = "***"

_LEAST = 6
"""Shorter values are masked nowhere: they would be found in the middle of words."""

_used: frozenset[str] = frozenset()
# Replaced as a whole: other threads may be looking through it.


def masked(text: str) -> str:
    """``text`` without any secret that was ever revealed."""
    for value in sorted(_used, key=len, reverse=True):
        text = text.replace(value, MASK)
    return text


def _remember(value: str, whole: bool) -> None:
    global _used  # noqa: PLW0603 - see above
    _, _, rest = value.partition("://")
    if not rest:
        found = [value]
    else:
        # Of an address only who may come in is secret, unless whoever knows it may come in.
        user, at, _ = rest.rpartition("@")
        found = [value, user.partition(":")[2]] if at else []
        if whole:
            found += [value, rest.partition("/")[2]]
    _used |= {one for one in found if len(one) >= _LEAST}


class Secret:
    """A password, token or header value. Only ``reveal`` shows it.

    Not a dataclass: ``dataclasses.asdict`` would look inside.
    """

    __slots__ = ("_read", "_whole")

    _read: Callable[[], str]
    _whole: bool

    def __init__(self, value: str | Callable[[], str], *, whole: bool = False) -> None:
        """Keep ``value``, or the function that reads it anew at each ``reveal``. ``whole`` is for
        an address whose path is secret too."""
        read = (lambda: value) if isinstance(value, str) else value
        object.__setattr__(self, "_read", read)
        object.__setattr__(self, "_whole", whole)

    def reveal(self) -> str:
        """The value. One kept in a file is read again, because mounted tokens are rotated.

        Raises ``ConfigError`` when that file cannot be read any more.
        """
        value = self._read()
        _remember(value, self._whole)
        return value

    def __repr__(self) -> str:
        return f"'{MASK}'"

    def __str__(self) -> str:
        return MASK

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Secret cannot be changed")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled")
