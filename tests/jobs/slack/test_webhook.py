"""An incoming webhook: each message at most once, and its address never told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from analyzer.config import Config, SlackConfig, WebConfig
from analyzer.config.secret import Secret
from analyzer.errors import BadAnswer, ConfigError, Denied, PartlyDone, SourceError, Unreachable
from jobs.daemon.posting import post_waiting
from jobs.ledger.database import open_database
from jobs.ledger.notices import Notice, Picture, SqlNotices
from jobs.poster import Limited, Lost
from jobs.slack import BotPoster, WebhookPoster, poster_of
from tests.builders import NOW
from tests.fakes.slack import TOKEN, Fault, SlackStandIn
from tests.servers import free_port

TEXT = {"type": "section", "text": {"type": "mrkdwn", "text": "*spent $900*"}}
SHOWN = {"type": "image", "alt_text": "spend", "slack_file": {"id": "spend"}}
CHART = Picture("spend", "Spend", "Spend rose", b"\x89PNG")
NOTICE = Notice("weekly", "webhook", "spent $900", (TEXT, SHOWN), pictures=(CHART,))
REPLY = Notice("details", "webhook", "in detail", (TEXT,), parent="weekly")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn() as running:
        yield running


@pytest.fixture
def notices(tmp_path: Path) -> Iterator[SqlNotices]:
    database = open_database(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield SqlNotices(database)
    database.close()


def poster(url: str | Callable[[], str]) -> WebhookPoster:
    webhook = Secret(url, whole=True)
    config = SlackConfig(webhook_env="HOOK", webhook=webhook, timeout=timedelta(seconds=1))
    return WebhookPoster(config, Path("/srv/reports"))


def drive(notices: SqlNotices, slack: SlackStandIn, minutes: int = 30) -> list[str]:
    """A minute at a time, each in a new process; what was said to have failed."""
    said = []
    for n in range(minutes):
        try:
            post_waiting(notices, poster(slack.hook), lambda: 1.0, NOW + n * MINUTE)
        except PartlyDone as error:
            said.append(str(error))
        if not notices.unsent():
            break
    return said


def test_the_message_goes_without_thread_and_files(
    slack: SlackStandIn, notices: SqlNotices
) -> None:
    notices.add([NOTICE, REPLY], NOW)
    assert drive(notices, slack) == []
    [message] = slack.messages
    assert (message["text"], message["blocks"]) == ("spent $900", [TEXT])
    assert [one.method for one in slack.calls] == ["webhook"]
    assert (notices.unsent(), slack.files) == (0, {})


@pytest.mark.parametrize(
    ("fault", "kind", "says"),
    [
        (Fault("429", 7), Limited, "7 s"),
        (Fault("500"), Lost, "HTTP 500"),
        (Fault("hang", 5), Lost, "no answer in time"),
        (Fault("close"), Lost, "no answer"),
        (Fault("lost"), Lost, "no answer"),
        (Fault("html"), Lost, "cannot be read"),
        (Fault("not-ok", error="invalid_payload"), BadAnswer, "invalid_payload"),
        (Fault("not-ok", error="no_service"), Denied, "make a new webhook"),
        (Fault("not-ok", error="no_team"), Denied, "make a new webhook"),
        (Fault("not-ok", error="channel_is_archived"), Denied, "its channel is archived"),
        (Fault("not-ok", error="action_prohibited"), Denied, "ask an administrator"),
        (Fault("not-ok", error="channel_not_found"), Denied, "its channel is gone"),
    ],
)
def test_what_goes_wrong_is_told_apart(
    slack: SlackStandIn,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
    kind: type[SourceError],
    says: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    slack.faults = lambda call: fault
    with pytest.raises(kind, match=says) as caught:
        poster(slack.hook).post(NOTICE, {})
    assert type(caught.value) is kind
    assert "stand-in-webhook" not in str(caught.value) + caplog.text
    assert str(caught.value).isprintable()
    assert len(slack.calls) == 1


@pytest.mark.parametrize("fault", ["500", "hang", "close", "lost", "hang-after", "html"])
def test_what_may_have_arrived_is_never_sent_again_and_that_is_said(
    slack: SlackStandIn, notices: SqlNotices, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    slack.faults = lambda call: Fault(fault, 2)  # type: ignore[arg-type]
    notices.add([NOTICE, REPLY], NOW)
    [said] = drive(notices, slack)
    assert "weekly: Slack's webhook" in said
    assert "it may be there, and is not sent again" in said
    assert "reports are kept in /srv/reports" in said
    assert len(slack.calls) == 1
    assert notices.unsent() == 0
    # Whoever posts is told by the error; a line of the log would say it twice.
    assert [one for one in caplog.records if one.levelno > logging.INFO] == []


@pytest.mark.parametrize("fault", [Fault("429", 1), Fault("not-ok", error="no_service")])
def test_what_was_refused_is_tried_again(
    slack: SlackStandIn, notices: SqlNotices, fault: Fault
) -> None:
    faults = [fault] * 3
    slack.faults = lambda call: faults.pop() if faults else None
    notices.add([NOTICE], NOW)
    assert len(drive(notices, slack)) == 3
    assert len(slack.messages) == 1


def test_who_was_killed_while_it_was_sent_leaves_it(
    slack: SlackStandIn, notices: SqlNotices, caplog: pytest.LogCaptureFixture
) -> None:
    class Killed(BaseException):
        pass

    class Dying(WebhookPoster):
        def _check(self, answer: object) -> None:
            raise Killed

    dying = Dying(poster(slack.hook)._config)
    notices.add([NOTICE], NOW)
    with suppress(Killed):
        post_waiting(notices, dying, lambda: 1.0, NOW)
    [said] = drive(notices, slack)
    assert "nobody knows whether Slack's webhook took it" in said
    assert (len(slack.messages), notices.unsent()) == (1, 0)


def test_nobody_there_is_known_not_to_have_it(slack: SlackStandIn, notices: SqlNotices) -> None:
    urls = [f"http://127.0.0.1:{free_port()}/services/secret-path", slack.hook]
    reading = poster(lambda: urls[0])
    with pytest.raises(Unreachable) as caught:
        reading.post(NOTICE, {})
    assert not isinstance(caught.value, Lost)
    assert "secret-path" not in str(caught.value)
    # Once somebody mended it, without a restart.
    urls.pop(0)
    assert reading.post(NOTICE, {})
    assert len(slack.messages) == 1


def test_an_address_that_cannot_be_read_keeps_the_message(
    slack: SlackStandIn, notices: SqlNotices
) -> None:
    def unreadable() -> str:
        raise ConfigError("[slack] webhook_file: cannot be read")

    notices.add([NOTICE], NOW)
    with pytest.raises(ConfigError):
        post_waiting(notices, poster(unreadable), lambda: 1.0, NOW)
    assert drive(notices, slack) == []
    assert len(slack.messages) == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/secret path", "http://[secret"])
def test_an_address_that_is_none_is_not_told(url: str) -> None:
    with pytest.raises(SourceError) as caught:
        poster(url).post(NOTICE, {})
    told = f"{caught.value!r} {caught.value.__cause__!r}"
    assert "secret" not in told


def test_the_configuration_says_which_poster_it_is() -> None:
    web = WebConfig(folder=Path("/srv/reports"))
    bot = Config(slack=SlackConfig(channel="#gpus", token=Secret(TOKEN)), web=web)
    hook = Config(slack=SlackConfig(webhook=Secret("https://example.com/a")), web=web)
    assert isinstance(poster_of(bot), BotPoster)
    assert isinstance(poster_of(hook), WebhookPoster)
