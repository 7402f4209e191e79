"""Replies and pictures of messages, on each sort of database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from jobs.ledger.database import Database, open_database
from jobs.ledger.errors import LedgerError
from jobs.ledger.notices import Notice, Picture, SqlNotices
from tests.builders import NOW

MINUTE = timedelta(minutes=1)
CHART = Picture("spend", "Spend by week", "Spend rose\x00 to $900", b"\x89PNG\r\n\x00\xff")
HEAT = Picture("heat", "Use by hour", "Idle at night", b"\x89PNG two")
PARENT = Notice("report", "#gpus", "spent $900", pictures=(CHART, HEAT))
REPLY = Notice("report details", "#gpus", "in detail", parent="report", pictures=(HEAT,))


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = open_database(url)
    yield opened
    opened.close()


@pytest.fixture
def notices(database: Database) -> SqlNotices:
    return SqlNotices(database)


def contents(database: Database) -> list[tuple[str, bytes]]:
    with database.reading() as connection:
        found = connection.exec_driver_sql("SELECT notice, content FROM pictures")
        return sorted((notice, bytes(content)) for notice, content in found)


def test_a_reply_waits_until_its_parent_is_sent_and_learns_its_thread(notices: SqlNotices) -> None:
    notices.add([REPLY, PARENT], NOW)
    assert notices.unsent() == 2
    [first] = notices.waiting(NOW)
    cleaned = replace(CHART, alt="Spend rose\ufffd to $900")
    assert first == replace(PARENT, pictures=(cleaned, HEAT), made_at=NOW)
    notices.sending(first, NOW)
    assert [one.key for one in notices.waiting(NOW)] == ["report"]
    notices.sent("report", "1763900000.000100", NOW)
    assert notices.waiting(NOW) == [replace(REPLY, made_at=NOW, thread="1763900000.000100")]


def test_adding_them_again_changes_nothing(notices: SqlNotices, database: Database) -> None:
    notices.add([PARENT, REPLY], NOW)
    before = contents(database)
    notices.add([PARENT, replace(REPLY, pictures=(CHART,))], NOW + MINUTE)
    assert contents(database) == before
    notices.sent("report", "1.0", NOW)
    notices.add([PARENT, REPLY], NOW + MINUTE)
    assert notices.unsent() == 1


@pytest.mark.parametrize("late", [False, True])
def test_a_parent_that_is_dropped_drops_its_replies(
    notices: SqlNotices, database: Database, late: bool
) -> None:
    other = replace(PARENT, key="other")
    notices.add([PARENT, other] if late else [PARENT, other, REPLY], NOW)
    notices.drop("report", "no such channel")
    if late:
        notices.add([REPLY], NOW)
    assert [one.key for one in notices.waiting(NOW)] == ["other"]
    assert notices.unsent() == 1
    kept = [notice for notice, content in contents(database) if content]
    assert kept == ["other", "other"]


def test_one_that_is_dropped_too_late_takes_no_reply_with_it(notices: SqlNotices) -> None:
    notices.add([PARENT, REPLY], NOW)
    notices.sent("report", "1.0", NOW)
    notices.drop("report", "too late")
    assert [one.key for one in notices.waiting(NOW)] == ["report details"]


def test_a_reply_to_nothing_is_refused_together_with_the_rest(notices: SqlNotices) -> None:
    with pytest.raises(LedgerError, match="report: there is no such message"):
        notices.add([replace(PARENT, key="other"), REPLY], NOW)
    assert notices.unsent() == 0


def test_pictures_are_emptied_when_sent_and_go_with_their_message(
    notices: SqlNotices, database: Database
) -> None:
    notices.add([PARENT, REPLY], NOW)
    notices.sent("report", "1.0", NOW)
    assert contents(database) == [
        ("report", b""),
        ("report", b""),
        ("report details", HEAT.content),
    ]
    notices.prune(NOW + MINUTE)
    assert contents(database) == [("report details", HEAT.content)]
    notices.sent("report details", "1.1", NOW)
    notices.prune(NOW + MINUTE)
    assert contents(database) == []


def test_no_picture_is_shown_by_a_repr() -> None:
    assert "PNG" not in repr(PARENT)


def test_a_ledger_from_before_replies_keeps_its_messages(url: str) -> None:
    older = open_database(url)
    with older.writing() as connection:
        connection.exec_driver_sql("DROP TABLE pictures")
        connection.exec_driver_sql("ALTER TABLE notices DROP COLUMN parent")
        connection.exec_driver_sql(
            "INSERT INTO notices (key, channel, text, blocks, made_at, try_at) VALUES "
            "('old', '#gpus', 'hello', '[]', '2026-11-23T00:00:00+00:00', "
            "'2026-11-23T00:00:00+00:00')"
        )
        connection.exec_driver_sql("UPDATE schema_version SET version = 3")
    older.close()
    for _ in range(2):
        newer = open_database(url)
        notices = SqlNotices(newer)
        notices.add([PARENT, REPLY], NOW)
        found = notices.waiting(NOW)
        assert [(one.key, one.parent) for one in found] == [("old", ""), ("report", "")]
        assert notices.unsent() == 3
        newer.close()
