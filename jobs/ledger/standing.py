"""How messages stand, and new tries of those that a person asks for again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import and_, delete, or_, select, update

from jobs.ledger.database import Database
from jobs.ledger.notices import Notice, add_new
from jobs.ledger.tables import NOTICES, PICTURES


@dataclass(frozen=True, slots=True)
class Standing:
    """What became of a message. ``detail`` is why it is not sent; ``sending_at`` is set when it
    may have arrived, ``attempts`` how often it was sent from here."""

    state: Literal["waiting", "sent", "dropped"]
    detail: str
    sending_at: datetime | None
    attempts: int


def standings(database: Database, keys: Iterable[str]) -> Mapping[str, Standing]:
    """Those of ``keys`` that are in the ledger. Raises ``LedgerError``."""
    with database.reading() as connection:
        found = connection.execute(select(NOTICES).where(NOTICES.c.key.in_(list(keys))))
        return {
            one.key: Standing(one.state, one.detail, one.sending_at, one.attempts) for one in found
        }


def revive(
    database: Database, notices: Sequence[Notice], now: datetime, settled: datetime, young: datetime
) -> None:
    """Makes these messages due, as far as none of them can be sent twice by that.

    What waits is due at once, unless its last try began after ``settled`` and may be going on. What
    was made before ``young`` is as if it were made now. What was dropped and surely did not arrive
    is put in anew, with its pictures. Raises ``LedgerError``.
    """
    keys = [one.key for one in notices]
    over = or_(NOTICES.c.sending_at.is_(None), NOTICES.c.sending_at <= settled)
    waits = and_(NOTICES.c.key.in_(keys), NOTICES.c.state == "waiting", over)
    never = and_(NOTICES.c.state == "dropped", NOTICES.c.sending_at.is_(None))
    with database.writing() as connection:
        connection.execute(update(NOTICES).where(waits).values(try_at=now))
        old = and_(waits, NOTICES.c.made_at < young)
        connection.execute(update(NOTICES).where(old).values(made_at=now))
        anew = []
        for one in notices:
            if connection.execute(delete(NOTICES).where(NOTICES.c.key == one.key, never)).rowcount:
                connection.execute(delete(PICTURES).where(PICTURES.c.notice == one.key))
                anew.append(one)
        add_new(connection, anew, now)
