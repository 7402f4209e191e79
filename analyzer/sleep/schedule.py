"""When a workload is to be awake: windows of local time, asked about moments of UTC."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from analyzer.sleep.grammar import BadSchedule, read_rules
from analyzer.sleep.windows import Interval, Rules, merged

__all__ = ["HORIZON", "BadSchedule", "Schedule", "parse_schedule"]

HORIZON = timedelta(days=400)
"""How far weekly windows are followed: more than a year, so that every holiday is met."""

_BLOCK = timedelta(days=32)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def parse_schedule(text: str, zone: str, holidays: str = "") -> Schedule:
    """The schedule that ``text`` describes; ``analyzer.sleep.grammar`` tells how.

    ``zone`` is the IANA time zone of windows that name none. ``holidays``, such as ``DE-BY`` or
    ``US``, removes weekly windows that start on a public holiday; empty, none is. Raises
    ``BadSchedule``.
    """
    text = text.strip()
    return Schedule(text, zone, holidays, read_rules(text, zone, holidays))


@dataclass(frozen=True, slots=True)
class Schedule:
    """Awake windows. Those that overlap or touch are one: merged.

    Every time is an aware datetime, the answers in UTC; a naive one raises ``TypeError``.
    """

    text: str
    zone: str
    holidays: str
    rules: Rules = field(repr=False, compare=False)

    def awake(self, at: datetime) -> bool:
        """Whether ``at`` is inside a window. Its start is, its end is not."""
        return self._block_at(at).index(at) is not None

    def awake_until(self, at: datetime) -> datetime | None:
        """The end of the merged window that holds ``at``; None when none does, or when no end is
        seen within the horizon."""
        block = self._block_at(at)
        index = block.index(at)
        if index is None:
            return None
        limit = self._limit(at)
        end = self._end(block, block.ends[index], limit)
        return end if end < limit else None

    def next_awake(self, after: datetime) -> datetime | None:
        """The start of the first merged window that starts after ``after``, not at it; None when
        none does within the horizon. Fixed windows alone are followed as far as they go."""
        block = self._block_at(after)
        index = bisect.bisect_right(block.begins, after)
        if index < len(block.begins):
            return block.begins[index]
        limit = self._limit(after)
        for later in self._after(block, limit):
            # A window that runs across the edge between two blocks does not start there.
            runs_on = bool(block.ends) and block.ends[-1] == block.over == later.first
            if len(later.begins) > runs_on:
                begin = later.begins[runs_on]
                return begin if begin <= limit else None
            block = later
        return None

    def windows(self, start: datetime, end: datetime) -> list[Interval]:
        """The merged windows that hold any moment from ``start`` to before ``end``, in order and
        whole; but one that starts or ends further than the horizon from them is cut there."""
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        if end <= start:
            return []
        first = self._block_at(start)
        blocks = [first, *self._after(first, end)]
        spans = merged(span for block in blocks for span in block.spans)
        found = [span for span in spans if span[0] < end and span[1] > start]
        if found:
            begin = self._begin(first, found[0][0], self._limit(start, -HORIZON))
            found[0] = (begin, found[0][1])
            over = self._end(blocks[-1], found[-1][1], self._limit(end))
            found[-1] = (found[-1][0], over)
        return found

    def _limit(self, at: datetime, reach: timedelta = HORIZON) -> datetime:
        """How far to look. Fixed windows alone are all known, so there is no need to stop."""
        if self.rules.weekly:
            return at + reach
        return _LAST if reach > timedelta(0) else _FIRST

    def _begin(self, block: _Block, begin: datetime, limit: datetime) -> datetime:
        """Where a span of ``block`` that starts at ``begin`` really does, at most at ``limit``."""
        while begin == block.first > limit:
            block = _block(self, block.number - 1)
            if not block.ends or block.ends[-1] != block.over:
                break
            begin = block.begins[-1]
        return max(begin, limit)

    def _end(self, block: _Block, end: datetime, limit: datetime) -> datetime:
        """Where a span of ``block`` that ends at ``end`` really does, at most at ``limit``."""
        while end == block.over < limit:
            block = _block(self, block.number + 1)
            if not block.begins or block.begins[0] != block.first:
                break
            end = block.ends[0]
        return min(end, limit)

    def _block_at(self, at: datetime) -> _Block:
        number = (at - _EPOCH) // _BLOCK
        return _block(self, number if self.rules.weekly else 0)

    def _after(self, block: _Block, until: datetime) -> Iterator[_Block]:
        while block.over < until:
            block = _block(self, block.number + 1)
            yield block


@dataclass(frozen=True, slots=True)
class _Block:
    """The merged windows from ``first`` to before ``over``, clipped to them."""

    number: int
    first: datetime
    over: datetime
    spans: tuple[Interval, ...]
    begins: tuple[datetime, ...]
    ends: tuple[datetime, ...]

    def index(self, at: datetime) -> int | None:
        """Which span holds ``at``."""
        index = bisect.bisect_right(self.begins, at) - 1
        return index if index >= 0 and at < self.ends[index] else None


@lru_cache(maxsize=4096)
def _block(schedule: Schedule, number: int) -> _Block:
    """A stretch of days since 1970, or all of time for fixed windows alone. Kept, because
    thousands of workloads share a few schedules and ask about the same days."""
    rules = schedule.rules
    if rules.weekly:
        first = _EPOCH + number * _BLOCK
        over = first + _BLOCK
        spans = tuple(rules.within(first, over))
    else:
        first, over, spans = _FIRST, _LAST, rules.fixed
    begins, ends = tuple(span[0] for span in spans), tuple(span[1] for span in spans)
    return _Block(number, first, over, spans, begins, ends)
