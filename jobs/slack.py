"""Posts to Slack, and finds again what was posted.

Each message carries its key as metadata, so that one whose answer was lost can be looked for. The
client's own retries are off: whether a message may be sent again is for the ledger to say.
https://docs.slack.dev/messaging/message-metadata
"""

from __future__ import annotations

import http.client
import logging
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

from analyzer.config import SlackConfig
from analyzer.errors import BadAnswer, ConfigError, Denied, SourceError, Unreachable
from jobs.daemon.posting import Limited, Unsure
from jobs.ledger.notices import Notice

if TYPE_CHECKING:
    from slack_sdk import WebClient
    from slack_sdk.errors import SlackApiError
    from slack_sdk.web import SlackResponse

EVENT = "gpu_thrift"
"""Type of the metadata of every message of ours."""

SKEW = timedelta(minutes=10)
"""By how much Slack's clock may be behind ours."""

PAGE = 200
PAGES = 50
"""Most pages of one answer that are read; ten thousand messages or channels."""

_ID = re.compile(r"[CG][A-Z0-9]{7,}")
_CODE = re.compile(r"[a-z0-9_]{1,80}")

_LOGIN = "renew the token"
_MENDS = {
    "invalid_auth": _LOGIN,
    "not_authed": _LOGIN,
    "token_revoked": _LOGIN,
    "token_expired": _LOGIN,
    "account_inactive": _LOGIN,
    "missing_scope": "the app needs chat:write and channels:history (groups:history for a private "
    "channel), and channels:read where the channel is given by name",
    "not_in_channel": "invite the app to the channel",
    "channel_not_found": "expected a channel that the app is a member of",
    "is_archived": "the channel is archived; choose another one",
    "restricted_action": "the workspace does not let the app post there",
}
"""What Slack refuses that a person has to mend."""

_MAYBE = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout"})
"""Codes after which some of what was asked may have been done."""


