"""Awake windows: the smallest that hold all use, and what is asleep outside them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pytest

from analyzer.advice import Recommendation, Refusal
from analyzer.config.sizing import SleepOvernightConfig
from analyzer.model import STEP_S, Window
from analyzer.sizing.case import Case, Floor
from analyzer.sizing.sleep_overnight import sleep_overnight
from analyzer.sleep.schedule import parse_schedule
from tests.analyzer.sizing.cases import A100, book, case, served
from tests.builders import gpu_use, node_class, window

BERLIN = "Europe/Berlin"
DEFAULT = SleepOvernightConfig()
Values = npt.NDArray[np.float64]


def asked(one: Case, zone: str = "UTC", **config: Any) -> Recommendation | Refusal:
    return sleep_overnight(one, SleepOvernightConfig(**config), ZoneInfo(zone), zone)


def advised(one: Case, zone: str = "UTC", **config: Any) -> Recommendation:
    found = asked(one, zone, **config)
    assert isinstance(found, Recommendation), found
    return found


def refused(one: Case, zone: str = "UTC", **config: Any) -> Refusal:
    found = asked(one, zone, **config)
    assert isinstance(found, Refusal), found
    assert found.action == "sleep-overnight"
    return found


def on(zone: str, days: str, start: str, end: str, span: Window | None = None) -> Values:
    """1 in the steps of which any moment is in these local windows, else 0."""
    schedule = parse_schedule(f"{days} {start}-{end}", zone)
    span = span or window()
    at = [span.start + timedelta(seconds=STEP_S * i) for i in range(span.steps)]
    return np.array([float(schedule.awake(moment)) for moment in at])


def test_the_worked_example() -> None:
    # Used from 8:00 to 19:30 in Berlin on weekdays, on 2 GPUs.
    one = case(allocated=2.0, work=on(BERLIN, "Mon-Fri", "08:00", "19:30"))
    found = advised(one, BERLIN)
    assert (found.before, found.after) == ("always", "Mon-Fri 07:30-20:00 Europe/Berlin")
    # 168 h less 5 x 12.5 h are 105.5 h, on 2 GPUs: 211 GPU-hours at $3.43.
    assert found.saving.gpu_hours_per_week == pytest.approx(211)
    assert found.saving.worth_usd_per_month == pytest.approx(211 * 3.43 * 730 / 168)
    assert found.saving.worth_usd_per_month == pytest.approx(3144.78, abs=0.01)
    assert found.saving.usd_per_month is None
    assert found.evidence["night_hours"] == 11.5
    assert found.evidence["used_from"] == "08:00"
    assert found.evidence["used_until"] == "19:30"
    assert found.evidence["asleep_hours_per_week"] == 105.5
    assert found.confidence.level == "medium"


def test_margins_are_rounded_outwards() -> None:
    one = case(work=on("UTC", "Mon-Fri", "08:10", "19:05"))
    assert advised(one, margin=timedelta(0)).after == "Mon-Fri 08:00-19:30 UTC"
    assert advised(one, margin=timedelta(minutes=1)).after == "Mon-Fri 07:30-20:00 UTC"
    assert advised(one, margin=timedelta(minutes=31)).after == "Mon-Fri 07:00-20:30 UTC"


@pytest.mark.parametrize(
    ("days", "start", "end", "after"),
    [
        ("Mon-Fri", "08:00", "19:30", "Mon-Fri 07:30-20:00 UTC"),
        ("Tue", "08:00", "19:30", "Mon-Fri 07:30-20:00 UTC"),
        ("Mon-Sat", "08:00", "19:30", "Mon-Sun 07:30-20:00 UTC"),
        ("Sun", "08:00", "19:30", "Mon-Sun 07:30-20:00 UTC"),
        ("Mon-Fri", "12:00", "23:30", "Mon-Fri 11:30-24:00 UTC"),
        ("Mon-Fri", "00:30", "12:00", "Mon-Fri 00:00-12:30 UTC"),
        # Past midnight: the last ends on a Saturday.
        ("Mon-Fri", "18:00", "02:00", "Mon-Fri 17:30-02:30 UTC"),
        ("Sun-Thu", "18:00", "02:00", "Sun-Thu 17:30-02:30 UTC"),
        ("Mon-Fri", "00:00", "08:00", "Sun-Thu 23:30-08:30 UTC"),
        ("Sun-Fri", "18:00", "02:00", "Sun-Fri 17:30-02:30 UTC"),
        ("Mon-Sun", "18:00", "02:00", "Mon-Sun 17:30-02:30 UTC"),
    ],
)
def test_the_smallest_windows_that_hold_all_use(
    days: str, start: str, end: str, after: str
) -> None:
    span = window(14 * 24)
    one = case(span=span, work=on("UTC", days, start, end, span))
    assert advised(one).after == after


def test_the_longer_of_two_pauses_is_the_night() -> None:
    work = on("UTC", "Mon-Fri", "06:00", "08:00") + on("UTC", "Mon-Fri", "15:00", "18:00")
    assert advised(case(work=work)).after == "Mon-Fri 05:30-18:30 UTC"
    # Of two that are equally long, the one that begins later in the day.
    work = on("UTC", "Mon-Fri", "06:00", "07:00") + on("UTC", "Mon-Fri", "18:00", "19:00")
    assert advised(case(work=work)).after == "Mon-Fri 05:30-19:30 UTC"


def test_one_step_on_one_day_keeps_its_half_hour_awake() -> None:
    work = on("UTC", "Mon-Fri", "09:00", "17:00")
    work[288 + 12 * 3] = 0.01  # Tuesday, 03:00.
    assert advised(case(work=work)).after == "Mon-Fri 02:30-17:30 UTC"
    work[288 + 12 * 3] = 0.009
    assert advised(case(work=work)).after == "Mon-Fri 08:30-17:30 UTC"


@pytest.mark.parametrize("what", ["running", "waiting", "waiting_peak", "generated", "finished"])
def test_requests_and_tokens_are_use(what: str) -> None:
    work = on("UTC", "Mon-Fri", "09:00", "17:00")
    late = np.zeros(2016)
    late[12 * 20] = 0.1  # Monday, 20:00.
    server = served(**{what: late}, requests=None)
    assert advised(case(work=work, serving=server)).after == "Mon-Fri 08:30-21:00 UTC"


def test_what_was_not_measured_counts_as_use() -> None:
    work = on("UTC", "Mon-Fri", "09:00", "17:00")
    seen = np.ones(2016)
    seen[12 * 20 : 12 * 21] = 0.89
    found = advised(case(work=work, observed=seen))
    assert found.after == "Mon-Fri 08:30-21:30 UTC"
    assert found.evidence["unmeasured_hours"] == 1
    seen[12 * 20 : 12 * 21] = 0.9
    assert advised(case(work=work, observed=seen)).after == "Mon-Fri 08:30-17:30 UTC"
    seen[12 * 20 : 12 * 21] = np.nan
    assert advised(case(work=work, observed=seen)).after == "Mon-Fri 08:30-21:30 UTC"
    odd = work.copy()
    odd[12 * 20] = np.nan
    assert advised(case(work=odd)).after == "Mon-Fri 08:30-21:00 UTC"


def test_a_server_that_was_not_heard_counts_as_use() -> None:
    work = on("UTC", "Mon-Fri", "09:00", "17:00")
    running = np.zeros(2016)
    running[12 * 20] = np.nan
    assert advised(case(work=work, serving=served(running=running))).after == (
        "Mon-Fri 08:30-21:00 UTC"
    )
    heard = np.ones(2016)
    heard[12 * 20] = 0.8
    assert advised(case(work=work, serving=served(heard=heard))).after == "Mon-Fri 08:30-21:00 UTC"
    assert refused(case(work=work, serving=served(running=np.nan))).code == "no-night"


def test_what_it_does_not_hold_is_quiet_and_frees_nothing() -> None:
    span = window(14 * 24)
    work = on("UTC", "Mon-Fri", "09:00", "17:00", span)
    held = on("UTC", "Mon-Fri", "08:00", "20:00", span)
    found = advised(case(span=span, allocated=held, work=work))
    assert found.after == "Mon-Fri 08:30-17:30 UTC"
    # Of 12 h a day 9 h are awake.
    assert found.saving.gpu_hours_per_week == pytest.approx(15)
    assert refused(case(span=span, allocated=work, work=work)).code == "asleep-already"


def test_never_used_at_all() -> None:
    found = refused(case())
    assert found.code == "never-used"
    assert "never" in found.reason
    assert "removed" in found.reason


@pytest.mark.parametrize(("end", "good"), [("17:00", True), ("17:30", False)])
def test_the_shortest_night(end: str, good: bool) -> None:
    # From 00:00 on; with a margin of 30 minutes on both sides 6 h are left until 17:00.
    one = case(work=on("UTC", "Mon-Fri", "00:00", end))
    if good:
        assert advised(one).evidence["night_hours"] == 6
    else:
        found = refused(one)
        assert found.code == "no-night"
        assert "from 00:00 to 17:30" in found.reason
        assert advised(one, shortest=timedelta(hours=5))
    assert refused(case(work=1.0)).code == "no-night"


def test_restarts_every_hour_prove_nothing() -> None:
    seen = np.ones(2016)
    seen[::12] = 0.5
    found = refused(case(observed=seen))
    assert found.code == "no-night"
    assert "14.0 h that were not measured" in found.reason


@pytest.mark.parametrize("kind", ["Job", "CronJob", "Pod", "DaemonSet", "RayJob", "PyTorchJob"])
def test_kinds_that_run_to_their_end(kind: str) -> None:
    assert refused(case(kind=kind, work=on("UTC", "Mon", "09:00", "10:00"))).code == "kind"


@pytest.mark.parametrize(
    "kind", ["Deployment", "StatefulSet", "Rollout", "LeaderWorkerSet", "RayCluster"]
)
def test_kinds_that_may_sleep(kind: str) -> None:
    assert advised(case(kind=kind, work=on("UTC", "Mon-Fri", "09:00", "10:00")))


def test_environments() -> None:
    work = on("UTC", "Mon-Fri", "09:00", "17:00")
    everything = ("production", "unknown", "staging")
    for environment in ("production", "unknown"):
        one = case(work=work, environment=environment)
        assert refused(one, environments=everything).code == "environment"
    staging = case(work=work, environment="staging")
    assert refused(staging).code == "environment"
    assert advised(staging, environments=everything)


def test_what_has_a_schedule_or_was_told_no_keeps_it() -> None:
    found = refused(case(sleeps="it has a schedule: never", work=1.0))
    assert (found.code, found.reason) == ("scheduled", "it has a schedule: never")


def test_five_weekdays_have_to_be_seen() -> None:
    floor = Floor(history=timedelta(days=2))
    span = window(6 * 24)  # From Tuesday on.
    work = on("UTC", "Mon-Fri", "09:00", "17:00", span)
    assert refused(case(span=span, work=work, floor=floor)).code == "few-weekdays"


def test_a_weekend_that_was_not_seen_is_not_slept_through() -> None:
    floor = Floor(history=timedelta(days=2))
    span = window(5 * 24, datetime(2026, 11, 21, tzinfo=UTC))
    work = on("UTC", "Mon-Fri", "09:00", "17:00", span)
    found = advised(case(span=span, work=work, floor=floor))
    assert found.after == "Mon-Sun 08:30-17:30 UTC"
    assert "no whole weekend" in found.reason
    # The half hours of the weekend, of which nothing is known, free nothing.
    assert found.saving.gpu_hours_per_week == pytest.approx(5 * 15)


def test_two_weekends_in_nine_days_count_as_one_a_week() -> None:
    span = window(9 * 24)  # From Saturday to Sunday.
    work = on("UTC", "Mon-Fri", "09:00", "17:00", span)
    found = advised(case(span=span, work=work))
    assert found.saving.gpu_hours_per_week == pytest.approx(168 - 5 * 9)


def test_the_clock_is_put_back_and_forward() -> None:
    # 2026-10-25 and 2026-03-29 in Berlin: use at 8:00 is at another time of UTC.
    for end in (datetime(2026, 10, 29, tzinfo=UTC), datetime(2026, 4, 2, tzinfo=UTC)):
        span = window(168, end)
        one = case(span=span, work=on(BERLIN, "Mon-Fri", "08:00", "19:30", span))
        assert advised(one, BERLIN).after == "Mon-Fri 07:30-20:00 Europe/Berlin"


def test_prices() -> None:
    work = on("UTC", "Mon-Fri", "09:00", "17:00")
    for price in (np.nan, np.inf, -1.0):
        assert advised(case(work=work, prices=book(price))).saving.worth_usd_per_month is None
    assert advised(case(work=work, prices=book(0.0))).saving.worth_usd_per_month == 0


def test_a_change_of_gpu_in_mid_week() -> None:
    work = on("UTC", "Mon-Fri", "09:00", "17:00")
    early = np.arange(2016) < 1008
    use = (
        gpu_use(allocated=1.0 * early, work=work * early, node=node_class()),
        gpu_use(allocated=1.0 * ~early, work=work * ~early, node=A100),
    )
    assert advised(case(use=use)).after == "Mon-Fri 08:30-17:30 UTC"


def test_what_is_missing_for_any_advice_is_missing_for_this() -> None:
    assert refused(case(span=window(1 / 12))).code == "short-history"
    assert refused(case(allocated=np.nan)).code == "short-history"
    assert refused(case(observed=np.nan, coverage=None)).code == "no-gpu-metrics"
