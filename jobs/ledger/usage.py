"""The usage of past hours, kept longer than any Prometheus keeps its samples.

One compressed document an hour and cluster: 500 workloads take some 20 kB, a tenth of what rows
would, and an hour is written and read as a whole.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import and_, delete, insert, select

from analyzer.history import Unused, UsedBy, UsedHour
from analyzer.model import WorkloadKey
from jobs.ledger.database import Database
from jobs.ledger.errors import LedgerError
from jobs.ledger.tables import USAGE

_FORMAT = 1


class SqlUsage:
    """Every method raises ``LedgerError`` and nothing else."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, hours: Iterable[UsedHour]) -> None:
        """Writes hours down; one that is there already is replaced."""
        with self._database.writing() as connection:
            for hour in hours:
                mine = and_(USAGE.c.cluster == hour.cluster, USAGE.c.begin == hour.begin)
                connection.execute(delete(USAGE).where(mine))
                connection.execute(
                    insert(USAGE).values(
                        cluster=hour.cluster, begin=hour.begin, document=_packed(hour)
                    )
                )

    def hours(self, cluster: str, begin: datetime, end: datetime) -> list[UsedHour]:
        """What is known of the hours from ``begin`` to ``end``, in order; those that were never
        recorded are missing."""
        wanted = (
            select(USAGE)
            .where(USAGE.c.cluster == cluster, USAGE.c.begin >= begin, USAGE.c.begin < end)
            .order_by(USAGE.c.begin)
        )
        with self._database.reading() as connection:
            return [
                _unpacked(cluster, one.begin, one.document) for one in connection.execute(wanted)
            ]

    def prune(self, before: datetime) -> None:
        """Deletes the hours before then."""
        with self._database.writing() as connection:
            connection.execute(delete(USAGE).where(USAGE.c.begin < before))


def _packed(hour: UsedHour) -> bytes:
    document = {
        "format": _FORMAT,
        "workloads": [_row(one) for one in hour.workloads],
        "pools": [astuple(one) for one in hour.pools],
    }
    return zlib.compress(orjson.dumps(document))


def _row(one: UsedBy) -> list[Any]:
    key = one.key
    figures = [getattr(one, field.name) for field in fields(UsedBy) if field.name != "key"]
    return [key.namespace, key.kind, key.name, *figures]


def _unpacked(cluster: str, begin: datetime, packed: bytes) -> UsedHour:
    try:
        document = orjson.loads(zlib.decompress(packed))
        workloads: Sequence[list[Any]] = document["workloads"]
        return UsedHour(
            cluster,
            begin,
            tuple(UsedBy(WorkloadKey(cluster, *row[:3]), *row[3:]) for row in workloads),
            tuple(Unused(*row) for row in document["pools"]),
        )
    except (zlib.error, ValueError, KeyError, TypeError) as error:
        raise LedgerError(
            f"the usage of {cluster} at {begin:%Y-%m-%d %H:%M} UTC cannot be read; delete that row"
        ) from error