class SlackPoster:
    """``around`` is entered around every call. No token is kept: each call reads it anew."""

    def __init__(
        self,
        config: SlackConfig,
        around: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._config = config
        self._around = around
        self._ids: dict[str, str] = {}
        """Ids of channels that are configured by name."""

    def check(self) -> str:
        """Who the token is, as Slack calls it. Raises ``SourceError``."""
        found = self._call("auth.test", lambda client: client.auth_test())
        return f"{found.get('user', '?')} of {found.get('team', '?')}"

    def post(self, notice: Notice) -> str:
        metadata = {"event_type": EVENT, "event_payload": {"key": notice.key}}
        # An id is sent where it is known: a name leads to another channel once it is renamed.
        to = self._ids.get(notice.channel, notice.channel)
        found = self._call(
            "chat.postMessage",
            lambda client: client.chat_postMessage(
                channel=to,
                text=notice.text,
                blocks=[dict(one) for one in notice.blocks] or None,
                metadata=metadata,
                unfurl_links=False,
                unfurl_media=False,
            ),
            changes=True,
        )
        receipt, channel = found.get("ts"), found.get("channel")
        if not isinstance(receipt, str) or not receipt:
            raise Unsure(f"{self._name('chat.postMessage')} answered without the message's name")
        if isinstance(channel, str) and _ID.fullmatch(channel):
            self._ids[notice.channel] = channel
        return receipt

    def find(self, notice: Notice, since: datetime) -> str | None:
        channel = self._id(notice.channel)
        oldest = f"{(since - SKEW).timestamp():.6f}"

        def page(client: WebClient, *, cursor: str) -> SlackResponse:
            return client.conversations_history(
                channel=channel,
                oldest=oldest,
                limit=PAGE,
                include_all_metadata=True,
                cursor=cursor or None,
            )

        for message in self._all("conversations.history", "messages", page):
            if _key(message) == notice.key:
                return str(message.get("ts", "found"))
        return None

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
            for one in self._all("conversations.list", "channels", page):
                if one.get("name") == name and isinstance(one.get("id"), str):
                    self._ids[channel] = one["id"]
                    break
            else:
                raise Denied(f"Slack lists no channel {channel}; {_MENDS['channel_not_found']}")
        return self._ids[channel]

    def _all(
        self, method: str, key: str, page: Callable[..., SlackResponse]
    ) -> Iterator[dict[str, Any]]:
        """Everything that all pages of an answer list under ``key``."""
        cursor = ""
        for _ in range(PAGES):
            found = self._call(method, partial(page, cursor=cursor))
            listed = found.get(key)
            if not isinstance(listed, list):
                raise BadAnswer(f"{self._name(method)} answered without {key}")
            yield from (one for one in listed if isinstance(one, dict))
            more = found.get("response_metadata")
            cursor = (more.get("next_cursor") if isinstance(more, dict) else "") or ""
            if not cursor:
                return
        raise BadAnswer(f"{self._name(method)} has no end after {PAGES} pages")

    def _call(
        self, method: str, ask: Callable[[WebClient], SlackResponse], changes: bool = False
    ) -> dict[str, Any]:
        """The answer's object. Where ``changes`` is set a lost answer is ``Unsure``."""
        from slack_sdk.errors import SlackApiError  # noqa: PLC0415 - loads asyncio and more

        name = self._name(method)
        unknown = Unsure if changes else Unreachable
        with self._around():
            client = self._client()
            try:
                data = ask(client).data
            except SlackApiError as error:
                raise _refused(name, error, unknown) from error
            except URLError as error:
                never = (ConnectionRefusedError, socket.gaierror, ssl.SSLCertVerificationError)
                sort = Unreachable if isinstance(error.reason, never) else unknown
                raise sort(f"{name} cannot be reached: {_told(error.reason)}") from error
            except (OSError, http.client.HTTPException) as error:
                raise unknown(f"{name} gave no answer: {_told(error)}") from error
            except (ValueError, UnicodeError) as error:
                raise unknown(f"{name} answered what cannot be read") from error
        if not isinstance(data, dict):
            raise unknown(f"{name} answered what cannot be read")
        return data

    def _client(self) -> WebClient:
        from slack_sdk import WebClient  # noqa: PLC0415 - as above

        if self._config.token is None:
            raise ConfigError("[slack] token_env or token_file: expected the bot token")
        quiet = logging.getLogger("slack_sdk")
        # It logs whole answers when they cannot be read.
        quiet.setLevel(logging.CRITICAL)
        return WebClient(
            self._config.token.reveal(),
            base_url=f"{self._config.url.rstrip('/')}/",
            timeout=int(self._config.timeout.total_seconds()),
            retry_handlers=[],
            logger=quiet,
        )

    def _name(self, method: str) -> str:
        return f"Slack's {method}"


def _key(message: dict[str, Any]) -> str | None:
    metadata = message.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("event_type") != EVENT:
        return None
    payload = metadata.get("event_payload")
    found = payload.get("key") if isinstance(payload, dict) else None
    return found if isinstance(found, str) else None


def _refused(name: str, error: SlackApiError, unknown: type[SourceError]) -> SourceError:
    """What an answer that is not ``ok`` means."""
    answer: Any = error.response
    status = int(getattr(answer, "status_code", 0) or 0)
    data = getattr(answer, "data", None)
    code = data.get("error") if isinstance(data, dict) else None
    if status == 429 or code in ("ratelimited", "rate_limited"):
        wait = _seconds(getattr(answer, "headers", {}))
        return Limited(f"{name} wants {wait:.0f} s of rest", wait)
    if status >= 500 or code in _MAYBE:
        return unknown(f"{name} failed ({code if _is_code(code) else status})")
    if not _is_code(code):
        return unknown(f"{name} answered what cannot be read (HTTP {status}); is the URL right?")
    if code in _MENDS:
        needed = data.get("needed") if isinstance(data, dict) else None
        scope = f", missing {needed}" if isinstance(needed, str) and len(needed) < 200 else ""
        return Denied(f"{name} refused ({code}{scope}): {_MENDS[code]}")
    return BadAnswer(f"{name} refused ({code})")


def _is_code(code: object) -> bool:
    return isinstance(code, str) and bool(_CODE.fullmatch(code))


def _seconds(headers: Any) -> float:
    """What ``Retry-After`` asks for, within reason."""
    found = next((value for key, value in headers.items() if key.lower() == "retry-after"), None)
    try:
        return min(max(float(found or ""), 1.0), 3600.0)
    except (TypeError, ValueError):
        return 60.0


def _told(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = " ".join(str(error).split())[:200]
    return text or type(error).__name__
