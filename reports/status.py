"""What sleeps, since when, by whom, and what that saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from analyzer.model import WorkloadKey
from analyzer.sleep.model import Setting
from reports.listing import Listing, Section
from reports.plan import Look
from reports.text import UNKNOWN, counted, hours, money


@dataclass(frozen=True, slots=True)
class Asleep:
    """One sleeping workload. Hours and dollars are of this sleep so far, None when unknown;
    ``nodes_gone`` of ``nodes`` that it ran on are in the cluster no more."""

    key: WorkloadKey
    since: datetime
    by: str
    wakes_at: datetime | None
    before: Setting
    gpus: float | None
    usd_per_hour: float | None
    nodes: int = 0
    nodes_gone: int | None = None

    def gpu_hours(self, now: datetime) -> float | None:
        if self.gpus is None:
            return None
        return self.gpus * max(0.0, (now - self.since).total_seconds()) / 3600

    def usd(self, now: datetime) -> float | None:
        if self.usd_per_hour is None:
            return None
        return self.usd_per_hour * max(0.0, (now - self.since).total_seconds()) / 3600


@dataclass(frozen=True, slots=True)
class Saved:
    """What sleep saved in the last days. ``unpriced`` GPU-hours have no price; dollars are of GPU
    time that was not used: an invoice shrinks only where a node left."""

    days: int
    gpu_hours: float
    usd: float
    unpriced: float


@dataclass(frozen=True, slots=True)
class Status:
    """What sleeps, what it saved, and what a person has to look at."""

    asleep: Sequence[Asleep]
    saved: Saved | None
    attention: Sequence[str] = ()
    not_ready: Sequence[str] = ()


def status_listing(status: Status, look: Look) -> Listing:
    """The status as people read it."""
    now = look.now
    rows = [
        (
            look.name(one.key),
            look.time(one.since),
            one.by.removeprefix("person "),
            look.time(one.wakes_at),
            UNKNOWN if one.gpus is None else f"{one.gpus:g}",
            hours(one.gpu_hours(now)),
            money(one.usd(now)),
            _nodes(one),
        )
        for one in status.asleep
    ]
    sections = []
    if status.not_ready:
        sections.append(Section("Woken, not ready", tuple(status.not_ready)))
    if status.attention:
        sections.append(Section("Needs attention", tuple(status.attention)))
    if status.saved is not None:
        sections.append(Section("Saved", saved_lines(status)))
    columns = ("Workload", "Since", "By", "Wakes", ">GPUs", ">GPU-h", ">Cost", ">Nodes")
    asleep = f"{counted(len(rows), 'workload')} asleep; {look.times}"
    title = asleep if rows else "Nothing is asleep"
    return Listing(title, columns, rows, sections)


def _nodes(one: Asleep) -> str:
    if one.nodes_gone is None or not one.nodes:
        return UNKNOWN
    return f"{one.nodes_gone} of {one.nodes} left"


def saved_lines(status: Status) -> tuple[str, ...]:
    saved = status.saved
    assert saved is not None  # noqa: S101 - asked for only where there is
    lines = [
        f"last {saved.days} days: {hours(saved.gpu_hours)} GPU-hours not held, worth "
        f"{money(saved.usd)}"
        + (f" and {hours(saved.unpriced)} GPU-hours without a price" if saved.unpriced else "")
    ]
    known = [one for one in status.asleep if one.nodes_gone is not None and one.nodes]
    if known:
        gone = sum(one.nodes_gone or 0 for one in known)
        lines.append(
            f"of {sum(one.nodes for one in known)} nodes that the sleepers ran on, {gone} have "
            "left; only those shrink the bill"
        )
    return tuple(lines)


def status_document(status: Status, now: datetime) -> dict[str, Any]:
    """The status for programs. Times are ISO 8601 in UTC."""
    return {
        "schema": 1,
        "generated_at": now.isoformat(),
        "asleep": [
            {
                "cluster": one.key.cluster,
                "namespace": one.key.namespace,
                "kind": one.key.kind,
                "name": one.key.name,
                "since": one.since.isoformat(),
                "by": one.by,
                "wakes_at": one.wakes_at.isoformat() if one.wakes_at else None,
                "restores": one.before,
                "gpus": one.gpus,
                "gpu_hours": one.gpu_hours(now),
                "cost_usd": one.usd(now),
                "nodes": one.nodes,
                "nodes_gone": one.nodes_gone,
            }
            for one in status.asleep
        ],
        "saved": None
        if status.saved is None
        else {
            "days": status.saved.days,
            "gpu_hours": status.saved.gpu_hours,
            "usd": status.saved.usd,
            "unpriced_gpu_hours": status.saved.unpriced,
        },
        "not_ready": list(status.not_ready),
        "attention": list(status.attention),
    }
