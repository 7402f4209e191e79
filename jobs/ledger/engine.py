"""Opens the database, with waits that end, and turns its errors into ``LedgerError``."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, exc, make_url
from sqlalchemy.engine import URL

from jobs.ledger.errors import CorruptLedger, LedgerError

CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_S = 10

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def open_engine(url: str) -> Engine:
    """The engine of ``sqlite:///path`` or ``postgresql://…``. Raises ``LedgerError``."""
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):
        raise LedgerError(
            "the ledger's URL cannot be read: expected postgresql://user@host/database"
        ) from None
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed)
    if parsed.get_backend_name() in ("postgresql", "postgres"):
        return _postgres(parsed)
    raise LedgerError(
        f"the ledger can be SQLite or postgresql://, not {parsed.get_backend_name()}://"
    )


def _sqlite(url: URL) -> Engine:
    path = Path(url.database or "")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Made here so that nobody else can read it: it names people and workloads.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise LedgerError(f"ledger {path}: cannot be opened: {error.strerror}") from error
    engine = create_engine(url, connect_args={"timeout": STATEMENT_TIMEOUT_S})

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _: Any) -> None:
        # The driver would begin transactions by itself, and only at the first write.
        connection.isolation_level = None
        _to_wal(connection)
        connection.execute("PRAGMA synchronous=FULL")
        # Each connection of a process that runs for months would come to fill its cache, 2 MB.
        connection.execute("PRAGMA cache_size=-256")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _to_wal(connection: sqlite3.Connection) -> None:
    """The journal of a new file is changed by whoever opens it first. SQLite lets nobody wait for
    that (https://www.sqlite.org/wal.html): whoever comes second is told at once that it is locked.
    """
    until = time.monotonic() + STATEMENT_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.02)


def _postgres(url: URL) -> Engine:
    options = f"-c statement_timeout={STATEMENT_TIMEOUT_S * 1000}"
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_pre_ping=True,
        pool_timeout=STATEMENT_TIMEOUT_S,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            # A database without an encoding would answer in bytes.
            "client_encoding": "utf8",
            "options": options,
            # Notices a server that went away without a word within half a minute.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": STATEMENT_TIMEOUT_S * 1000,
        },
    )

    @event.listens_for(engine, "do_connect")
    def _connect(_: Any, __: Any, args: Any, named: Any) -> Any:
        from jobs.ledger.bounded import Bounded  # noqa: PLC0415 - loads the driver

        return Bounded.connect(*args, **named)

    return engine


def name_of(engine: Engine) -> str:
    """How messages call the database: never with user or password."""
    url = engine.url
    if url.get_backend_name() == "sqlite":
        return f"ledger {url.database}"
    return f"ledger {url.host or 'localhost'}/{url.database or ''}"


@contextmanager
def told(engine: Engine) -> Iterator[None]:
    """Turns what the database raises into one ``LedgerError``."""
    try:
        yield
    except LedgerError:
        raise
    except (exc.SQLAlchemyError, OSError) as error:
        cause = getattr(error, "orig", None) or error
        line = " ".join(str(cause).split())
        password = engine.url.password
        if password:
            line = line.replace(str(password), "***")
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        kind = CorruptLedger if code in _DAMAGED else LedgerError
        raise kind(f"{name_of(engine)}: {line[:300]}") from None
