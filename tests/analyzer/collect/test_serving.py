"""What inference servers said, and quantiles of histograms against hand figures."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from analyzer.collect.facts import ServingReading
from analyzer.collect.serving import ServingReader, quantile
from analyzer.collect.simulate import RawSeries
from analyzer.model import UNTOLD, Cache
from tests.analyzer.collect.hand import HOUR, raw, store

INF = float("inf")
POD = {"namespace": "ml", "pod": "a", "model_name": "llama"}


def read(*series: RawSeries, at: dict[str, tuple[str, str]] | None = None) -> list[ServingReading]:
    held = store(*series)
    return ServingReader(held, held.names(HOUR), HOUR).read((at or {}).get)


class TestQuantile:
    @pytest.mark.parametrize(
        ("buckets", "q", "expected"),
        [
            # 100 observations, 50 up to 1 s, 40 in (1, 2], 10 in (2, 4].
            # p95: rank 95, the 5th of 10 in (2, 4]: 2 + 2 x 5/10 = 3.
            ({1.0: 50.0, 2.0: 90.0, 4.0: 100.0, INF: 100.0}, 0.95, 3.0),
            # p50: rank 50, the last of the first bucket: 1. p25: 0 + 1 x 25/50 = 0.5.
            ({1.0: 50.0, 2.0: 90.0, 4.0: 100.0, INF: 100.0}, 0.5, 1.0),
            ({1.0: 50.0, 2.0: 90.0, 4.0: 100.0, INF: 100.0}, 0.25, 0.5),
            # p95 lies above the last finite bound: that bound.
            ({1.0: 50.0, 2.0: 90.0, INF: 100.0}, 0.95, 2.0),
            # A bucket that counts less than the one before is taken as equal to it.
            ({1.0: 50.0, 2.0: 40.0, 4.0: 100.0, INF: 100.0}, 0.75, 2.0 + 2.0 * 25 / 50),
        ],
    )
    def test_against_hand_figures(
        self, buckets: dict[float, float], q: float, expected: float
    ) -> None:
        assert quantile(buckets, q) == pytest.approx(expected)

    @pytest.mark.parametrize("buckets", [{}, {1.0: 0.0, INF: 0.0}, {1.0: 5.0}])
    def test_nothing_observed_or_no_last_bucket_is_none(self, buckets: dict[float, float]) -> None:
        assert quantile(buckets, 0.95) is None


class TestGauges:
    def test_engines_of_a_pod_add_up_and_the_fullest_cache_stands(self) -> None:
        (found,) = read(
            *(raw("vllm:num_requests_running", POD | {"engine": e}, 3.0) for e in "01"),
            raw("vllm:kv_cache_usage_perc", POD | {"engine": "0"}, 0.2),
            raw("vllm:kv_cache_usage_perc", POD | {"engine": "1"}, 0.7),
        )
        assert found.model == "llama"
        assert found.running.tolist() == [6.0] * 12
        assert found.kv_cache.tolist() == pytest.approx([0.7] * 12)
        assert np.isnan(found.waiting).all()

    def test_a_replica_of_prometheus_adds_nothing(self) -> None:
        labels = [POD | {"prometheus_replica": name} for name in "ab"]
        (found,) = read(*(raw("vllm:num_requests_running", each, 3.0) for each in labels))
        assert found.running.tolist() == [3.0] * 12

    def test_a_peak_within_a_step_is_kept_beside_its_mean(self) -> None:
        (found,) = read(
            raw("vllm:num_requests_running", POD, 1.0),
            raw("vllm:num_requests_waiting", POD, lambda s: 10.0 if s == 120 else 0.0),
        )
        # One of five samples of the first step.
        assert found.waiting[0] == pytest.approx(2.0)
        assert found.waiting_peak[0] == 10.0

    def test_an_upgrade_that_renames_a_gauge_leaves_no_hole(self) -> None:
        (found,) = read(
            raw("vllm:num_requests_running", POD, 1.0),
            raw("vllm:gpu_cache_usage_perc", POD, 0.3, minutes=(0, 40)),
            raw("vllm:kv_cache_usage_perc", POD, 0.6, minutes=(30, 60)),
        )
        # The newer name stands where both speak: from minute 30, step 6.
        assert found.kv_cache.tolist() == pytest.approx([0.3] * 6 + [0.6] * 6)

    def test_the_underscore_of_openmetrics_is_the_colon(self) -> None:
        (found,) = read(raw("vllm_num_requests_running", POD, 2.0))
        assert found.running[0] == 2.0


class TestCounters:
    def test_a_restart_loses_nothing(self) -> None:
        # 10 a minute; the counter starts over at minute 30.
        (found,) = read(
            raw("vllm:num_requests_running", POD),
            raw("vllm:prompt_tokens_total", POD, lambda s: (s if s < 1800 else s - 1800) / 6),
        )
        # First sample at minute 1, 59 steps of 10 follow; the reset's new value is 0, so the step
        # into it counts nothing: 580, and as much again for the minute before the first sample.
        assert found.totals["prompt_tokens"] == pytest.approx(580 * 60 / 59, rel=1e-5)

    def test_reasons_to_finish_add_up(self) -> None:
        (found,) = read(
            raw("vllm:num_requests_running", POD),
            *(
                raw("vllm:request_success_total", POD | {"finished_reason": r}, lambda s: s / 60)
                for r in ("stop", "length")
            ),
        )
        # Each counts one a minute.
        assert found.totals["requests"] == pytest.approx(120, rel=1e-5)

    def test_a_counter_nobody_has_is_no_total(self) -> None:
        (found,) = read(raw("vllm:num_requests_running", POD))
        assert found.totals == {}
        assert found.ttft == {}

    def test_buckets_keep_their_bounds(self) -> None:
        name = "vllm:time_to_first_token_seconds_bucket"
        (found,) = read(
            raw("vllm:num_requests_running", POD),
            *(raw(name, POD | {"le": le}, lambda s: s / 60) for le in ("0.5", "+Inf", "odd")),
        )
        assert found.ttft == {b: pytest.approx(60, rel=1e-5) for b in (0.5, INF)}


class TestSteps:
    """Samples each minute on the minute: a step of five holds four growths and the minute before
    them is added by extrapolation, so a steady counter shows five."""

    def test_growth_is_told_step_by_step(self) -> None:
        # 3 a minute for half an hour, then none.
        (found,) = read(
            raw("vllm:num_requests_running", POD),
            raw("vllm:generation_tokens_total", POD, lambda s: 1000 + 3 * min(s, 1800) / 60),
            raw("vllm:prompt_tokens_total", POD, lambda s: s),
        )
        assert found.generated.tolist() == pytest.approx([15] * 6 + [0] * 6, rel=1e-4)
        assert found.prompted.tolist() == pytest.approx([300] * 12, rel=1e-4)
        assert np.isnan(found.finished).all()

    def test_a_reset_in_mid_step_loses_nothing(self) -> None:
        # 10 a minute; between minute 12 and 13 it begins anew, so 13 shows what one minute made.
        (found,) = read(
            raw("vllm:num_requests_running", POD),
            raw(
                "vllm:prompt_tokens_total",
                POD,
                lambda s: 500 + s / 6 if s <= 720 else (s - 720) / 6,
            ),
        )
        assert found.prompted.tolist() == pytest.approx([50] * 12, rel=1e-4)

    def test_reasons_and_engines_add_up_and_a_replica_of_prometheus_does_not(self) -> None:
        labels = [
            POD | {"engine": engine, "finished_reason": reason, "prometheus_replica": replica}
            for engine in "01"
            for reason in ("stop", "length")
            for replica in "ab"
        ]
        (found,) = read(
            raw("vllm:num_requests_running", POD),
            *(raw("vllm:request_success_total", each, lambda s: 100 + s / 60) for each in labels),
        )
        # Two engines, two reasons, one a minute each.
        assert found.finished.tolist() == pytest.approx([20] * 12, rel=1e-4)

    def test_a_counter_that_changes_its_name_is_counted_once(self) -> None:
        (found,) = read(
            raw("vllm:num_requests_running", POD),
            raw("vllm:generation_tokens_total", POD, lambda s: s, minutes=(0, 40)),
            raw("vllm_generation_tokens_total", POD, lambda s: s, minutes=(20, 60)),
        )
        assert found.generated.tolist() == pytest.approx([300] * 12, rel=1e-4)

    def test_growth_below_zero_is_none(self) -> None:
        (found,) = read(
            raw("vllm:num_requests_running", POD),
            raw("vllm:generation_tokens_total", POD, lambda s: -s),
        )
        assert np.isnan(found.generated).all()

    def test_the_highest_sample_of_the_fullest_engine_is_kept(self) -> None:
        (found,) = read(
            raw("vllm:num_requests_running", POD),
            raw("vllm:kv_cache_usage_perc", POD | {"engine": "0"}, 0.4),
            raw(
                "vllm:kv_cache_usage_perc",
                POD | {"engine": "1"},
                lambda s: 0.9 if s == 420 else 0.2,
            ),
        )
        # Second 420 is in the second step.
        assert found.kv_peak.tolist() == pytest.approx([0.4, 0.9] + [0.4] * 10)
        assert found.kv_cache.tolist() == pytest.approx([0.4] * 12)


class TestCache:
    INFO: ClassVar = {
        "num_gpu_blocks": "1000",
        "block_size": "16",
        "gpu_memory_utilization": "0.85",
        "cache_dtype": "auto",
    }

    @pytest.mark.parametrize("name", ["vllm:cache_config_info", "vllm_cache_config_info"])
    def test_it_is_read_from_labels_under_either_spelling(self, name: str) -> None:
        # It names no model, and an HA pair tells it twice.
        info = {"namespace": "ml", "pod": "a", "engine": "0", **self.INFO}
        (found,) = read(
            raw("vllm:num_requests_running", POD),
            *(raw(name, info | {"prometheus_replica": replica}) for replica in "ab"),
        )
        assert found.cache == Cache(16_000, 0.85, "auto")

    def test_engines_of_a_pod_add_up(self) -> None:
        info = {"namespace": "ml", "pod": "a", **self.INFO}
        (found,) = read(
            raw("vllm:num_requests_running", POD),
            *(raw("vllm:cache_config_info", info | {"engine": engine}) for engine in "01"),
        )
        assert found.cache.tokens == 32_000

    def test_a_pod_back_at_another_address_holds_one_cache(self) -> None:
        info = {"namespace": "ml", "pod": "a", **self.INFO}
        (found,) = read(
            raw("vllm:num_requests_running", POD),
            raw("vllm:cache_config_info", info | {"instance": "10.0.0.1:8000"}, minutes=(0, 30)),
            raw("vllm:cache_config_info", info | {"instance": "10.0.0.2:8000"}, minutes=(30, 60)),
        )
        assert found.cache.tokens == 16_000

    def test_sglang_tells_its_size_as_a_value_and_its_ranks_repeat_it(self) -> None:
        (found,) = read(
            raw("sglang:num_running_reqs", POD),
            *(
                raw("sglang:max_total_num_tokens", POD | {"tp_rank": rank}, 471_258)
                for rank in "01"
            ),
        )
        assert found.cache == Cache(471_258)

    def test_a_cache_alone_makes_no_server(self) -> None:
        found = read(
            raw("vllm:num_requests_running", POD),
            raw("vllm:cache_config_info", {"namespace": "ml", "pod": "other", **self.INFO}),
        )
        assert [(one.pod, one.cache) for one in found] == [("a", UNTOLD)]


class TestWhose:
    def test_a_series_that_names_no_pod_is_found_by_its_address(self) -> None:
        series = raw("vllm:num_requests_running", {"instance": "10.0.0.7:8000"}, 1.0)
        (found,) = read(series, at={"10.0.0.7:8000": ("ml", "b")})
        assert (found.namespace, found.pod) == ("ml", "b")

    def test_a_series_of_nobody_is_left_out(self) -> None:
        assert read(raw("vllm:num_requests_running", {"instance": "10.0.0.7:8000"})) == []

    def test_targets_name_pods_and_addresses(self) -> None:
        held = store(
            raw("vllm:num_requests_running", POD),
            raw("sglang:num_running_reqs", {"instance": "10.0.0.7:8000"}),
        )
        pods, addresses = ServingReader(held, held.names(HOUR), HOUR).targets()
        assert (pods, addresses) == ({("ml", "a")}, {"10.0.0.7:8000"})
