"""A database server that hangs, refuses or lies: every wait ends, and it is well again after it."""

from __future__ import annotations

import threading
from urllib.parse import urlsplit

import pytest

from jobs.ledger import bounded
from jobs.ledger.database import open_database
from jobs.ledger.errors import LedgerError
from jobs.ledger.runs import SqlRuns
from tests.fakes.chaos import MODES, ChaosProxy, Mode
from tests.jobs.daemon.world import START
from tests.postgres import Postgres

BOUND_S = 60
"""No measure of speed: without a limit it would never end."""


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "slow"])
@pytest.mark.parametrize("opened", [True, False], ids=["open", "new"])
def test_no_wait_lasts_for_ever(
    server: Postgres, monkeypatch: pytest.MonkeyPatch, mode: Mode, opened: bool
) -> None:
    monkeypatch.setattr(bounded, "LONGEST_S", 0.5)
    name = f"hanging_{mode}_{opened}".lower()
    url = server.create(name)
    port = urlsplit(url).port
    assert port
    with ChaosProxy(port) as proxy:
        through = url.replace(f":{port}/", f":{proxy.port}/")
        database = open_database(through)
        runs = SqlRuns(database)
        if opened:
            runs.settled("sleep", START)
        else:
            database.close()
        proxy.mode = mode
        errors: list[LedgerError] = []

        def ask() -> None:
            try:
                runs.settled("sleep", START)
            except LedgerError as error:
                errors.append(error)

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        asking.join(BOUND_S)
        assert not asking.is_alive()
        [error] = errors
        assert name in str(error)
        assert "secret-word" not in str(error)
        proxy.mode = "well"
        assert runs.settled("sleep", START) == START
        database.close()
