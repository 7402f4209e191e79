"""From arrays to figures, with the arithmetic beside each.

A step is 5 min = 1/12 h; a day has 288, a week 2,016. The H100's default price is $6.88.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.analysis import Analysis, WorkloadUse
from analyzer.config import EnvironmentConfig, VerdictConfig
from analyzer.model import GpuUse, NodeClass, Pool, Snapshot
from analyzer.pricing import Price, PriceBook, PriceRule
from analyzer.usage import Settings, analyse
from tests.builders import NOW, gpu_use, key, node_class, pool, serving, snapshot, window, workload

SETTINGS = Settings(EnvironmentConfig(), VerdictConfig(), PriceBook(), team_labels=("team",))
DAY = window(24)
UNPRICED = NodeClass("Gaudi3")


def analysis(of: Snapshot, settings: Settings = SETTINGS) -> Analysis:
    return analyse(of, settings, NOW)


def only(*use: GpuUse, **changes: Any) -> WorkloadUse:
    given_snapshot = snapshot(**({"workloads": (workload(),), "use": use} | changes))
    (found,) = analysis(given_snapshot).workloads
    return found


class TestHoursAndCost:
    def test_a_week_on_eight_gpus_half_busy(self) -> None:
        found = only(gpu_use())
        # 8 GPUs x 168 h = 1,344 GPU-hours x $6.88 = $9,246.72; half of it idle = $4,623.36.
        assert found.gpu_hours == pytest.approx(1344)
        assert found.observed_gpu_hours == pytest.approx(1344)
        assert found.cost_usd == pytest.approx(9246.72)
        assert found.idle_cost_usd == pytest.approx(4623.36)
        assert found.coverage == 1.0
        assert found.utilisation is not None
        assert found.utilisation.mean == pytest.approx(0.5)

    def test_what_was_not_observed_is_neither_used_nor_idle(self) -> None:
        # Measured for half the day, busy a quarter of that: 2 x 24 = 48 GPU-hours, 24 observed,
        # 6 of work. Idle 24 - 6 = 18 x 6.88 = 123.84; mean 6 / 24 = 0.25; coverage 24 / 48.
        half = np.repeat([1.0, 0.0], 144)
        found = only(gpu_use(allocated=2.0, observed=2 * half, work=0.5 * half, span=DAY), span=DAY)
        assert found.coverage == pytest.approx(0.5)
        assert found.idle_cost_usd == pytest.approx(123.84)
        assert found.utilisation is not None
        assert found.utilisation.mean == pytest.approx(0.25)

    def test_nothing_measured_is_no_use_and_no_idle_cost_but_a_cost(self) -> None:
        found = only(gpu_use(allocated=1.0, observed=0.0, work=0.0, span=DAY), span=DAY)
        assert found.utilisation is None
        assert found.idle_cost_usd is None
        assert found.coverage == 0.0
        assert found.cost_usd == pytest.approx(24 * 6.88)
        assert found.verdict.code == "no-gpu-metrics"

    def test_a_workload_without_use_has_no_figures(self) -> None:
        found = only()
        assert (found.gpu_hours, found.coverage, found.cost_usd) == (0.0, None, None)
        assert found.gpu_model is None
        assert found.verdict.code == "no-allocation"

    def test_two_classes_of_node_are_priced_each_on_its_own(self) -> None:
        found = only(
            gpu_use(allocated=1.0, work=1.0, span=DAY),
            gpu_use(allocated=3.0, work=0.0, node=node_class("L4"), span=DAY),
            span=DAY,
        )
        # 24 x 6.88 + 72 x 0.805 = 165.12 + 57.96 = 223.08; only the L4s are idle: 57.96.
        assert found.cost_usd == pytest.approx(223.08)
        assert found.idle_cost_usd == pytest.approx(57.96)
        # 24 GPU-hours of work in 96: 0.25. Most hours ran on L4s.
        assert found.utilisation is not None
        assert found.utilisation.mean == pytest.approx(0.25)
        assert found.gpu_model == "L4"


class TestUnpriced:
    def test_a_gpu_without_a_price_costs_none_and_never_zero(self) -> None:
        found = only(gpu_use(node=UNPRICED))
        assert found.cost_usd is None
        assert found.idle_cost_usd is None

    def test_a_busy_gpu_without_a_price_has_no_idle_cost_of_zero(self) -> None:
        found = only(gpu_use(node=UNPRICED, allocated=8.0, work=8.0))
        assert found.idle_cost_usd is None

    def test_one_part_without_a_price_leaves_no_sum(self) -> None:
        found = only(gpu_use(), gpu_use(node=UNPRICED))
        assert found.cost_usd is None
        assert found.idle_cost_usd is None

    def test_totals_keep_the_priced_and_name_the_rest(self) -> None:
        other = workload("other")
        found = analysis(
            snapshot(
                DAY,
                workloads=(workload(), other),
                use=(
                    gpu_use(allocated=1.0, work=0.0, span=DAY),
                    gpu_use(other.key, allocated=2.0, work=0.0, node=UNPRICED, span=DAY),
                ),
            )
        )
        assert found.totals.gpu_hours == pytest.approx(72)
        assert found.totals.cost_usd == pytest.approx(165.12)
        assert found.totals.unpriced_gpu_hours == pytest.approx(48)
        (notice,) = found.notices
        assert notice.code == "no-price"
        assert "Gaudi3" in notice.message

    def test_a_free_gpu_without_a_price_costs_none(self) -> None:
        found = analysis(snapshot(pools=(pool(node=UNPRICED),)))
        assert found.pools[0].unallocated_cost_usd is None
        assert found.totals.unallocated_cost_usd is None
        assert found.totals.unallocated_gpu_hours == pytest.approx(8 * 168)

    def test_a_gpu_of_unknown_model_is_noted_as_such(self) -> None:
        found = analysis(snapshot(workloads=(workload(),), use=(gpu_use(node=NodeClass("")),)))
        assert found.workloads[0].gpu_model is None
        assert "a GPU of unknown model" in found.notices[0].message

    def test_spot_without_a_price_is_noted(self) -> None:
        found = analysis(snapshot(pools=(pool(node=node_class("L4", spot=True)),)))
        assert [n.code for n in found.notices] == ["price"]
        assert "no spot price for L4" in found.notices[0].message


class TestDistribution:
    def test_percentiles_are_over_five_minute_steps_of_the_whole_workload(self) -> None:
        # Steps 0..287: use i / 287. Median 0.5; p95 at index 0.95 x 287 = 272.65, linear: 0.95.
        ramp = np.arange(288) / 287
        found = only(gpu_use(allocated=1.0, work=ramp, span=DAY), span=DAY).utilisation
        assert found is not None
        assert found.p50 == pytest.approx(0.5, abs=1e-6)
        assert found.p95 == pytest.approx(0.95, abs=1e-6)
        assert found.max == pytest.approx(1.0)
        assert found.mean == pytest.approx(0.5, abs=1e-6)

    def test_a_five_minute_pod_does_not_weigh_like_a_day(self) -> None:
        # One GPU idle all day, a second one busy for a single step:
        # 1/12 GPU-hour of work in 24 + 1/12: 1 / 289 = 0.00346, not the 0.5 of two averages.
        burst = np.zeros(288)
        burst[100] = 1.0
        found = only(
            gpu_use(allocated=1.0, work=0.0, span=DAY),
            gpu_use(allocated=burst, work=burst, span=DAY),
            span=DAY,
        ).utilisation
        assert found is not None
        assert found.mean == pytest.approx(1 / 289)
        # In that step one of two GPUs was busy.
        assert found.max == pytest.approx(0.5)

    def test_unobserved_steps_are_left_out_of_the_percentiles(self) -> None:
        seen = np.repeat([1.0, 0.0], 144)
        found = only(gpu_use(allocated=1.0, observed=seen, work=seen, span=DAY), span=DAY)
        assert found.utilisation is not None
        assert found.utilisation.p50 == 1.0

    def test_rounding_of_float32_never_shows_as_more_than_all(self) -> None:
        found = only(gpu_use(allocated=0.1, work=0.10001)).utilisation
        assert found is not None
        assert found.mean <= 1.0
        assert found.max <= 1.0


class TestVerdictOfAnalysis:
    @pytest.mark.parametrize(
        ("work", "name"), [(4.0, "right-sized"), (3.99, "underused"), (0.0, "idle")]
    )
    def test_half_of_eight_gpus_is_the_line(self, work: float, name: str) -> None:
        assert only(gpu_use(work=work)).verdict.name == name

    def test_coverage_of_exactly_nine_steps_in_ten_is_enough(self) -> None:
        # 25 h = 300 steps; 270 observed = 0.9 exactly, 269 = 0.897.
        span = window(25)

        def seen(steps: int) -> WorkloadUse:
            observed = (np.arange(300) < steps).astype(float)
            return only(
                gpu_use(allocated=1.0, observed=observed, work=0.3 * observed, span=span),
                span=span,
            )

        assert seen(270).coverage == pytest.approx(0.9)
        assert seen(270).verdict.name == "underused"
        assert seen(269).verdict.code == "low-coverage"

    def test_exactly_24_hours_are_enough_and_a_step_less_is_not(self) -> None:
        short = window(24 - 1 / 12)
        assert only(gpu_use(span=DAY), span=DAY).verdict.name == "right-sized"
        assert only(gpu_use(span=short), span=short).verdict.code == "short-history"

    def test_history_is_the_time_it_held_gpus(self) -> None:
        # Held in 8 + 6 = 14 steps of a week: 70 minutes, whatever lies between.
        held = np.zeros(2016)
        held[12:20] = held[30:36] = 1.0
        found = only(gpu_use(allocated=held, work=0.0))
        assert found.history_hours == pytest.approx(70 / 60)
        assert found.verdict.code == "short-history"

    def test_a_queue_overrules_thirty_percent(self) -> None:
        waiting = np.zeros(2016)
        # 3 of 2,016 steps = 0.15 %, above the limit of 0.1 %; too few for the p95.
        waiting[:3] = 5.0
        given_serving = serving(waiting=waiting)
        found = only(gpu_use(work=2.4), serving=(given_serving,))
        assert found.verdict.code == "queue-at-low-use"
        assert found.serving is not None
        assert found.serving.queue_share == pytest.approx(3 / 2016)
        assert found.serving.waiting_p95 == 0.0


class TestServing:
    def test_dollars_per_million_tokens(self) -> None:
        found = only(
            gpu_use(allocated=1.0, span=DAY),
            span=DAY,
            serving=(serving(span=DAY, prompt_tokens=30e6, generation_tokens=10e6),),
        )
        # 24 h x $6.88 = $165.12 over 40 million tokens = $4.128.
        assert found.serving is not None
        assert found.serving.usd_per_million_tokens == pytest.approx(4.128)

    @pytest.mark.parametrize("tokens", [None, 0.0])
    def test_no_tokens_is_no_price_a_token(self, tokens: float | None) -> None:
        told = serving(prompt_tokens=tokens, generation_tokens=tokens)
        found = only(gpu_use(), serving=(told,)).serving
        assert found is not None
        assert found.usd_per_million_tokens is None

    def test_no_price_is_no_price_a_token(self) -> None:
        told = serving(prompt_tokens=1e6, generation_tokens=1e6)
        found = only(gpu_use(node=UNPRICED), serving=(told,)).serving
        assert found is not None
        assert found.usd_per_million_tokens is None

    def test_coverage_counts_allocated_steps_in_which_the_server_spoke(self) -> None:
        # Held for 144 of 288 steps, heard in 72 of them.
        held = np.repeat([1.0, 0.0], 144)
        heard = np.full(288, np.nan)
        heard[:72] = 1.0
        told = serving(running=heard, waiting=heard, kv_cache=np.nan, span=DAY)
        found = only(gpu_use(allocated=held, work=0.0, span=DAY), span=DAY, serving=(told,)).serving
        assert found is not None
        assert found.coverage == pytest.approx(0.5)

    def test_a_silent_server_has_no_figures(self) -> None:
        silent = serving(running=np.nan, waiting=np.nan, kv_cache=np.nan)
        found = only(gpu_use(), serving=(silent,)).serving
        assert found is not None
        assert found.coverage == 0.0
        assert (found.running_p95, found.waiting_p95, found.kv_cache_p95) == (None, None, None)
        assert found.queue_share is None

    def test_percentiles_leave_silence_out(self) -> None:
        # 100 steps of 0.01 .. 1.00, the rest silent: p95 at index 94.05 -> 0.9505.
        kv = np.full(2016, np.nan)
        kv[:100] = np.arange(1, 101) / 100
        found = only(gpu_use(), serving=(serving(kv_cache=kv),)).serving
        assert found is not None
        assert found.kv_cache_p95 == pytest.approx(0.9505)


class TestPools:
    def test_free_gpus_are_present_less_allocated(self) -> None:
        found = analysis(snapshot(pools=(pool(),)))
        # (16 - 8) x 168 h = 1,344 GPU-hours x 6.88 = $9,246.72.
        assert found.pools[0].present_gpu_hours == pytest.approx(2688)
        assert found.pools[0].unallocated_gpu_hours == pytest.approx(1344)
        assert found.pools[0].unallocated_cost_usd == pytest.approx(9246.72)

    def test_more_asked_for_than_there_is_is_never_negative(self) -> None:
        found = analysis(snapshot(pools=(pool(present=4.0, allocated=8.0),)))
        assert found.pools[0].unallocated_gpu_hours == 0.0

    def test_what_nobody_said_does_not_count(self) -> None:
        present = np.full(2016, np.nan)
        present[:12] = 2.0
        found = analysis(snapshot(pools=(pool(present=present, allocated=0.0),)))
        # 12 steps = 1 h with two GPUs.
        assert found.pools[0].present_gpu_hours == pytest.approx(2.0)
        assert found.pools[0].unallocated_gpu_hours == pytest.approx(2.0)

    def test_without_any_pool_what_is_free_is_unknown(self) -> None:
        totals = analysis(snapshot()).totals
        assert totals.unallocated_gpu_hours is None
        assert totals.unallocated_cost_usd is None
        assert totals.coverage is None


class TestTheRest:
    def test_each_price_behind_the_figures_is_listed_once(self) -> None:
        found = analysis(
            snapshot(workloads=(workload(),), use=(gpu_use(), gpu_use()), pools=(pool(),))
        )
        (price,) = found.prices
        assert (price.usd_per_gpu_hour, price.source) == (6.88, "AWS on-demand")

    def test_a_configured_price_shows_its_date_and_source(self) -> None:
        rule = PriceRule(Price(2.5, "contract", date(2026, 11, 1)), gpu="H100")
        found = analysis(
            snapshot(workloads=(workload(),), use=(gpu_use(),)),
            replace(SETTINGS, prices=PriceBook((rule,))),
        )
        assert found.workloads[0].cost_usd == pytest.approx(1344 * 2.5)
        assert (found.prices[0].as_of, found.prices[0].source) == (date(2026, 11, 1), "contract")

    @pytest.mark.parametrize(
        ("changes", "team"),
        [
            ({"labels": {"team": "a"}, "pod_labels": {"team": "b"}}, "a"),
            ({"labels": {"team": ""}, "pod_labels": {"team": "b"}}, "b"),
            ({"namespace_labels": {"team": "c"}}, "c"),
            ({}, None),
        ],
    )
    def test_the_team_is_the_nearest_label(self, changes: Any, team: str | None) -> None:
        assert only(gpu_use(), workloads=(workload(**changes),)).team == team

    def test_workloads_of_two_clusters_are_kept_apart(self) -> None:
        east, west = workload(cluster="east"), workload(cluster="west")
        found = analysis(
            snapshot(
                DAY,
                workloads=(west, east),
                use=(
                    gpu_use(east.key, allocated=1.0, work=0.0, span=DAY),
                    gpu_use(west.key, allocated=2.0, work=0.0, span=DAY),
                ),
            )
        )
        assert [(w.workload.key.cluster, w.gpu_hours) for w in found.workloads] == [
            ("east", pytest.approx(24)),
            ("west", pytest.approx(48)),
        ]

    def test_failed_clusters_and_notices_are_passed_on(self) -> None:
        found = analysis(snapshot(failed={"west": "no answer"}))
        assert found.failed == {"west": "no answer"}
        assert found.generated_at == NOW


SHORT = window(1)
STRANGE = (float("nan"), float("inf"), float("-inf"), -1.0, 0.0, 1e30, 1e-30, 3.4e38)
anything = st.one_of(st.sampled_from(STRANGE), st.floats(0, 16, width=32), st.floats(width=32))
sane = st.floats(0, 16, width=32)


def arrays(values: st.SearchStrategy[float]) -> st.SearchStrategy[Any]:
    return st.lists(values, min_size=12, max_size=12).map(
        lambda given_values: np.array(given_values, dtype=np.float32)
    )


CLASSES = st.builds(
    NodeClass,
    gpu_model=st.sampled_from(["H100 SXM 80GB", "L4", "Gaudi3", ""]),
    spot=st.booleans(),
)
ENVIRONMENTS = st.sampled_from(["prod", "dev", "qa"])


@st.composite
def snapshots(draw: st.DrawFn, values: st.SearchStrategy[float]) -> Snapshot:
    names = draw(st.lists(st.sampled_from("abc"), unique=True, max_size=3))
    workloads, use, spoken = [], [], []
    for name in names:
        made = workload(
            name,
            labels={"environment": draw(ENVIRONMENTS)},
            pod_labels=draw(st.sampled_from([{}, {"environment": "production"}])),
            shared=draw(st.booleans()),
        )
        workloads.append(made)
        for _ in range(draw(st.integers(0, 2))):
            three = [draw(arrays(values)) for _ in range(3)]
            use.append(GpuUse(made.key, draw(CLASSES), *three))
        if draw(st.booleans()):
            total = st.one_of(st.none(), values)
            figures = {
                what: draw(arrays(values))
                for what in ("running", "waiting", "waiting_peak", "kv_cache")
            }
            numbers = {
                what: draw(total)
                for what in ("requests", "prompt_tokens", "generation_tokens", "ttft_p95_s")
            }
            spoken.append(serving(made.key, span=SHORT, **figures, **numbers))
    pools = [
        Pool("main", draw(CLASSES), draw(arrays(values)), draw(arrays(values)))
        for _ in range(draw(st.integers(0, 2)))
    ]
    return snapshot(
        SHORT,
        workloads=tuple(workloads),
        use=tuple(use),
        serving=tuple(spoken),
        pools=tuple(pools),
    )


def numbers(value: object) -> Iterator[float]:
    """Every float in a tree of dataclasses and tuples."""
    if isinstance(value, float):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from numbers(one)
    elif is_dataclass(value) and not isinstance(value, type):
        for one in fields(value):
            yield from numbers(getattr(value, one.name))


EAGER = replace(SETTINGS, verdict=VerdictConfig(min_history=timedelta(minutes=5)))


@settings(max_examples=150, deadline=None)
@given(snapshots(anything))
def test_whatever_is_measured_no_figure_is_made_up(of: Snapshot) -> None:
    """NaN, infinities and negative figures: no exception, no NaN, nothing out of its range."""
    found = analyse(of, EAGER, NOW)
    for number in numbers((found.workloads, found.pools, found.totals)):
        assert math.isfinite(number)
    for one in found.workloads:
        assert one.coverage is None or 0 <= one.coverage <= 1
        assert one.gpu_hours >= 0
        if one.utilisation is not None:
            use = one.utilisation
            assert 0 <= use.mean <= 1
            assert 0 <= use.p50 <= use.p95 <= use.max <= 1
        if one.idle_cost_usd is not None:
            assert one.cost_usd is not None
            assert 0 <= one.idle_cost_usd <= one.cost_usd
        if "production" in one.workload.pod_labels.values():
            assert one.environment == "production"
    assert_unpriced_is_none(of, found)
    assert_totals_are_sums(found)


def assert_unpriced_is_none(of: Snapshot, found: Analysis) -> None:
    for one in found.workloads:
        mine = [u for u in of.use if u.workload == one.workload.key]
        held = [u for u in mine if (np.isfinite(u.allocated) & (u.allocated > 0)).any()]
        if any(u.node_class.gpu_model in ("Gaudi3", "") for u in held):
            assert one.cost_usd is None
            assert one.idle_cost_usd is None
    for one_pool in found.pools:
        if one_pool.node_class.gpu_model in ("Gaudi3", ""):
            assert one_pool.unallocated_cost_usd is None


def assert_totals_are_sums(found: Analysis) -> None:
    def total(values: Iterator[float | None]) -> float:
        return math.fsum(value for value in values if value is not None)

    totals = found.totals
    assert totals.gpu_hours == pytest.approx(total(w.gpu_hours for w in found.workloads))
    assert totals.cost_usd == pytest.approx(total(w.cost_usd for w in found.workloads))
    assert totals.idle_cost_usd == pytest.approx(total(w.idle_cost_usd for w in found.workloads))
    assert totals.unpriced_gpu_hours == pytest.approx(
        total(w.gpu_hours for w in found.workloads if w.cost_usd is None)
    )
    if found.pools:
        assert totals.unallocated_gpu_hours == pytest.approx(
            total(p.unallocated_gpu_hours for p in found.pools)
        )
    else:
        assert totals.unallocated_gpu_hours is None


@settings(max_examples=100, deadline=None)
@given(snapshots(sane))
def test_the_order_of_facts_changes_no_figure(of: Snapshot) -> None:
    turned = replace(of, workloads=of.workloads[::-1], use=of.use[::-1])
    first, second = analyse(of, EAGER, NOW), analyse(turned, EAGER, NOW)
    assert [w.workload.key for w in first.workloads] == [w.workload.key for w in second.workloads]
    assert list(numbers(first.totals)) == pytest.approx(list(numbers(second.totals)))


def test_the_key_of_a_workload_that_nothing_uses_is_kept() -> None:
    assert only().workload.key == key()
