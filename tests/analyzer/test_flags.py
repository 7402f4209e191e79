"""Flags are told when something changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from analyzer.analysis import WorkloadUse
from analyzer.flags import Flag, Followed, follow
from analyzer.wishes import SNOOZE_UNTIL
from tests.builders import NOW, analysis, key, verdict, window, workload_use

DAY = timedelta(days=1)


def use(name: str = "underused", idle_usd: float | None = 700.0, **more: Any) -> WorkloadUse:
    return workload_use(verdict=verdict(name), idle_cost_usd=idle_usd, **more)  # type: ignore[arg-type]


def snoozed(text: str, name: str = "underused") -> WorkloadUse:
    one = use(name)
    return replace(one, workload=replace(one.workload, annotations={SNOOZE_UNTIL: text}))


def days(*uses: WorkloadUse | None) -> list[Followed]:
    """One look a day, on the same workload; None where it is gone."""
    known: dict[Any, Flag] = {}
    found = []
    for n, one in enumerate(uses):
        of_day = analysis(one) if one else analysis(workload_use("other", environment="staging"))
        found.append(follow(known, of_day, NOW + n * DAY))
        known = {flag.key: flag for flag in found[-1].flags}
    return found


def told(*uses: WorkloadUse | None) -> list[str]:
    return [" ".join(change.what for change in one.changes) for one in days(*uses)]


def test_it_is_told_when_it_appears_and_not_again() -> None:
    assert told(use(), use(), use()) == ["appeared", "", ""]
    [first] = days(use())[0].changes
    assert (first.key, first.usd_per_week, first.team, first.since) == (key(), 700, "search", NOW)


def test_idle_after_underused_is_worse_and_the_way_back_is_not_told() -> None:
    assert told(use(), use("idle"), use(), use("idle")) == ["appeared", "worsened", "", ""]


def test_half_as_many_dollars_again_are_worse() -> None:
    assert told(use(), use(idle_usd=1049), use(idle_usd=1050), use(idle_usd=1100)) == [
        "appeared",
        "",
        "worsened",
        "",
    ]
    assert told(use(idle_usd=None), use(idle_usd=9000)) == ["appeared", ""]
    assert told(use(idle_usd=0.0), use(idle_usd=0.0)) == ["appeared", ""]


def test_dollars_are_a_week_s_whatever_the_window() -> None:
    found = follow({}, analysis(use(idle_usd=100), window=window(24)), NOW)
    assert found.changes[0].usd_per_week == pytest.approx(700)


@pytest.mark.parametrize("name", ["right-sized", "saturated"])
def test_what_is_well_again_is_cleared_once_and_may_appear_anew(name: str) -> None:
    assert told(use(), use(name), use(name), use()) == ["appeared", "cleared", "", "appeared"]


def test_not_knowing_is_not_well() -> None:
    assert told(use(), use("unknown"), use()) == ["appeared", "", ""]
    assert told(use("unknown"), use("unknown")) == ["", ""]


def test_a_workload_that_is_gone_is_cleared() -> None:
    found = days(use(), None)
    assert [change.what for change in found[1].changes] == ["cleared"]
    assert found[1].flags == ()
    # Nobody was told of it, so nobody is told that it is gone.
    assert told(snoozed((NOW + 9 * DAY).isoformat()), None) == ["", ""]


def test_a_cluster_that_was_not_read_clears_nothing() -> None:
    flag = Flag(key(), "idle", NOW, "idle", 1.0)
    away = analysis(workload_use(cluster="b"), clusters=("main", "b"), failed={"main": "away"})
    found = follow({flag.key: flag}, away, NOW)
    assert flag in found.flags
    assert all(change.key.cluster == "b" for change in found.changes)


def test_what_is_not_production_is_not_flagged() -> None:
    assert told(use(environment="development"), use(environment="unknown")) == ["", ""]
    found = days(use(), use(environment="staging", environment_reason="label env=staging"))
    [change] = found[1].changes
    assert (change.what, change.reason) == ("cleared", "is staging now (label env=staging)")


def test_a_snoozed_one_is_told_when_the_snooze_is_over() -> None:
    until = (NOW + 2 * DAY).isoformat()
    assert told(*[snoozed(until)] * 4) == ["", "", "appeared", ""]
    later = (NOW + 5 * DAY).isoformat()
    assert told(use(), snoozed(later, "idle"), snoozed(later, "right-sized")) == [
        "appeared",
        "",
        "",
    ]


def test_a_snooze_date_is_a_local_one() -> None:
    at = NOW.replace(hour=22, minute=30)
    local = follow({}, analysis(snoozed("2026-11-24")), at, ZoneInfo("Europe/Berlin"))
    assert len(local.changes) == 0
    later = follow(
        {}, analysis(snoozed("2026-11-24")), at + timedelta(minutes=31), ZoneInfo("Europe/Berlin")
    )
    assert [one.what for one in later.changes] == ["appeared"]


@pytest.mark.parametrize("text", ["", "soon", "2026-13-40", "9999-12-31T23:59:59-23:59", "\x1b["])
def test_a_snooze_that_cannot_be_read_is_named_and_hides_nothing(text: str) -> None:
    found = follow({}, analysis(snoozed(text)), NOW)
    assert [one.what for one in found.changes] == ["appeared"]
    [line] = found.bad
    assert line.startswith("main/inference/Deployment/chat-70b: gpu-thrift.io/snooze-until: ")
    assert line.isprintable()


def test_the_dearest_comes_first_and_good_news_last() -> None:
    flags = {key(name): Flag(key(name), "idle", NOW, "idle") for name in ("well",)}
    found = follow(
        flags,
        analysis(
            workload_use("cheap", verdict=verdict(), idle_cost_usd=1.0),
            workload_use("well", verdict=verdict("right-sized")),
            workload_use("dear", verdict=verdict(), idle_cost_usd=100.0),
            workload_use("unpriced", verdict=verdict(), idle_cost_usd=None),
        ),
        NOW,
    )
    assert [one.key.name for one in found.changes] == ["dear", "cheap", "unpriced", "well"]
