"""The open database: transactions that read, and transactions that write one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from sqlalchemy import Connection, Engine, text

from jobs.ledger.aside import put_aside
from jobs.ledger.engine import name_of, open_engine, told
from jobs.ledger.errors import CorruptLedger
from jobs.ledger.migrations import migrate

_LOCK = 7_410_257_094
"""Any number, as long as no other program takes the same advisory lock in this database."""


Around = Callable[[], AbstractContextManager[None]]
"""Entered around everything that the database is asked."""


def open_database(url: str, around: Around = nullcontext) -> Database:
    """The database at ``sqlite:///path`` or ``postgresql://…``, its tables made or brought up to
    date. A SQLite file that is damaged is put aside, and a new one begun. Raises ``LedgerError``.
    """
    engine = open_engine(url)
    try:
        _prepare(engine)
    except CorruptLedger as error:
        engine.dispose()
        put_aside(Path(str(engine.url.database)), str(error))
        engine = open_engine(url)
        _prepare(engine)
    return Database(engine, around)


def _prepare(engine: Engine) -> None:
    with told(engine):
        if engine.dialect.name == "sqlite":
            _check(engine)
        migrate(engine)


def _check(engine: Engine) -> None:
    with engine.connect() as connection:
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    if found != "ok":
        raise CorruptLedger(f"{name_of(engine)}: {' '.join(str(found).split())}")


class Database:
    """Safe to use from several threads; connections are made anew after the database was away.
    Everything that goes wrong is a ``LedgerError``."""

    def __init__(self, engine: Engine, around: Around = nullcontext) -> None:
        self._engine = engine
        self._around = around
        self.name = name_of(engine)
        self.is_damaged = False
        """Whether it turned out damaged: opening it anew puts it aside."""
        self._file = _identity(engine)

    @property
    def is_lost(self) -> bool:
        """Whether opening it anew would give another one: what is written to it is lost."""
        return self.is_damaged or self._file != _identity(self._engine)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        try:
            with self._around(), told(self._engine), self._engine.begin() as connection:
                yield connection
        except CorruptLedger:
            self.is_damaged = True
            raise

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One writer at a time, as a SQLite file has it anyway: what is read before it is written
        stays true until then."""
        with self.reading() as connection:
            if self._engine.dialect.name == "postgresql":
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            yield connection

    def close(self) -> None:
        self._engine.dispose()


def _identity(engine: Engine) -> tuple[int, int] | None:
    """Tells one file from the next of the same name; None where there is none."""
    if engine.url.get_backend_name() != "sqlite":
        return None
    try:
        found = Path(str(engine.url.database)).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
