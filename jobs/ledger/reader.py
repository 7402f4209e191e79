"""Looks into a ledger without writing: what only explains must not make, migrate or repair one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import NullPool, create_engine, make_url, select

from analyzer.followed import Followed
from analyzer.model import WorkloadKey
from jobs.ledger.advice import SqlAdvice
from jobs.ledger.database import Database
from jobs.ledger.engine import STATEMENT_TIMEOUT_S, open_engine
from jobs.ledger.errors import LedgerError
from jobs.ledger.migrations import MIGRATIONS
from jobs.ledger.place import SQLITE
from jobs.ledger.tables import VERSION


def advice_of(url: str, key: WorkloadKey) -> list[Followed]:
    """What the ledger at ``url`` knows of the advice for ``key``. Raises ``LedgerError``, for a
    ledger of another version too."""
    with reading(url) as database:
        return SqlAdvice(database).entries_of(key)


@contextmanager
def reading(url: str) -> Iterator[Database]:
    """The ledger at ``url``, to look into. Raises ``LedgerError``, for a ledger of another version
    too."""
    with _opened(url) as database:
        with database.reading() as connection:
            version = connection.execute(select(VERSION.c.version)).scalar() or 0
        if version != len(MIGRATIONS):
            raise LedgerError(
                f"{database.name} has version {version}, this program reads {len(MIGRATIONS)}"
            )
        yield database


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    if not url.startswith(SQLITE):
        engine = open_engine(url)
    else:
        path = Path(url.removeprefix(SQLITE)).absolute()
        engine = create_engine(
            make_url(url),
            poolclass=NullPool,
            creator=lambda: sqlite3.connect(
                f"{path.as_uri()}?mode=ro", timeout=STATEMENT_TIMEOUT_S, uri=True
            ),
        )
    database = Database(engine)
    try:
        yield database
    finally:
        database.close()
