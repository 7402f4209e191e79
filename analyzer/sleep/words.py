"""Times as the evidence of a decision tells them."""

from __future__ import annotations

from datetime import datetime

from analyzer.sleep.schedule import Schedule


def shown(at: datetime | None) -> str:
    """A time in UTC, to the minute."""
    return at.strftime("%Y-%m-%d %H:%M UTC") if at else "no time"


def until(at: datetime | None) -> str:
    """Until when something sleeps."""
    return f"until {shown(at)}" if at else "until it is woken by hand"


def until_end(schedule: Schedule, now: datetime) -> str:
    """Until when a window lasts."""
    end = schedule.awake_until(now)
    return f"until {shown(end)}" if end else "always"
