"""Fewer replicas: what is advised, what is refused, and the figures that go with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from analyzer.advice import Recommendation, Refusal
from analyzer.analysis import Verdict
from analyzer.config.sizing import ReplicasConfig
from analyzer.model import Serving
from analyzer.sizing.case import Case, Floor
from analyzer.sizing.reduce_replicas import reduce_replicas
from tests import builders
from tests.analyzer.sizing.loads import A100, case, served

SPAN = builders.window()


def quiet(replicas: int = 4) -> list[Any]:
    """GPUs that work a tenth of the time: they limit nothing."""
    return [
        builders.gpu_use(
            allocated=float(replicas), work=replicas / 10, node=builders.node_class(A100), span=SPAN
        )
    ]


def asked(
    serving: Serving | None = None, config: ReplicasConfig | None = None, **changes: Any
) -> Any:
    changes.setdefault("use", quiet(changes.get("replicas") or 4))
    of = case(serving if serving is not None else served(), **changes)
    return reduce_replicas(of, config or ReplicasConfig())


def advised(*args: Any, **changes: Any) -> Recommendation:
    found = asked(*args, **changes)
    assert isinstance(found, Recommendation), found
    return found


def refused(*args: Any, **changes: Any) -> Refusal:
    found = asked(*args, **changes)
    assert isinstance(found, Refusal), found
    return found


def test_four_at_thirty_percent_are_two_at_sixty() -> None:
    """Two of four A100s for a week: 336 GPU-hours, at $3.43 for 730 of 168 hours $5,007.80 a
    month."""
    found = advised()
    assert (found.action, found.before, found.after) == ("reduce-replicas", 4, 2)
    assert found.saving.gpu_hours_per_week == pytest.approx(336)
    assert found.saving.worth_usd_per_month == pytest.approx(2 * 3.43 * 730)
    assert found.saving.usd_per_month is None, "which nodes can leave is for others to say"
    assert found.replay is not None
    assert [t.replicas for t in found.replay.trials] == [4, 3, 2, 1]
    assert [t.meets for t in found.replay.trials] == [True, True, True, False]
    assert found.evidence["load_hours"] == 168
    assert "2 replicas would have carried 168 h of load" in found.reason
    assert "1 would not" in found.reason


def test_a_replica_of_several_gpus_frees_all_of_them() -> None:
    use = [builders.gpu_use(allocated=16.0, work=1.6, node=builders.node_class(A100), span=SPAN)]
    assert advised(per_replica=4.0, use=use).saving.gpu_hours_per_week == pytest.approx(8 * 168)


def test_a_replica_of_several_pods_frees_all_of_them() -> None:
    """Four groups of two pods with four GPUs each: two groups less are sixteen GPUs."""
    use = [builders.gpu_use(allocated=32.0, work=3.2, node=builders.node_class(A100), span=SPAN)]
    of = case(served(), per_replica=4.0, use=use)
    group = replace(of.figures.workload, key=builders.key(kind="LeaderWorkerSet"))
    found = reduce_replicas(
        replace(of, figures=replace(of.figures, workload=group)), ReplicasConfig()
    )
    assert isinstance(found, Recommendation)
    assert (found.after, found.saving.gpu_hours_per_week) == (2, pytest.approx(16 * 168))


def test_only_what_is_above_the_advised_number_is_freed() -> None:
    """Four replicas by day and two by night: two fewer by day alone, half of the time."""
    day = np.arange(SPAN.steps) % 288 < 144
    count = np.where(day, 4.0, 2.0)
    use = [builders.gpu_use(allocated=count, work=count / 10, span=SPAN)]
    found = advised(
        served(speaking=count, kv_cache=0.3 * count / 4, kv_peak=0.3 * count / 4), use=use
    )
    assert found.after == 2
    assert found.saving.gpu_hours_per_week == pytest.approx(2 * 84)


def test_an_unknown_price_is_no_price() -> None:
    use = [
        builders.gpu_use(allocated=4.0, work=0.4, node=builders.node_class("Prototype"), span=SPAN)
    ]
    found = advised(use=use)
    assert found.saving.worth_usd_per_month is None
    assert found.saving.gpu_hours_per_week == pytest.approx(336)


def test_no_fewer_than_asked_for() -> None:
    assert advised(config=ReplicasConfig(at_least=3)).after == 3
    assert refused(config=ReplicasConfig(at_least=4)).code == "fewest"


def test_the_last_replica_has_no_spare() -> None:
    found = advised(served(kv_cache=0.1, kv_peak=0.1, kv_mean=0.1))
    assert found.after == 1
    assert "nothing answers while it restarts" in found.reason


def test_a_peak_of_a_quarter_of_an_hour_a_day_forbids_what_the_mean_allows() -> None:
    """10 % on average, 50 % for fifteen minutes a day: with three of four 67 %, with two 100 %."""
    kv = np.full(SPAN.steps, 0.1)
    for day in range(7):
        kv[day * 288 + 120 : day * 288 + 123] = 0.5
    assert advised(served(kv_cache=kv, kv_peak=kv, kv_mean=kv)).after == 3


def test_every_replica_may_be_needed() -> None:
    found = refused(served(kv_cache=0.7, kv_peak=0.75, kv_mean=0.7))
    assert found.code == "needed"
    assert found.reason.startswith("with 3: KV-cache p95 93%")
    assert found.replay is not None
    assert [t.replicas for t in found.replay.trials] == [4, 3]


REFUSED: dict[str, dict[str, Any]] = {
    "no-inference-metrics": {},
    "fewest": {"replicas": 1},
    "no-replicas": {"replicas": None},
    "low-coverage": {"coverage": 0.89},
    "no-gpu-metrics": {"coverage": None},
}


@pytest.mark.parametrize("code", REFUSED)
def test_what_is_missing(code: str) -> None:
    if code == "no-inference-metrics":
        found = reduce_replicas(case(None), ReplicasConfig())
        assert isinstance(found, Refusal)
        assert found.code == code
        return
    assert refused(**REFUSED[code]).code == code


def test_a_stopped_workload_is_not_judged() -> None:
    assert refused(replicas=0, use=quiet()).code == "no-replicas"


def test_less_than_a_week_is_too_short() -> None:
    hours = 150.0
    span = builders.window(hours)
    use = [builders.gpu_use(allocated=4.0, work=0.4, span=span)]
    of = case(served(span), hours=hours, use=use, floor=Floor(0.9, timedelta(days=7)))
    found = reduce_replicas(of, ReplicasConfig())
    assert isinstance(found, Refusal)
    assert (found.code, found.reason) == (
        "short-history",
        "only 150.0 h of history, at least 168 h needed",
    )


def test_a_window_of_a_week_is_enough_though_pods_started_in_it() -> None:
    held = np.full(SPAN.steps, 4.0)
    held[:6] = 0
    assert advised(use=[builders.gpu_use(allocated=held, work=held / 10, span=SPAN)]).after == 2


def test_gaps_prove_nothing() -> None:
    """An eighth of the week unheard: 87.5 % are known, and 90 % are needed."""
    heard = np.ones(SPAN.steps)
    heard[::8] = 0
    found = refused(served(heard=heard))
    assert found.code == "low-serving-coverage"
    assert "cover 87.5%" in found.reason
    heard[::8] = 1
    heard[::16] = 0
    assert advised(served(heard=heard)).evidence["gap_hours"] == pytest.approx(168 / 16, abs=0.01)


def test_one_of_four_replicas_unheard_is_a_gap() -> None:
    assert refused(served(heard=0.75)).code == "low-serving-coverage"


def test_time_without_load_neither_lowers_a_quantile_nor_counts_as_load() -> None:
    """Busy a third of the time at 42 %: over all of the week p95 is 42 % as well, and with half
    the replicas 84 %. Six days of nothing leave a day of load: enough; more do not."""
    on = np.arange(SPAN.steps) % 3 == 0
    load = {
        "running": np.where(on, 40.0, 0.0),
        "kv_cache": np.where(on, 0.42, 0.0),
        "kv_peak": np.where(on, 0.42, 0.0),
        "kv_mean": np.where(on, 0.42, 0.0),
        "generated": np.where(on, 180_000.0, 0.0),
        "finished": np.where(on, 600.0, 0.0),
    }
    found = advised(served(**load))
    assert found.after == 3
    assert found.evidence["zero_rate_hours"] == pytest.approx(112)
    rare = {
        name: np.where(np.arange(SPAN.steps) < 280, 1.0, 0.0) * np.max(v)
        for name, v in load.items()
    }
    assert refused(served(**rare)).code == "little-load"


def test_a_queue_forbids_any_reduction() -> None:
    """Three steps of a week are 0.15 %, above the 0.1 % that are forgiven."""
    queue = np.zeros(SPAN.steps)
    queue[[10, 500, 900]] = 1
    assert refused(served(waiting_peak=queue)).code == "queue"
    queue[900] = 0
    assert advised(served(waiting_peak=queue)).after == 2


def test_preemptions_and_saturation_forbid_any_reduction() -> None:
    assert refused(served(preemptions=3.0)).code == "preemptions"
    saturated = Verdict("saturated", "kv-cache", "p95 of KV-cache use is 91%")
    assert refused(verdict=saturated).code == "saturated"


def test_what_another_gpu_model_did_says_nothing_of_this_one() -> None:
    """On L4s until Thursday, on A100s since: only the time since counts, and it is too short."""
    early = np.arange(SPAN.steps) < 864
    use = [
        builders.gpu_use(
            allocated=np.where(early, 4.0, 0.0), work=0.0, node=builders.node_class("L4"), span=SPAN
        ),
        builders.gpu_use(
            allocated=np.where(early, 0.0, 4.0), work=0.0, node=builders.node_class(A100), span=SPAN
        ),
    ]
    found = refused(use=use)
    assert found.code == "short-history"
    assert "96.0 h on the GPU model it has now" in found.reason


def test_a_restart_every_hour_leaves_too_little() -> None:
    """Ten minutes of each hour unheard: 83 %."""
    heard = np.where(np.arange(SPAN.steps) % 12 < 2, 0.0, 1.0)
    assert "83.3%" in refused(served(heard=heard)).reason


def test_arguments_tell_how_many_run_at_a_time() -> None:
    few = served(kv_cache=0.05, kv_peak=0.05, kv_mean=0.05)
    of = case(few, use=quiet())
    workload = replace(of.figures.workload, server={"max-num-seqs": "16"})
    told = replace(of, figures=replace(of.figures, workload=workload))
    found = reduce_replicas(told, ReplicasConfig())
    assert isinstance(found, Recommendation)
    assert found.after == 3, "40 requests on two would be 20 each"


def test_a_hundred_replicas_show_both_ends_of_the_table() -> None:
    found = advised(
        served(replicas=100, kv_cache=0.05, kv_peak=0.05, kv_mean=0.05),
        replicas=100,
        use=quiet(100),
    )
    assert found.replay is not None
    counts = [t.replicas for t in found.replay.trials]
    assert counts[0] == 100
    assert counts[-1] == int(found.after) - 1
    assert len(counts) == 8


def by_day() -> dict[str, Any]:
    """Half of the load at night, each token at the same pace."""
    load = np.where(np.arange(SPAN.steps) % 288 < 144, 1.0, 0.5)
    names = {
        "running": 40.0,
        "generated": 180_000.0,
        "kv_cache": 0.3,
        "kv_mean": 0.3,
        "kv_peak": 0.4,
    }
    return {name: load * value for name, value in names.items()}


def test_a_load_that_never_changes_tells_little() -> None:
    found = advised()
    assert found.confidence.level == "low"
    assert any("too even to tell" in reason for reason in found.confidence.reasons)


def test_confidence_is_the_least_of_its_reasons() -> None:
    found = advised(served(**by_day()))
    assert found.confidence.level == "medium"
    told = " ".join(found.confidence.reasons)
    for part in (
        "99.0% of its time measured (high)",
        "7.0 days of history (medium)",
        "one week only",
    ):
        assert part in told
    assert advised(served(**by_day()), coverage=0.91).confidence.level == "medium"


def test_two_weeks_that_are_alike_deserve_more_confidence() -> None:
    span = builders.window(336)
    use = [builders.gpu_use(allocated=4.0, work=0.4, node=builders.node_class(A100), span=span)]
    for change, expected in ((1.0, "+0% against"), (1.5, "+50% against")):
        kv = np.full(span.steps, 0.2)
        kv[2016:] *= change
        of: Case = case(served(span, kv_cache=kv, kv_peak=kv, kv_mean=kv), hours=336.0, use=use)
        found = reduce_replicas(of, ReplicasConfig())
        assert isinstance(found, Recommendation)
        assert any(expected in reason for reason in found.confidence.reasons), found.confidence
    assert found.confidence.level == "low"


def test_time_on_two_gpu_models_at_once_says_nothing_of_one() -> None:
    early = np.arange(SPAN.steps) < 864
    use = [
        builders.gpu_use(allocated=4.0, work=0.4, node=builders.node_class(A100), span=SPAN),
        builders.gpu_use(
            allocated=np.where(early, 2.0, 0.0), work=0.0, node=builders.node_class("L4"), span=SPAN
        ),
    ]
    found = refused(use=use)
    assert found.code == "short-history"
    assert "96.0 h on the GPU model it has now" in found.reason


def test_what_was_given_up_already_is_not_freed_again() -> None:
    """Four until an hour ago, three now: two would do, which frees one, not two."""
    held = np.full(SPAN.steps, 4.0)
    held[-12:] = 3.0
    use = [
        builders.gpu_use(allocated=held, work=held / 10, node=builders.node_class(A100), span=SPAN)
    ]
    found = advised(served(speaking=held), replicas=3, use=use)
    assert (found.before, found.after) == (3, 2)
    assert found.saving.gpu_hours_per_week == pytest.approx(168)
