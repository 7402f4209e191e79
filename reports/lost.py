"""The message about a job that was not done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports.mrkdwn import code, cut, escaped

Block = Mapping[str, Any]

_LONGEST = 1500
"""Characters of a reason."""


def lost_message(job: str, period: str, why: str) -> tuple[str, tuple[Block, ...]]:
    """The message as plain text and as Block Kit blocks, which say the same."""
    title = f"{code(job)} of {escaped(period)} was not done"
    reason = cut(escaped(why), _LONGEST)
    text = f"*{title}*\n{reason}"
    block = {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}
    return f"{title}: {reason}", (block,)
