"""Looking into a ledger changes nothing, whatever it finds."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from analyzer.history import Unused, UsedHour
from jobs.ledger.advice import SqlAdvice
from jobs.ledger.database import open_database
from jobs.ledger.errors import LedgerError
from jobs.ledger.place import may_exist
from jobs.ledger.reader import advice_of, reading
from jobs.ledger.usage import SqlUsage
from tests.builders import NOW, key
from tests.jobs.ledger.test_advice import ENTRIES


def test_the_entries_of_one_workload_are_read(url: str) -> None:
    database = open_database(url)
    SqlAdvice(database).set_entries(ENTRIES)
    # The daemon has it open all the while.
    for name in "abcx":
        expected = [one for one in ENTRIES if one.key == key(name)]
        assert advice_of(url, key(name)) == expected
    assert advice_of(url, key("a", cluster="west")) == []
    database.close()
    assert len(advice_of(url, key("c"))) == 3
    assert may_exist(url)


@pytest.mark.parametrize("version", [0, 1, 99])
def test_another_version_is_neither_read_nor_changed(url: str, version: int) -> None:
    database = open_database(url)
    with database.writing() as connection:
        connection.execute(text(f"UPDATE schema_version SET version = {version}"))
    database.close()
    with pytest.raises(LedgerError, match=f"has version {version}, this program reads "):
        advice_of(url, key())
    with pytest.raises(LedgerError, match=f"version {version}, "):
        advice_of(url, key())


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/state/ledger.db"
    assert not may_exist(url)
    with pytest.raises(LedgerError, match=r"ledger\.db: unable to open"):
        advice_of(url, key())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"this is no database" * 100])
def test_what_is_no_ledger_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a ledger%20#.db"
    path.write_bytes(content)
    with pytest.raises(LedgerError, match=r"no such table|not a database"):
        advice_of(f"sqlite:///{path}", key())
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_server_that_is_away_is_one_line_without_its_password() -> None:
    url = "postgresql://me:secret-word@127.0.0.1:9/none"
    assert may_exist(url)
    with pytest.raises(LedgerError) as refused:
        advice_of(url, key())
    assert "secret-word" not in str(refused.value)


def test_an_open_ledger_can_be_looked_into_and_not_written(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    hour = UsedHour("main", NOW, (), (Unused("L4", 4.0, 2.0, None),))
    database = open_database(url)
    SqlUsage(database).record([hour])
    # The daemon has it open all the while.
    with reading(url) as looked:
        assert SqlUsage(looked).hours("main", NOW, NOW + timedelta(hours=1)) == [hour]
        with pytest.raises(LedgerError, match="readonly"):
            SqlUsage(looked).prune(NOW)
    assert SqlUsage(database).hours("main", NOW, NOW + timedelta(hours=1)) == [hour]
    database.close()


def test_a_ledger_of_another_version_is_not_looked_into(url: str) -> None:
    database = open_database(url)
    with database.writing() as connection:
        connection.execute(text("UPDATE schema_version SET version = 3"))
    database.close()
    entered = []
    with pytest.raises(LedgerError, match="has version 3, this program reads "), reading(url):
        entered.append(url)
    assert entered == []
