"""The messages of the daily jobs, as Slack takes them: within every limit, and calling nobody."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, timedelta

import pytest

from analyzer.analysis import PriceUsed
from analyzer.config import SlackConfig
from analyzer.config.secret import Secret
from analyzer.flags import FlagChange
from analyzer.sleep.model import Memory, Row, Slept
from analyzer.sleep.morning import Morning, Span, Undone, Unready
from jobs.ledger.notices import Notice
from jobs.slack import BotPoster
from reports.blocks import Message
from reports.flags import flags_message
from reports.lost import lost_message
from reports.morning import Told, morning_message
from tests.builders import NOW, analysis, key
from tests.fakes.slack import TOKEN, SlackStandIn

DAY = timedelta(days=1)
EVIL = "<!channel><@U123><https://evil.example|here>&`code`\u202e *bold* _low_ ~gone~ :tada: "
NAMES = {
    "plain": "chat-production",
    "hostile": EVIL + "n" * 300,
    "ampersands": "&" * 300,
    "marks": "\u202e" * 300,
}


def flags(name: str, count: int) -> Message:
    changes = [
        FlagChange("worsened", key(f"{name}{n}"), name + "r" * 5000, NOW, 1234.5, name)
        for n in range(count)
    ]
    price = PriceUsed("A100", "", spot=False, usd_per_gpu_hour=1.0, as_of=None, source=name)
    return flags_message(changes, analysis(prices=(price,)), 7 * DAY)


def morning(name: str, count: int) -> Message:
    keys = [key(f"{name}{n}") for n in range(count)]
    memory = Memory(4, NOW, name, NOW, 0)
    found = Morning(
        Span(NOW - DAY, NOW, NOW),
        count,
        count,
        unready=tuple(Unready(one, NOW, name * 20) for one in keys),
        late=tuple(Slept(one, "", NOW, NOW, 1, None, (), name, NOW, name * 20) for one in keys),
        overslept=tuple(Row(one, "", memory) for one in keys),
        undone=tuple(Undone(one, "wake", "failed", name * 20, 2, NOW, NOW) for one in keys),
        attention=(name * 20,) * count,
        unknown=(name * 20,) * count,
    )
    return morning_message(found, Told(UTC))


def lost(name: str, count: int) -> Message:
    return lost_message("weekly-report", name, name * count)


Make = Callable[[str, int], Message]


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn() as running:
        yield running


@pytest.mark.parametrize("count", [0, 1, 20, 600])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("make", [flags, morning, lost])
def test_slack_takes_them(slack: SlackStandIn, make: Make, name: str, count: int) -> None:
    made = make(NAMES[name], count)
    config = SlackConfig(url=slack.url, timeout=timedelta(seconds=5), token=Secret(TOKEN))
    BotPoster(config).post(Notice("k", "C0GPUS0001", made.text, made.blocks), {})
    [message] = slack.messages
    assert message["blocks"] == json.loads(json.dumps(made.blocks))
    # https://docs.slack.dev/reference/methods/chat.postMessage: the text is cut above it.
    assert len(message["text"]) <= 40_000


@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize("make", [flags, morning, lost])
def test_nothing_of_others_is_live(make: Make, count: int) -> None:
    made = make(NAMES["hostile"], count)
    assert "!channel" in made.text
    for text in (made.text, *texts(made)):
        for live in ("<", ">", "\u202e", ":tada:", "`code`", "*bold*", "~gone~", "_low_"):
            assert live not in text, (live, text)
        assert re.sub("&(amp|lt|gt);", "", text).count("&") == 0, text
        # What is left of such marks is ours: bold from end to end of a line.
        for line in text.splitlines():
            assert line.count("*") in (0, 2), line


def texts(made: Message) -> list[str]:
    parts = [part for one in made.blocks for part in [one.get("text"), *one.get("elements", ())]]
    return [part["text"] for part in parts if part]


def test_twenty_flags_with_the_longest_names_are_all_shown() -> None:
    long = "n" * 300
    changes = [
        FlagChange("worsened", key(f"{long}-{n:02}"), "r" * 300, NOW, 123456.78, long)
        for n in range(21)
    ]
    price = PriceUsed("A100", "", spot=False, usd_per_gpu_hour=1.0, as_of=None, source=long)
    made = flags_message(changes, analysis(prices=(price,)), 7 * DAY)
    shown = "\n".join(texts(made))
    assert [f"-{n:02} (" in shown for n in range(21)] == [True] * 20 + [False]
    assert "and 1 more; `gpu-thrift flag` lists all" in shown
    assert "Prices: nnn" in shown


def test_every_part_of_a_morning_is_shown_with_the_longest_names() -> None:
    shown = "\n".join(texts(morning("n" * 300, 20)))
    assert shown.count("and 15 more") == 6
    assert "20 put to sleep" in shown
    assert "…" not in shown.splitlines()


def test_what_did_not_fit_is_told_with_where_it_is() -> None:
    last = flags(NAMES["ampersands"], 600).blocks[-1]
    assert "There is more than fits here: `gpu-thrift flag` lists all" in json.dumps(last)
