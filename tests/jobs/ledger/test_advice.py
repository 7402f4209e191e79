"""What becomes of advice, on each sort of database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from analyzer.advice import Saving
from analyzer.followed import Accepted, Followed
from jobs.ledger.advice import SqlAdvice
from jobs.ledger.database import Database, open_database
from jobs.ledger.errors import LedgerError, Superseded
from jobs.ledger.runs import Claim, Run, SqlRuns
from tests.builders import NOW, key

DAY = timedelta(days=1)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = open_database(url)
    yield opened
    opened.close()


@pytest.fixture
def book(database: Database) -> SqlAdvice:
    return SqlAdvice(database)


def entry(name: str = "chat-70b", since: datetime = NOW, **changes: object) -> Followed:
    usual = Followed(
        key=key(name),
        action="reduce-replicas",
        before="8",
        after="4",
        first_seen=NOW - DAY,
        last_seen=since,
        state="open",
        state_since=since,
        predicted=Saving(2688.0, 80358.4, 40179.2, 1),
        plan=True,
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


MEASURED = Accepted(NOW, 5376.0, 36986.88, 2688.0, 80358.4, "", settled=True)
ENTRIES = [
    entry("a"),
    entry("a", action="use-spot", before="on-demand", after="spot", plan=False),
    entry("b", state="snoozed", snoozed_until=NOW + DAY, predicted=Saving(-5.0)),
    entry("c", state="accepted", accepted=MEASURED),
    entry("c", first_seen=NOW, state="accepted", accepted=Accepted(NOW, note="not yet: 3 h")),
    entry("c", first_seen=NOW + DAY, state="rejected"),
    entry("d", state="gone"),
]


def test_entries_come_back_as_they_were(book: SqlAdvice) -> None:
    book.set_entries(ENTRIES[::-1])
    assert book.entries() == ENTRIES
    book.set_entries(book.entries())
    assert book.entries() == ENTRIES
    book.set_entries(ENTRIES[:2])
    assert book.entries() == ENTRIES[:2]
    book.set_entries([])
    assert book.entries() == []


def test_times_of_any_zone_and_hostile_text_come_back(book: SqlAdvice) -> None:
    there = timezone(timedelta(hours=5, minutes=45))
    text = "<script>\u202e'\" \U0001f600"
    one = entry(before=text, after=f"{text}\x00", first_seen=NOW.astimezone(there))
    book.set_entries([one])
    assert book.entries() == [replace(one, after=f"{text}\ufffd")]


def test_entries_that_cannot_be_written_leave_the_old_ones(book: SqlAdvice) -> None:
    book.set_entries(ENTRIES)
    with pytest.raises(LedgerError):
        book.set_entries([ENTRIES[0], ENTRIES[0]])
    assert book.entries() == ENTRIES


def test_who_was_replaced_writes_nothing(database: Database, book: SqlAdvice) -> None:
    runs = SqlRuns(database)

    def claim(holder: str) -> Run:
        found = runs.claim(Claim("flag-underused", "2026-11-23", NOW, holder, holder), NOW)
        assert found is not None
        return found

    first = claim("a")
    second = claim("b")
    with pytest.raises(Superseded, match="taken over"):
        book.set_entries(ENTRIES, first)
    assert book.entries() == []
    book.set_entries(ENTRIES, second)
    runs.finish(second, "done", "", NOW)
    with pytest.raises(Superseded):
        book.set_entries([], second)
    assert book.entries() == ENTRIES


def test_what_is_long_over_is_let_go(book: SqlAdvice) -> None:
    old = [
        entry("a", NOW - 2 * DAY, state="accepted", accepted=MEASURED),
        entry("b", NOW - 2 * DAY, state="gone"),
        entry("c", NOW - 2 * DAY),
    ]
    kept = [
        # Rejected long ago, and given to this day.
        entry("d", NOW - 2 * DAY, last_seen=NOW, state="rejected"),
        entry("e", NOW - 2 * DAY, state_since=NOW, state="gone"),
        entry("f", NOW),
    ]
    book.set_entries(old + kept)
    book.prune(NOW)
    assert book.entries() == kept


def test_a_ledger_without_the_table_gets_it(url: str) -> None:
    older = open_database(url)
    with older.writing() as connection:
        connection.exec_driver_sql("DROP TABLE advice")
        connection.exec_driver_sql("UPDATE schema_version SET version = 2")
    older.close()
    newer = open_database(url)
    SqlAdvice(newer).set_entries(ENTRIES)
    assert SqlAdvice(newer).entries() == ENTRIES
    newer.close()
