"""Each channel is told of a week once, and ``report --publish`` says what it lacks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import Engine
from tests.e2e.daemons.world import CHANNEL, MONDAY, REPORT, Sections, World, series, world
from tests.fakes.slack import Fault

NOW = MONDAY + timedelta(hours=9, minutes=30)
SECONDS = timedelta(seconds=1)
DAYS = timedelta(days=1)
TOLD = "was told of 2026-W47 already: nothing is posted twice"


@pytest.fixture(scope="module")
def metrics(prometheus: Engine) -> str:
    return prometheus(series())


@pytest.fixture
def home(tmp_path: Path, metrics: str) -> Iterator[World]:
    with world(tmp_path, metrics) as made:
        yield made


def publish(
    home: World, later: timedelta = timedelta(0), more: Sections | None = None
) -> tuple[int, list[str], list[str]]:
    """The exit code, what was said besides the names of files, and the lines of errors."""
    given = ("report", "--publish", "--week", "2026-W47")
    code, said, errors = home.command(given, NOW + later, more)
    return code, [one for one in said.splitlines() if one[0] != "/"], errors.splitlines()


def test_after_a_ledger_was_lost_it_is_found(home: World) -> None:
    assert publish(home) == (0, ["2 messages posted"], [])
    for file in home.home.glob("ledger.db*"):
        file.unlink()
    assert publish(home, 600 * SECONDS) == (0, [f"{CHANNEL} {TOLD}", "0 messages posted"], [])
    assert home.slack.posted() == REPORT


def test_a_channel_and_a_team_by_another_spelling_are_told_once(home: World) -> None:
    more: Sections = {"slack.teams": {"chat": "#gpus"}}
    said = [f"#gpus {TOLD}", "2 messages posted"]
    assert publish(home, more=more) == (0, said, [])
    for channel in ("#gpus", "gpus"):
        said = [f"{channel} {TOLD}", "0 messages posted"]
        assert publish(home, more={"slack": {"channel": channel}}) == (0, said, [])
    assert home.slack.posted() == REPORT


def test_what_waits_is_tried_at_once_and_what_is_missing_is_named(home: World) -> None:
    slow = Fault("429", 120)
    home.slack.faults = lambda call: slow if call.method == "chat.postMessage" else None
    for later in (0, 10):
        tried = len(home.slack.calls)
        code, said, [line] = publish(home, later * SECONDS)
        assert (code, said) == (4, ["0 messages posted"])
        assert f"{REPORT[0]} @{CHANNEL}: Slack's chat.postMessage wants 120 s of rest" in line
        assert "give the same command again" in line
        assert len(home.slack.calls) > tried
    home.slack.faults = lambda call: None
    assert publish(home, 20 * SECONDS) == (0, ["2 messages posted"], [])
    assert home.slack.posted() == REPORT


def test_a_reply_that_waits_is_missing_too(home: World) -> None:
    slow = Fault("429", 120)
    home.slack.faults = lambda call: slow if "thread_ts" in call.params else None
    code, said, [line] = publish(home)
    assert (code, said) == (4, ["1 message posted"])
    assert f"{REPORT[1]} @{CHANNEL}: Slack's chat.postMessage wants" in line
    home.slack.faults = lambda call: None
    assert publish(home, 10 * SECONDS) == (0, ["1 message posted"], [])
    assert home.slack.posted() == REPORT


def test_what_was_given_up_is_brought_back(home: World) -> None:
    home.slack.faults = lambda call: Fault("429", 5)
    assert publish(home)[0] == 4
    # Another job finds that it is no news any more.
    _, _, errors = home.command(("run", "--once", "flag-underused"), NOW + 4 * DAYS)
    assert f"{REPORT[0]} @{CHANNEL}: given up" in errors
    home.slack.faults = lambda call: None
    assert publish(home, 5 * DAYS) == (0, ["2 messages posted"], [])
    assert home.slack.posted() == REPORT


def test_what_waited_for_days_is_no_old_news_for_who_asks_for_it(home: World) -> None:
    home.slack.faults = lambda call: Fault("429", 5)
    assert publish(home)[0] == 4
    home.slack.faults = lambda call: None
    assert publish(home, 4 * DAYS) == (0, ["2 messages posted"], [])


def test_what_may_be_there_is_not_sent_at_once_and_that_is_said(home: World) -> None:
    home.slack.faults = lambda call: Fault("lost") if call.method == "chat.postMessage" else None
    for later in (0, 60):
        code, said, [line] = publish(home, later * SECONDS)
        assert (code, said) == (4, ["0 messages posted"])
        # Three minutes after the try began; its upload took no time.
        assert f"{REPORT[0]} @{CHANNEL}: " in line
        assert "give the same command again after 09:33:0" in line
        home.slack.faults = lambda call: None
    assert publish(home, 240 * SECONDS) == (0, ["2 messages posted"], [])
    assert home.slack.posted() == REPORT


def test_a_webhook_that_failed_is_one_line_each_time(home: World) -> None:
    (home.home / "webhook").write_text(home.slack.hook)
    hook: Sections = {
        "slack": {"channel": "", "token_file": "", "webhook_file": home.home / "webhook"}
    }
    home.slack.faults = lambda call: Fault("500")
    for later in (0, 300):
        code, said, [line] = publish(home, later * SECONDS, hook)
        assert (code, said) == (4, ["0 messages posted"])
        assert f"{REPORT[0]} @webhook: Slack's webhook failed (HTTP 500)" in line
        assert "look into the channel" in line
        home.slack.faults = lambda call: None
    assert len(home.slack.calls) == 1


def test_a_deleted_message_takes_no_reply_and_that_is_no_error(home: World) -> None:
    slow = Fault("429", 120)
    home.slack.faults = lambda call: slow if "thread_ts" in call.params else None
    assert publish(home)[0] == 4
    home.slack.faults = lambda call: None
    for channel in home.slack.channels:
        channel.messages.clear()
    assert publish(home, 10 * SECONDS)[0] == 0
    assert home.slack.posted() == []
