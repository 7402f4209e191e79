"""Schedules: the grammar, and every minute of the hard days against an independent oracle."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.sleep.schedule import BadSchedule, Schedule, parse_schedule

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MINUTE = timedelta(minutes=1)

# Days around both clock changes, as the zones' authorities set them.
HARD_DAYS = {
    "Europe/Berlin": (date(2026, 3, 29), date(2026, 10, 25)),
    "Europe/Dublin": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "America/St_Johns": (date(2026, 3, 8), date(2026, 11, 1)),
    "America/Santiago": (date(2026, 4, 5), date(2026, 9, 6)),
    "America/Sao_Paulo": (date(2018, 2, 18), date(2018, 11, 4)),
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),
    "Pacific/Chatham": (date(2026, 4, 5), date(2026, 9, 27)),
    "Africa/Cairo": (date(2026, 4, 24), date(2026, 10, 30)),
    "Asia/Beirut": (date(2026, 3, 29), date(2026, 10, 25)),
    "Asia/Kathmandu": (date(2026, 3, 29), date(2026, 10, 25)),
    "Pacific/Apia": (date(2011, 12, 30), date(2021, 4, 4)),
}
LEAP_WEEK = date(2028, 2, 26)

WINDOWS = (
    ((0, 1, 2, 3, 4), time(8), time(20)),
    ((0, 1, 2, 3, 4, 5, 6), time(22), time(6)),
    ((6,), time(2, 30), time(12)),
    ((5, 6, 0), time(0), time(2, 15)),
    ((4, 5), time(18), time(1, 45)),
    ((0, 1, 2, 3, 4, 5, 6), time(0, 30), time(3)),
)


def text_of(days: tuple[int, ...], begin: time, end: time) -> str:
    return f"{','.join(DAYS[day] for day in days)} {begin:%H:%M}-{end:%H:%M}"


def minutes(first: date, days: int, zone: ZoneInfo) -> list[datetime]:
    """Every minute of UTC from the first local midnight, or soon after, on."""
    at = datetime.combine(first, time(), zone).astimezone(UTC)
    return [at + i * MINUTE for i in range(days * 1440)]


class Walk:
    """The oracle: walks through time minute by minute with a clock on the wall, and opens and
    closes windows when that clock passes their times. It never turns local time into UTC."""

    def __init__(self, days: tuple[int, ...], begin: time, end: time) -> None:
        self.days, self.begin, self.end = days, begin, end
        self.over_midnight = end <= begin

    def open_days(self, local: list[datetime]) -> list[bool]:
        """For each minute, whether some window that began on some day is open."""
        begun: dict[date, int] = {}
        ended: dict[date, int] = {}
        for index, at in enumerate(local):
            wall = at.replace(tzinfo=None)
            for back in (0, 1, 2):
                day = wall.date() - timedelta(days=back)
                if wall >= datetime.combine(day, self.begin):
                    # The first time that the wall shows the beginning, or has jumped over it.
                    begun.setdefault(day, index)
                last = day + timedelta(days=1) if self.over_midnight else day
                end = datetime.combine(last, self.end)
                if wall <= end:
                    # The last time that the wall shows the end, or has jumped over it.
                    ended[day] = index + (wall < end)
        opened = [False] * len(local)
        for day, first in begun.items():
            if day.weekday() in self.days:
                for index in range(first, ended.get(day, first)):
                    opened[index] = True
        return opened


@pytest.mark.parametrize("zone_name", HARD_DAYS)
@pytest.mark.parametrize("window", WINDOWS, ids=lambda w: text_of(*w))
def test_every_minute_of_the_clock_changes_and_a_leap_week(
    zone_name: str, window: tuple[tuple[int, ...], time, time]
) -> None:
    zone = ZoneInfo(zone_name)
    schedule = parse_schedule(text_of(*window), zone_name)
    for middle, around in (
        (HARD_DAYS[zone_name][0], 4),
        (HARD_DAYS[zone_name][1], 4),
        (LEAP_WEEK, 9),
    ):
        walked = minutes(middle - timedelta(days=4), around + 5, zone)
        local = [at.astimezone(zone) for at in walked]
        expected = Walk(*window).open_days(local)
        # The first two days only fill the oracle's memory, the last is cut off by its end.
        for at, is_open in list(zip(walked, expected, strict=True))[2 * 1440 : -2 * 1440]:
            assert schedule.awake(at) == is_open, (zone_name, at.astimezone(zone))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("text", "zone", "awake", "asleep"),
    [
        ("Mon-Fri 08:00-20:00", BERLIN, "2026-11-24T08:00+01:00", "2026-11-24T20:00+01:00"),
        ("Mon-Fri 08:00-20:00", BERLIN, "2026-11-24T19:59:59+01:00", "2026-11-28T12:00+01:00"),
        (
            "mon-fri 08:00-20:00 Asia/Tokyo",
            BERLIN,
            "2026-11-24T00:30+01:00",
            "2026-11-24T12:30+01:00",
        ),
        ("Fri-Mon 10:00-11:00", "UTC", "2026-11-29T10:30+00:00", "2026-11-25T10:30+00:00"),
        ("08:00-24:00", "UTC", "2026-11-28T23:59+00:00", "2026-11-28T07:59+00:00"),
        ("Mon,Wed 08:00-09:00, Sat 10:00-11:00", "UTC", "2026-11-28T10:00Z", "2026-11-24T08:30Z"),
        ("Mon,Wed 08:00-09:00, Sat 10:00-11:00", "UTC", "2026-11-25T08:30Z", "2026-11-28T08:30Z"),
        ("Fri 22:00-06:00", "UTC", "2026-11-28T05:00Z", "2026-11-27T05:00Z"),
        ("always", "UTC", "2026-11-28T05:00Z", ""),
        ("never", "UTC", "", "2026-11-24T12:00Z"),
        ("2026-12-24T08:00-2026-12-24T20:00", BERLIN, "2026-12-24T07:30Z", "2026-12-24T19:30Z"),
        ("Mon 00:00-24:00, Tue 00:00-08:00", "UTC", "2026-11-24T07:00Z", "2026-11-24T08:00Z"),
    ],
)
def test_what_windows_mean(text: str, zone: str, awake: str, asleep: str) -> None:
    schedule = parse_schedule(text, zone)
    if awake:
        assert schedule.awake(utc(awake))
    if asleep:
        assert not schedule.awake(utc(asleep))


def test_begin_and_end_of_windows() -> None:
    schedule = parse_schedule("Mon-Fri 08:00-20:00", BERLIN)
    friday = utc("2026-11-27T12:00+01:00")
    assert schedule.awake_until(friday) == utc("2026-11-27T20:00+01:00")
    assert schedule.next_awake(friday) == utc("2026-11-30T08:00+01:00")
    assert schedule.awake_until(utc("2026-11-28T12:00+01:00")) is None
    assert parse_schedule("never", "UTC").next_awake(friday) is None
    assert parse_schedule("always", "UTC").awake_until(friday) is None
    # Windows that touch are one.
    joined = parse_schedule("Mon 08:00-24:00, Tue 00:00-12:00", "UTC")
    assert joined.awake_until(utc("2026-11-30T09:00Z")) == utc("2026-12-01T12:00Z")


def test_the_days_of_the_clock_changes() -> None:
    schedule = parse_schedule("02:30-04:00", BERLIN)
    # 2026-03-29: 02:00 becomes 03:00, so the window begins with the change itself.
    assert schedule.next_awake(utc("2026-03-29T00:00+01:00")) == utc("2026-03-29T01:00Z")
    # 2026-10-25: 02:30 happens twice, the first counts; 04:00 comes once.
    assert schedule.next_awake(utc("2026-10-25T00:00+02:00")) == utc("2026-10-25T00:30Z")
    assert schedule.awake_until(utc("2026-10-25T00:45Z")) == utc("2026-10-25T03:00Z")
    ends = parse_schedule("00:00-02:30", BERLIN)
    # An end that happens twice is the second one.
    assert ends.awake_until(utc("2026-10-24T22:30Z")) == utc("2026-10-25T01:30Z")


def test_public_holidays_have_no_weekly_window() -> None:
    epiphany = utc("2026-01-06T12:00+01:00")  # a Tuesday, a holiday in Bavaria alone
    text = "Mon-Fri 08:00-20:00"
    assert not parse_schedule(text, BERLIN, "DE-BY").awake(epiphany)
    assert parse_schedule(text, BERLIN, "DE").awake(epiphany)
    assert parse_schedule(text, BERLIN).awake(epiphany)
    absolute = f"{text}, 2026-01-06T10:00-2026-01-06T14:00"
    assert parse_schedule(absolute, BERLIN, "DE-BY").awake(epiphany)
    # Independence Day of 2026 is a Saturday, observed on the Friday before.
    assert not parse_schedule(text, "America/New_York", "US").awake(utc("2026-07-03T12:00-04:00"))
    before = utc("2026-01-05T21:00+01:00")
    assert parse_schedule(text, BERLIN, "DE-BY").next_awake(before) == utc("2026-01-07T08:00+01:00")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ",",
        "Mon-Fri",
        "Mon-Foo 08:00-20:00",
        "Mon-Fri 8-20",
        "Mon-Fri 08:00-25:00",
        "Mon-Fri 24:00-08:00",
        "Mon-Fri 08:60-20:00",
        "Mon-Fri 08:00-08:00",
        "Mon-Fri 08:00-20:00 Europe/Berln",
        "Mon-Fri 08:00-20:00 +01:00",
        "2026-12-24T20:00-2026-12-24T08:00",
        "2026-02-30T08:00-2026-03-01T08:00",
        "always, Mon 08:00-09:00",
        "Mon-Fri 08:00-20:00;",
        "Mon-Fri\n08:00-20:00\x00",
        "x" * 5000,
    ],
)
def test_what_is_no_schedule_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(BadSchedule) as refused:
        parse_schedule(text, "UTC")
    message = str(refused.value)
    assert message.isprintable()
    assert len(message) < 500


def test_unknown_holidays_are_refused() -> None:
    for code in ("XX", "DE-XX", "germany"):
        with pytest.raises(BadSchedule):
            parse_schedule("Mon 08:00-20:00", "UTC", code)


WORDS = [
    "Mon",
    "Fri",
    "-",
    ",",
    "08:00",
    "20:00",
    "08:00-20:00",
    "T",
    "Z",
    "+",
    "2026-01-01",
    "always",
    "UTC",
]
CLOCKS = st.times().map(lambda t: t.replace(second=0, microsecond=0))
SPANS = st.builds(
    lambda days, begin, end: text_of(tuple(sorted(days)), begin, end),
    st.sets(st.integers(0, 6), min_size=1),
    CLOCKS,
    CLOCKS,
).filter(lambda text: text.split()[-1].split("-")[0] != text.split()[-1].split("-")[1])
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(
    lambda at: at.replace(tzinfo=UTC)
)


@settings(deadline=None, max_examples=150)
@given(
    texts=st.lists(SPANS, min_size=1, max_size=3),
    zone=st.sampled_from(sorted(HARD_DAYS)),
    at=MOMENTS,
)
def test_the_answers_agree_with_each_other(texts: list[str], zone: str, at: datetime) -> None:
    schedule = parse_schedule(", ".join(texts), zone)
    windows = schedule.windows(at - timedelta(days=15), at + timedelta(days=15))
    assert windows == sorted(windows)
    assert all(begin < end for begin, end in windows)
    assert all(one[1] < other[0] for one, other in pairwise(windows))
    inside = [(begin, end) for begin, end in windows if begin <= at < end]
    assert schedule.awake(at) == bool(inside)
    until = schedule.awake_until(at)
    if until is not None:
        assert inside[0][1] == until
        assert not schedule.awake(until)
    following = schedule.next_awake(at)
    later = [begin for begin, _ in windows if begin > at]
    if following is not None and later:
        assert following == later[0]
        assert schedule.awake(following)


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=60) | st.lists(st.sampled_from(WORDS)).map(" ".join))
def test_any_text_is_a_schedule_or_refused(text: str) -> None:
    message = ""
    try:
        assert isinstance(parse_schedule(text, "UTC"), Schedule)
    except BadSchedule as refused:
        message = str(refused)
    assert message.isprintable()
