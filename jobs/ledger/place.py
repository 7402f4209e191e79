"""Whether there can be a ledger at an address; loads no database."""

from __future__ import annotations

from pathlib import Path

from jobs.ledger.errors import LedgerError

SQLITE = "sqlite:///"


def may_exist(url: str) -> bool:
    """False where a SQLite file is not there; only asking tells of a server. Raises
    ``LedgerError`` where the folder may not be looked into."""
    if not url.startswith(SQLITE):
        return True
    path = Path(url.removeprefix(SQLITE))
    try:
        return path.is_file()
    except OSError as error:
        raise LedgerError(f"ledger {path}: cannot be opened: {error.strerror}") from error
