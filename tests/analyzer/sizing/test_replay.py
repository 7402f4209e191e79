"""The replay: worked by hand where every figure is a fraction of another."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.advice import Trial
from analyzer.sizing.demand import Demand, observe
from analyzer.sizing.pace import pace_of
from analyzer.sizing.replay import Target, fullest_of, replay, share_above
from tests import builders
from tests.analyzer.sizing.loads import A100, served

SPAN = builders.window()


def demand(replicas: int = 4, busy: Any = 0.1, **changes: object) -> Demand:
    use = builders.gpu_use(
        allocated=float(replicas),
        work=builders.steps(busy, SPAN) * replicas,
        node=builders.node_class(A100),
        span=SPAN,
    )
    return observe([use], served(SPAN, replicas, **changes), 1.0)


def trial(of: Demand, count: int, target: Target | None = None) -> Trial:
    return replay(of, [count], target or Target()).trials[0]


def part(value: float, other: float, share: float) -> np.ndarray:
    """``other`` in the first ``share`` of the steps, ``value`` in the rest."""
    values = np.full(SPAN.steps, value)
    values[: round(share * SPAN.steps)] = other
    return values


def test_half_the_replicas_are_twice_as_full() -> None:
    """Four at 30 %, at most 40 %: two at 60 and 80 %, one at 120 and 160 %."""
    found = replay(demand(), [4, 3, 2, 1], Target())
    assert [t.replicas for t in found.trials] == [4, 3, 2, 1]
    assert [t.kv_p95 for t in found.trials] == pytest.approx([0.3, 0.4, 0.6, 1.2], rel=1e-5)
    assert [t.kv_max for t in found.trials] == pytest.approx([0.4, 16 / 30, 0.8, 1.6], rel=1e-5)
    assert [t.meets for t in found.trials] == [True, True, True, False]
    assert found.minutes == 7 * 24 * 60
    assert found.gap_minutes == found.zero_minutes == 0


def test_a_tenth_of_a_percent_of_minutes_may_be_saturated() -> None:
    """Ten minutes of a week are 0.0992 %: two steps pass, three do not."""
    for steps, meets in ((2, True), (3, False)):
        kv = np.full(SPAN.steps, 0.2)
        kv[100 : 100 + steps] = 0.46
        one = trial(demand(kv_cache=kv, kv_peak=kv, kv_mean=kv), 2)
        assert one.saturated_minutes == 5 * steps
        assert one.longest_minutes == 5 * steps
        assert one.meets is meets, one.broken


def test_the_longest_stretch_is_broken_by_a_gap() -> None:
    kv = np.full(SPAN.steps, 0.2)
    kv[100:104] = 0.46
    running = np.full(SPAN.steps, 40.0)
    running[102] = np.nan
    one = trial(demand(kv_cache=kv, kv_peak=kv, kv_mean=kv, running=running), 2)
    assert one.saturated_minutes == 15
    assert one.longest_minutes == 10


def test_nothing_may_wait_that_did_not() -> None:
    """One step whose fullest moment needs 102 % of a cache: its requests would have waited."""
    peak = np.full(SPAN.steps, 0.4)
    peak[500] = 0.51
    one = trial(demand(kv_peak=peak), 2)
    assert one.kv_max == pytest.approx(1.02, rel=1e-5)
    assert one.would_wait > 0
    assert "would have waited" in one.broken


def test_p95_of_the_cache_stays_below_its_limit() -> None:
    """A tenth of the week at 42 %: with half the replicas that is 84 %, never above 90 %."""
    kv = part(0.2, 0.42, 0.1)
    one = trial(demand(kv_cache=kv, kv_peak=kv, kv_mean=kv), 2)
    assert one.kv_p95 == pytest.approx(0.84, rel=1e-5)
    assert one.saturated_minutes == 0
    assert "KV-cache" in one.broken


def test_a_replica_runs_so_many_requests_at_a_time() -> None:
    """Ten run on each of four; forty on one: with room for 32 at a time they would wait."""
    low = demand(kv_cache=0.02, kv_peak=0.02, kv_mean=0.02)
    assert trial(low, 1, Target(at_once=64)).meets
    assert "waited" in trial(low, 1, Target(at_once=32)).broken


def test_requests_that_share_a_gpu_slow_each_other_down() -> None:
    """A token takes 20 ms, and 1 ms more for each request beside it. At n requests a replica makes
    n / (0.02 + 0.001 n) tokens a second: 10 make 333.3, 20 make 500.

    Replayed on three quarters of the replicas the busy half of 500 would be 666.7, which takes 40
    requests: twice as many as 20, where a third more alone would be 26.7.
    """
    together = np.where(np.arange(SPAN.steps) % 288 < 144, 10.0, 20.0)
    rate = together / (0.02 + 0.001 * together)
    kv = together / 100
    of = demand(running=4 * together, generated=4 * rate * 300, kv_cache=kv, kv_peak=kv, kv_mean=kv)
    pace = pace_of(of)
    assert pace is not None
    assert (pace.alone_s, pace.each_s) == pytest.approx((0.02, 0.001), rel=1e-3)
    assert trial(of, 3).kv_p95 == pytest.approx(0.40, rel=1e-3)
    assert trial(of, 2).kv_p95 > 10
    assert "tokens" in trial(of, 2).broken


def test_time_between_tokens_keeps_its_objective() -> None:
    together = np.where(np.arange(SPAN.steps) % 288 < 144, 10.0, 20.0)
    rate = together / (0.02 + 0.001 * together)
    kv = together / 100
    of = demand(running=4 * together, generated=4 * rate * 300, kv_cache=kv, kv_peak=kv, kv_mean=kv)
    strict, loose = (
        replay(of, [3], Target(itl_p95=timedelta(milliseconds=ms)), 0.04).trials[0]
        for ms in (55, 65)
    )
    assert strict.itl_p95_s == pytest.approx(0.06, rel=1e-3), "0.04 s, half as long again"
    assert "between tokens" in strict.broken
    assert loose.meets


def test_gpu_work_limits_where_it_grows_with_the_load() -> None:
    """Half busy by day and a quarter by night, as the tokens are: on three of four 67 % at most,
    on two 100 %."""
    day = np.arange(SPAN.steps) % 288 < 144
    tokens = np.where(day, 200_000.0, 100_000.0)
    follows = demand(busy=np.where(day, 0.5, 0.25), generated=tokens)
    assert follows.work_follows_load()
    assert trial(follows, 3).meets
    assert trial(follows, 3).gpu_p95 == pytest.approx(2 / 3, rel=1e-5)
    assert "GPU work" in trial(follows, 2).broken
    always = demand(busy=np.where(day, 0.5, 0.49), generated=tokens)
    assert not always.work_follows_load(), "busy whatever it runs"
    assert trial(always, 2).meets


@pytest.mark.parametrize("tokens", [None, 180_000.0])
def test_gpu_work_limits_where_nothing_tells_what_it_means(tokens: float | None) -> None:
    busy = demand(busy=0.5, generated=tokens)
    assert trial(busy, 3).meets
    assert "GPU work" in trial(busy, 2).broken


def test_who_waited_would_have_run_on_more() -> None:
    """Forty run and forty wait on four full replicas: on eight the caches are as full as before,
    on ten 80 % of it."""
    of = demand(kv_cache=0.9, kv_peak=0.9, kv_mean=0.9, waiting=40.0)
    found = replay(of, [8, 10, 12], Target())
    assert [t.kv_p95 for t in found.trials] == pytest.approx([0.9, 0.72, 0.6], rel=1e-5)
    assert [t.meets for t in found.trials] == [False, True, True]


def test_what_chance_adds_grows_with_the_root() -> None:
    """Half of the excess of the fullest replica lasts for five minutes: that is chance. On one
    replica of four nothing stands out on average; at its highest, four turns of one against four
    of four."""
    of = demand(kv_cache=0.25, kv_peak=0.3, kv_mean=0.2)
    assert of.chance() == 1
    one = trial(of, 1, Target(at_once=1e9))
    assert one.kv_p95 == pytest.approx(0.8, rel=1e-5), "0.2 four times"
    excess = 0.1 * 2 * fullest_of(4) / fullest_of(16)
    assert one.kv_max == pytest.approx(0.8 + excess, rel=1e-4)


def test_a_lasting_difference_is_no_chance() -> None:
    of = demand(kv_cache=0.25, kv_peak=0.25, kv_mean=0.2, lean=1.25)
    assert of.chance() == 0
    assert trial(of, 2).kv_p95 == pytest.approx(0.5, rel=1e-5)


def test_days_that_differ_widen_the_margin() -> None:
    """The highest days reach 0.40, 0.36 and 0.36 of a cache. ln(0.40/0.36) / 1.5 = 0.0702; the
    level of 90 % is 0.36 x 30 ** 0.0702 = 0.457: 1.143 times the highest."""
    kv = np.full(SPAN.steps, 0.2)
    for day, top in enumerate((0.3, 0.36, 0.3, 0.4, 0.3, 0.36, 0.3)):
        kv[day * 288 + 100] = top
    of = demand(kv_cache=kv, kv_peak=kv, kv_mean=kv)
    assert of.surge(0.9) == pytest.approx(1.143, abs=0.001)
    assert of.surge(0) == 1
    assert trial(of, 2).meets, "only what was seen"
    assert trial(of, 2, Target(certainty=0)).meets
    assert trial(of, 2, Target(certainty=0.9)).meets, "0.8 x 1.143 = 0.914"
    assert "days differ" in trial(of, 2, Target(certainty=0.99)).broken, "0.8 x 1.33 = 1.07"


def test_one_odd_day_is_not_the_beginning_of_anything() -> None:
    """Once 46 % where other days reach 20: a power law through that would expect seven times as
    much."""
    kv = np.full(SPAN.steps, 0.2)
    kv[100] = 0.46
    assert demand(kv_cache=kv, kv_peak=kv, kv_mean=kv).surge() == 2


@pytest.mark.parametrize(
    ("mean", "peak", "level", "expected"),
    [
        (0.5, 0.7, 0.9, 0.0),
        (0.8, 1.0, 0.9, 0.25),
        (0.95, 1.0, 0.9, 1.0),
        (0.9, 1.0, 0.9, 0.5),
        (0.95, 0.95, 0.9, 1.0),
        (0.85, 0.85, 0.9, 0.0),
    ],
)
def test_the_share_of_a_step_above_a_level(
    mean: float, peak: float, level: float, expected: float
) -> None:
    found = share_above(np.array([mean]), np.array([peak]), level)
    assert found[0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("number", "expected"), [(2, 0.564), (4, 1.029), (8, 1.424), (10, 1.539)])
def test_the_fullest_of_so_many(number: int, expected: float) -> None:
    """Expected values of the highest of normal samples, from tables of order statistics."""
    assert fullest_of(number) == pytest.approx(expected, abs=0.03)


@given(
    kv=st.lists(st.floats(0, 1), min_size=1, max_size=12).map(lambda v: np.resize(v, SPAN.steps)),
    count=st.integers(2, 6),
)
def test_fewer_replicas_never_do_better(kv: np.ndarray, count: int) -> None:
    of = demand(kv_cache=kv * 0.8, kv_peak=kv, kv_mean=kv * 0.6)
    fewer, more = replay(of, [count - 1, count], Target()).trials
    assert fewer.kv_p95 >= more.kv_p95 - 1e-6
    assert fewer.saturated_minutes >= more.saturated_minutes - 1e-6
    assert fewer.would_wait >= more.would_wait - 1e-6
    assert more.meets or not fewer.meets


def test_a_steady_load_tells_by_its_chance_how_requests_slow_each_other_down() -> None:
    """A token takes 20 ms, and 1 ms more for each request beside it. Around 25 by chance alone: a
    replica makes 556 tokens a second, and half as many again are more than it can give together
    with what its cache holds: 833 take 100 requests."""
    rng = np.random.default_rng(5)
    together = 25 + rng.normal(0, 2.5, SPAN.steps)
    rate = together / (0.02 + 0.001 * together)
    kv = 0.27 * together / 25
    of = demand(
        3, running=3 * together, generated=3 * rate * 300, kv_cache=kv, kv_peak=kv, kv_mean=kv
    )
    pace = pace_of(of)
    assert pace is not None
    assert pace.told
    assert (pace.alone_s, pace.each_s) == pytest.approx((0.02, 0.001), rel=0.05)
    assert trial(of, 2).kv_p95 > 0.9
    assert not trial(of, 2).meets


def test_noise_in_one_of_them_alone_tells_nothing() -> None:
    rng = np.random.default_rng(5)
    noisy = 10 + rng.normal(0, 1, SPAN.steps)
    pace = pace_of(demand(running=4 * noisy))
    assert pace is not None
    assert not pace.told
    assert pace.each_s == 0


def test_noise_in_both_of_them_that_goes_its_own_way_tells_nothing() -> None:
    rng = np.random.default_rng(5)
    noisy, tokens = (1 + rng.normal(0, 0.1, SPAN.steps) for _ in range(2))
    pace = pace_of(demand(running=40 * noisy, generated=180_000 * tokens))
    assert pace is not None
    assert not pace.told
