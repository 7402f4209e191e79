"""A week's report is looked for before its first try, and found however its channel is spelt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from analyzer.config import SlackConfig
from analyzer.config.secret import Secret
from analyzer.errors import PartlyDone
from jobs.daemon.posting import post_waiting
from jobs.ledger.database import open_database
from jobs.ledger.notices import Notice, SqlNotices
from jobs.slack import BotPoster
from tests.builders import NOW
from tests.fakes.slack import TOKEN, Fault, SlackStandIn

MINUTE = timedelta(minutes=1)
WEEK = timedelta(weeks=1)
MARKS = ["weekly-report 2026-W47 of main", "weekly-report 2026-W47 of main details"]


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn() as running:
        running.clock = NOW.timestamp
        yield running


class Machine:
    """Posts a week's report from a ledger of its own."""

    def __init__(self, folder: Path, slack: SlackStandIn) -> None:
        folder.mkdir()
        self._database = open_database(f"sqlite:///{folder / 'ledger.db'}")
        self.notices = SqlNotices(self._database)
        self._config = SlackConfig(url=slack.url, timeout=timedelta(seconds=1), token=Secret(TOKEN))

    def tell(self, now: datetime, channel: str = "C0GPUS0001") -> int:
        key = f"{MARKS[0]} @{channel}"
        parent = Notice(key, channel, "spent $900")
        reply = Notice(f"{MARKS[1]} @{channel}", channel, "in detail", parent=key)
        self.notices.add([parent, reply], now)
        return post_waiting(self.notices, BotPoster(self._config), lambda: 1.0, now)

    def post(self, notice: Notice, now: datetime) -> int:
        self.notices.add([notice], now)
        return post_waiting(self.notices, BotPoster(self._config), lambda: 1.0, now)


@pytest.fixture
def first(tmp_path: Path, slack: SlackStandIn) -> Machine:
    return Machine(tmp_path / "first", slack)


@pytest.fixture
def second(tmp_path: Path, slack: SlackStandIn) -> Machine:
    return Machine(tmp_path / "second", slack)


@pytest.mark.parametrize("later", [MINUTE, 20 * timedelta(days=1)])
def test_another_ledger_finds_it(
    slack: SlackStandIn, first: Machine, second: Machine, later: timedelta
) -> None:
    assert first.tell(NOW) == 2
    assert second.tell(NOW + later) == 0
    assert (slack.posted(), second.notices.unsent()) == (MARKS, 0)


def test_other_spellings_of_its_channel_find_it(slack: SlackStandIn, first: Machine) -> None:
    assert first.tell(NOW) == 2
    for channel in ("#gpus", "gpus"):
        assert first.tell(NOW + MINUTE, channel) == 0
    assert slack.posted() == MARKS


def test_other_channels_get_theirs(slack: SlackStandIn, first: Machine) -> None:
    assert first.tell(NOW) + first.tell(NOW, "C0GENERAL1") == 4
    assert [len(one.messages) for one in slack.channels] == [2, 2]


def test_a_reply_that_is_missing_is_posted_to_the_message_that_was_found(
    slack: SlackStandIn, first: Machine, second: Machine
) -> None:
    first.tell(NOW)
    gpus = next(one for one in slack.channels if one.id == "C0GPUS0001")
    [parent] = gpus.messages = gpus.messages[:1]
    assert second.tell(NOW + MINUTE) == 1
    assert slack.posted() == MARKS
    assert gpus.messages[1]["thread_ts"] == parent["ts"]


@pytest.mark.parametrize("error", ["missing_scope", "not_in_channel", "invalid_arguments"])
def test_where_nobody_may_look_it_is_posted_all_the_same(
    slack: SlackStandIn, first: Machine, error: str
) -> None:
    fault = Fault("not-ok", error=error)
    slack.faults = lambda call: fault if call.method.startswith("conversations.") else None
    assert first.tell(NOW) == 2
    assert slack.posted() == MARKS


def test_a_channel_without_end_is_not_read_to_its_end(slack: SlackStandIn, first: Machine) -> None:
    """Fifty pages of 200 messages are read."""
    gpus = next(one for one in slack.channels if one.id == "C0GPUS0001")
    gpus.messages += [
        {"ts": f"{NOW.timestamp() - n / 100:.6f}", "text": "chat"} for n in range(10_001)
    ]
    assert first.tell(NOW) == 2


@pytest.mark.parametrize("kind", ["429", "500", "close", "html"])
def test_a_search_that_failed_for_now_is_repeated_before_anything_is_sent(
    slack: SlackStandIn, first: Machine, second: Machine, kind: str
) -> None:
    first.tell(NOW)
    fault = Fault(kind, 90)  # type: ignore[arg-type]
    slack.faults = lambda call: fault if call.method == "conversations.history" else None
    with pytest.raises(
        PartlyDone, match=r"weekly-report 2026-W47 of main @C0GPUS0001: Slack's conv"
    ):
        second.tell(NOW + MINUTE)
    asked = len(slack.calls)
    assert second.tell(NOW + MINUTE + timedelta(seconds=29)) == 0
    assert len(slack.calls) == asked
    slack.faults = lambda call: None
    assert second.tell(NOW + 3 * MINUTE) == 0
    assert (slack.posted(), second.notices.unsent()) == (MARKS, 0)


def test_other_messages_are_posted_without_a_look(slack: SlackStandIn, first: Machine) -> None:
    flag = Notice("flag-underused 2026-11-23 @a", "C0GPUS0001", "idle")
    assert first.post(flag, NOW) == 1
    assert [one.method for one in slack.calls] == ["chat.postMessage"]
    assert slack.posted() == [flag.key]


def test_only_the_channel_of_a_weekly_report_is_no_part_of_its_mark() -> None:
    report = Notice(f"{MARKS[1]} @#gpus", "#gpus", "")
    assert report.mark == MARKS[1]
    for key in ("weekly-reports @#gpus", "job-failed weekly-report 2026-W47 @x"):
        assert replace(report, key=key).mark == key
