"""Messages that are to be posted, and flags together with the messages about them.

A message is written down in the same transaction as what it tells, and posted from there: a
process that dies in between neither forgets it nor tells it twice. Its key is unique. Before it is
sent it is marked, so that whoever finds the mark later asks the other side whether it arrived.
A reply waits for its parent, and goes where that goes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, or_, select, update

from analyzer.flags import Flag
from analyzer.model import WorkloadKey
from jobs.ledger.database import Database
from jobs.ledger.errors import LedgerError, Superseded
from jobs.ledger.rows import key_of
from jobs.ledger.runs import Run, check_held
from jobs.ledger.tables import FLAGS, NOTICES, PICTURES

WEEKLY = "weekly-report"
"""How the keys of a week's reports begin; the channel follows `` @``."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG of a message. ``name`` is unique within it; ``alt`` says what the picture shows."""

    name: str
    title: str
    alt: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Notice:
    """A message. ``text`` says everything; ``blocks`` are the same, laid out for the channel.

    ``parent`` is the key of the message in whose thread it is a reply. An image block refers to
    one of ``pictures`` by its name, as ``slack_file.id``.

    The ledger fills in the rest: ``made_at`` is when it was written down, ``sending_at`` is set
    when somebody began to post it and nobody knows what became of it, ``thread`` is the receipt of
    the parent.
    """

    key: str
    channel: str
    text: str
    blocks: tuple[Mapping[str, Any], ...] = ()
    parent: str = ""
    pictures: tuple[Picture, ...] = ()
    made_at: datetime | None = None
    attempts: int = 0
    sending_at: datetime | None = None
    thread: str = ""

    @property
    def is_weekly(self) -> bool:
        """Whether it is one of a week's report, which a channel is told of once by whomever."""
        return self.key.startswith(f"{WEEKLY} ")

    @property
    def mark(self) -> str:
        """What the message carries and is found by. A channel may be spelt in several ways, and is
        none of it: the message is in that channel."""
        return self.key.partition(" @")[0] if self.is_weekly else self.key


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
            add_new(connection, notices, now)

    def add(self, notices: Sequence[Notice], now: datetime) -> list[str]:
        """Messages to post; those whose key is there already are let go. Returns the keys of the
        others. Raises ``LedgerError`` for a reply to a message that is neither among them nor in
        the ledger."""
        with self._database.writing() as connection:
            return add_new(connection, notices, now)

    def waiting(self, now: datetime) -> list[Notice]:
        """Those that are to be tried now, the oldest first; replies once their parent is sent."""
        parent = NOTICES.alias()
        due = and_(
            NOTICES.c.state == "waiting",
            NOTICES.c.try_at <= now,
            or_(NOTICES.c.parent == "", parent.c.state == "sent"),
        )
        joined = NOTICES.outerjoin(parent, parent.c.key == NOTICES.c.parent)
        wanted = select(NOTICES, parent.c.receipt.label("thread")).select_from(joined).where(due)
        with self._database.reading() as connection:
            found = connection.execute(wanted.order_by(NOTICES.c.id)).all()
            pictures = _pictures(connection, [one.key for one in found])
            return [_notice(one, pictures[one.key]) for one in found]

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
        mine = _waiting(key)
        with self._database.writing() as connection:
            sent = update(NOTICES).where(mine).values(state="sent", receipt=receipt, sent_at=now)
            connection.execute(sent.values(detail=""))
            _empty_pictures(connection, [key])

    def failed(self, key: str, detail: str, try_at: datetime, *, unsure: bool) -> None:
        """It did not arrive, or (``unsure``) nobody knows; it is tried again then."""
        values: dict[str, Any] = {"try_at": try_at, "detail": _stored(detail[:2000])}
        if not unsure:
            values["sending_at"] = None
        with self._database.writing() as connection:
            connection.execute(update(NOTICES).where(_waiting(key)).values(values))

    def drop(self, key: str, detail: str) -> None:
        """It is not tried any more, nor are its replies."""
        with self._database.writing() as connection:
            drop = update(NOTICES).values(state="dropped", detail=_stored(detail[:2000]))
            done = connection.execute(drop.where(_waiting(key)))
            if done.rowcount:
                _drop_replies(connection, key)
            _empty_pictures(connection, [key])

    def unsent(self) -> int:
        """How many wait to be posted."""
        with self._database.reading() as connection:
            found = connection.execute(select(NOTICES.c.id).where(NOTICES.c.state == "waiting"))
            return len(found.all())

    def prune(self, before: datetime) -> None:
        """Deletes what was settled and made before then."""
        old = and_(NOTICES.c.state != "waiting", NOTICES.c.made_at < before)
        with self._database.writing() as connection:
            theirs = PICTURES.c.notice.in_(select(NOTICES.c.key).where(old))
            connection.execute(delete(PICTURES).where(theirs))
            connection.execute(delete(NOTICES).where(old))


