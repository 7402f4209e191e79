"""Messages that are to be posted, and flags together with the messages about them.

A message is written down in the same transaction as what it tells, and posted from there: a
process that dies in between neither forgets it nor tells it twice. Its key is unique. Before it is
sent it is marked, so that whoever finds the mark later asks the other side whether it arrived.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, delete, insert, select, update

from analyzer.flags import Flag
from analyzer.model import WorkloadKey
from jobs.ledger.database import Database
from jobs.ledger.errors import Superseded
from jobs.ledger.rows import key_of
from jobs.ledger.runs import Run, check_held
from jobs.ledger.tables import FLAGS, NOTICES


@dataclass(frozen=True, slots=True)
class Notice:
    """A message. ``text`` says everything; ``blocks`` are the same, laid out for the channel.

    ``made_at`` is when it was written down, ``sending_at`` is set when somebody began to post it
    and nobody knows what became of it.
    """

    key: str
    channel: str
    text: str
    blocks: tuple[Mapping[str, Any], ...] = ()
    made_at: datetime | None = None
    attempts: int = 0
    sending_at: datetime | None = None


class SqlNotices:
    """Every method raises ``LedgerError`` and nothing else."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def flags(self) -> Mapping[WorkloadKey, Flag]:
        """What is flagged, as of the last time."""
        with self._database.reading() as connection:
            return {
                key_of(one): Flag(key_of(one), one.verdict, one.since, one.told, one.told_usd)
                for one in connection.execute(select(FLAGS))
            }

    def set_flags(
        self,
        flags: Sequence[Flag],
        notices: Sequence[Notice],
        now: datetime,
        run: Run | None = None,
    ) -> None:
        """The flags from now on, and what is to be told of them, in one transaction. ``run`` is
        the try that found them; raises ``Superseded`` when it was taken over."""
        with self._database.writing() as connection:
            if run is not None:
                check_held(connection, run)
            connection.execute(delete(FLAGS))
            if flags:
                connection.execute(insert(FLAGS), [_of_flag(one) for one in flags])
            _add(connection, notices, now)

    def add(self, notices: Sequence[Notice], now: datetime) -> None:
        """Messages to post; those whose key is there already are let go."""
        with self._database.writing() as connection:
            _add(connection, notices, now)

    def waiting(self, now: datetime) -> list[Notice]:
        """Those that are to be tried now, the oldest first."""
        due = and_(NOTICES.c.state == "waiting", NOTICES.c.try_at <= now)
        with self._database.reading() as connection:
            found = connection.execute(select(NOTICES).where(due).order_by(NOTICES.c.id))
            return [_notice(one) for one in found]

    def sending(self, notice: Notice, now: datetime) -> None:
        """It is about to be posted: from now on nobody knows whether it was. Raises ``Superseded``
        when somebody else began to meanwhile."""
        as_read = and_(
            NOTICES.c.key == notice.key,
            NOTICES.c.state == "waiting",
            NOTICES.c.attempts == notice.attempts,
        )
        begun = update(NOTICES).where(as_read)
        with self._database.writing() as connection:
            done = connection.execute(begun.values(attempts=notice.attempts + 1, sending_at=now))
            if done.rowcount != 1:
                raise Superseded(f"{notice.key} is posted by another process")

    def sent(self, key: str, receipt: str, now: datetime) -> None:
        """It arrived; ``receipt`` is the other side's name for it."""
        self._set(key, state="sent", receipt=receipt, sent_at=now, detail="")

    def failed(self, key: str, detail: str, try_at: datetime, *, unsure: bool) -> None:
        """It did not arrive, or (``unsure``) nobody knows; it is tried again then."""
        more = {} if unsure else {"sending_at": None}
        self._set(key, try_at=try_at, detail=detail[:2000], **more)

    def drop(self, key: str, detail: str) -> None:
        """It is not tried any more."""
        self._set(key, state="dropped", detail=detail[:2000])

    def unsent(self) -> int:
        """How many wait to be posted."""
        with self._database.reading() as connection:
            found = connection.execute(select(NOTICES.c.id).where(NOTICES.c.state == "waiting"))
            return len(found.all())

    def prune(self, before: datetime) -> None:
        """Deletes what was settled and made before then."""
        old = and_(NOTICES.c.state != "waiting", NOTICES.c.made_at < before)
        with self._database.writing() as connection:
            connection.execute(delete(NOTICES).where(old))

    def _set(self, key: str, **values: Any) -> None:
        mine = and_(NOTICES.c.key == key, NOTICES.c.state == "waiting")
        with self._database.writing() as connection:
            connection.execute(update(NOTICES).where(mine).values(**values))


def _add(connection: Connection, notices: Iterable[Notice], now: datetime) -> None:
    for one in notices:
        known = select(NOTICES.c.id).where(NOTICES.c.key == one.key)
        if connection.execute(known).first() is None:
            connection.execute(
                insert(NOTICES).values(
                    key=one.key,
                    channel=one.channel,
                    text=one.text.replace("\x00", "\ufffd"),
                    blocks=list(one.blocks),
                    made_at=now,
                    try_at=now,
                )
            )


def _of_flag(flag: Flag) -> dict[str, Any]:
    key = flag.key
    return {
        "cluster": key.cluster,
        "namespace": key.namespace,
        "kind": key.kind,
        "name": key.name,
        "verdict": flag.verdict,
        "since": flag.since,
        "told": flag.told,
        "told_usd": flag.told_usd,
    }


def _notice(found: Any) -> Notice:
    return Notice(
        key=found.key,
        channel=found.channel,
        text=found.text,
        blocks=tuple(found.blocks or ()),
        made_at=found.made_at,
        attempts=found.attempts,
        sending_at=found.sending_at,
    )
