"""What the daemon keeps: one database for everything, opened when it is first asked."""

from __future__ import annotations

import threading
from collections.abc import Callable

from jobs.breaker import Breaker
from jobs.ledger.database import Database, open_database
from jobs.ledger.ledger import SqlLedger
from jobs.ledger.notices import SqlNotices
from jobs.ledger.port import Ledger
from jobs.ledger.runs import SqlRuns
from jobs.ledger.usage import SqlUsage


class State:
    """Opened anew after its file turned out damaged, or was moved away. ``url`` reads the
    database's URL with its secrets; ``breaker`` is entered around each call. Every method raises
    ``LedgerError``."""

    def __init__(self, url: Callable[[], str], breaker: Breaker) -> None:
        self.breaker = breaker
        self._url = url
        self._database: Database | None = None
        self._lock = threading.Lock()

    @property
    def is_file(self) -> bool:
        """Whether it is a file of this machine, and no server."""
        return self._url().startswith("sqlite")

    def open(self) -> Database:
        with self._lock:
            if self._database is not None and self._database.is_lost:
                self._database.close()
                self._database = None
            if self._database is None:
                with self.breaker():
                    self._database = open_database(self._url(), self.breaker)
            return self._database

    def ledger(self) -> Ledger:
        return SqlLedger(self.open())

    def runs(self) -> SqlRuns:
        return SqlRuns(self.open())

    def usage(self) -> SqlUsage:
        return SqlUsage(self.open())

    def notices(self) -> SqlNotices:
        return SqlNotices(self.open())

    def close(self) -> None:
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None
