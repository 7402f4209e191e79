"""A world before nine on a Monday morning, when every job becomes due."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import Engine
from tests.e2e.daemons.world import MONDAY, World, series, world

BEFORE = MONDAY + timedelta(hours=7, minutes=30)
AFTER = MONDAY + timedelta(hours=9, minutes=1)
FACTOR = 60.0
"""Times as fast as the clock on the wall."""


@pytest.fixture(scope="module")
def metrics(prometheus: Engine) -> str:
    return prometheus(series())


@pytest.fixture
def home(tmp_path: Path, metrics: str) -> Iterator[World]:
    with world(tmp_path, metrics) as made:
        made.clock.set(BEFORE, FACTOR)
        yield made
