"""What sleep brought: no hour that nobody saw, no node that left for something else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from analyzer.model import Pool
from analyzer.nights import Late, Left, Nights, ended, nights
from analyzer.sleep.model import NotDone, Slept
from tests import builders as make
from tests.builders import NOW

HOUR = timedelta(hours=1)
SPAN = make.window(24)
START = SPAN.start
MEMORY = {"gpu-thrift.io/replicas": "2"}
OTHER = make.node_class("L4")


def slept(begin: float, end: float | None, name: str = "dev", **changes: Any) -> Slept:
    """Eight GPUs at $6.88 each, from and to these hours of the window."""
    fields: dict[str, Any] = {
        "key": make.key(name),
        "uid": f"u-{name}",
        "since": START + begin * HOUR,
        "until": None if end is None else START + end * HOUR,
        "gpus": 8.0,
        "usd_per_hour": 55.04,
        "ended": "" if end is None else "woken",
        "nodes": (),
        "by": "schedule",
    }
    return Slept(**(fields | changes))


def brought(
    *sleeps: Slept, pools: Sequence[Pool] = (), not_done: Sequence[NotDone] = (), **changes: Any
) -> Nights:
    return nights(pools, make.analysis(window=SPAN, **changes), sleeps, not_done)


def by_hour(**values: float) -> np.ndarray:
    """``at_5=8.0`` is eight from the sixth hour on, until the next that is given."""
    found = np.zeros(SPAN.steps)
    for name, value in values.items():
        found[int(name.removeprefix("at_")) * 12 :] = value
    return found


def pool(present: Any, nodes: Any = None, **changes: Any) -> Pool:
    made = make.pool(present=present, allocated=0.0, span=SPAN, **changes)
    return replace(made, nodes=None if nodes is None else make.steps(nodes, SPAN))


def left(*sleeps: Slept, pools: Sequence[Pool], **changes: Any) -> Left:
    found = brought(*sleeps, pools=pools, **changes).left
    assert found is not None
    return found


def test_hours_that_were_not_held_are_those_within_the_window() -> None:
    found = brought(
        slept(-10, 2),  # 2 hours
        slept(5, 8, "b"),  # 3
        slept(20, 30, "c"),  # 4
        slept(22, None, "d", usd_per_hour=None),  # 2, without a price
        slept(-5, None, "e", gpus=1.0, usd_per_hour=2.0),  # 24, of one GPU
    )
    assert found.gpu_hours == pytest.approx(8 * (2 + 3 + 4 + 2) + 24)
    assert found.usd == pytest.approx(55.04 * (2 + 3 + 4) + 2.0 * 24)
    assert found.unpriced_gpu_hours == pytest.approx(16)
    # Begun within it: b, c, d. Ended within it: the first and b.
    assert (found.slept, found.woken, found.asleep, found.workloads) == (3, 2, 3, 5)


def test_sleeps_beside_the_window_count_for_nothing() -> None:
    found = brought(slept(-10, 0), slept(24, 30, "b"), slept(24, None, "c"), slept(5, 5, "d"))
    assert found == Nights(0, 0, 0, 0, 0, 0, 0, 0)
    assert brought() == found


def test_the_edges_of_the_window_belong_to_one_week() -> None:
    found = brought(slept(0, 24))
    assert (found.slept, found.woken, found.asleep) == (1, 0, 1)
    assert found.gpu_hours == pytest.approx(192)


def test_a_workload_that_sleeps_twice_is_one() -> None:
    found = brought(slept(1, 2), slept(3, 4), slept(7, 8, "b"))
    assert (found.slept, found.woken, found.workloads) == (3, 3, 2)


slept_of_west = replace(slept(5, 6), key=make.key("dev", cluster="west"))


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({"replicas": 2}, False),
        ({"replicas": 0}, True),
        ({"replicas": 0, "annotations": MEMORY}, True),
        # Somebody scaled it up, and the memory is still on it: who sleeps or not is not told yet.
        ({"replicas": 2, "annotations": MEMORY}, True),
        ({"replicas": None}, True),
    ],
)
def test_a_sleep_that_nobody_saw_end_counts_unless_it_is_awake(
    changes: dict[str, Any], counts: bool
) -> None:
    snapshot = make.snapshot(SPAN, workloads=(make.workload("dev", **changes),))
    sleep, over = slept(2, None), slept(0, 1)
    assert ended([over, sleep], snapshot) == ([over, sleep] if counts else [over])


def test_a_sleep_of_a_workload_that_is_not_there_any_more_goes_on() -> None:
    assert ended([slept(2, None)], make.snapshot(SPAN)) == [slept(2, None)]


def test_of_two_sleeps_that_nobody_saw_end_the_earlier_counts_for_nothing() -> None:
    """Its workload was made anew, and sleeps again: eight GPUs are not twice asleep."""
    old, new = slept(2, None, uid="u-1"), slept(6, None, uid="u-2")
    other = slept(1, None, "b")
    found = ended([new, old, other], make.snapshot(SPAN))
    assert found == [new, other]
    # Nor where the later one is over already.
    assert ended([old, slept(6, 9)], make.snapshot(SPAN)) == [slept(6, 9)]


def test_who_was_late_is_told_with_the_cause() -> None:
    ready = START + 9 * HOUR
    found = brought(
        slept(3, 8, "z", cause="no node", ready_at=ready),
        slept(12, 13, "a", cause="the image is gone"),
        slept(1, 2, "a", cause="first"),
        slept(3, 8, "in-time", ready_at=ready),
        slept(3, 30, "woken-later", cause="not this week"),
        slept(3, None, "asleep", cause="of an earlier try"),
    )
    assert found.late == (
        Late(make.key("a"), START + 2 * HOUR, None, "first"),
        Late(make.key("a"), START + 13 * HOUR, None, "the image is gone"),
        Late(make.key("z"), START + 8 * HOUR, ready, "no node"),
    )


def test_changes_that_were_not_made_are_those_of_the_window() -> None:
    def undone(at: datetime) -> NotDone:
        return NotDone(make.key(), at, "sleep", "failed", "no")

    moments = (START - HOUR, START, NOW - HOUR, NOW)
    found = brought(not_done=[undone(at) for at in moments])
    assert found.not_done == (undone(START), undone(NOW - HOUR))


def test_nodes_that_left_while_something_slept() -> None:
    # Sixteen GPUs on two nodes; from the sixth to the tenth hour, asleep, eight on one.
    pools = [pool(by_hour(at_0=16, at_6=8, at_10=16), by_hour(at_0=2, at_6=1, at_10=2))]
    found = left(slept(5, 11), pools=pools)
    # 4 hours of 8, at $6.88.
    assert found.nodes == 1
    assert found.gpu_hours == pytest.approx(32)
    assert found.usd == pytest.approx(220.16)


def test_nodes_that_came_while_something_slept_are_no_measure() -> None:
    """Sixteen while all are awake, 24 for an hour of the night, and then eight for another."""
    pools = [pool(by_hour(at_0=16, at_6=24, at_7=8, at_8=16))]
    assert left(slept(5, 9, gpus=20.0), pools=pools).gpu_hours == pytest.approx(8)


def test_what_left_while_nothing_slept_is_not_put_down_to_sleep() -> None:
    pools = [pool(by_hour(at_0=16, at_6=8, at_10=16), 1.0)]
    assert left(slept(12, 20), pools=pools) == Left(0, 0.0, None)


def test_more_nodes_than_slept_left_for_another_reason() -> None:
    """Two GPUs slept for two hours while 16 of 32 were gone."""
    pools = [pool(by_hour(at_0=32, at_6=16, at_8=32))]
    found = left(slept(6, 8, gpus=2.0), pools=pools)
    assert found.gpu_hours == pytest.approx(4)
    assert found.usd == pytest.approx(4 * 6.88)
    assert found.nodes is None


def test_overlapping_sleeps_add_up() -> None:
    pools = [pool(by_hour(at_0=32, at_6=8, at_8=32))]
    found = left(slept(6, 8), slept(7, 8, "b"), pools=pools)
    # 24 are gone for two hours; eight sleep in the first of them, sixteen in the second.
    assert found.gpu_hours == pytest.approx(24)


def test_a_part_of_a_step_counts_as_that_part() -> None:
    pools = [pool(by_hour(at_0=16, at_6=8, at_7=16))]
    # Asleep from two minutes before the seventh hour to three minutes into it.
    found = left(slept(6 - 2 / 60, 6 + 3 / 60), pools=pools)
    assert found.gpu_hours == pytest.approx(8 * 3 / 60)


def test_where_nothing_was_ever_awake_the_most_at_any_time_is_the_measure() -> None:
    pools = [pool(by_hour(at_0=16, at_6=8), by_hour(at_0=2, at_6=1))]
    found = left(slept(-1, None), pools=pools)
    assert (found.nodes, found.gpu_hours) == (1, pytest.approx(18 * 8))


def test_what_is_not_known_is_not_missing() -> None:
    present = by_hour(at_0=16, at_6=8, at_8=16)
    present[7 * 12 : 20 * 12] = np.nan
    pools = [pool(present, np.where(np.isnan(present), np.nan, present / 8))]
    found = left(slept(5, 20), pools=pools)
    assert (found.nodes, found.gpu_hours) == (1, pytest.approx(8))
    silent = [pool(float("nan"), float("nan"))]
    assert left(slept(5, 20), pools=silent) == Left(0, 0.0, None)


def test_pools_share_what_slept_by_what_each_lost() -> None:
    """Twelve and four are gone while eight slept: six and two of them, at $6.88 and $1, and half
    of the four nodes."""
    prices = (make.price_used(), make.price_used("L4", 1.0))
    pools = [
        pool(by_hour(at_0=12, at_6=0, at_7=12), by_hour(at_0=3, at_6=0, at_7=3)),
        pool(by_hour(at_0=8, at_6=4, at_7=8), by_hour(at_0=2, at_6=1, at_7=2), node=OTHER),
    ]
    found = left(slept(6, 7), pools=pools, prices=prices)
    assert found.nodes == 2
    assert found.gpu_hours == pytest.approx(8)
    assert found.usd == pytest.approx(6 * 6.88 + 2 * 1.0)


def test_dollars_are_of_what_has_a_price() -> None:
    gone = by_hour(at_0=8, at_6=4, at_7=8)
    only = pool(gone, node=OTHER)
    assert left(slept(6, 7), pools=[only]).usd is None
    found = left(slept(6, 7), pools=[only, pool(gone)])
    assert found.gpu_hours == pytest.approx(8)
    assert found.usd == pytest.approx(4 * 6.88)
    # A spot price is another.
    spot = (make.price_used(spot=True),)
    assert left(slept(6, 7), pools=[pool(gone)], prices=spot).usd is None


def test_where_labels_decide_between_prices_none_is_guessed() -> None:
    prices = (make.price_used(usd=6.88), make.price_used(usd=2.0, source="reserved"))
    gone = pool(by_hour(at_0=8, at_6=0, at_7=8))
    assert left(slept(6, 7), pools=[gone], prices=prices).usd is None
    same = (make.price_used(usd=6.88), make.price_used(usd=6.88, source="reserved"))
    assert left(slept(6, 7), pools=[gone], prices=same).usd == pytest.approx(55.04)


def test_clusters_are_told_apart() -> None:
    gone = by_hour(at_0=8, at_6=0, at_7=8)
    west = pool(gone, by_hour(at_0=1, at_6=0, at_7=1), cluster="west")
    main = pool(gone, by_hour(at_0=1, at_6=0, at_7=1))
    assert left(slept(6, 7), pools=[west, main]).gpu_hours == pytest.approx(8)
    in_west = replace(slept(6, 7), key=make.key("dev", cluster="west"))
    both = left(slept(6, 7), in_west, pools=[west, main])
    assert (both.nodes, both.gpu_hours, both.usd) == (2, pytest.approx(16), pytest.approx(110.08))


@pytest.mark.parametrize(
    "sleeps", [(), (slept(6, 7, gpus=0.0),), (slept_of_west,)], ids=["none", "no-gpus", "elsewhere"]
)
def test_nodes_are_not_told_of_where_nothing_slept(sleeps: tuple[Slept, ...]) -> None:
    assert brought(*sleeps, pools=[pool(by_hour(at_0=8, at_6=0))]).left is None


def test_nodes_are_not_told_of_where_nobody_tells_them() -> None:
    assert brought(slept(6, 7)).left is None


def test_nodes_of_one_cluster_are_known_where_another_did_not_count() -> None:
    gone = by_hour(at_0=8, at_6=0, at_7=8)
    pools = [pool(gone), pool(gone, by_hour(at_0=1, at_6=0, at_7=1), cluster="west")]
    in_west = replace(slept(6, 7), key=make.key("dev", cluster="west"))
    assert left(slept(6, 7), in_west, pools=pools).nodes == 1


def test_only_what_we_ended_was_woken_by_us() -> None:
    found = brought(
        slept(1, 5), slept(1, 6, "b", ended="left-awake"), slept(1, 7, "c", ended="gone")
    )
    assert (found.slept, found.woken, found.otherwise, found.asleep) == (3, 1, 2, 0)
