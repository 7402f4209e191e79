"""How messages stand, and what a person brings back, on each sort of database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from jobs.ledger.database import Database, open_database
from jobs.ledger.notices import Notice, Picture, SqlNotices
from jobs.ledger.standing import Standing, revive, standings
from tests.builders import NOW

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
CHART = Picture("spend", "Spend", "Spend rose", b"\x89PNG")
PARENT = Notice("weekly-report W @#gpus", "#gpus", "spent $900")
REPLY = Notice(
    "weekly-report W details @#gpus", "#gpus", "more", parent=PARENT.key, pictures=(CHART,)
)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = open_database(url)
    yield opened
    opened.close()


@pytest.fixture
def notices(database: Database) -> SqlNotices:
    made = SqlNotices(database)
    made.add([PARENT, REPLY], NOW)
    return made


def again(database: Database, now: datetime) -> None:
    """As a person asks for both, where a try is over after 3 minutes and news are so for 3 days."""
    revive(database, [PARENT, REPLY], now, now - 3 * MINUTE, now - 3 * DAY)


def test_what_waits_for_its_time_is_due_at_once(notices: SqlNotices, database: Database) -> None:
    notices.failed(PARENT.key, "slow down", NOW + DAY, unsure=False)
    assert notices.waiting(NOW + MINUTE) == []
    again(database, NOW + MINUTE)
    [found] = notices.waiting(NOW + MINUTE)
    assert (found.key, found.made_at) == (PARENT.key, NOW)


def test_a_try_that_may_be_going_on_is_left_alone(notices: SqlNotices, database: Database) -> None:
    notices.sending(notices.waiting(NOW)[0], NOW)
    notices.failed(PARENT.key, "no answer", NOW + DAY, unsure=True)
    again(database, NOW + 2 * MINUTE)
    assert notices.waiting(NOW + 2 * MINUTE) == []
    again(database, NOW + 3 * MINUTE)
    [found] = notices.waiting(NOW + 3 * MINUTE)
    assert found.sending_at == NOW


def test_what_is_old_begins_anew(notices: SqlNotices, database: Database) -> None:
    again(database, NOW + 4 * DAY)
    [found] = notices.waiting(NOW + 4 * DAY)
    assert found.made_at == NOW + 4 * DAY


def test_what_was_dropped_and_did_not_arrive_comes_back_with_its_pictures(
    notices: SqlNotices, database: Database
) -> None:
    notices.drop(PARENT.key, "given up")
    again(database, NOW + 4 * DAY)
    notices.sent(PARENT.key, "1.0", NOW + 4 * DAY)
    [reply] = notices.waiting(NOW + 4 * DAY)
    assert (reply.key, reply.thread, reply.pictures) == (REPLY.key, "1.0", (CHART,))


def test_what_was_dropped_and_may_have_arrived_stays_so(
    notices: SqlNotices, database: Database
) -> None:
    notices.sending(notices.waiting(NOW)[0], NOW)
    notices.drop(PARENT.key, "nobody knows")
    again(database, NOW + DAY)
    assert (notices.waiting(NOW + DAY), notices.unsent()) == ([], 0)
    assert standings(database, [PARENT.key, REPLY.key, "another"]) == {
        PARENT.key: Standing("dropped", "nobody knows", NOW, 1),
        REPLY.key: Standing("dropped", "what it replies to was dropped", None, 0),
    }


def test_what_was_sent_stays_sent(notices: SqlNotices, database: Database) -> None:
    notices.sent(PARENT.key, "1.0", NOW)
    again(database, NOW + 4 * DAY)
    assert standings(database, [PARENT.key]) == {PARENT.key: Standing("sent", "", None, 0)}


def test_others_are_left_alone(notices: SqlNotices, database: Database) -> None:
    notices.add([Notice("flag a", "#gpus", "idle"), Notice("flag b", "#gpus", "idle")], NOW)
    notices.failed("flag a", "slow down", NOW + DAY, unsure=False)
    notices.drop("flag b", "given up")
    again(database, NOW + MINUTE)
    assert [one.key for one in notices.waiting(NOW + MINUTE)] == [PARENT.key]
