"""What cannot be is missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analyzer.model import UNTOLD, Cache
from analyzer.plausible import plausible
from tests.builders import serving, snapshot, steps, window

SPAN = window(0.25)


@pytest.mark.parametrize("name", ["kv_peak", "speaking", "finished", "prompted", "generated"])
def test_what_a_server_counted_in_a_step_is_finite_and_not_negative(name: str) -> None:
    told = replace(serving(span=SPAN), **{name: steps([5, -1, np.inf], SPAN)})
    (found,) = plausible(snapshot(SPAN, serving=(told,))).serving
    np.testing.assert_array_equal(getattr(found, name), [5, np.nan, np.nan])


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
