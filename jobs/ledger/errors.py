"""What the ledger raises."""

from __future__ import annotations

from analyzer.errors import GpuThriftError


class LedgerError(GpuThriftError):
    """The ledger cannot be read or written; one line, never with its password."""


class CorruptLedger(LedgerError):
    """The SQLite file is damaged, or is no database at all."""


class Superseded(LedgerError):
    """Another process took over what this one was doing; nothing was written."""
