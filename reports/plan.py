"""What is about to be put to sleep or woken, as people read it before they say yes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from analyzer.model import WorkloadKey
from analyzer.sleep.model import Decided, Leave, Setting, Sleep, Target, Wake
from reports.listing import Listing, Section
from reports.text import counted, money

QUIET = frozenset({"no-gpus", "awake"})
"""Reasons that are only counted: nobody needs to know of each."""


def name_of(key: WorkloadKey, clusters: bool = False) -> str:
    """How lists call a workload."""
    name = f"{key.namespace}/{key.kind}/{key.name}"
    return f"{key.cluster}/{name}" if clusters else name


def setting(value: Setting) -> str:
    return "unset" if value is None else str(value).lower()


def clock(at: datetime | None, zone: tzinfo, now: datetime) -> str:
    """A time to the minute in ``zone``, without the date when it is today's."""
    if at is None:
        return "by hand"
    local = at.astimezone(zone)
    if local.date() == now.astimezone(zone).date():
        return local.strftime("%H:%M")
    near = abs(at - now) < timedelta(days=6)
    return local.strftime("%a %H:%M" if near else "%Y-%m-%d %H:%M")


@dataclass(frozen=True, slots=True)
class Look:
    """How times and clusters are written."""

    zone: tzinfo
    now: datetime
    clusters: bool = False

    def time(self, at: datetime | None) -> str:
        return clock(at, self.zone, self.now)

    @property
    def times(self) -> str:
        """Says whose clock the times are on."""
        return f"times in {self.zone}"

    def name(self, key: WorkloadKey) -> str:
        return name_of(key, self.clusters)


def plan_listing(
    title: str, decided: Sequence[Decided], usd: Mapping[str, float | None], look: Look
) -> Listing:
    """What a command is about to do. ``usd`` is dollars an hour by uid, None when unknown."""
    changing = [one for one in decided if not isinstance(one.decision, Leave) or _writes(one)]
    rows = []
    for one in changing:
        now, then, gpus = _change(one)
        cost = usd.get(one.target.uid)
        rows.append(
            (
                look.name(one.target.key),
                f"{now} → {then}",
                f"{gpus:g}",
                money(cost),
                _when(one, look),
            )
        )
    total = sum(_change(one)[2] for one in changing)
    known = [cost for one in changing if (cost := usd.get(one.target.uid)) is not None]
    partial = len(known) < len(changing)
    summary = f"{title}: {counted(len(changing), 'workload')}, {total:g} GPUs"
    if known:
        summary += f", {'at least ' if partial else ''}{money(sum(known))} an hour"
    if rows:
        summary += f"; {look.times}"
    columns = ("Workload", "Change", ">GPUs", ">$/h", "Until")
    return Listing(summary, columns, rows, left_out(decided, look))


def _writes(decided: Decided) -> bool:
    return isinstance(decided.decision, Leave) and decided.decision.forget is not None


def _change(one: Decided) -> tuple[str, str, float]:
    """Setting now and then, and the GPUs that change hands."""
    decision, target = one.decision, one.target
    now = _state(target, target.setting)
    if isinstance(decision, Sleep):
        freed = target.gpus - (target.gpus_at(decision.memory.slept_to) if target.counts else 0)
        return now, _state(target, decision.memory.slept_to), max(0.0, freed)
    if isinstance(decision, Wake):
        before = decision.memory.before
        return now, _state(target, before), target.gpus_at(before)
    return now, now, 0.0


def _state(target: Target, value: Setting) -> str:
    """Replicas where they are counted; else whether it runs."""
    if target.counts:
        return setting(value)
    return "stopped" if value == target.stop else "runs"


def _when(one: Decided, look: Look) -> str:
    decision = one.decision
    if isinstance(decision, Sleep):
        return look.time(decision.memory.wake_at)
    if isinstance(decision, Wake):
        return look.time(decision.keep_awake) if decision.keep_awake else "scheduled"
    return look.time(decision.forget.keep_awake) if decision.forget else ""


def left_out(decided: Sequence[Decided], look: Look) -> tuple[Section, ...]:
    """Those that nothing is done to, each with the reason; the dull ones only counted."""
    lines, dull = [], Counter[str]()
    for one in decided:
        decision = one.decision
        if not isinstance(decision, Leave) or decision.forget is not None:
            continue
        if decision.reason in QUIET:
            dull[decision.reason] += 1
        else:
            lines.append(f"{look.name(one.target.key)}: {decision.reason} ({decision.evidence})")
    lines += [f"{counted(n, 'workload')}: {reason}" for reason, n in sorted(dull.items())]
    return (Section("Left out", tuple(lines)),) if lines else ()
