"""The demo's weeks are those of its fleet."""

from __future__ import annotations

import pytest

from jobs.demo import END, last_week
from reports.digest import Digest
from tests.reports import weeklies


@pytest.fixture(scope="module")
def shown() -> Digest:
    return weeklies.demo()


def test_the_weeks_follow_each_other(shown: Digest) -> None:
    name, window = last_week()
    assert (name, window.end, window.hours) == ("2026-W47", END, 168.0)
    assert [one.name for one in shown.before] == ["2026-W44", "2026-W45", "2026-W46"]
    ends = [one.window.end for one in (*shown.before, shown.this)]
    assert [one.window.start for one in (*shown.before, shown.this)][1:] == ends[:-1]
    assert all(one.is_whole and one.total.cost_usd > 0 for one in shown.before)
    assert shown.comparison is not None
    assert shown.comparison.weeks == 3


def test_what_slept_has_the_price_of_its_gpus(shown: Digest) -> None:
    nights = shown.nights
    assert nights is not None
    assert nights.slept > 0
    assert nights.unpriced_gpu_hours == 0
    rates = {price.usd_per_gpu_hour for price in shown.analysis.prices}
    assert min(rates) <= nights.usd / nights.gpu_hours <= max(rates)
    assert nights.left is not None
    assert nights.left.gpu_hours <= nights.gpu_hours


def test_what_was_followed_brought_what_is_not_held_any_more(shown: Digest) -> None:
    assert shown.realised is not None
    uses = {use.workload.key: use for use in shown.analysis.workloads}
    for one in shown.realised.entries:
        accepted = one.accepted
        assert accepted is not None
        assert accepted.baseline_gpu_hours_per_week is not None
        held = accepted.baseline_gpu_hours_per_week - uses[one.key].gpu_hours
        assert accepted.gpu_hours_per_week == pytest.approx(held)
    assert shown.realised.counted == len(shown.realised.entries) > 0
