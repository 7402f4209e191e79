"""Two daemons, killed and paused at random: never two writers, nothing twice, nothing lost."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import Engine
from tests.e2e.daemons.rivals import check, rivals
from tests.e2e.daemons.world import series
from tests.postgres import postgres

SECONDS = float(os.environ.get("SOAK_SECONDS", "45"))
SEED = int(os.environ.get("SOAK_SEED", "20261126"))


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_two_daemons_that_are_killed_and_paused(
    tmp_path: Path, prometheus: Engine, kind: str
) -> None:
    with ExitStack() as stack:
        database = f"sqlite:///{tmp_path / 'ledger.db'}"
        if kind == "postgres":
            database = stack.enter_context(postgres()).create("rivals")
        # Time goes 300 times as fast here.
        url = prometheus(series(days=1 + int(SECONDS / 280)))
        found = stack.enter_context(rivals(tmp_path, url, SEED, database))
        found.disturb(SECONDS)
        end = found.calm()
        check(found, end)
        print(f"\n{dict(found.acts)}, {found.witness.writes} writes, {found.witness.terms} terms")
        # The test would show little if little had happened.
        assert found.witness.terms > 1
        assert found.witness.writes > 0
