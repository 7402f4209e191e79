"""A message arrives once, whatever happens on its way."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from analyzer.errors import ConfigError, Denied, PartlyDone, Unreachable
from jobs.daemon.leadership import NotLeader
from jobs.daemon.posting import GIVEN_UP_AFTER, PICTURES_WAITED_FOR, SETTLED_AFTER, post_waiting
from jobs.ledger.database import Database, open_database
from jobs.ledger.errors import LedgerError
from jobs.ledger.notices import Notice, Picture, SqlNotices
from jobs.poster import Futile, Limited, Lost, Unsure
from tests.builders import NOW

MINUTE = timedelta(minutes=1)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield opened
    opened.close()


@pytest.fixture
def notices(database: Database) -> SqlNotices:
    return SqlNotices(database)


@dataclass
class Channel:
    """The other side: what arrived, and what goes wrong next."""

    messages: list[str] = field(default_factory=list)
    faults: list[Exception | str] = field(default_factory=list)
    upload_faults: list[Exception] = field(default_factory=list)
    files: dict[str, dict[str, str]] = field(default_factory=dict)
    threads: dict[str, str] = field(default_factory=dict)
    finds: int = 0

    def upload(self, notice: Notice) -> Mapping[str, str]:
        fault = self.upload_faults.pop(0) if self.upload_faults else None
        if fault is not None:
            raise fault
        return {one.name: f"F-{one.name}" for one in notice.pictures}

    def post(self, notice: Notice, files: Mapping[str, str]) -> str:
        self.files[notice.key] = dict(files)
        self.threads[notice.key] = notice.thread
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Exception):
            raise fault
        self.messages.append(notice.key)
        if fault == "answer lost":
            raise Unsure("no answer")
        if fault == "killed":
            raise KeyboardInterrupt
        return f"ts-{len(self.messages)}"

    def find(self, notice: Notice, since: datetime) -> str | None:
        self.finds += 1
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Exception):
            raise fault
        return "ts-found" if notice.key in self.messages else None


def may() -> float:
    return 10.0


def notice(key: str = "a") -> Notice:
    return Notice(key, "#gpus", f"about {key}")


def drive(notices: SqlNotices, channel: Channel, minutes: int = 600) -> None:
    """A minute at a time, as the daemon does."""
    for n in range(minutes):
        with suppress(PartlyDone, KeyboardInterrupt):
            post_waiting(notices, channel, may, NOW + n * MINUTE)
        if not notices.unsent():
            return


def test_what_waits_is_posted_once(notices: SqlNotices) -> None:
    channel = Channel()
    notices.add([notice("a"), notice("b")], NOW)
    assert post_waiting(notices, channel, may, NOW) == 2
    assert post_waiting(notices, channel, may, NOW + MINUTE) == 0
    assert (channel.messages, channel.finds) == (["a", "b"], 0)


@pytest.mark.parametrize("fault", ["answer lost", "killed"])
def test_one_that_arrived_without_anybody_knowing_is_found(notices: SqlNotices, fault: str) -> None:
    channel = Channel(faults=[fault])
    notices.add([notice()], NOW)
    with pytest.raises((PartlyDone, KeyboardInterrupt)):
        post_waiting(notices, channel, may, NOW)
    assert post_waiting(notices, channel, may, NOW + MINUTE) == 0
    assert channel.finds == 0
    assert post_waiting(notices, channel, may, NOW + SETTLED_AFTER) == 1
    assert channel.messages == ["a"]


def test_one_that_was_refused_is_tried_again_without_asking(notices: SqlNotices) -> None:
    channel = Channel(faults=[Denied("invite the app"), Limited("slow down", 90.0)])
    notices.add([notice()], NOW)
    with pytest.raises(PartlyDone, match="a: invite the app"):
        post_waiting(notices, channel, may, NOW)
    with pytest.raises(PartlyDone, match="slow down"):
        post_waiting(notices, channel, may, NOW + MINUTE)
    assert post_waiting(notices, channel, may, NOW + 2 * MINUTE) == 0
    assert post_waiting(notices, channel, may, NOW + 3 * MINUTE) == 1
    assert (channel.messages, channel.finds) == (["a"], 0)


def test_a_question_that_failed_is_asked_again_before_anything_is_sent(
    notices: SqlNotices,
) -> None:
    channel = Channel(faults=["answer lost", Unreachable("away"), Unreachable("away")])
    notices.add([notice()], NOW)
    drive(notices, channel)
    assert (channel.messages, channel.finds) == (["a"], 3)


@pytest.mark.parametrize("seed", range(60))
def test_any_sequence_of_faults_ends_with_each_message_once(notices: SqlNotices, seed: int) -> None:
    chance = random.Random(seed)
    kinds: list[Exception | str] = [
        "answer lost",
        "killed",
        "fine",
        Unsure("timeout"),
        Unreachable("refused"),
        Limited("slow down", 45.0),
        Denied("no scope"),
    ]
    channel = Channel(faults=[chance.choice(kinds) for _ in range(chance.randrange(12))])
    keys = [f"n{n}" for n in range(3)]
    notices.add([notice(key) for key in keys], NOW)
    drive(notices, channel, minutes=48 * 60)
    assert Counter(channel.messages) == dict.fromkeys(keys, 1)


def test_who_does_not_lead_posts_nothing(notices: SqlNotices) -> None:
    channel = Channel()
    notices.add([notice()], NOW)

    def lost() -> float:
        raise NotLeader("another daemon may act by now")

    with pytest.raises(NotLeader):
        post_waiting(notices, channel, lost, NOW)
    assert channel.messages == []


def test_what_cannot_be_marked_is_not_sent(notices: SqlNotices, database: Database) -> None:
    channel = Channel()
    notices.add([notice()], NOW)
    with database.writing() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE UPDATE ON notices BEGIN SELECT RAISE(FAIL, 'full'); END"
        )
    with pytest.raises(LedgerError):
        post_waiting(notices, channel, may, NOW)
    assert channel.messages == []


def test_what_is_no_news_any_more_is_dropped_and_said(
    notices: SqlNotices, caplog: pytest.LogCaptureFixture
) -> None:
    channel = Channel()
    notices.add([notice()], NOW)
    assert post_waiting(notices, channel, may, NOW + GIVEN_UP_AFTER + MINUTE) == 0
    assert (channel.messages, notices.unsent()) == ([], 0)
    assert "given up" in caplog.text


def illustrated(**more: str) -> Notice:
    chart = Picture("spend", "Spend", "Spend rose", b"\x89PNG")
    return Notice("a", "#gpus", "about a", pictures=(chart,), **more)


def test_a_reply_follows_its_parent_at_once(notices: SqlNotices) -> None:
    channel = Channel()
    notices.add([Notice("reply", "#gpus", "more", parent="a"), notice("a"), notice("b")], NOW)
    assert post_waiting(notices, channel, may, NOW) == 3
    assert channel.messages == ["a", "b", "reply"]
    assert channel.threads == {"a": "", "b": "", "reply": "ts-1"}


def test_a_reply_goes_where_its_parent_was_found(notices: SqlNotices) -> None:
    channel = Channel(faults=["answer lost"])
    notices.add([notice("a"), Notice("reply", "#gpus", "more", parent="a")], NOW)
    with pytest.raises(PartlyDone):
        post_waiting(notices, channel, may, NOW)
    assert channel.messages == ["a"]
    assert post_waiting(notices, channel, may, NOW + SETTLED_AFTER) == 2
    assert channel.messages == ["a", "reply"]
    assert channel.threads["reply"] == "ts-found"


def test_a_message_waits_for_its_pictures_but_not_for_ever(
    notices: SqlNotices, caplog: pytest.LogCaptureFixture
) -> None:
    away: list[Exception] = [Unreachable("away")] * 3
    channel = Channel(upload_faults=away.copy())
    notices.add([illustrated()], NOW)
    for minute in range(2):
        with pytest.raises(PartlyDone, match="a: away"):
            post_waiting(notices, channel, may, NOW + minute * MINUTE)
    assert channel.messages == []
    assert post_waiting(notices, channel, may, NOW + PICTURES_WAITED_FOR) == 1
    assert channel.files == {"a": {}}
    assert "a: goes without its pictures: away" in caplog.text
    assert channel.finds == 0


def test_pictures_are_handed_over_by_name(notices: SqlNotices) -> None:
    channel = Channel()
    notices.add([illustrated()], NOW)
    assert post_waiting(notices, channel, may, NOW) == 1
    assert channel.files == {"a": {"spend": "F-spend"}}


def test_nothing_is_uploaded_for_a_message_that_is_there(notices: SqlNotices) -> None:
    channel = Channel(faults=["answer lost"])
    notices.add([illustrated()], NOW)
    with pytest.raises(PartlyDone):
        post_waiting(notices, channel, may, NOW)
    channel.upload_faults.append(Unreachable("uploaded again"))
    assert post_waiting(notices, channel, may, NOW + SETTLED_AFTER) == 1
    assert channel.messages == ["a"]


@pytest.mark.parametrize("lost", [Lost("nobody knows"), Futile("no place for it")])
def test_what_cannot_be_posted_is_let_go_with_its_replies(
    notices: SqlNotices, lost: Exception
) -> None:
    channel = Channel(faults=[lost])
    notices.add([notice("a"), notice("b"), Notice("reply", "#gpus", "more", parent="a")], NOW)
    said = ""
    try:
        post_waiting(notices, channel, may, NOW)
    except PartlyDone as error:
        said = str(error)
    assert channel.messages == ["b"]
    assert notices.unsent() == 0
    assert ("a: nobody knows" in said) == isinstance(lost, Lost)


def test_an_error_of_the_configuration_leaves_no_doubt(notices: SqlNotices) -> None:
    channel = Channel(faults=[ConfigError("token_file cannot be read")])
    notices.add([notice()], NOW)
    with pytest.raises(ConfigError):
        post_waiting(notices, channel, may, NOW)
    assert post_waiting(notices, channel, may, NOW + MINUTE) == 1
    assert (channel.messages, channel.finds) == (["a"], 0)
