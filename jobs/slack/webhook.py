"""Posts by an incoming webhook: text and blocks, into the one channel that it was made for.

A webhook tells nothing of what it posted, so that nobody can look whether a message arrived whose
answer was lost. Such a message is not sent again.
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from pathlib import Path

from analyzer.config import SlackConfig
from analyzer.errors import BadAnswer, ConfigError, Denied
from jobs.ledger.notices import Notice
from jobs.poster import Futile, Lost
from jobs.slack.address import Address, Answer
from jobs.slack.answers import limited
from jobs.slack.pictures import with_files

RECEIPT = "webhook"
"""What the ledger keeps instead of a message's name."""

_NAME = "Slack's webhook"

_NEW = "make a new webhook and name that"
_MENDS = {
    "no_service": f"it was removed or disabled; {_NEW}",
    "no_service_id": f"it was removed or disabled; {_NEW}",
    "no_active_hooks": f"it was removed or disabled; {_NEW}",
    "no_team": f"its workspace is gone, or the address is not whole; {_NEW}",
    "team_disabled": "its workspace is disabled",
    "invalid_token": f"its address is not good any more; {_NEW}",
    "channel_not_found": f"its channel is gone; {_NEW}",
    "channel_is_archived": f"its channel is archived; {_NEW}",
    "action_prohibited": "the workspace does not let it post there; ask an administrator",
    "posting_to_general_channel_denied": "the workspace does not let it post there; ask an "
    "administrator",
}
"""What Slack refuses that a person has to mend."""


class WebhookPoster:
    """``kept`` is the folder of the reports. ``around`` is entered around every call. No address
    is kept: each call reads it anew."""

    def __init__(
        self,
        config: SlackConfig,
        kept: Path | None = None,
        around: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._config = config
        self._kept = f"; reports are kept in {kept}" if kept else ""
        self._around = around

    def upload(self, notice: Notice) -> Mapping[str, str]:  # noqa: ARG002 - a webhook takes none
        return {}

    def post(self, notice: Notice, files: Mapping[str, str]) -> str:
        if notice.parent:
            raise Futile("a webhook cannot reply")
        names = [one.name for one in notice.pictures]
        blocks = with_files(notice.blocks, names, files)
        message = {"text": notice.text, **({"blocks": blocks} if blocks else {})}
        with self._around():
            answer = self._send(json.dumps(message).encode())
            self._check(answer)
        return RECEIPT

    def find(self, notice: Notice, since: datetime) -> str | None:  # noqa: ARG002
        raise Lost(f"nobody knows whether {_NAME} took it{self._unknown()}")

    def _send(self, body: bytes) -> Answer:
        if self._config.webhook is None:
            raise ConfigError("[slack] webhook_env or webhook_file: expected the webhook's URL")
        timeout = self._config.timeout.total_seconds()
        address = Address(_NAME, self._config.webhook.reveal(), timeout, Lost)
        try:
            return address.post(body, "application/json; charset=utf-8")
        except Lost as error:
            raise Lost(f"{error}{self._unknown()}") from error

    def _check(self, answer: Answer) -> None:
        status, code = answer.status, answer.text
        if status == 429:
            raise limited(_NAME, answer.headers)
        if status >= 500 or status == 408:
            raise Lost(f"{_NAME} failed (HTTP {status}){self._unknown()}")
        if status == 200:
            if code != "ok":
                raise Lost(f"{_NAME} answered what cannot be read{self._unknown()}")
            return
        if code in _MENDS:
            raise Denied(f"{_NAME} refused ({code}): {_MENDS[code]}")
        if code in ("invalid_payload", "invalid_blocks", "no_text"):
            raise BadAnswer(f"{_NAME} refused the message ({code}); report this with the message")
        raise BadAnswer(f"{_NAME} refused (HTTP {status}); is it the URL that Slack shows?")

    def _unknown(self) -> str:
        return (
            "; it may be there, and is not sent again lest it be there twice, as a webhook cannot "
            f"be asked{self._kept}"
        )
