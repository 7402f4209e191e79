"""Two daemons, killed and paused at random: never two writers, nothing twice, nothing lost."""

from __future__ import annotations

import os
from pathlib import Path

from tests.conftest import Engine
from tests.e2e.daemons.rivals import check, rivals
from tests.e2e.daemons.world import series

SECONDS = float(os.environ.get("SOAK_SECONDS", "60"))
SEED = int(os.environ.get("SOAK_SEED", "20261126"))


def test_two_daemons_that_are_killed_and_paused(tmp_path: Path, prometheus: Engine) -> None:
    with rivals(tmp_path, prometheus(series()), SEED) as found:
        found.disturb(SECONDS)
        end = found.calm()
        check(found, end)
        # The test would show little if little had happened.
        print(f"\n{dict(found.acts)}, {found.witness.writes} writes, {found.witness.terms} terms")
        assert found.witness.terms > 1
        assert found.witness.writes > 0
