"""Posting to Slack over real HTTP, with everything that goes wrong on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from analyzer.config import SlackConfig
from analyzer.config.secret import Secret
from analyzer.errors import BadAnswer, ConfigError, Denied, SourceError, Unreachable
from jobs.ledger.notices import Notice
from jobs.poster import Limited, Unsure
from jobs.slack import BotPoster
from tests.fakes.slack import TOKEN, Fault, SlackStandIn
from tests.servers import free_port

NOW = datetime.now(UTC)
BLOCKS = ({"type": "section", "text": {"type": "mrkdwn", "text": "*hello*"}},)
NOTICE = Notice("weekly 2026-W47", "#gpus", "hello", BLOCKS)


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn() as running:
        yield running


def config(slack: SlackStandIn, **changes: object) -> SlackConfig:
    made = SlackConfig(url=slack.url, timeout=timedelta(seconds=1), token=Secret(TOKEN))
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_message_is_posted_and_found(slack: SlackStandIn) -> None:
    poster = BotPoster(config(slack))
    who, scopes = poster.check()
    assert who == "gpu-thrift of Example"
    assert scopes == slack.scopes
    assert poster.find(NOTICE, NOW) is None
    receipt = poster.post(NOTICE, {})
    [message] = slack.messages
    assert message["ts"] == receipt
    assert (message["text"], message["blocks"]) == ("hello", list(BLOCKS))
    # A process that starts later finds it as well, by name and by id.
    for channel in ("#gpus", "gpus", "C0GPUS0001"):
        there = replace(NOTICE, channel=channel)
        assert BotPoster(config(slack)).find(there, NOW) == receipt
    assert poster.find(replace(NOTICE, key="another"), NOW) is None
    assert poster.find(NOTICE, NOW + timedelta(hours=1)) is None


def test_it_is_found_behind_many_others(slack: SlackStandIn) -> None:
    poster = BotPoster(config(slack))
    receipt = poster.post(NOTICE, {})
    gpus = slack.channels[1]
    for n in range(950):
        gpus.messages.append({"ts": f"{float(receipt) + n + 1:.6f}", "text": "chat"})
    assert poster.find(NOTICE, NOW) == receipt


@pytest.mark.parametrize(
    ("fault", "kind", "says"),
    [
        (Fault("429", 7), Limited, "7 s"),
        (Fault("500"), Unsure, "internal_error"),
        (Fault("hang", 5), Unsure, "no answer"),
        (Fault("close"), Unsure, "no answer"),
        (Fault("lost"), Unsure, "no answer"),
        (Fault("html"), Unsure, "cannot be read"),
        (Fault("not-ok", error="fatal_error"), Unsure, "fatal_error"),
        (Fault("not-ok", error="token_revoked"), Denied, "renew the token"),
        (Fault("not-ok", error="not_in_channel"), Denied, "invite the app"),
        (Fault("not-ok", error="invalid_blocks"), BadAnswer, "invalid_blocks"),
        (Fault("not-ok", error="<b>what</b>"), Unsure, "cannot be read"),
    ],
)
def test_what_goes_wrong_is_told_apart(
    slack: SlackStandIn, fault: Fault, kind: type[SourceError], says: str
) -> None:
    slack.faults = lambda call: fault
    with pytest.raises(kind, match=says) as caught:
        BotPoster(config(slack)).post(NOTICE, {})
    assert type(caught.value) is kind
    assert TOKEN not in str(caught.value)
    assert len(slack.calls) == 1
    with pytest.raises(SourceError) as caught:
        BotPoster(config(slack)).find(replace(NOTICE, channel="C0GPUS0001"), NOW)
    # A question changes nothing: there is nothing to be unsure of.
    assert not isinstance(caught.value, Unsure)


def test_nobody_there_is_known_not_to_have_it() -> None:
    nowhere = SlackConfig(url=f"http://127.0.0.1:{free_port()}/api", token=Secret(TOKEN))
    with pytest.raises(Unreachable) as caught:
        BotPoster(nowhere).post(NOTICE, {})
    assert not isinstance(caught.value, Unsure)


def test_a_channel_that_is_not_there(slack: SlackStandIn) -> None:
    wrong = replace(NOTICE, channel="#nowhere")
    with pytest.raises(Denied, match="channel_not_found"):
        BotPoster(config(slack)).post(wrong, {})
    with pytest.raises(Denied, match="#nowhere"):
        BotPoster(config(slack)).find(wrong, NOW)


def test_a_token_that_was_changed_is_read_anew(slack: SlackStandIn) -> None:
    tokens = ["wrong"]
    poster = BotPoster(config(slack, token=Secret(lambda: tokens[0])))
    with pytest.raises(Denied):
        poster.check()
    tokens[0] = TOKEN
    poster.check()
    with pytest.raises(ConfigError):
        BotPoster(config(slack, token=None)).check()
