"""Whatever goes wrong at whatever step, each report and its reply arrive once, with pictures."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from analyzer.config import SlackConfig
from analyzer.config.secret import Secret
from analyzer.errors import PartlyDone
from jobs.daemon.posting import post_waiting
from jobs.ledger.database import open_database
from jobs.ledger.notices import Notice, Picture, SqlNotices
from jobs.slack import BotPoster
from tests.builders import NOW
from tests.fakes.slack import TOKEN, Call, Fault, SlackStandIn

SEEDS = 200
PARTS = 8
"""Tests that the seeds are shared out to, so that several processes may run them."""

CHANNELS = ("gpus", "C0GENERAL1")
KINDS = ("429", "500", "hang", "close", "lost", "hang-after", "html", "not-ok")
MAYBE = ("internal_error", "fatal_error", "service_unavailable", "request_timeout")
MINUTE = timedelta(minutes=1)
HOURS = 24
"""After which everything must be there; nothing is given up before three days."""


class Killed(BaseException):
    """The process ended in the middle of a call."""


def shown(picture: Picture) -> dict[str, object]:
    return {"type": "image", "alt_text": picture.alt, "slack_file": {"id": picture.name}}


def notices_of(seed: int) -> list[Notice]:
    """For each channel a report with two pictures, and a reply with one."""
    spend = Picture("spend", "Spend", "Spend rose", b"\x89PNG one")
    heat = Picture("heat", "Use", "Idle at night", b"\x89PNG two")
    found = []
    for channel in CHANNELS:
        key, reply = (f"weekly-report {seed}{part} @{channel}" for part in ("", " details"))
        blocks = (shown(spend), shown(heat))
        found += [
            Notice(reply, channel, "more", (shown(heat),), key, (heat,)),
            Notice(key, channel, "spent", blocks, pictures=(spend, heat)),
        ]
    return found


def fault_of(chance: random.Random) -> Fault:
    kind = chance.choice(KINDS)
    seconds = 0.4 if kind in ("hang", "hang-after") else chance.choice((1, 90))
    return Fault(kind, seconds, chance.choice(MAYBE))  # type: ignore[arg-type]


def pictures(slack: SlackStandIn, message: dict[str, object]) -> list[bytes | None]:
    blocks = message["blocks"]
    assert isinstance(blocks, list)
    return [slack.files[one["slack_file"]["id"]].content for one in blocks]


class Trial:
    """One seed: its faults, each before some call of some step, and its kills."""

    def __init__(self, seed: int, slack: SlackStandIn, notices: SqlNotices) -> None:
        self.chance = random.Random(seed)
        self.seed, self.slack, self.notices = seed, slack, notices
        self.start = NOW + seed * timedelta(days=8)
        self.left = self.chance.randint(0, 8)
        self.kills = self.chance.randint(0, 2)
        self.met: Counter[str] = Counter()
        slack.not_ready = self.chance.choice((0, 0, 1, 3))
        slack.faults = self.fault

    def fault(self, call: Call) -> Fault | None:
        # There are many uploads for each message, and few searches.
        often = 0.6 if call.method.startswith(("chat.", "conversations.")) else 0.1
        if not self.left or self.chance.random() > often:
            return None
        self.left -= 1
        self.met[call.method] += 1
        return fault_of(self.chance)

    @contextmanager
    def around(self) -> Iterator[None]:
        yield
        if self.kills and self.chance.random() < 0.1:
            self.kills -= 1
            raise Killed

    def poster(self) -> BotPoster:
        config = SlackConfig(
            url=self.slack.url, timeout=timedelta(milliseconds=200), token=Secret(TOKEN)
        )
        return BotPoster(config, self.around, sleep=lambda _: None)

    def run(self) -> None:
        poster = self.poster()
        for minute in range(HOURS * 60):
            now = self.start + minute * MINUTE
            self.slack.clock = now.timestamp
            # The job that makes the report may run again, and finds it made.
            if minute < 5:
                self.notices.add(notices_of(self.seed), self.start)
            try:
                with suppress(PartlyDone):
                    post_waiting(self.notices, poster, lambda: 1.0, now)
            except Killed:
                poster = self.poster()
            if not self.notices.unsent():
                return

    def check(self) -> None:
        for channel in self.slack.channels:
            key = f"weekly-report {self.seed}"
            mine = [one for one in channel.messages if key in str(one["metadata"])]
            assert [one["metadata"]["event_payload"]["key"] for one in mine] == [
                key,
                f"{key} details",
            ]
            parent, reply = mine
            assert reply["thread_ts"] == parent["ts"]
            assert pictures(self.slack, parent) == [b"\x89PNG one", b"\x89PNG two"]
            assert pictures(self.slack, reply) == [b"\x89PNG two"]


@pytest.mark.parametrize("part", range(PARTS))
def test_each_report_and_reply_arrive_once_with_their_pictures(part: int, tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'ledger.db'}")
    met: Counter[str] = Counter()
    for seed in range(part, SEEDS, PARTS):
        with SlackStandIn() as slack:
            trial = Trial(seed, slack, SqlNotices(database))
            trial.run()
            try:
                trial.check()
            except AssertionError as error:
                raise AssertionError(f"seed {seed}: {error}") from error
            met += trial.met
    database.close()
    # Otherwise the faults would have missed what they are for.
    assert {
        "chat.postMessage",
        "files.getUploadURLExternal",
        "upload",
        "files.completeUploadExternal",
        "conversations.history",
    } <= set(met)
