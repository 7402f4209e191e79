"""The store in memory: expected values are worked out by hand beside each series."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from analyzer.collect.simulate import MemoryStore, RawSeries
from analyzer.collect.store import Matcher, Query
from analyzer.model import Window

START = datetime(2026, 9, 7, 12, 0, tzinfo=UTC)
START_S = START.timestamp()
WINDOW = Window(START, START + timedelta(seconds=900))
NAN = math.nan


def series(
    samples: Mapping[float, float], name: str = "m", dtype: type = np.float32, **labels: str
) -> RawSeries:
    """``samples`` maps seconds after the window's start to values."""
    times_s = START_S + np.array(list(samples), dtype=np.float64)
    return RawSeries(name, labels, times_s, np.array(list(samples.values()), dtype=dtype))


A = series({-1: 9, 0: 100, 60: 10, 120: 20, 300: 60, 301: 7, 900: 8, 901: 50}, pod="a", gpu="0")
B = series({60: 30, 600: 5}, pod="b", gpu="0")


def steps(query: Query, *raw: RawSeries) -> dict[tuple[tuple[str, str], ...], list[float]]:
    found = MemoryStore(raw, "here").steps(query, WINDOW)
    return {tuple(sorted(one.labels.items())): one.values.tolist() for one in found}


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        # (0, 300] holds 10, 20, 60; (300, 600] holds 7; (600, 900] holds 8.
        ("avg", [30, 7, 8]),
        ("count", [3, 1, 1]),
        ("max", [60, 7, 8]),
        ("last", [60, 7, 8]),
        # One sample alone has not grown; 10 to 20 to 60 has, by 50 in 240 s. At that rate the
        # counter stood at 0 only 48 s earlier, so the 60 s before it are not all added: 50 x 1.2.
        ("increase", [60, NAN, NAN]),
    ],
)
def test_a_step_takes_the_sample_on_its_end_and_leaves_the_one_on_its_start(
    over: str, expected: list[float]
) -> None:
    found = steps(Query("m", over, ("pod",)), A)  # type: ignore[arg-type]
    np.testing.assert_array_equal(found[("pod", "a"),], expected)


@pytest.mark.parametrize(
    ("across", "expected"), [("sum", [60, 12, 8]), ("max", [30, 7, 8]), ("avg", [30, 6, 8])]
)
def test_series_are_folded_first_and_merged_afterwards(across: str, expected: list[float]) -> None:
    found = steps(Query("m", "avg", ("gpu",), across), A, B)  # type: ignore[arg-type]
    assert found == {(("gpu", "0"),): expected}


def test_a_step_without_samples_is_nan() -> None:
    found = steps(Query("m", "count", ("pod",)), series({10: 1, 610: 1}, pod="gap"))
    np.testing.assert_array_equal(found[("pod", "gap"),], [1, NAN, 1])


def test_a_series_without_samples_in_the_window_gives_no_result() -> None:
    gone = series({-600: 1, 0: 1, 901: 1}, pod="gone")
    store = MemoryStore([gone], "here")
    assert store.steps(Query("m", "count", ("pod",)), WINDOW) == []
    assert store.whole(Query("m", "count", ("pod",)), WINDOW) == []
    assert store.names(WINDOW) == frozenset()


def test_growth_counts_the_value_after_a_reset_whole_and_nothing_from_outside() -> None:
    # Inside (0, 900]: 40 to 70 is 30, then a reset to 5, then 5 to 25 is 20: 55 in 420 s. The 10
    # before the window and the 1000 after it count for nothing. Samples are 140 s apart: the gap
    # of 60 s before them is bridged, of the 420 s after them half an interval, 70 s.
    counter = series(
        {0: 10, 60: 40, 120: 70, 420: 5, 480: 25, 901: 1000}, dtype=np.float64, pod="c"
    )
    query = Query("m", "increase", ("pod",))
    [sample] = MemoryStore([counter], "here").whole(query, WINDOW)
    assert dict(sample.labels) == {"pod": "c"}
    assert sample.value == pytest.approx(55 * (420 + 60 + 70) / 420, rel=1e-5)
    # By step, both with 60 s between samples. The first: 30, the 60 s before, 30 s of those after.
    # The second: 20, 15 s before (5 at a rate of 20 a minute), 30 s of those after.
    np.testing.assert_allclose(
        steps(query, counter)[("pod", "c"),], [30 * 150 / 60, 20 * 105 / 60, NAN], rtol=1e-4
    )


