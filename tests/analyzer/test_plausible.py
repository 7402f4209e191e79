"""What cannot be is missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analyzer.model import UNTOLD, Cache
from analyzer.plausible import plausible
from tests.builders import serving, snapshot, steps, window, workload

SPAN = window(0.25)


@pytest.mark.parametrize("name", ["kv_peak", "speaking", "finished", "prompted", "generated"])
def test_what_a_server_counted_in_a_step_is_finite_and_not_negative(name: str) -> None:
    told = replace(serving(span=SPAN), **{name: steps([1, -1, np.inf], SPAN)})
    (found,) = plausible(snapshot(SPAN, serving=(told,))).serving
    np.testing.assert_array_equal(getattr(found, name), [1, np.nan, np.nan])


def test_what_nobody_read_stays_unread() -> None:
    (found,) = plausible(snapshot(SPAN, serving=(serving(span=SPAN),))).serving
    assert (found.kv_peak, found.generated, found.cache) == (None, None, UNTOLD)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (Cache(1000, 0.9, "auto"), Cache(1000, 0.9, "auto")),
        (Cache(0, 0.0), UNTOLD),
        (Cache(-1, -1), UNTOLD),
        (Cache(float("inf"), 1.1), UNTOLD),
        (Cache(float("nan"), float("nan")), UNTOLD),
    ],
)
def test_a_cache_holds_something_and_a_share_is_of_one(told: Cache, expected: Cache) -> None:
    server = replace(serving(span=SPAN), cache=told)
    (found,) = plausible(snapshot(SPAN, serving=(server,))).serving
    assert found.cache == expected


def test_of_two_workloads_with_one_key_the_first_stands() -> None:
    one, other = workload(replicas=2), workload(replicas=3)
    found = plausible(snapshot(workloads=(one, other, workload("other"))))
    assert [w.replicas for w in found.workloads] == [2, 2]
    assert found.workloads[0] is one


@pytest.mark.parametrize("gpus", [np.nan, np.inf, -1.0])
def test_numbers_of_a_workload_that_cannot_be_are_not_known(gpus: float) -> None:
    odd = workload(replicas=-1, gpus_per_replica=gpus)
    [found] = plausible(snapshot(workloads=(odd,))).workloads
    assert (found.replicas, found.gpus_per_replica) == (None, None)


def test_a_cache_is_at_most_full() -> None:
    span = window(0.25)
    odd = serving(kv_cache=[0.5, 1.5, np.nan], span=span)
    [found] = plausible(snapshot(span, serving=(odd,))).serving
    np.testing.assert_array_equal(found.kv_cache, np.array([0.5, 1.0, np.nan], np.float32))


@pytest.mark.parametrize("seconds", [1e305, np.inf, np.nan, -1.0])
def test_a_latency_that_can_be_none_is_not_known(seconds: float) -> None:
    told = replace(serving(span=SPAN), itl_p95_s=seconds)
    (found,) = plausible(snapshot(SPAN, serving=(told,))).serving
    assert found.itl_p95_s is None