def _waiting(key: str) -> ColumnElement[bool]:
    return and_(NOTICES.c.key == key, NOTICES.c.state == "waiting")


def _drop_replies(connection: Connection, parent: str) -> None:
    replies = and_(NOTICES.c.parent == parent, NOTICES.c.state == "waiting")
    found = [one.key for one in connection.execute(select(NOTICES.c.key).where(replies))]
    gone = update(NOTICES).values(state="dropped", detail="what it replies to was dropped")
    connection.execute(gone.where(replies))
    _empty_pictures(connection, found)


def _empty_pictures(connection: Connection, keys: Sequence[str]) -> None:
    connection.execute(update(PICTURES).where(PICTURES.c.notice.in_(keys)).values(content=b""))


def _pictures(connection: Connection, keys: Sequence[str]) -> Mapping[str, tuple[Picture, ...]]:
    found: defaultdict[str, tuple[Picture, ...]] = defaultdict(tuple)
    wanted = select(PICTURES).where(PICTURES.c.notice.in_(keys)).order_by(PICTURES.c.place)
    for one in connection.execute(wanted):
        found[one.notice] += (Picture(one.name, one.title, one.alt, bytes(one.content)),)
    return found


def add_new(connection: Connection, notices: Iterable[Notice], now: datetime) -> list[str]:
    """As ``SqlNotices.add``, within a transaction."""
    added = []
    # A reply may stand before its parent; the parent has to be there first.
    for one in sorted(notices, key=lambda notice: bool(notice.parent)):
        known = select(NOTICES.c.id).where(NOTICES.c.key == one.key)
        if connection.execute(known).first() is None:
            _insert(connection, one, now)
            added.append(one.key)
    return added


def _insert(connection: Connection, notice: Notice, now: datetime) -> None:
    state = _state_of(connection, notice.parent) if notice.parent else "waiting"
    dropped = state == "dropped"
    connection.execute(
        insert(NOTICES).values(
            key=notice.key,
            channel=notice.channel,
            text=_stored(notice.text),
            blocks=list(notice.blocks),
            parent=notice.parent,
            made_at=now,
            state="dropped" if dropped else "waiting",
            detail="what it replies to was dropped" if dropped else "",
            try_at=now,
        )
    )
    pictures = [
        {
            "notice": notice.key,
            "place": place,
            "name": _stored(one.name),
            "title": _stored(one.title),
            "alt": _stored(one.alt),
            "content": b"" if dropped else one.content,
        }
        for place, one in enumerate(notice.pictures)
    ]
    if pictures:
        connection.execute(insert(PICTURES), pictures)


def _state_of(connection: Connection, key: str) -> str:
    found = connection.execute(select(NOTICES.c.state).where(NOTICES.c.key == key)).scalar()
    if found is None:
        raise LedgerError(f"{key}: there is no such message to reply to; add it first")
    return str(found)


def _stored(text: str) -> str:
    """Postgres keeps no NUL in a text."""
    return text.replace("\x00", "\ufffd")


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


def _notice(found: Any, pictures: tuple[Picture, ...]) -> Notice:
    return Notice(
        key=found.key,
        channel=found.channel,
        text=found.text,
        blocks=tuple(found.blocks or ()),
        parent=found.parent,
        pictures=pictures,
        made_at=found.made_at,
        attempts=found.attempts,
        sending_at=found.sending_at,
        thread=found.thread or "",
    )
