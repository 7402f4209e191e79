"""Weeks and digests made by hand, for everything that renders the weekly report."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from analyzer.model import Window
from analyzer.rhythm import Rhythm
from analyzer.weeks import Spend, Week, compared
from reports.digest import Digest
from tests.builders import NOW, analysis

NAME = "2026-W47"

# A working day of 60%, nights at 10%, weekends at nothing.
DAY = tuple(0.6 if 9 <= hour < 18 else 0.1 for hour in range(24))
RHYTHM = Rhythm((DAY,) * 5 + ((0.0,) * 24,) * 2, 0.96)


def week(ago: int = 0, hours: float = 168.0, **changes: Any) -> Week:
    """The week before ``NOW``, or one so many weeks before it: $1,000 for production of which
    $400 idle, $500 for staging of which $300 idle, and $250 for GPUs that nobody asked for."""
    end = NOW - ago * timedelta(weeks=1)
    window = Window(end - timedelta(weeks=1), end)
    fields: dict[str, Any] = {
        "name": f"2026-W{47 - ago}",
        "window": window,
        "hours": hours,
        "of_hours": window.hours,
        "environments": {
            "staging": Spend(100.0, 500.0, 300.0),
            "production": Spend(200.0, 1000.0, 400.0),
        },
        "unallocated_gpu_hours": 50.0,
        "unallocated_cost_usd": 250.0,
        "coverage": 0.96,
    }
    return Week(**(fields | changes))


def digest(this: Week | None = None, *before: Week, **changes: Any) -> Digest:
    """A week, by default ``week()``, against those before it."""
    this = this or week()
    fields: dict[str, Any] = {
        "week": this.name,
        "teams": (),
        "analysis": analysis(),
        "this": this,
        "before": before,
        "comparison": compared(this, before),
        "actions": (),
        "needs": (),
        "flagged": (),
        "nights": None,
        "unallocated": (),
        "models": (),
        "realised": None,
        "rhythm": RHYTHM,
        "hours": {},
    }
    return Digest(**(fields | changes))
