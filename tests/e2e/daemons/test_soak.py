"""A day in accelerated time: what the daemon holds does not grow."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Engine
from tests.e2e.daemons.soak import soak
from tests.e2e.daemons.world import series

HOURS = 24
FACTOR = 1200.0


@pytest.mark.timeout(900)
def test_a_day_leaves_nothing_behind(tmp_path: Path, prometheus: Engine) -> None:
    found = soak(tmp_path, prometheus(series(2)), HOURS, FACTOR)
    # It has to have worked all the time: many minutes of a day, and every change of its windows.
    assert found.runs > HOURS * 60 / 10
    assert found.changes >= 12 * (HOURS - 1)
    for what in ("files", "threads"):
        before, after = found.halves(what)
        assert abs(after - before) <= 1, what
    before, after = found.halves("rss_kib")
    print(f"\n{found.runs} runs, {found.changes} changes, {found.kib_per_hour:+.1f} KiB an hour")
    assert after < before * 1.03
