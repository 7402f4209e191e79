"""A week is put together once, and every renderer is given the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from analyzer.advice import Advice, Saving
from analyzer.analysis import WorkloadUse
from analyzer.config import Config
from analyzer.followed import Accepted, Followed
from analyzer.model import Snapshot
from analyzer.sleep.model import NotDone, Slept
from jobs.wiring import analysed
from reports.digest import FOLLOWED_FOR, Digest, Past, digest
from tests import builders as make
from tests.builders import NOW, key, recommendation, serving_figures, workload_use
from tests.reports import weeklies

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BEGIN = NOW - 7 * DAY


def made(*uses: WorkloadUse, past: Past | None = None, **changes: Any) -> Digest:
    analysis = make.analysis(**{"workloads": uses} | changes)
    return digest("2026-W47", make.snapshot(), analysis, past or Past())


def advised(name: str, saving: Saving, action: str = "reduce-replicas") -> WorkloadUse:
    plan = recommendation(action=action, saving=saving)
    return workload_use(name, advice=Advice((plan,)))


def test_what_is_worth_most_comes_first() -> None:
    found = made(
        advised("hours", Saving(900.0, None, None, None)),
        advised("bill", Saving(0.0, 0.0, 50.0, None)),
        advised("least", Saving(10.0, 40.0, 40.0, 1)),
        advised("b", Saving(10.0, 100.0, 0.0, 0)),
        advised("a", Saving(10.0, 100.0, 0.0, 0)),
        advised("leaves", Saving(10.0, 100.0, 60.0, 1)),
        advised("more-hours", Saving(20.0, 100.0, 0.0, 0)),
        advised("needs", Saving(-10.0, -999.0, -999.0, None), "add-replicas"),
        advised("needs-most", Saving(-10.0, -1000.0, -1000.0, None), "add-replicas"),
        workload_use("nothing"),
    )
    assert [one.use.workload.key.name for one in found.actions] == [
        "leaves",
        "more-hours",
        "a",
        "b",
        "bill",
        "least",
        "hours",
    ]
    assert [one.use.workload.key.name for one in found.needs] == ["needs-most", "needs"]


def test_flags_are_production_that_is_not_used() -> None:
    found = made(
        workload_use("cheap", idle_cost_usd=1.0),
        workload_use("dear", idle_cost_usd=2.0, verdict=make.verdict("idle")),
        workload_use("dev", environment="development", verdict=make.verdict("idle")),
        workload_use("busy", verdict=make.verdict("right-sized")),
    )
    assert [use.workload.key.name for use in found.flagged] == ["dear", "cheap"]


def test_free_gpus_are_the_dearest_first_and_only_where_there_are_some() -> None:
    pools = tuple(
        make.pool_use(node=make.node_class(name), unallocated=free, cost=usd)
        for name, free, usd in (("a", 9.0, None), ("b", 1.0, 5.0), ("c", 0.0, 0.0), ("d", 2.0, 7.0))
    )
    found = made(pools=pools)
    assert [one.node_class.gpu_model for one in found.unallocated] == ["d", "b", "a"]


def served(name: str, cost: float | None = 100.0, model: str = "m", **figures: Any) -> WorkloadUse:
    fields = {"prompt_tokens": 30e6, "generation_tokens": 10e6, "coverage": 1.0} | figures
    return workload_use(
        name, model=model, cost_usd=cost, gpu_hours=10.0, serving=serving_figures(**fields)
    )


def test_a_million_tokens_cost_what_all_who_serve_the_model_cost() -> None:
    [found] = made(
        served("a"),
        served("b", 200.0, prompt_tokens=20e6, generation_tokens=0.0, coverage=0.5),
        served("c", 999.0, generation_tokens=None),
        served("d", 999.0, prompt_tokens=None),
    ).models
    # $300 for 40 + 20 million tokens; half heard in one half of the GPU-hours.
    assert (found.workloads, found.uncounted, found.tokens, found.cost_usd) == (2, 2, 60e6, 300.0)
    assert found.usd_per_million_tokens == pytest.approx(5.0)
    assert found.coverage == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("uses", "expected"),
    [
        # One price is missing: a part is not a sum.
        ([served("a"), served("b", None)], (2, 0, 80e6, None, None)),
        ([served("a", prompt_tokens=0.0, generation_tokens=0.0)], (1, 0, 0.0, 100.0, None)),
        ([served("a", prompt_tokens=None)], (0, 1, 0.0, None, None)),
    ],
)
def test_a_price_of_tokens_that_cannot_be_known_is_none(
    uses: list[WorkloadUse], expected: tuple[Any, ...]
) -> None:
    [found] = made(*uses).models
    shown = (found.workloads, found.uncounted, found.tokens, found.cost_usd)
    assert (*shown, found.usd_per_million_tokens) == expected
    assert (found.coverage is None) is (found.workloads == 0)


def test_models_are_the_dearest_first_and_only_those_that_are_served() -> None:
    found = made(
        served("a", 5.0, "b"),
        served("b", 5.0, "a"),
        served("c", 9.0, "z"),
        served("d", None, "unpriced"),
        workload_use("e", model="not served"),
        served("f", 99.0, ""),
    )
    assert [one.model for one in found.models] == ["z", "a", "b", "unpriced"]


def followed(name: str, at: Any, predicted: float | None, realised: float | None) -> Followed:
    return Followed(
        key=key(name),
        action="reduce-replicas",
        before="4",
        after="2",
        first_seen=BEGIN,
        last_seen=BEGIN,
        state="accepted",
        state_since=BEGIN,
        predicted=Saving(1.0, predicted, None, None),
        plan=True,
        accepted=None if at is None else Accepted(at, usd_per_month=realised),
    )


def test_what_followed_advice_brought_is_summed_where_both_are_known() -> None:
    entries = (
        followed("old", NOW - FOLLOWED_FOR - HOUR, 1000.0, 1000.0),
        followed("first", NOW - FOLLOWED_FOR, 10.0, 8.0),
        followed("b", NOW - DAY, 20.0, -5.0),
        followed("a", NOW - DAY, None, 7.0),
        followed("last", NOW - HOUR, 40.0, None),
        followed("later", NOW, 1000.0, 1000.0),
        followed("open", None, 1000.0, None),
    )
    found = made(past=Past(followed=entries)).realised
    assert found is not None
    assert [one.key.name for one in found.entries] == ["last", "a", "b", "first"]
    assert (found.counted, found.predicted_usd_per_month) == (2, 30.0)
    assert found.realised_usd_per_month == 3.0


def test_no_ledger_is_not_a_ledger_that_knows_of_nothing() -> None:
    nothing = made(past=Past(problems=("locked",)))
    assert (nothing.nights, nothing.realised, nothing.problems) == (None, None, ("locked",))
    empty = made(past=Past(sleeps=(), followed=()))
    assert empty.nights is not None
    assert empty.realised is not None
    assert (empty.nights.slept, empty.realised.entries) == (0, ())


def slept(name: str, begin: float, end: float | None, **changes: Any) -> Slept:
    until = None if end is None else BEGIN + end * HOUR
    fields = {"gpus": 1.0, "usd_per_hour": 1.0, "nodes": (), "by": "schedule"} | changes
    return Slept(key(name), f"u-{name}", BEGIN + begin * HOUR, until, **fields)


def two_teams() -> tuple[Snapshot, Past]:
    """Each team has eight GPUs that slept for ten hours; eight left meanwhile."""
    names = {"a": "chat", "b": "search"}
    workloads = tuple(make.workload(n, pod_labels={"team": t}) for n, t in names.items())
    hours = np.arange(make.window().steps) // 12
    present = np.where((hours >= 5) & (hours < 15), 8.0, 16.0)
    snapshot = make.snapshot(
        workloads=workloads,
        use=tuple(make.gpu_use(one.key) for one in workloads),
        pools=(make.pool(present=present, allocated=8.0),),
    )
    undone = NotDone(key("b"), BEGIN + HOUR, "sleep", "failed", "no")
    sleeps = tuple(slept(name, 5, 15, gpus=8.0) for name in ("a", "b", "gone"))
    entries = tuple(followed(name, NOW - DAY, 10.0, 8.0) for name in names)
    return snapshot, Past((), sleeps, (undone,), entries)


def of_teams(*teams: str) -> Digest:
    snapshot, past = two_teams()
    return digest("w", snapshot, analysed(Config(), snapshot, NOW), past, teams)


def test_a_team_has_its_own_and_nothing_of_others() -> None:
    found = of_teams("chat")
    assert [use.workload.key.name for use in found.analysis.workloads] == ["a"]
    assert found.nights is not None
    assert found.realised is not None
    assert (found.nights.slept, found.nights.gpu_hours, found.nights.not_done) == (1, 80.0, ())
    assert [one.key.name for one in found.realised.entries] == ["a"]
    assert list(found.hours) == [key("a")]
    assert found.hours[key("a")].asleep == ((5.0, 15.0),)
    # 1,344 GPU-hours, not twice as many.
    assert found.this.total.gpu_hours == pytest.approx(1344)


def test_nodes_that_left_are_told_once_and_to_no_team() -> None:
    whole = of_teams()
    assert whole.nights is not None
    assert whole.nights.left is not None
    assert whole.nights.left.gpu_hours == pytest.approx(80)
    for team in ("chat", "search"):
        found = of_teams(team)
        assert found.nights is not None
        assert found.nights.left is None


def test_everything_has_sleeps_of_workloads_that_are_gone_too() -> None:
    found = of_teams()
    assert found.nights is not None
    assert (found.nights.slept, found.nights.workloads, len(found.nights.not_done)) == (3, 3, 1)
    assert len(found.hours) == 2


@pytest.mark.parametrize(
    ("teams", "names"),
    [
        (("search", "chat", "search"), ["a", "b"]),
        (("Chat",), []),
        (("nobody",), []),
        (("",), []),
    ],
)
def test_teams_are_named_once_and_as_they_are_spelt(
    teams: tuple[str, ...], names: list[str]
) -> None:
    found = of_teams(*teams)
    assert found.teams == tuple(sorted(set(teams)))
    assert [use.workload.key.name for use in found.analysis.workloads] == names


def test_a_sleep_that_nobody_saw_end_is_neither_counted_nor_drawn() -> None:
    snapshot = make.snapshot(
        workloads=(make.workload("awake"), make.workload("asleep", replicas=0))
    )
    sleeps = (slept("awake", 100, None), slept("asleep", 100, None))
    found = digest("w", snapshot, analysed(Config(), snapshot, NOW), Past((), sleeps))
    assert found.nights is not None
    assert (found.nights.slept, found.nights.gpu_hours) == (1, pytest.approx(68))
    assert found.hours[key("awake")].asleep == ()
    assert found.hours[key("asleep")].asleep == ((100.0, 168.0),)


def test_figures_that_cannot_be_are_not_drawn_either() -> None:
    """What is measured is eight GPUs, of which four work; but for steps that no reader gives."""
    work = np.full(make.window().steps, 4.0)
    work[::12], work[1::12], work[2::12] = np.nan, np.inf, -5.0
    use = make.gpu_use(work=work)
    snapshot = make.snapshot(workloads=(make.workload(),), use=(use,))
    analysis = analysed(Config(), snapshot, NOW)
    [of_analysis] = analysis.workloads
    assert of_analysis.utilisation is not None
    assert of_analysis.utilisation.mean == pytest.approx(0.5)
    found = digest("w", snapshot, analysis, Past())
    assert {value for day in found.rhythm.use for value in day} == {0.5}
    assert set(found.hours[key()].use) == {0.5}
    assert found.rhythm.coverage == pytest.approx(0.75)


def test_hours_and_rhythm_are_on_the_clock_of_the_report() -> None:
    found = weeklies.clock_change()
    assert (found.this.of_hours, len(found.hours[key("chat", "llm")].use)) == (169.0, 169)
    # It is less busy from its twentieth hour on, and Sunday has 03:00 as its fifth.
    monday, sunday = ([use or 0.0 for use in found.rhythm.use[day]] for day in (0, 6))
    assert monday[19] > monday[20] + 0.1
    assert sunday[18] > sunday[19] + 0.1


def test_an_empty_fleet_has_a_digest() -> None:
    found = weeklies.empty()
    assert (found.actions, found.flagged, found.models, found.hours) == ((), (), (), {})
    assert (found.this.total.cost_usd, found.comparison) == (0.0, None)
    assert found.rhythm.coverage is None


def test_weeks_before_are_those_of_the_ledger() -> None:
    before = (weeklies.week("2026-W45"), weeklies.week("2026-W46", 20.0))
    found = made(past=Past(before))
    assert found.before == before
    assert found.comparison is not None
    assert found.comparison.weeks == 1
    assert replace(found, before=()).this.name == "2026-W47"


def test_a_team_that_nobody_carries_is_named() -> None:
    analysis = make.analysis(workload_use("a", team="chat"))
    found = digest("2026-W47", make.snapshot(), analysis, Past(), ("chat", "nobody"))
    assert found.problems == ("no workload of this week carries the team label nobody",)
    assert digest("2026-W47", make.snapshot(), analysis, Past(), ("chat",)).problems == ()
