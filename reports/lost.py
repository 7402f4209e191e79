"""The message about a job that was not done."""

from __future__ import annotations

from reports.blocks import Message, message, section
from reports.mrkdwn import escaped

_LONGEST = 500
"""Characters of a reason before it is escaped: so many fit whatever they become by that."""


def lost_message(job: str, period: str, why: str) -> Message:
    """The message, whose text and blocks say the same."""
    title = f"{escaped(job)} of {escaped(period)} was not done"
    reason = escaped(why, _LONGEST)
    return message([f"{title}: {reason}"], [section([f"*{title}*", reason])])
