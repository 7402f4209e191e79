"""What the schedule will do in the coming days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from analyzer.model import WorkloadKey
from reports.listing import Listing, Section
from reports.plan import Look
from reports.text import counted, hours


@dataclass(frozen=True, slots=True)
class Preview:
    """What the schedule does to one workload in the coming days. ``windows`` are awake ones in
    UTC; ``lead`` is how long before each it is woken."""

    key: WorkloadKey
    schedule: str
    windows: Sequence[tuple[datetime, datetime]]
    asleep_hours: float
    gpus: float
    lead: timedelta
    lead_source: str
    next_sleep: datetime | None
    next_wake: datetime | None


def schedule_listing(
    previews: Sequence[Preview], never: Sequence[str], days: int, look: Look
) -> Listing:
    """The preview as people read it."""
    rows = [
        (
            look.name(one.key),
            one.schedule,
            look.time(one.next_sleep) if one.next_sleep else "never",
            look.time(one.next_wake) if one.next_wake else "by hand",
            f"{one.lead.total_seconds() / 60:.0f} min",
            f"{one.asleep_hours:.0f}",
            hours(one.asleep_hours * one.gpus),
        )
        for one in previews
    ]
    total = sum(one.asleep_hours * one.gpus for one in previews)
    title = (
        f"The next {days} days: {counted(len(rows), 'workload')} may sleep, "
        f"{hours(total)} GPU-hours in all; {look.times}"
    )
    sections = (Section("Left awake", tuple(never)),) if never else ()
    columns = ("Workload", "Awake", "Sleeps", "Wakes", ">Lead", ">Hours", ">GPU-h")
    return Listing(title, columns, rows, sections)


def schedule_document(
    previews: Sequence[Preview], never: Sequence[str], now: datetime
) -> dict[str, Any]:
    """The preview for programs. Times are ISO 8601 in UTC."""
    return {
        "schema": 1,
        "generated_at": now.isoformat(),
        "workloads": [
            {
                "cluster": one.key.cluster,
                "namespace": one.key.namespace,
                "kind": one.key.kind,
                "name": one.key.name,
                "awake": one.schedule,
                "windows": [[a.isoformat(), b.isoformat()] for a, b in one.windows],
                "asleep_hours": one.asleep_hours,
                "gpu_hours": one.asleep_hours * one.gpus,
                "lead_seconds": one.lead.total_seconds(),
                "lead_source": one.lead_source,
            }
            for one in previews
        ],
        "left_awake": list(never),
    }