def test_resets_are_seen_series_by_series() -> None:
    # The sum of both would fall from 110 to 20 only once; each on its own falls by itself.
    one = series({60: 100, 120: 10}, dtype=np.float64, pod="a")
    two = series({60: 10, 120: 10}, dtype=np.float64, pod="b")
    [sample] = MemoryStore([one, two], "here").whole(Query("m", "increase", (), "sum"), WINDOW)
    # 10 in a minute and nothing; the minute before counts, and half of one after.
    assert sample.value == pytest.approx(10 * 150 / 60, rel=1e-4)


def test_parts_are_summed_after_duplicates_are_merged() -> None:
    # Two reasons, each told twice: 3 + 5 in the first step, 4 in the second, none in the third.
    raw = [
        series({10: 3, 310: 4}, reason="stop", replica="a", pod="p"),
        series({20: 3}, reason="stop", replica="b", pod="p"),
        series({10: 5}, reason="length", replica="a", pod="p"),
        series({10: 7}, reason="stop", replica="a", pod="q"),
    ]
    query = Query("m", "last", ("pod", "reason"), "max", summed=("reason",))
    found = steps(query, *raw)
    np.testing.assert_array_equal(found[("pod", "p"),], [8, 4, NAN])
    np.testing.assert_array_equal(found[("pod", "q"),], [7, NAN, NAN])


def test_whole_folds_the_window_as_one_span() -> None:
    def value(over: str) -> float:
        query = Query("m", over, ("pod",))  # type: ignore[arg-type]
        [sample] = MemoryStore([A], "here").whole(query, WINDOW)
        return sample.value

    # 10, 20, 60, 7, 8 lie in the window.
    assert [value(over) for over in ("avg", "count", "max", "last")] == [21, 5, 60, 8]
    # 10 to 20 to 60 is 50, the reset to 7 counts 7, 7 to 8 is 1; the 60 s before are bridged.
    assert value("increase") == pytest.approx(58 * 900 / 840, rel=1e-5)


@pytest.mark.parametrize(
    ("matcher", "pods"),
    [
        (Matcher("pod", "a"), "a"),
        (Matcher("pod", "a", "!="), "bc"),
        (Matcher("pod", "[ab]", "=~"), "ab"),
        (Matcher("pod", "a|", "!~"), "bc"),
        (Matcher("zone", ""), "ab"),
        (Matcher("zone", "", "!="), "c"),
        (Matcher("zone", ".*", "=~"), "abc"),
        (Matcher("zone", ".+", "=~"), "c"),
        (Matcher("zone", "eu", "!~"), "abc"),
        (Matcher("zone", "eu", "=~"), ""),
    ],
)
def test_matchers_are_anchored_and_a_missing_label_is_empty(matcher: Matcher, pods: str) -> None:
    found = steps(
        Query("m", "count", ("pod",), where=(matcher,)), A, B, series({1: 1}, pod="c", zone="eu-1")
    )
    assert sorted(found) == [(("pod", pod),) for pod in pods]


def test_a_label_that_a_series_lacks_is_left_out_of_its_result() -> None:
    bare = series({1: 1})
    assert sorted(steps(Query("m", "count", ("pod", "zone")), A, bare)) == [(), (("pod", "a"),)]


def test_a_metric_with_a_tilde_is_an_anchored_regex_on_names() -> None:
    raw = [series({1: 1}, name, of=name) for name in ("vllm:waiting", "vllm_waiting", "xvllm_w")]
    found = steps(Query("~vllm[:_].*", "last", ("of",)), *raw)
    assert sorted(found) == [(("of", "vllm:waiting"),), (("of", "vllm_waiting"),)]


def test_only_the_latest_value_keeps_the_name_of_its_metric() -> None:
    [latest] = steps(Query("m", "last", ("__name__",)), A)
    [mean] = steps(Query("m", "avg", ("__name__",)), A)
    assert (latest, mean) == ((("__name__", "m"),), ())


def test_a_nan_that_was_scraped_stays_nan_in_a_mean_and_not_in_a_maximum() -> None:
    raw = series({1: 1, 2: NAN, 3: 2}, pod="n")
    mean = steps(Query("m", "avg", ("pod",)), raw)[("pod", "n"),][0]
    highest = steps(Query("m", "max", ("pod",)), raw)[("pod", "n"),][0]
    assert math.isnan(mean)
    assert highest == 2


def test_names_are_those_with_a_sample_in_the_window() -> None:
    store = MemoryStore([A, series({-5: 1}, "old"), series({900: 1}, "edge")], "here")
    assert store.names(WINDOW) == {"m", "edge"}


def test_series_are_asked_for_by_name_and_only_when_needed() -> None:
    asked = []

    class Lazy:
        def names(self) -> list[str]:
            return ["m", "n"]

        def series(self, name: str) -> list[RawSeries]:
            asked.append(name)
            return [A]

    MemoryStore(Lazy(), "here").whole(Query("m", "count", ()), WINDOW)
    assert asked == ["m"]
