"""What became of sleep in the last day, and what of it is wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from analyzer.model import WorkloadKey
from analyzer.sleep import wake
from analyzer.sleep.model import STOPPED, UNTOLD, NotDone, Row, Slept

GRACE = timedelta(minutes=15)
"""How late something may be woken, or a change made that failed at first, before it is wrong. The
sleep job tries again each minute, and may wait for a server, another daemon or a wave."""


@dataclass(frozen=True, slots=True)
class Night:
    """What the ledger knows of one cluster: ``slept`` with those that ended up to two days before,
    ``open`` and ``waiting`` as they are now. ``ready_times`` are in seconds."""

    slept: Sequence[Slept] = ()
    open: Sequence[Row] = ()
    waiting: Sequence[Row] = ()
    not_done: Sequence[NotDone] = ()
    ready_times: Mapping[WorkloadKey, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """The day that is looked back on, and when that is done; aware UTC. ``now`` is never before
    ``end``, and later where the check was made up for."""

    begin: datetime
    end: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class Attention:
    """What the process that runs the sleep job knows beside the ledger: ``lines`` for people, and
    the workloads that sleep on because their schedule or a person says so by now (``rightly``)."""

    lines: tuple[str, ...] = ()
    rightly: Collection[WorkloadKey] = ()


@dataclass(frozen=True, slots=True)
class Unready:
    """Woken, and not ready. ``cause`` is empty while none was told; ``watched`` is whether anybody
    still looks whether it becomes so."""

    key: WorkloadKey
    woken_at: datetime
    cause: str
    watched: bool = True


@dataclass(frozen=True, slots=True)
class Undone:
    """A change that was tried ``times`` and not made, or only long after. ``result`` and
    ``detail`` are those of the last try, ``made_at`` is None if it never was."""

    key: WorkloadKey
    action: str
    result: str
    detail: str
    times: int
    first_at: datetime
    last_at: datetime
    made_at: datetime | None = None


Of = TypeVar("Of", Unready, Slept, Row, Undone)


@dataclass(frozen=True, slots=True)
class Morning:
    """``slept`` and ``woken`` count sleeps that began, and that we ended, within the span.

    ``late`` were ready only after their deadline, ``overslept`` are due since longer than
    ``GRACE``. ``unknown`` names clusters of which nothing can be told, and why: that alone is not
    wrong.
    """

    span: Span
    slept: int
    woken: int
    unready: tuple[Unready, ...] = ()
    late: tuple[Slept, ...] = ()
    overslept: tuple[Row, ...] = ()
    undone: tuple[Undone, ...] = ()
    attention: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def is_well(self) -> bool:
        wrong = (self.unready, self.late, self.overslept, self.undone, self.attention)
        return not any(wrong)


def morning(
    nights: Iterable[Night],
    span: Span,
    ready_deadline: timedelta,
    attention: Attention | None = None,
    unknown: Sequence[str] = (),
) -> Morning:
    """``attention`` is None where another process runs the sleep job. A workload has its usual
    time to become ready: the p90 of those measured, ``ready_deadline`` while they are too few."""
    found, told = list(nights), attention or Attention()
    sleeps = [one for night in found for one in night.slept]
    return Morning(
        span=span,
        slept=sum(_within(one.since, span) for one in sleeps),
        woken=sum(one.ended == "woken" and _within(one.until, span) for one in sleeps),
        unready=_in_order(one for night in found for one in _unready(night, span, ready_deadline)),
        late=_in_order(one for one in sleeps if one.cause and _within(one.ready_at, span)),
        overslept=_in_order(
            one
            for night in found
            for one in night.open
            if _overslept(one, span.now) and one.key not in told.rightly
        ),
        undone=_in_order(one for night in found for one in _undone(night)),
        attention=tuple(sorted(told.lines)),
        unknown=tuple(unknown),
    )


def _in_order(many: Iterable[Of]) -> tuple[Of, ...]:
    return tuple(sorted(many, key=lambda one: one.key))


def _within(at: datetime | None, span: Span) -> bool:
    return at is not None and span.begin <= at < span.end


def _unready(night: Night, span: Span, ready_deadline: timedelta) -> Iterator[Unready]:
    """Those that are waited for longer than usual, and those that were given up."""
    for row in night.waiting:
        usual = wake.usual(night.ready_times.get(row.key, ())) or ready_deadline
        if row.woken_at is not None and span.now - row.woken_at > usual:
            yield Unready(row.key, row.woken_at, row.cause)
    for one in _latest(night.slept, {row.uid for row in night.waiting}):
        given_up = one.cause and one.ready_at is None and one.cause not in (STOPPED, UNTOLD)
        if given_up and one.until is not None and _within(one.waited_until, span):
            yield Unready(one.key, one.until, one.cause, watched=False)


def _latest(slept: Sequence[Slept], waiting: Collection[str]) -> list[Slept]:
    """The last sleep of each workload, without those that are waited for anew."""
    last: dict[str, Slept] = {}
    for one in sorted(slept, key=lambda one: one.since):
        last[one.uid] = one
    return [one for uid, one in last.items() if uid not in waiting]


def _overslept(row: Row, now: datetime) -> bool:
    due = row.memory.wake_at
    return due is not None and now - due > GRACE


def _undone(night: Night) -> Iterator[Undone]:
    """One for each kind of change of a workload, unless it was made soon after it first failed."""
    tries: dict[tuple[WorkloadKey, str], list[NotDone]] = {}
    for one in night.not_done:
        tries.setdefault((one.key, one.action), []).append(one)
    for (key, action), many in tries.items():
        first, last = many[0], many[-1]
        made_at = _made_at(night.slept, last)
        if made_at is None or made_at - first.at > GRACE:
            yield Undone(
                key, action, last.result, last.detail, len(many), first.at, last.at, made_at
            )


def _made_at(slept: Sequence[Slept], tried: NotDone) -> datetime | None:
    """When what was tried in vain was so all the same, whoever did it."""
    mine = [one for one in slept if one.key == tried.key]
    times = {
        "sleep": [one.since for one in mine],
        "wake": [one.until for one in mine if one.until is not None],
    }
    return min((at for at in times.get(tried.action, ()) if at >= tried.at), default=None)
