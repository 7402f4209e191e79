"""Where messages go: a channel and a token, or a webhook, and channels of teams."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from analyzer.config import SlackConfig, load
from analyzer.config.secret import masked
from analyzer.errors import ConfigError

HOOK = "https://hooks.example.com/services/T000/B000/hunter2-S3cr3t"
ENVIRON = {"HOOK": HOOK, "TOKEN": "xoxb-hunter2-S3cr3t"}


def read(folder: Path, text: str, environ: Mapping[str, str] = ENVIRON) -> SlackConfig:
    path = folder / "config.toml"
    path.write_text(f"[slack]\n{text}", encoding="utf-8")
    return load(path, dict(environ)).slack


def refusal(folder: Path, text: str, environ: Mapping[str, str] = ENVIRON) -> str:
    with pytest.raises(ConfigError) as caught:
        read(folder, text, environ)
    message = str(caught.value)
    assert message.isprintable()
    assert "hunter2" not in message
    return message


@pytest.mark.parametrize(
    ("text", "destination"),
    [
        ("", ""),
        ("token_env = 'TOKEN'", ""),
        ("channel = '#gpus'\ntoken_env = 'TOKEN'", "#gpus"),
        ("webhook_env = 'HOOK'", "webhook"),
    ],
)
def test_messages_go_to_the_channel_or_the_webhook(
    tmp_path: Path, text: str, destination: str
) -> None:
    assert read(tmp_path, text).destination == destination


def test_a_webhook_file_is_read_at_each_use_and_checked(tmp_path: Path) -> None:
    file = tmp_path / "hook"
    file.write_text(f"{HOOK}\n")
    webhook = read(tmp_path, "webhook_file = 'hook'").webhook
    assert webhook is not None
    assert webhook.reveal() == HOOK
    assert "hunter2" not in masked(f"Not Found for url: {HOOK}")
    assert "hunter2" not in masked("InvalidURL('/services/T000/B000/hunter2-S3cr3t')")
    assert "hunter2" not in repr(webhook)
    file.write_text("hunter2")
    with pytest.raises(ConfigError, match="webhook_file: expected the https URL") as caught:
        webhook.reveal()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("value", ["hunter2", "ftp://hunter2/x", "https:///hunter2", "http://["])
def test_what_is_no_url_is_no_webhook(tmp_path: Path, value: str) -> None:
    assert "webhook_env: expected the https URL" in refusal(
        tmp_path, "webhook_env = 'HOOK'", {"HOOK": value}
    )


def test_teams_have_channels_of_their_own_whatever_they_are_called(tmp_path: Path) -> None:
    text = "channel = '#gpus'\ntoken_env = 'TOKEN'\n[slack.teams]\n"
    teams = read(tmp_path, text + "auth = 'C0123456789'\n'<!channel> & co' = '#search'").teams
    assert teams == {"auth": "C0123456789", "<!channel> & co": "#search"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("webhook_env = 'HOOK'\ntoken_env = 'TOKEN'", "[slack] webhook_env: set channel and a"),
        ("webhook_file = 'hook'\nchannel = '#gpus'", "[slack] webhook_file: set channel and a"),
        ("webhook_env = 'HOOK'\nwebhook_file = 'hook'", "webhook_file: set webhook_env or this"),
        ("webhook_env = 'GONE'", "variable GONE is not set"),
        (f"webhook_env = '{HOOK}'", "not shown"),
        (f"webhook = '{HOOK}'", 'did you mean "webhook_env"'),
        (f"url = '{HOOK}'", "url: this looks like a webhook"),
        ("teams = {a = '#a'}", "teams: expected channel and token_env or token_file"),
        ("teams = {a = '#a'}\ntoken_env = 'TOKEN'", "teams: expected channel and token_env"),
        ("teams = {a = '#a'}\nwebhook_env = 'HOOK'", "teams: expected channel and token_env"),
        ("teams = {a = '# b'}\ntoken_env = 'TOKEN'", '"a": expected a string (team = channel)'),
        ("teams = {a = ''}", '"a": expected a string (team = channel)'),
        ("teams = {'' = '#a'}", 'got the key ""'),
        ("teams = {a = 1}", '"a": expected a string (team = channel), got 1'),
        ("teams = {token = 'xoxb-hunter2 x'}", "the value is not shown"),
        ("teams = {a = 'https://me:hunter2@host'}", "a secret does not belong in this file"),
        ("teams = '#a'", "teams: expected a table of strings"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, text: str, says: str) -> None:
    assert says in refusal(tmp_path, text)
