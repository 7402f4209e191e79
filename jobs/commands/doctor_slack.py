"""What ``doctor`` says of Slack: who posts, and what it may do."""

from __future__ import annotations

from collections.abc import Mapping

from analyzer.config import Secret, SlackConfig
from analyzer.errors import ConfigError, SourceError
from jobs.commands.doctor_sleep import Finding
from jobs.slack import BotPoster

_NEEDED: Mapping[str, str] = {
    "chat:write": "nothing can be posted",
    "files:write": "messages go without charts",
}
"""Scopes, and what it costs to lack them."""

_HISTORY = frozenset({"channels:history", "groups:history"})


def examine(config: SlackConfig) -> list[Finding]:
    """Asks who the token is; posts nothing."""
    if not config.destination:
        return [Finding("missing", "Slack: not configured", ["reports are written to files alone"])]
    if config.webhook is not None:
        return _webhook(config.webhook)
    try:
        who, scopes = BotPoster(config).check()
    except (SourceError, ConfigError) as error:
        return [Finding("failed", "Slack", [str(error)])]
    channels = [config.channel, *sorted(set(config.teams.values()) - {config.channel})]
    posts = f"posts to {', '.join(channels)}; whether it is a member is seen at the first message"
    return [Finding("ok", f"Slack: {who}", [posts]), *_scopes(scopes, config)]


def _webhook(webhook: Secret) -> list[Finding]:
    try:
        webhook.reveal()
    except ConfigError as error:
        return [Finding("failed", "Slack", [str(error)])]
    lines = [
        "a webhook cannot be tried without posting: the first message shows whether it is good",
        "messages go without thread and charts",
    ]
    return [Finding("ok", "Slack: by webhook", lines)]


def _scopes(scopes: frozenset[str], config: SlackConfig) -> list[Finding]:
    """Nothing where Slack does not say which scopes there are."""
    if not scopes:
        return []
    lacking = {scope: cost for scope, cost in _NEEDED.items() if scope not in scopes}
    if not scopes & _HISTORY:
        lost = "a message whose answer was lost is not posted again, as it cannot be looked for"
        lacking["channels:history or groups:history"] = lost
    channels = (config.channel, *config.teams.values())
    if any(one.startswith("#") for one in channels) and "channels:read" not in scopes:
        lacking["channels:read"] = "the same of channels that are given by name"
    return [
        Finding("missing", f"Slack: lacks the scope {scope}", [cost])
        for scope, cost in lacking.items()
    ]
