"""A circuit breaker around an external service: one that keeps failing is left alone for a while,
so that every job learns at once what the first ones waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from time import monotonic

from circuitbreaker import CircuitBreaker

from analyzer.collect.cluster.api import ServerFault
from analyzer.errors import GpuThriftError, TooMuch, Unreachable
from jobs.ledger.errors import CorruptLedger, LedgerError, Superseded

FAILURES = 5
"""Failures in a row that open the circuit: more than one bad answer, less than one bad sweep."""

REST_S = 20.0
"""How long it stays open: a job that runs every minute finds it closed, or tries it, each time."""

Observe = Callable[[str, str, float], None]
"""Told the service, the outcome (``ok``, ``error``, ``open``) and the seconds of a call."""


class Breaker:
    """``with breaker():`` around each call. ``name`` tells the service's server to people."""

    def __init__(
        self,
        service: str,
        name: str,
        observe: Observe = lambda *_: None,
        refusal: type[GpuThriftError] = Unreachable,
        rest_s: float = REST_S,
    ) -> None:
        self.service = service
        self.name = name
        self._observe = observe
        self._refusal = refusal
        self._circuit = CircuitBreaker(FAILURES, rest_s, _is_failure, name)
        self.asked = False
        """Whether it was called at all."""
        self.tells: tuple[type[Exception], ...] = ()
        """Errors that are no fault of the service, and still keep it from being of use."""
        self._trouble = ""

    @property
    def is_open(self) -> bool:
        return bool(self._circuit.opened)

    @property
    def says(self) -> str:
        """What is wrong; empty while it is closed and its last call went well."""
        if self._trouble:
            return self._trouble
        last = self._circuit.last_failure
        return " ".join(str(last).split()) if last is not None else ""

    @contextmanager
    def __call__(self) -> Iterator[None]:
        if self.is_open:
            self._observe(self.service, "open", 0.0)
            raise self._refusal(
                f"{self.name} is not asked: it failed {self._circuit.failure_count} times in a "
                f"row and is tried again in {max(1, self._circuit.open_remaining)} s "
                f"(last: {self.says})"
            )
        begun, self.asked = monotonic(), True
        try:
            with self._circuit:
                yield
        except Exception as error:
            self._trouble = " ".join(str(error).split()) if isinstance(error, self.tells) else ""
            failed = _is_failure(type(error), error)
            self._observe(self.service, "error" if failed else "ok", monotonic() - begun)
            raise
        self._trouble = ""
        self._observe(self.service, "ok", monotonic() - begun)


class Breakers:
    """One breaker for each server. Safe to use from any thread."""

    def __init__(self, observe: Observe, rest_s: float = REST_S) -> None:
        self._observe = observe
        self._rest_s = rest_s
        self._known: dict[tuple[str, str], Breaker] = {}
        self._lock = threading.Lock()

    def of(self, service: str, name: str, refusal: type[GpuThriftError] = Unreachable) -> Breaker:
        """The breaker of a server that is called ``name``, the same each time."""
        with self._lock:
            made = Breaker(service, name, self._observe, refusal, self._rest_s)
            return self._known.setdefault((service, name), made)

    def all(self) -> list[Breaker]:
        with self._lock:
            return list(self._known.values())

    def keep(self, wanted: Iterable[Breaker]) -> list[Breaker]:
        """Forgets all others, and returns them."""
        kept = set(wanted)
        with self._lock:
            gone = [one for one in self._known.values() if one not in kept]
            for one in gone:
                del self._known[one.service, one.name]
        return gone


def _is_failure(_: type[BaseException], error: BaseException) -> bool:
    """Whether the service itself is at fault, and not what it was asked for."""
    if isinstance(error, CorruptLedger | Superseded | TooMuch):
        return False
    return isinstance(error, Unreachable | ServerFault | LedgerError)
