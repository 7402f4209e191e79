"""Posts with a bot token, and finds again what was posted.

Each message carries its mark as metadata, so that one whose answer was lost can be looked for.
https://docs.slack.dev/messaging/message-metadata
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from analyzer.config import SlackConfig
from analyzer.errors import BadAnswer, Denied
from jobs.ledger.notices import Notice
from jobs.poster import Futile, Unsure
from jobs.slack.answers import NO_CHANNEL, code_of, may_be_of_files, name_of
from jobs.slack.api import Api
from jobs.slack.pictures import Uploads, with_files

if TYPE_CHECKING:
    from slack_sdk import WebClient
    from slack_sdk.web import SlackResponse

log = logging.getLogger("gpu_thrift.slack")

EVENT = "gpu_thrift"
"""Type of the metadata of every message of ours."""

SKEW = timedelta(minutes=10)
"""By how much Slack's clock may be behind ours."""

PAGE = 200

READY_AFTER_S = (1.0, 2.0, 4.0, 8.0)
"""Waits, in seconds, for files that Slack does not know yet: it looks at each after its upload was
completed, which takes one or two seconds as a rule."""

READY_WITHIN_S = 45.0
"""No try begins later after the first one, so that all of them stay within the minute that whoever
looks for the message allows for."""

_ID = re.compile(r"[CG][A-Z0-9]{7,}")


class BotPoster:
    """``around`` is entered around every call; ``sleep`` waits for some seconds."""

    def __init__(
        self,
        config: SlackConfig,
        around: Callable[[], AbstractContextManager[None]] = nullcontext,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._api = Api(config, around)
        self._uploads = Uploads(self._api, config, around)
        self._sleep = sleep
        self._ids: dict[str, str] = {}
        """Ids of channels that are configured by name."""

    def check(self) -> tuple[str, frozenset[str]]:
        """Who the token is, as Slack calls it, and its scopes. Raises ``SourceError``."""
        found, headers = self._api.ask("auth.test", lambda client: client.auth_test())
        scopes = next((v for k, v in headers.items() if k.lower() == "x-oauth-scopes"), "")
        who = f"{found.get('user', '?')} of {found.get('team', '?')}"
        return who, frozenset(filter(None, (one.strip() for one in scopes.split(","))))

    def upload(self, notice: Notice) -> Mapping[str, str]:
        return self._uploads.of(notice)

    def post(self, notice: Notice, files: Mapping[str, str]) -> str:
        begun = time.monotonic()
        for wait in (*READY_AFTER_S, READY_WITHIN_S):
            try:
                return self._post(notice, files)
            except BadAnswer as error:
                if not (files and may_be_of_files(error)):
                    raise
            if time.monotonic() - begun + wait >= READY_WITHIN_S:
                break
            self._sleep(wait)
        log.warning("%s: goes without its pictures: Slack does not take them yet", notice.key)
        return self._post(notice, {})

    def _post(self, notice: Notice, files: Mapping[str, str]) -> str:
        method = "chat.postMessage"
        names = [one.name for one in notice.pictures]
        blocks = with_files(notice.blocks, names, files)
        # An id is sent where it is known: a name leads to another channel once it is renamed.
        to = self._ids.get(notice.channel, notice.channel)
        found = self._api.call(
            method,
            lambda client: client.chat_postMessage(
                channel=to,
                text=notice.text,
                blocks=blocks or None,
                thread_ts=notice.thread or None,
                metadata={"event_type": EVENT, "event_payload": {"key": notice.mark}},
                unfurl_links=False,
                unfurl_media=False,
            ),
            Unsure,
        )
        receipt, channel = found.get("ts"), found.get("channel")
        if not isinstance(receipt, str) or not receipt:
            raise Unsure(f"{name_of(method)} answered without the message's name")
        if isinstance(channel, str) and _ID.fullmatch(channel):
            self._ids[notice.channel] = channel
        self._uploads.forget(notice.key)
        return receipt

    def find(self, notice: Notice, since: datetime) -> str | None:
        for message in self._messages(notice, since):
            if _mark(message) == notice.mark:
                self._uploads.forget(notice.key)
                return str(message.get("ts", "found"))
        return None

    def _messages(self, notice: Notice, since: datetime) -> Iterator[dict[str, Any]]:
        """Where it must be: its thread, or the channel, which does not list replies."""
        channel = self._id(notice.channel)
        oldest = f"{(since - SKEW).timestamp():.6f}"

        def history(client: WebClient, *, cursor: str) -> SlackResponse:
            return client.conversations_history(
                channel=channel,
                oldest=oldest,
                limit=PAGE,
                include_all_metadata=True,
                cursor=cursor or None,
            )

        def replies(client: WebClient, *, cursor: str) -> SlackResponse:
            return client.conversations_replies(
                channel=channel,
                ts=notice.thread,
                limit=PAGE,
                include_all_metadata=True,
                cursor=cursor or None,
            )

        if not notice.thread:
            yield from self._api.pages("conversations.history", "messages", history)
            return
        try:
            yield from self._api.pages("conversations.replies", "messages", replies)
        except BadAnswer as error:
            if code_of(error) != "thread_not_found":
                raise
            raise Futile("somebody deleted the message that it replies to") from error

    def _id(self, channel: str) -> str:
        """The id of a channel that may be given by name."""
        if _ID.fullmatch(channel):
            return channel
        if channel not in self._ids:

            def page(client: WebClient, *, cursor: str) -> SlackResponse:
                return client.conversations_list(
                    types="public_channel,private_channel",
                    exclude_archived=True,
                    limit=PAGE,
                    cursor=cursor or None,
                )

            name = channel.removeprefix("#")
            for one in self._api.pages("conversations.list", "channels", page):
                if one.get("name") == name and isinstance(one.get("id"), str):
                    self._ids[channel] = one["id"]
                    break
            else:
                raise Denied(f"Slack lists no channel {channel}; {NO_CHANNEL}")
        return self._ids[channel]


def _mark(message: dict[str, Any]) -> str | None:
    metadata = message.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("event_type") != EVENT:
        return None
    payload = metadata.get("event_payload")
    found = payload.get("key") if isinstance(payload, dict) else None
    return found if isinstance(found, str) else None
