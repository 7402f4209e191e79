"""The weekly report, put together from what was read and from what the ledger knows."""
