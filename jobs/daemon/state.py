"""What the daemon keeps: one database for everything, opened when it is first asked."""

from __future__ import annotations

import threading
from collections.abc import Callable

from jobs.ledger.database import Around, Database, open_database
from jobs.ledger.ledger import SqlLedger
from jobs.ledger.notices import SqlNotices
from jobs.ledger.port import Ledger
from jobs.ledger.runs import SqlRuns
from jobs.ledger.usage import SqlUsage


class State:
    """Opened anew after its file turned out damaged. ``url`` reads the database's URL with its
    secrets; ``around`` is entered around each call. Every method raises ``LedgerError``."""

    def __init__(self, url: Callable[[], str], around: Around) -> None:
        self._url = url
        self._around = around
        self._database: Database | None = None
        self._lock = threading.Lock()

    def open(self) -> Database:
        with self._lock:
            if self._database is not None and self._database.is_damaged:
                self._database.close()
                self._database = None
            if self._database is None:
                with self._around():
                    self._database = open_database(self._url(), self._around)
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
