"""Where messages are posted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from analyzer.config.kinds import Duration, Map, Text
from analyzer.config.reader import Problem, Section, about
from analyzer.config.secret import Secret
from analyzer.config.url import Url

WEBHOOK = "webhook"
"""The destination where there is a webhook: it posts to the one channel that it was made for."""

_VARIABLE = Text(r"(?:[A-Za-z_][A-Za-z0-9_]*)?", "name of an environment variable", hidden=True)
_FILE = Text(range="path", hidden=True)


@dataclass(frozen=True, slots=True)
class SlackConfig(Section):
    """Where notices and reports are posted; with neither channel nor webhook nowhere."""

    channel: str = field(
        default="",
        metadata=about(
            Text(r"[#CG]?[A-Za-z0-9_-]*", "name or id of a channel"),
            "Channel that is posted to; the app has to be a member.",
        ),
    )
    token_env: str = field(
        default="",
        metadata=about(
            _VARIABLE,
            "Environment variable that holds the bot token, with the scopes chat:write, "
            "files:write for charts, channels:history (groups:history for a private channel), and "
            "channels:read where the channel is given by name.",
        ),
    )
    token_file: str = field(
        default="",
        metadata=about(_FILE, "File that holds the bot token instead; read again at each use."),
    )
    teams: Mapping[str, str] = field(
        default_factory=dict,
        metadata=about(
            Map(r"[^\x00-\x1f\x7f]{1,300}", r"#?[A-Za-z0-9_-]{1,80}", "team = channel"),
            "Channel of each team, by the value of its team label, beside the channel above; only "
            "with a bot token.",
        ),
    )
    webhook_env: str = field(
        default="",
        metadata=about(
            _VARIABLE,
            "Environment variable that holds the URL of an incoming webhook, instead of channel "
            "and token; messages then come without thread and charts.",
        ),
    )
    webhook_file: str = field(
        default="",
        metadata=about(_FILE, "File that holds that URL instead; read again at each use."),
    )
    url: str = field(
        default="https://slack.com/api",
        metadata=about(Url(), "Base URL of Slack's Web API."),
    )
    timeout: timedelta = field(
        default=timedelta(seconds=15),
        metadata=about(Duration("1s", "2m", "15s"), "Longest wait for one answer."),
    )
    token: Secret | None = field(default=None, compare=False)
    """The bot token, once loaded."""
    webhook: Secret | None = field(default=None, compare=False)
    """The URL of the webhook, once loaded."""

    @property
    def destination(self) -> str:
        """Where messages go: the channel, ``webhook``, or "" for nowhere."""
        if self.channel:
            return self.channel
        return WEBHOOK if self.webhook_env or self.webhook_file else ""

    def problem(self) -> Problem | None:
        token, webhook = self.token_env or self.token_file, self.webhook_env or self.webhook_file
        if self.token_env and self.token_file:
            return Problem("token_file", "set token_env or this, not both")
        if self.webhook_env and self.webhook_file:
            return Problem("webhook_file", "set webhook_env or this, not both")
        if webhook and (token or self.channel):
            key = "webhook_env" if self.webhook_env else "webhook_file"
            return Problem(key, "set channel and a token, or a webhook, not both; remove this one")
        if self.channel and not token:
            return Problem("channel", "expected token_env or token_file beside it")
        if self.teams and not (self.channel and token):
            return Problem("teams", "expected channel and token_env or token_file beside it")
        if "/services/" in self.url:
            return Problem(
                "url",
                "this looks like a webhook, which is a secret; name its variable in webhook_env or "
                "its file in webhook_file",
            )
        return None
