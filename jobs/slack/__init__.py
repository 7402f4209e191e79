"""Posts to Slack: with a bot token, or by an incoming webhook."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from analyzer.config import Config
from jobs.slack.bot import BotPoster
from jobs.slack.webhook import WebhookPoster

__all__ = ["BotPoster", "WebhookPoster", "poster_of"]


def poster_of(
    config: Config, around: Callable[[], AbstractContextManager[None]] = nullcontext
) -> BotPoster | WebhookPoster:
    """The poster that is configured; ``around`` is entered around every call."""
    if config.slack.webhook is not None:
        return WebhookPoster(config.slack, config.web.folder, around)
    return BotPoster(config.slack, around)
