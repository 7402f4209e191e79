"""The store against real engines: what is asked is what the samples say."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from analyzer.collect.prometheus import PrometheusStore
from analyzer.collect.prometheus.transport import Endpoint
from analyzer.collect.store import Matcher, Query
from analyzer.errors import BadAnswer
from analyzer.model import Window
from tests.openmetrics import RawSeries

START_S = 1_700_000_100  # a multiple of 300
STEPS = 6
END_S = START_S + STEPS * 300
WINDOW = Window(datetime.fromtimestamp(START_S, UTC), datetime.fromtimestamp(END_S, UTC))
TIMES = np.arange(START_S - 300, END_S + 301, 30.0)
HOSTILE = "q\"uote \\ back {brace} \n line </script> ' ünï , = "


def ramp(name, labels, factor=1.0):
    """Values that differ at every sample, so that one taken or left out shows."""
    return RawSeries(name, labels, TIMES, np.arange(TIMES.size) * factor)


GAP = (TIMES > START_S + 300) & (TIMES <= START_S + 900)
RESET = np.where(TIMES < START_S + 600, TIMES - TIMES[0], TIMES - (START_S + 600))
SERIES = [
    ramp("DCGM_FI_DEV_GPU_UTIL", {"UUID": "GPU-1", "pod": "a", "replica": "0"}),
    ramp("DCGM_FI_DEV_GPU_UTIL", {"UUID": "GPU-1", "pod": "a", "replica": "1"}),
    ramp("DCGM_FI_DEV_GPU_UTIL", {"UUID": "GPU-2", "pod": "b"}, 3.0),
    RawSeries("DCGM_GAPPY", {"UUID": "GPU-1"}, TIMES[~GAP], np.full((~GAP).sum(), 7.0)),
    RawSeries("DCGM_EARLY", {}, TIMES[:12], np.full(12, 1.0)),
    RawSeries("kube_ragged", {}, TIMES[::2] + 0.123, np.ones(TIMES[::2].size)),
    RawSeries("vllm:prompt_tokens_total", {"pod": "a"}, TIMES, RESET),
    RawSeries("vllm_prompt_tokens_total", {"pod": "b"}, TIMES, TIMES - TIMES[0]),
    RawSeries("vllm:renamed", {"pod": "a"}, TIMES, np.ones(TIMES.size)),
    RawSeries("vllm_renamed", {"pod": "a"}, TIMES, np.full(TIMES.size, 2.0)),
    RawSeries("gpu_hostile", {"pod": HOSTILE}, TIMES, np.ones(TIMES.size)),
    RawSeries("gpu_hostile", {"pod": "tame"}, TIMES, np.full(TIMES.size, 2.0)),
    RawSeries("amd_infinite", {}, TIMES, np.where(TIMES == START_S + 60, np.inf, 5.0)),
    RawSeries("node_load1", {}, TIMES, TIMES),
]


@pytest.fixture(scope="module")
def url(engine):
    return engine(SERIES)


@pytest.fixture
def store(url):
    with PrometheusStore(Endpoint(url), "eu", {}, chunk=timedelta(minutes=10)) as made:
        yield made


def in_step(times, step):
    return (times > START_S + step * 300) & (times <= START_S + (step + 1) * 300)


def per_step(fold, times, values):
    return [fold(values[in_step(times, step)]) for step in range(STEPS)]


@pytest.mark.parametrize(
    ("over", "fold"), [("avg", np.mean), ("max", np.max), ("count", len), ("last", lambda v: v[-1])]
)
def test_a_step_holds_its_end_and_not_its_start(store, over, fold):
    query = Query("DCGM_FI_DEV_GPU_UTIL", over, ("UUID", "pod"))
    one, two = store.steps(query, WINDOW)
    assert one.labels == {"UUID": "GPU-1", "pod": "a"}
    assert two.labels == {"UUID": "GPU-2", "pod": "b"}
    values = np.arange(TIMES.size) * 1.0
    np.testing.assert_allclose(one.values, per_step(fold, TIMES, values), rtol=1e-6)
    np.testing.assert_allclose(two.values, per_step(fold, TIMES, values * 3), rtol=1e-6)


def test_each_sample_is_counted_once_over_the_steps_and_over_the_whole(store):
    query = Query("DCGM_FI_DEV_GPU_UTIL", "count", ("pod",))
    one, _ = store.steps(query, WINDOW)
    whole, _ = store.whole(query, WINDOW)
    assert one.values.tolist() == [10.0] * STEPS
    assert whole.value == 10 * STEPS


def test_samples_off_the_grid_are_counted_once_too(store):
    (series,) = store.steps(Query("kube_ragged", "count", ()), WINDOW)
    times = TIMES[::2] + 0.123
    assert series.values.tolist() == per_step(len, times, times)


@pytest.mark.parametrize(("across", "expected"), [("sum", 30.0), ("max", 10.0), ("avg", 10.0)])
def test_series_are_merged_after_folding(store, across, expected):
    (series,) = store.steps(Query("DCGM_FI_DEV_GPU_UTIL", "count", (), across), WINDOW)
    assert series.values.tolist() == [expected] * STEPS
    assert series.labels == {}


def test_a_step_without_samples_is_nan_and_not_zero(store):
    (series,) = store.steps(Query("DCGM_GAPPY", "avg", ("UUID",)), WINDOW)
    np.testing.assert_array_equal(series.values, [7, np.nan, np.nan, 7, 7, 7])


def test_a_series_seen_in_one_piece_only_is_nan_in_the_others(store):
    (series,) = store.steps(Query("DCGM_EARLY", "count", ()), WINDOW)
    assert series.values[0] == in_step(TIMES[:12], 0).sum() == 1
    assert np.isnan(series.values[1:]).all()


def test_arrays_are_float32_and_as_long_as_the_window(store):
    (series,) = store.steps(Query("DCGM_EARLY", "avg", ()), WINDOW)
    assert series.values.dtype == np.float32
    assert series.values.shape == (STEPS,)


@pytest.mark.parametrize(
    ("over", "expected"),
    [("avg", 7.0), ("max", 7.0), ("last", 7.0), ("count", 40.0)],
)
def test_a_whole_window_is_folded_at_once(store, over, expected):
    (sample,) = store.whole(Query("DCGM_GAPPY", over, ("UUID",)), WINDOW)
    assert sample.labels == {"UUID": "GPU-1"}
    assert sample.value == pytest.approx(expected)


def test_a_counters_reset_is_growth_and_not_a_fall(store):
    (sample,) = store.whole(Query("vllm:prompt_tokens_total", "increase", ("pod",), "sum"), WINDOW)
    # it grows by one a second; what ran between the last sample before the reset and the reset
    # (30 s) cannot be seen
    assert sample.value == pytest.approx(STEPS * 300, abs=60)


def test_a_regex_reads_every_name_that_matches(store):
    query = Query("~vllm[:_]prompt_tokens_total", "increase", ("pod",), "sum")
    samples = store.whole(query, WINDOW)
    assert [sample.labels["pod"] for sample in samples] == ["a", "b"]
    assert samples[1].value == pytest.approx(STEPS * 300, abs=31)
    assert [series.labels["pod"] for series in store.steps(query, WINDOW)] == ["a", "b"]


@pytest.mark.parametrize("over", ["avg", "count", "max", "last", "increase"])
def test_names_that_collide_are_read_once_and_not_refused(store, over):
    query = Query("~vllm[:_]renamed", over, ("pod",), "sum")
    expected = {"avg": 1.0, "count": 10.0, "max": 1.0, "last": 1.0, "increase": 0.0}[over]
    (series,) = store.steps(query, WINDOW)
    assert series.values.tolist() == [expected] * STEPS


def test_a_regex_that_nothing_matches_reads_nothing(store):
    query = Query("~sglang[:_]nothing", "avg", ())
    assert store.steps(query, WINDOW) == []
    assert store.whole(query, WINDOW) == []


def test_a_metric_that_does_not_exist_reads_nothing(store):
    assert store.steps(Query("DCGM_NOT_THERE", "avg", ("pod",)), WINDOW) == []
    assert store.whole(Query("DCGM_NOT_THERE", "avg", ("pod",)), WINDOW) == []


def test_a_hostile_label_value_makes_the_round_trip(store):
    where = (Matcher("pod", HOSTILE),)
    (series,) = store.steps(Query("gpu_hostile", "avg", ("pod",), where=where), WINDOW)
    assert series.labels == {"pod": HOSTILE}
    assert series.values.tolist() == [1.0] * STEPS
    (sample,) = store.whole(
        Query("gpu_hostile", "count", ("pod",), where=(Matcher("pod", HOSTILE, "!="),)), WINDOW
    )
    assert sample.labels == {"pod": "tame"}


def test_results_come_sorted_by_labels(store):
    query = Query("DCGM_FI_DEV_GPU_UTIL", "avg", ("UUID", "pod", "replica"))
    labels = [tuple(sorted(series.labels.items())) for series in store.steps(query, WINDOW)]
    assert len(labels) == 3
    assert labels == sorted(labels)


def test_an_infinite_value_is_missing_and_reported_once(store):
    (series,) = store.steps(Query("amd_infinite", "max", ()), WINDOW)
    np.testing.assert_array_equal(series.values, [np.nan, 5, 5, 5, 5, 5])
    (sample,) = store.whole(Query("amd_infinite", "max", ()), WINDOW)
    assert np.isnan(sample.value)
    (notice,) = store.warnings()
    assert (notice.cluster, notice.code, notice.subject) == ("eu", "infinite-value", "amd_infinite")


def test_names_are_those_the_readers_know(store):
    assert store.names(WINDOW) == {each.name for each in SERIES} - {"node_load1"}


def test_configured_labels_narrow_every_question(url):
    with PrometheusStore(Endpoint(url), "eu", {"pod": "b"}) as store:
        assert store.names(WINDOW) == {"DCGM_FI_DEV_GPU_UTIL", "vllm_prompt_tokens_total"}
        (series,) = store.steps(Query("DCGM_FI_DEV_GPU_UTIL", "avg", ("UUID",)), WINDOW)
        assert series.labels == {"UUID": "GPU-2"}
        assert len(store.whole(Query("~vllm[:_]prompt_.*", "count", ("pod",)), WINDOW)) == 1


def test_a_query_too_long_for_a_url_passes(store):
    alternatives = "|".join(f"GPU-{number}" for number in range(1500))
    where = (Matcher("UUID", alternatives, "=~"),)
    assert len(store.steps(Query("DCGM_GAPPY", "avg", ("UUID",), where=where), WINDOW)) == 1


def test_a_bad_regex_is_the_servers_to_refuse(store):
    with pytest.raises(BadAnswer, match="answered 4"):
        store.steps(Query("DCGM_GAPPY", "avg", (), where=(Matcher("UUID", "(", "=~"),)), WINDOW)


def test_the_version_is_told_where_the_server_tells_it(store, engine):
    version = store.version()
    assert (version[:1].isdigit()) == (engine.name == "prometheus")


def test_progress_ends_with_everything_done(url):
    told = []
    with PrometheusStore(
        Endpoint(url), "eu", {}, chunk=timedelta(minutes=10), on_progress=lambda *x: told.append(x)
    ) as store:
        store.steps(Query("DCGM_GAPPY", "avg", ()), WINDOW)
        store.whole(Query("DCGM_GAPPY", "avg", ()), WINDOW)
    assert max(told) == (4, 4)
    assert all(done <= known for done, known in told)
