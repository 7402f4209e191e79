"""What ``doctor`` says of Slack."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from analyzer.config import SlackConfig
from analyzer.config.secret import Secret
from analyzer.errors import ConfigError
from jobs.commands.doctor_slack import examine
from tests.fakes.slack import TOKEN, SlackStandIn


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with SlackStandIn() as running:
        yield running


def config(slack: SlackStandIn, token: str = TOKEN) -> SlackConfig:
    return SlackConfig(
        channel="#gpus",
        token_env="TOKEN",
        token=Secret(token),
        teams={"search": "#search", "chat": "#gpus"},
        url=slack.url,
        timeout=timedelta(seconds=1),
    )


def told(config: SlackConfig) -> list[tuple[str, str]]:
    return [(one.state, one.what) for one in examine(config)]


def test_it_says_who_the_token_is_and_where_it_posts(slack: SlackStandIn) -> None:
    [found] = examine(config(slack))
    assert (found.state, found.what) == ("ok", "Slack: gpu-thrift of Example")
    assert found.lines[0].startswith("posts to #gpus, #search; ")
    assert slack.messages == []


def test_each_scope_that_lacks_is_named(slack: SlackStandIn) -> None:
    slack.scopes = {"chat:write"}
    assert told(config(slack))[1:] == [
        ("missing", "Slack: lacks the scope files:write"),
        ("missing", "Slack: lacks the scope channels:history or groups:history"),
        ("missing", "Slack: lacks the scope channels:read"),
    ]


def test_a_token_that_is_not_good_is_said(slack: SlackStandIn) -> None:
    [found] = examine(config(slack, "xoxb-another"))
    assert found.state == "failed"
    assert "renew the token" in found.lines[0]
    assert "xoxb" not in found.lines[0]


def test_a_webhook_is_read_but_not_tried(slack: SlackStandIn) -> None:
    webhook = Secret(slack.hook, whole=True)
    [found] = examine(SlackConfig(webhook_env="HOOK", webhook=webhook))
    assert (found.state, found.what) == ("ok", "Slack: by webhook")
    assert "cannot be tried without posting" in found.lines[0]
    assert slack.calls == []


def test_a_webhook_that_cannot_be_read_is_said() -> None:
    def unreadable() -> str:
        raise ConfigError("[slack] webhook_file: the file cannot be read")

    found = told(SlackConfig(webhook_file="hook", webhook=Secret(unreadable)))
    assert found == [("failed", "Slack")]


def test_nothing_is_configured() -> None:
    assert told(SlackConfig()) == [("missing", "Slack: not configured")]
