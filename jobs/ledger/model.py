"""What is written to the ledger and read back from it. Times are aware UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from analyzer.model import WorkloadKey
from analyzer.sleep.limits import Census
from analyzer.sleep.model import Hold, Memory, Row, Setting


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one workload: an intent until its outcome is known.

    ``action`` is ``sleep``, ``wake``, ``forget`` or ``keep-awake``. ``replace_memory`` is set when
    the workload was seen awake, so that a memory of an earlier sleep no longer holds.
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
    replace_memory: bool = False
    id: int = 0
    outcome: str = ""
    detail: str = ""
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a change: ``done``, ``failed``, ``skipped``."""

    change_id: int
    at: datetime
    result: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TickState:
    """All that a run has to know from the ledger; empty when there is none."""

    open: Mapping[str, Row] = field(default_factory=dict)
    """Sleeps that have not ended, by uid."""
    waiting: Sequence[Row] = ()
    """Woken and not ready yet."""
    holds: Mapping[str, Hold] = field(default_factory=dict)
    unfinished: Sequence[Change] = ()
    """Intents whose outcome nobody wrote down."""
    baseline: Mapping[str, Census] = field(default_factory=dict)
    ready_times: Mapping[WorkloadKey, Sequence[float]] = field(default_factory=dict)
    """Seconds from waking to ready, the latest ones of each workload."""


@dataclass(frozen=True, slots=True)
class Slept:
    """One sleep, for what it saved. ``until`` is None while it lasts."""

    key: WorkloadKey
    uid: str
    since: datetime
    until: datetime | None
    gpus: float
    usd_per_hour: float | None
    nodes: tuple[str, ...]
    by: str
    ready_at: datetime | None = None
    cause: str = ""
