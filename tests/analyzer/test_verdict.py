"""Every rule of the verdict, on both sides of its line.

The limits are the defaults: idle below 1 %, underused below 50 %, saturated from 95 % (without an
inference server), from a p95 of one waiting request or a KV cache 90 % full; coverage from 90 %,
history from 24 h.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from analyzer.analysis import Distribution
from analyzer.config import VerdictConfig
from analyzer.verdict import Figures, judge
from tests.builders import distribution, serving_figures

LIMITS = VerdictConfig()


def figures(mean: float | None = 0.3, p95: float = 0.6, **changes: Any) -> Figures:
    """A week on one GPU, all measured, no inference server."""
    use = None if mean is None else Distribution(mean, mean, p95, p95)
    fields: dict[str, Any] = {
        "gpu_hours": 168.0,
        "coverage": 1.0,
        "history_hours": 168.0,
        "utilisation": use,
        "serving": None,
    }
    return Figures(**(fields | changes))


def code(given: Figures, **limits: Any) -> tuple[str, str]:
    verdict = judge(given, replace(LIMITS, **limits))
    return verdict.name, verdict.code


class TestTooLittleData:
    def test_a_workload_that_held_no_gpu_is_unknown(self) -> None:
        assert code(figures(gpu_hours=0.0, coverage=None)) == ("unknown", "no-allocation")

    @pytest.mark.parametrize("hours", [-1.0, float("nan")])
    def test_hours_that_cannot_be_are_unknown(self, hours: float) -> None:
        assert code(figures(gpu_hours=hours)) == ("unknown", "no-allocation")

    def test_no_gpu_metrics_is_unknown_and_not_idle(self) -> None:
        assert code(figures(mean=None, coverage=0.0)) == ("unknown", "no-gpu-metrics")

    def test_unknown_coverage_is_unknown(self) -> None:
        assert code(figures(coverage=None)) == ("unknown", "no-gpu-metrics")

    def test_coverage_of_exactly_the_floor_is_enough(self) -> None:
        assert code(figures(coverage=0.9)) == ("underused", "low-mean")

    def test_coverage_a_hair_under_the_floor_is_unknown(self) -> None:
        verdict = judge(figures(coverage=0.8996), LIMITS)
        assert (verdict.name, verdict.code) == ("unknown", "low-coverage")
        # Rounded, 89.96 % would read "cover 90.0%, at least 90% needed".
        assert verdict.reason == "GPU metrics cover 89.9% of its GPU time, at least 90% needed"

    def test_a_window_of_exactly_24_h_is_long_enough(self) -> None:
        # 24 h of five-minute steps: 288 x 5 min = 24 h.
        assert code(figures(history_hours=288 * 5 / 60))[0] == "underused"

    def test_one_step_less_than_24_h_is_too_short(self) -> None:
        # 287 x 5 min = 23.917 h.
        verdict = judge(figures(history_hours=287 * 5 / 60), LIMITS)
        assert (verdict.name, verdict.code) == ("unknown", "short-history")
        assert "23.9 h" in verdict.reason
        assert "24 h" in verdict.reason

    def test_too_little_data_goes_before_a_queue(self) -> None:
        given = figures(coverage=0.5, serving=serving_figures(waiting_p95=50.0))
        assert code(given) == ("unknown", "low-coverage")

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), -0.1])
    def test_a_coverage_that_is_no_fraction_is_unknown(self, value: float) -> None:
        assert code(figures(coverage=value))[0] == "unknown"

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), -0.1])
    def test_a_mean_that_is_no_fraction_is_unknown(self, value: float) -> None:
        assert code(figures(mean=value))[0] == "unknown"

    def test_a_history_that_is_no_number_is_unknown(self) -> None:
        assert code(figures(history_hours=float("nan")))[0] == "unknown"


class TestMean:
    def test_a_mean_of_exactly_half_is_right_sized(self) -> None:
        assert code(figures(mean=0.5)) == ("right-sized", "in-range")

    def test_a_mean_a_hair_under_half_is_underused_and_says_so(self) -> None:
        verdict = judge(figures(mean=0.4999), LIMITS)
        assert (verdict.name, verdict.code) == ("underused", "low-mean")
        # Rounded, 49.99 % would read "50.0% is below 50%".
        assert verdict.reason == "mean use 49.9% is below 50%"

    def test_a_mean_of_exactly_one_percent_is_underused_not_idle(self) -> None:
        assert code(figures(mean=0.01, p95=0.0)) == ("underused", "low-mean")

    def test_ten_busy_minutes_a_day_are_not_idle(self) -> None:
        # 10 of 1,440 minutes: a mean of 0.7 % and a p95 of 0, but work was done.
        use = Distribution(0.007, 0.0, 0.0, 1.0)
        assert code(figures(utilisation=use)) == ("underused", "low-mean")

    def test_no_work_at_all_is_idle(self) -> None:
        assert code(figures(mean=0.0, p95=0.0)) == ("idle", "no-work")

    def test_a_low_mean_with_bursts_is_underused_not_idle(self) -> None:
        assert code(figures(mean=0.005, p95=0.01)) == ("underused", "low-mean")

    def test_a_mean_of_exactly_95_percent_is_saturated_without_a_server(self) -> None:
        assert code(figures(mean=0.95, p95=1.0)) == ("saturated", "gpu")

    def test_a_mean_under_95_percent_is_right_sized(self) -> None:
        assert code(figures(mean=0.949, p95=1.0)) == ("right-sized", "in-range")

    def test_a_busy_gpu_whose_server_has_room_is_right_sized(self) -> None:
        given = figures(mean=0.99, p95=1.0, serving=serving_figures())
        assert code(given) == ("right-sized", "in-range")

    def test_the_limit_is_the_configured_one(self) -> None:
        assert code(figures(mean=0.45), underused_below=0.4)[0] == "right-sized"


class TestServing:
    def test_no_queue_at_a_low_mean_is_underused_and_says_nothing_waited(self) -> None:
        verdict = judge(figures(serving=serving_figures()), LIMITS)
        assert verdict.name == "underused"
        assert "nothing waited" in verdict.reason

    def test_nothing_is_said_of_a_queue_nobody_measured(self) -> None:
        verdict = judge(figures(serving=serving_figures(queue_share=None)), LIMITS)
        assert "waited" not in verdict.reason

    def test_one_request_waiting_at_p95_is_saturated(self) -> None:
        given = figures(serving=serving_figures(waiting_p95=1.0, queue_share=0.06))
        assert code(given) == ("saturated", "queue")

    def test_a_queue_in_more_than_a_thousandth_of_steps_is_never_underused(self) -> None:
        given = figures(serving=serving_figures(queue_share=0.0011, waiting_p95=0.0))
        assert code(given) == ("right-sized", "queue-at-low-use")

    def test_a_queue_in_exactly_a_thousandth_of_steps_does_not_overrule(self) -> None:
        assert code(figures(serving=serving_figures(queue_share=0.001)))[0] == "underused"

    @pytest.mark.parametrize(
        ("kv", "expected"),
        [
            (0.79, ("underused", "low-mean")),
            (0.8, ("right-sized", "kv-cache-at-low-use")),
            (0.89, ("right-sized", "kv-cache-at-low-use")),
            (0.9, ("saturated", "kv-cache")),
        ],
    )
    def test_the_kv_cache_overrules_the_mean(self, kv: float, expected: tuple[str, str]) -> None:
        assert code(figures(serving=serving_figures(kv_cache_p95=kv))) == expected

    @pytest.mark.parametrize(
        ("latency", "expected"),
        [
            ({"ttft_p95_s": 2.0}, "low-mean"),
            ({"ttft_p95_s": 2.01}, "latency-at-low-use"),
            ({"itl_p95_s": 0.2}, "low-mean"),
            ({"itl_p95_s": 0.21}, "latency-at-low-use"),
            ({"ttft_p95_s": None, "itl_p95_s": None}, "low-mean"),
        ],
    )
    def test_a_missed_objective_overrules_the_mean(
        self, latency: dict[str, float | None], expected: str
    ) -> None:
        assert code(figures(serving=serving_figures(**latency)))[1] == expected

    @pytest.mark.parametrize("off", ["ttft_p95", "itl_p95"])
    def test_an_objective_of_zero_is_off(self, off: str) -> None:
        given = figures(serving=serving_figures(**{f"{off}_s": 60.0}))
        assert code(given, **{off: timedelta(0)}) == ("underused", "low-mean")

    def test_the_guards_say_nothing_of_a_mean_of_half(self) -> None:
        given = figures(mean=0.5, serving=serving_figures(queue_share=0.5))
        assert code(given) == ("right-sized", "in-range")

    def test_a_server_heard_too_little_makes_a_low_mean_unknown(self) -> None:
        given = figures(serving=serving_figures(coverage=0.89))
        assert code(given) == ("unknown", "low-serving-coverage")

    def test_a_server_heard_exactly_enough_does_not(self) -> None:
        assert code(figures(serving=serving_figures(coverage=0.9)))[0] == "underused"

    def test_a_server_heard_too_little_does_not_unsettle_a_high_mean(self) -> None:
        given = figures(mean=0.6, serving=serving_figures(coverage=0.1))
        assert code(given) == ("right-sized", "in-range")

    @pytest.mark.parametrize(
        "sign", [{"requests": 1.0}, {"running_p95": 1.0}, {"queue_share": 0.0005}]
    )
    def test_a_gpu_that_served_anything_is_not_idle(self, sign: dict[str, float]) -> None:
        quiet = {"requests": 0.0, "running_p95": 0.0, "queue_share": 0.0}
        still = figures(mean=0.001, p95=0.002)
        assert code(replace(still, serving=serving_figures(**quiet))) == ("idle", "no-work")
        served = replace(still, serving=serving_figures(**(quiet | sign)))
        assert code(served) == ("underused", "low-mean")

    @pytest.mark.parametrize("figure", ["waiting_p95", "queue_share", "kv_cache_p95"])
    def test_a_figure_nobody_measured_does_not_stop_the_others(self, figure: str) -> None:
        given = figures(serving=serving_figures(**{figure: None}))
        assert code(given) == ("underused", "low-mean")


class TestSharedDevice:
    def test_the_reason_says_the_use_is_the_devices(self) -> None:
        verdict = judge(figures(shared=True), LIMITS)
        assert verdict.name == "underused"
        assert "shared device" in verdict.reason

    def test_idle_on_a_shared_device_says_so(self) -> None:
        verdict = judge(figures(mean=0.0, p95=0.0, shared=True), LIMITS)
        assert verdict.name == "idle"
        assert "shared device" in verdict.reason


def test_an_ordinary_distribution_has_one_line_of_reason() -> None:
    verdict = judge(figures(utilisation=distribution()), LIMITS)
    assert verdict.reason == "mean use 31% is below 50%"
