"""A value that must not be seen: masked wherever a program prints, given only on request."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

MASK = "***"


class Secret:
    """A password, token or header value. Only ``reveal`` shows it.

    Not a dataclass: ``dataclasses.asdict`` would look inside.
    """

    __slots__ = ("_read",)

    _read: Callable[[], str]

    def __init__(self, value: str | Callable[[], str]) -> None:
        """Keep ``value``, or the function that reads it anew at each ``reveal``."""
        read = (lambda: value) if isinstance(value, str) else value
        object.__setattr__(self, "_read", read)

    def reveal(self) -> str:
        """The value. One kept in a file is read again, because mounted tokens are rotated.

        Raises ``ConfigError`` when that file cannot be read any more.
        """
        return self._read()

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
