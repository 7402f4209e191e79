"""Puts a damaged SQLite ledger aside, so that work goes on and the file can be looked into.

What sleeps is remembered by the objects' own annotations; the next run writes it down anew.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from jobs.ledger.errors import LedgerError

log = logging.getLogger("gpu_thrift")


def put_aside(path: Path, why: str) -> None:
    """Renames the file and what belongs to it, unless another process just did. Raises
    ``LedgerError`` when it cannot."""
    with _alone(path):
        if not _is_damaged(path):
            return
        kept = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
        try:
            for end in ("-wal", "-shm", ""):
                part = path.with_name(path.name + end)
                if part.exists():
                    part.rename(kept.with_name(kept.name + end))
        except OSError as error:
            raise LedgerError(
                f"ledger {path} is damaged and cannot be put aside: {error.strerror}; move it away"
            ) from error
    log.warning(
        "%s: it is kept as %s and a new one is begun; what sleeps is known from its annotations, "
        "history and savings before now are in the old file only",
        why,
        kept,
    )


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time: a second one must not put the new file aside."""
    lock = path.with_name(f"{path.name}.lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise LedgerError(f"ledger {lock}: cannot be opened: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_damaged(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",))
    except sqlite3.OperationalError:
        return False
    except sqlite3.DatabaseError:
        return True
