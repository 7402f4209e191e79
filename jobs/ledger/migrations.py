"""Brings a database to the present tables, once, however many processes start together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Engine, insert, inspect, select, text, update

from jobs.ledger.errors import LedgerError
from jobs.ledger.tables import METADATA, VERSION

_LOCK = 7_410_257_093
"""Any number, as long as no other program takes the same advisory lock in this database."""


def _create(connection: Connection) -> None:
    """Makes the tables that are not there yet."""
    METADATA.create_all(connection)


def _add_replies(connection: Connection) -> None:
    """Notices learn of their parents; a ledger that was made just now has the column already."""
    METADATA.create_all(connection)
    if all(one["name"] != "parent" for one in inspect(connection).get_columns("notices")):
        connection.execute(text("ALTER TABLE notices ADD COLUMN parent TEXT NOT NULL DEFAULT ''"))


MIGRATIONS: Sequence[Callable[[Connection], None]] = (_create, _create, _create, _add_replies)
"""Version n is what the first n made; what has been released is never changed."""


def migrate(engine: Engine) -> None:
    """Applies what is missing, each in the same transaction as its version number."""
    with engine.connect() as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        VERSION.create(connection, checkfirst=True)
        version = connection.execute(select(VERSION.c.version)).scalar()
        if version is None:
            connection.execute(insert(VERSION).values(version=0))
            version = 0
        if version > len(MIGRATIONS):
            raise LedgerError(
                f"the ledger has version {version}, this program knows {len(MIGRATIONS)}: use the "
                "newer program, or another ledger"
            )
        for migration in MIGRATIONS[version:]:
            migration(connection)
        if version < len(MIGRATIONS):
            connection.execute(update(VERSION).values(version=len(MIGRATIONS)))
