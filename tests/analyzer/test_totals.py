"""Sums of what is known, and of what is some teams'."""

from __future__ import annotations

from analyzer.advice import Savings
from analyzer.analysis import Totals
from analyzer.totals import of_teams, totals
from tests.builders import analysis, key, notice, pool_use, unknown_use, workload_use


def test_money_sums_what_is_priced_and_the_rest_is_named() -> None:
    workloads = (
        workload_use("a", gpu_hours=10.0, observed_gpu_hours=5.0, cost_usd=20.0, idle_cost_usd=4.0),
        unknown_use("b", gpu_hours=6.0, cost_usd=3.0),
        workload_use("c", gpu_hours=4.0, observed_gpu_hours=4.0, cost_usd=None, idle_cost_usd=None),
    )
    pools = (pool_use(unallocated=8.0, cost=16.0), pool_use(unallocated=2.0, cost=None))
    # 9 of 20 GPU-hours were measured.
    assert totals(workloads, pools) == Totals(20.0, 23.0, 4.0, 4.0, 10.0, 16.0, 0.45)


def test_what_nobody_told_is_none() -> None:
    assert totals((), ()) == Totals(0.0, 0.0, 0.0, 0.0, None, None, None)
    assert totals((), (pool_use(unallocated=2.0, cost=None),)).unallocated_cost_usd is None


def test_more_than_all_of_it_is_never_measured() -> None:
    use = workload_use(gpu_hours=10.0, observed_gpu_hours=10.001)
    assert totals((use,), ()).coverage == 1.0


def test_teams_have_their_own_workloads_and_their_sums() -> None:
    mine = workload_use("a", team="chat", gpu_hours=10.0, cost_usd=5.0, idle_cost_usd=1.0)
    also = workload_use("b", team="", gpu_hours=2.0, cost_usd=None, idle_cost_usd=None)
    others = [workload_use(f"o{n}", team=team) for n, team in enumerate(("Chat", "chat ", None))]
    whole = analysis(mine, also, *others, pools=(pool_use(),), savings=Savings(1.0, 2.0, 3.0, 4))
    found = of_teams(whole, ("chat", ""))
    assert found.workloads == (mine, also)
    assert (found.totals.gpu_hours, found.totals.cost_usd) == (12.0, 5.0)
    assert found.totals.unpriced_gpu_hours == 2.0
    # GPUs that nobody asked for, and nodes that can leave, are no team's.
    assert (found.pools, found.savings, found.totals.unallocated_gpu_hours) == ((), None, None)
    assert (found.window, found.prices) == (whole.window, whole.prices)


def test_a_team_without_workloads_has_nothing() -> None:
    found = of_teams(analysis(), ("nobody",))
    assert (found.workloads, found.totals.gpu_hours, found.totals.coverage) == ((), 0.0, None)


def test_a_team_is_not_told_of_the_workloads_of_others() -> None:
    notices = tuple(
        notice(str(number), subject=subject)
        for number, subject in enumerate(
            ("", "DCGM_FI_DEV_GPU_UTIL", "a", str(key("a")), "b", str(key("b")), "same")
        )
    )
    uses = (
        workload_use("a", team="chat"),
        workload_use("b", team="search"),
        workload_use("same", team="chat"),
        workload_use("same", team="search", namespace="other"),
    )
    found = of_teams(analysis(*uses, notices=notices), ("chat",))
    assert [one.message for one in found.notices] == ["0", "1", "2", "3", "6"]
