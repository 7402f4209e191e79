"""What is written to the ledger and read back from it. Times are aware UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from analyzer.model import WorkloadKey
from analyzer.sleep.limits import Census
from analyzer.sleep.model import Hold, Memory, Row, Setting


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one workload: an intent until its outcome is known.

    ``action`` is ``sleep``, ``wake``, ``forget`` or ``keep-awake``. ``replace_memory`` is set when
    the workload was seen awake, so that a memory of an earlier sleep no longer holds; ``reverted``
    when it repeats a sleep that a GitOps tool undid. ``hold`` is written down with the intent.
    """

    key: WorkloadKey
    uid: str
    action: str
    who: str
    why: str
    from_: Setting
    to: Setting
    at: datetime
    run_id: str = ""
    memory: Memory | None = None
    gpus: float = 0.0
    usd_per_hour: float | None = None
    nodes: tuple[str, ...] = ()
    scales: tuple[str, ...] = ()
    replace_memory: bool = False
    reverted: bool = False
    hold: Hold | None = None
    id: int = 0
    outcome: str = ""
    detail: str = ""
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a change: ``done``, ``failed``, ``skipped``, or ``superseded`` by a later
    intent of the same run."""

    change_id: int
    at: datetime
    result: str
    detail: str = ""


Ended = Literal["gone", "left-awake"]
"""How a sleep ended without us: its workload was deleted, or somebody else woke it."""


@dataclass(frozen=True, slots=True)
class Waited:
    """What waiting for a woken workload brought. ``ready_at`` is set when it was seen to become
    ready, ``cause`` when it is late, ``until`` when the waiting is over."""

    uid: str
    ready_at: datetime | None = None
    until: datetime | None = None
    cause: str = ""


@dataclass(frozen=True, slots=True)
class TickState:
    """All that a run has to know from the ledger; empty when there is none."""

    open: Mapping[str, Row] = field(default_factory=dict)
    """Sleeps that have not ended, by uid."""
    waiting: Sequence[Row] = ()
    """Woken and not ready yet, the latest sleep of each."""
    holds: Mapping[str, Hold] = field(default_factory=dict)
    unfinished: Sequence[Change] = ()
    """Intents whose outcome nobody wrote down."""
    baseline: Mapping[str, Census] = field(default_factory=dict)
    looked_at: datetime | None = None
    """When the run before this one was."""
    ready_times: Mapping[WorkloadKey, Sequence[float]] = field(default_factory=dict)
    """Seconds from waking to ready, the latest ones of each workload."""
