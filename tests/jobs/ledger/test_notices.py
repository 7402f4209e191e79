"""Messages that are to be posted, and flags, on each sort of database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from analyzer.flags import Flag
from jobs.ledger.database import Database, open_database
from jobs.ledger.errors import LedgerError, Superseded
from jobs.ledger.notices import Notice, SqlNotices
from jobs.ledger.runs import Claim, Run, SqlRuns
from tests.builders import NOW, key

MINUTE = timedelta(minutes=1)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = open_database(url)
    yield opened
    opened.close()


@pytest.fixture
def notices(database: Database) -> SqlNotices:
    return SqlNotices(database)


def notice(name: str = "flag a", text: str = "a is idle") -> Notice:
    return Notice(name, "#gpus", text, ({"type": "section", "text": {"text": text}},))


def test_a_message_waits_until_it_arrived_and_its_key_is_used_once(notices: SqlNotices) -> None:
    notices.add([notice(), notice("flag b")], NOW)
    notices.add([notice(text="the same again")], NOW)
    assert notices.waiting(NOW) == [
        replace(one, made_at=NOW) for one in (notice(), notice("flag b"))
    ]
    notices.sending(notices.waiting(NOW)[0], NOW)
    notices.sent("flag a", "1763900000.000100", NOW)
    notices.add([notice()], NOW + MINUTE)
    assert [one.key for one in notices.waiting(NOW + MINUTE)] == ["flag b"]
    assert notices.unsent() == 1


def test_who_adds_messages_is_told_which_were_new(notices: SqlNotices) -> None:
    reply = replace(notice("details"), parent="flag a")
    assert notices.add([reply, notice(), notice(), notice("flag b")], NOW) == [
        "flag a",
        "flag b",
        "details",
    ]
    assert notices.add([notice("flag b"), notice("flag c")], NOW) == ["flag c"]
    notices.drop("flag c", "no such channel")
    assert notices.add([notice("flag c"), reply], NOW) == []
    assert notices.add([], NOW) == []


def test_who_finds_a_message_that_was_being_sent_sees_since_when(notices: SqlNotices) -> None:
    notices.add([notice()], NOW)
    notices.sending(notices.waiting(NOW)[0], NOW + MINUTE)
    [found] = notices.waiting(NOW + MINUTE)
    assert (found.sending_at, found.attempts) == (NOW + MINUTE, 1)
    notices.failed("flag a", "timeout", NOW + 2 * MINUTE, unsure=True)
    assert notices.waiting(NOW + MINUTE) == []
    [found] = notices.waiting(NOW + 2 * MINUTE)
    assert found.sending_at == NOW + MINUTE
    notices.failed("flag a", "refused", NOW + 2 * MINUTE, unsure=False)
    [found] = notices.waiting(NOW + 2 * MINUTE)
    assert found.sending_at is None


def test_what_was_dropped_or_sent_stays_so(notices: SqlNotices) -> None:
    notices.add([notice()], NOW)
    notices.drop("flag a", "no such channel")
    notices.sent("flag a", "1.0", NOW)
    notices.failed("flag a", "late", NOW, unsure=False)
    assert (notices.waiting(NOW), notices.unsent()) == ([], 0)
    notices.prune(NOW + MINUTE)
    notices.add([notice()], NOW)
    assert notices.unsent() == 1


def test_flags_and_what_is_told_of_them_are_written_together(
    notices: SqlNotices, database: Database
) -> None:
    flags = [Flag(key("a"), "idle", NOW, "idle", 12.5), Flag(key("b"), "underused", NOW)]
    notices.set_flags(flags, [notice()], NOW)
    assert list(notices.flags().values()) == flags
    with database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE notices RENAME TO elsewhere")
    with pytest.raises(LedgerError):
        notices.set_flags([], [notice("flag c")], NOW)
    assert list(notices.flags().values()) == flags


def test_hostile_text_comes_back(notices: SqlNotices) -> None:
    text = "<!channel> \u202e & `x` \U0001f600 'quote\" \x00"
    notices.add([notice(text=text)], NOW)
    [found] = notices.waiting(NOW)
    assert found.text == text.replace("\x00", "\ufffd")
    assert found.blocks[0]["text"]["text"] == text


def test_only_one_of_two_begins_to_send(notices: SqlNotices) -> None:
    notices.add([notice()], NOW)
    [first], [second] = notices.waiting(NOW), notices.waiting(NOW)
    notices.sending(first, NOW)
    with pytest.raises(Superseded, match="flag a"):
        notices.sending(second, NOW)


def test_who_was_replaced_writes_no_flags(database: Database, notices: SqlNotices) -> None:
    runs = SqlRuns(database)

    def claim(holder: str) -> Run:
        found = runs.claim(Claim("flag-underused", "2026-11-23", NOW, holder, holder), NOW)
        assert found is not None
        return found

    first = claim("a")
    second = claim("b")
    with pytest.raises(Superseded, match="taken over"):
        notices.set_flags([], [notice("of the first")], NOW, first)
    notices.set_flags([], [notice("of the second")], NOW, second)
    runs.finish(second, "done", "", NOW)
    with pytest.raises(Superseded):
        notices.set_flags([], [notice("too late")], NOW, second)
    assert [one.key for one in notices.waiting(NOW)] == ["of the second"]
