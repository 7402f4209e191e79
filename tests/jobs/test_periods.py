"""Periods against an oracle that walks through time minute by minute on the local clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from analyzer.config import WeekTime
from jobs.periods import Daily, EveryMinute, Hourly, Weekly, next_period, week

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",  # puts its clock forward at midnight
    "Australia/Lord_Howe",  # by half an hour
    "Asia/Kathmandu",
    "Pacific/Apia",
    "America/St_Johns",
)
MINUTE = timedelta(minutes=1)


def walked(zone: ZoneInfo, begin: datetime, end: datetime, at: time) -> dict[date, datetime]:
    """Of each local date the first minute whose clock shows ``at`` or later."""
    found: dict[date, datetime] = {}
    moment = begin
    while moment <= end:
        local = moment.astimezone(zone)
        if local.time() >= at:
            found.setdefault(local.date(), moment)
        moment += MINUTE
    return found


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("at", [time(0, 0), time(0, 30), time(2, 30), time(9, 0), time(23, 45)])
def test_a_day_has_one_period_at_its_time_also_when_clocks_change(name: str, at: time) -> None:
    zone = ZoneInfo(name)
    for month in (3, 4, 10, 11):
        begin = datetime(2026, month, 1, tzinfo=UTC)
        end = begin + timedelta(days=16) if month in (4, 11) else begin + timedelta(days=32)
        expected = {f"{day}": due for day, due in walked(zone, begin, end, at).items()}
        got = {one.key: one.due for one in Daily(at, zone).periods(begin - MINUTE, end)}
        first = f"{begin.astimezone(zone).date()}"
        # What is left of the first day may begin after its time.
        expected.pop(first, None), got.pop(first, None)
        assert got == expected, (name, at, month)


@pytest.mark.parametrize("name", ZONES)
def test_a_week_is_about_the_week_before_and_none_is_missing(name: str) -> None:
    zone = ZoneInfo(name)
    cadence = Weekly(WeekTime(0, time(0, 30)), zone)
    begin = datetime(2025, 12, 1, tzinfo=UTC)
    found = list(cadence.periods(begin, begin + timedelta(days=400)))
    assert len({one.key for one in found}) == len(found) >= 57
    for one, following in pairwise(found):
        assert one.end == following.begin
        assert one.end <= one.due < one.end + timedelta(hours=2)
        monday = one.begin.astimezone(zone)
        assert (monday.weekday(), monday.time()) == (0, time(0))
        year, number, _ = monday.isocalendar()
        assert one.key == f"{year}-W{number:02}"


def test_the_week_of_a_clock_change_has_167_or_169_hours() -> None:
    zone = ZoneInfo("Europe/Berlin")
    hours = [
        (end - begin).total_seconds() / 3600
        for begin, end in (week(date(2026, 3, 23), zone), week(date(2026, 10, 19), zone))
    ]
    assert hours == [167, 169]


def test_hours_are_named_by_their_start_and_wait_for_their_samples() -> None:
    cadence = Hourly(timedelta(minutes=5))
    at = datetime(2026, 3, 29, 1, 5, tzinfo=UTC)
    (one,) = cadence.periods(at - MINUTE, at)
    assert (one.key, one.begin.hour, one.end.hour, one.due) == ("2026-03-29T00:00Z", 0, 1, at)
    assert not list(cadence.periods(at, at + timedelta(minutes=59)))


def test_any_way_of_cutting_time_up_gives_the_same_periods() -> None:
    zone = ZoneInfo("America/Havana")
    begin = datetime(2026, 3, 6, tzinfo=UTC)
    end = begin + timedelta(days=4)
    for cadence in (EveryMinute(), Hourly(timedelta(minutes=50)), Daily(time(0, 15), zone)):
        whole = list(cadence.periods(begin, end))
        cuts = [begin + timedelta(minutes=37 * n) for n in range(int(96 * 60 / 37) + 1)] + [end]
        parts = [one for a, b in pairwise(cuts) for one in cadence.periods(a, b)]
        assert parts == whole
        assert next_period(cadence, begin) == whole[0]


def test_the_day_that_a_calendar_left_out_has_no_period() -> None:
    zone = ZoneInfo("Pacific/Apia")
    begin = datetime(2011, 12, 28, tzinfo=UTC)
    keys = [one.key for one in Daily(time(8), zone).periods(begin, begin + timedelta(days=4))]
    assert "2011-12-30" not in keys
    assert {"2011-12-29", "2011-12-31"} <= set(keys)


def test_a_delay_moves_the_moment_and_not_the_name() -> None:
    zone = ZoneInfo("UTC")
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    plain = list(Daily(time(23, 50), zone).periods(begin, begin + timedelta(days=3)))
    late = list(
        Daily(time(23, 50), zone, timedelta(minutes=30)).periods(begin, begin + timedelta(days=3))
    )
    # The delay takes each past midnight: of three, the last falls out and one from before comes in.
    assert [one.key for one in plain] == ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert [one.key for one in late] == ["2025-12-31", "2026-01-01", "2026-01-02"]
    assert [one.due for one in late[1:]] == [one.due + timedelta(minutes=30) for one in plain[:2]]
