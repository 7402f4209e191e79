"""Calls to Slack's Web API: the token read anew, errors translated, answers page by page.

The client's own retries are off: whether a message may be sent again is for the ledger to say.
"""

from __future__ import annotations

import http.client
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from urllib.error import URLError

from analyzer.config import SlackConfig
from analyzer.errors import BadAnswer, ConfigError, SourceError, Unreachable
from jobs.slack.address import NEVER
from jobs.slack.answers import name_of, refused, told

if TYPE_CHECKING:
    from slack_sdk import WebClient
    from slack_sdk.web import SlackResponse

PAGES = 50
"""Most pages of one answer that are read; ten thousand messages or channels."""


class Api:
    """``around`` is entered around every call. No token is kept: each call reads it anew."""

    def __init__(
        self, config: SlackConfig, around: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._config = config
        self._around = around

    def call(
        self,
        method: str,
        ask: Callable[[WebClient], SlackResponse],
        unknown: type[SourceError] = Unreachable,
    ) -> dict[str, Any]:
        """The answer's object. A lost answer is ``unknown``."""
        return self.ask(method, ask, unknown)[0]

    def ask(
        self,
        method: str,
        ask: Callable[[WebClient], SlackResponse],
        unknown: type[SourceError] = Unreachable,
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """The answer's object and headers, as ``call``."""
        from slack_sdk.errors import SlackApiError  # noqa: PLC0415 - loads asyncio and more

        name = name_of(method)
        with self._around():
            client = self._client()
            try:
                answer = ask(client)
            except SlackApiError as error:
                raise refused(method, error, unknown) from error
            except URLError as error:
                sort = Unreachable if isinstance(error.reason, NEVER) else unknown
                raise sort(f"{name} cannot be reached: {told(error.reason)}") from error
            except (OSError, http.client.HTTPException) as error:
                raise unknown(f"{name} gave no answer: {told(error)}") from error
            except (ValueError, UnicodeError) as error:
                raise unknown(f"{name} answered what cannot be read") from error
        if not isinstance(answer.data, dict):
            raise unknown(f"{name} answered what cannot be read")
        return answer.data, dict(answer.headers)

    def pages(
        self, method: str, key: str, page: Callable[..., SlackResponse]
    ) -> Iterator[dict[str, Any]]:
        """Everything that all pages of an answer list under ``key``."""
        cursor = ""
        for _ in range(PAGES):
            found = self.call(method, partial(page, cursor=cursor))
            listed = found.get(key)
            if not isinstance(listed, list):
                raise BadAnswer(f"{name_of(method)} answered without {key}")
            yield from (one for one in listed if isinstance(one, dict))
            more = found.get("response_metadata")
            cursor = (more.get("next_cursor") if isinstance(more, dict) else "") or ""
            if not cursor:
                return
        raise BadAnswer(f"{name_of(method)} has no end after {PAGES} pages")

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
            # The socket takes fractions, whatever the client's signature says.
            timeout=cast(int, self._config.timeout.total_seconds()),
            retry_handlers=[],
            logger=quiet,
        )
