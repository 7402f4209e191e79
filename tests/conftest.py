"""Fixtures shared by all tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from tests.openmetrics import RawSeries
from tests.servers import ENGINES


@dataclass
class Engine:
    """Starts real servers of one kind; they end with the module that started them."""

    name: str
    running: ExitStack = field(default_factory=ExitStack)

    def __call__(self, series: Iterable[RawSeries], *flags: str) -> str:
        """Start a server that holds exactly ``series``, and return its base URL."""
        return self.running.enter_context(ENGINES[self.name](series, *flags))


@pytest.fixture(scope="module", params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Every engine in turn: ``engine(series) -> URL``, and ``engine.name``."""
    made = Engine(request.param)
    with made.running:
        yield made


@pytest.fixture(scope="module")
def prometheus() -> Iterator[Engine]:
    """Prometheus alone: ``prometheus(series, *flags) -> URL``."""
    made = Engine("prometheus")
    with made.running:
        yield made
