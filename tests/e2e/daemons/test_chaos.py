"""Every server slow, refusing, hanging, mute and lying, alone and in pairs: nothing wrong is done,
and everything is once it is over, by the same process."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import Engine
from tests.e2e.daemons.chaos import PAIRS, SINGLES, Faults, name_of, play, scene
from tests.e2e.daemons.world import series
from tests.postgres import Postgres, postgres

AT_ONCE = 3
PLAYED = int(os.environ.get("SOAK_PAIRS", "10"))
"""How many pairs; a long run plays all of them."""


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("lies", [False, True], ids=["pages", "answers"])
def test_servers_that_misbehave(
    tmp_path: Path, prometheus: Engine, server: Postgres, lies: bool
) -> None:
    url = prometheus(series())
    pairs = random.Random(f"{lies}").sample(PAIRS, min(PLAYED, len(PAIRS)))
    lying = [one for one in SINGLES if "lying" in one.values()]
    played = [*(lying if lies else SINGLES), *pairs]

    def one(number: int, faults: Faults) -> str:
        home = tmp_path / f"{number}"
        home.mkdir()
        database = server.create(f"chaos_{lies}_{number}".lower())
        try:
            with scene(home, url, database, lies) as at:
                play(at, faults)
        except Exception as error:  # noqa: BLE001 - one that fails must not hide the others
            return f"{name_of(faults)}: {type(error).__name__}: {error}"
        return ""

    with ThreadPoolExecutor(AT_ONCE) as pool:
        failed = [said for said in pool.map(one, range(len(played)), played) if said]
    assert not failed, "\n\n".join(failed)
