"""What Slack's answers mean, and what a person can do about those that are no good.

https://docs.slack.dev/reference/methods/chat.postMessage#errors
https://docs.slack.dev/reference/methods/files.getUploadURLExternal#errors
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from analyzer.errors import BadAnswer, Denied, SourceError
from jobs.poster import Limited

if TYPE_CHECKING:
    from slack_sdk.errors import SlackApiError

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

_UPLOAD_MENDS = {
    "missing_scope": "add the scope files:write to the app and install it again",
    "file_uploads_disabled": "the workspace takes no files; an administrator may allow them",
    "file_uploads_except_images_disabled": "the workspace takes no such files",
    "file_upload_size_restricted": "the workspace takes no files of this size",
    "file_type_not_allowed": "the workspace takes no PNG files",
    "storage_limit_reached": "the workspace is full; delete files or buy storage",
}
"""The same of files."""

NO_CHANNEL = _MENDS["channel_not_found"]

_MAYBE = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout"})
"""Codes after which some of what was asked may have been done."""


def name_of(method: str) -> str:
    return f"Slack's {method}"


def refused(method: str, error: SlackApiError, unknown: type[SourceError]) -> SourceError:
    """What an answer that is not ``ok`` means; ``unknown`` where it may have been done."""
    name, answer = name_of(method), cast(Any, error.response)
    status = int(getattr(answer, "status_code", 0) or 0)
    data = _data(error)
    code = _code(data)
    if status == 429 or code in ("ratelimited", "rate_limited"):
        return limited(name, getattr(answer, "headers", {}))
    if status >= 500 or code in _MAYBE:
        return unknown(f"{name} failed ({code or status})")
    if not code:
        return unknown(f"{name} answered what cannot be read (HTTP {status}); is the URL right?")
    mend = {**_MENDS, **(_UPLOAD_MENDS if method.startswith("files.") else {})}.get(code)
    if mend:
        needed = data.get("needed")
        scope = f", missing {needed}" if isinstance(needed, str) and len(needed) < 200 else ""
        return Denied(f"{name} refused ({code}{scope}): {mend}")
    return BadAnswer(f"{name} refused ({code})")


def code_of(error: SourceError) -> str:
    """Slack's word for the refusal that ``refused`` made of it; empty for anything else."""
    return _code(_data(error.__cause__))


def is_of_login(error: SourceError) -> bool:
    """Whether Slack does not know the token: it would refuse whatever else is asked."""
    return _MENDS.get(code_of(error)) == _LOGIN


def may_be_of_files(error: SourceError) -> bool:
    """Whether a message may have been refused for the files that its blocks name."""
    if code_of(error) != "invalid_blocks":
        return False
    data = _data(error.__cause__)
    more = data.get("response_metadata")
    told = [data.get("errors"), more.get("messages") if isinstance(more, dict) else None]
    reasons = [str(one) for listed in told if isinstance(listed, list) for one in listed]
    return not reasons or any("slack_file" in one for one in reasons)


def limited(name: str, headers: Mapping[str, str]) -> Limited:
    """As long as ``Retry-After`` asks for, within reason."""
    found = next((value for key, value in headers.items() if key.lower() == "retry-after"), None)
    try:
        wait = min(max(float(found or ""), 1.0), 3600.0)
    except (TypeError, ValueError):
        wait = 60.0
    return Limited(f"{name} wants {wait:.0f} s of rest", wait)


def told(error: object) -> str:
    """Why there was no answer. Errors that may quote an address are told by their names alone."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = " ".join(str(error).split())[:200] if isinstance(error, OSError) else ""
    return text or type(error).__name__


def _data(error: object) -> dict[str, Any]:
    data = getattr(getattr(error, "response", None), "data", None)
    return data if isinstance(data, dict) else {}


def _code(data: Mapping[str, Any]) -> str:
    code = data.get("error")
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""
