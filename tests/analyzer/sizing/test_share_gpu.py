"""Models on one GPU: memory as a hard limit, GPU work by peaks that coincide."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from analyzer.advice import Recommendation, Refusal
from analyzer.config.sizing import ShareGpuConfig
from analyzer.model import NodeClass
from analyzer.sizing.case import Case
from analyzer.sizing.memory import Shape
from analyzer.sizing.models import Unknown
from analyzer.sizing.share_gpu import share_gpu
from tests.analyzer.sizing.cases import A100, L40S, UNPRICED, book, known, small
from tests.builders import gpu_use, node_class, verdict, window

H100 = NodeClass("H100 SXM 80GB")
DEFAULT = ShareGpuConfig()
Values = npt.NDArray[np.float64]


def asked(*cases: Case, **config: Any) -> dict[str, Recommendation | Refusal]:
    found = share_gpu(cases, ShareGpuConfig(**config))
    assert set(found) == {one.key for one in cases}
    return {key.name: answer for key, answer in found.items()}


def advised(*cases: Case, **config: Any) -> dict[str, Recommendation]:
    found = asked(*cases, **config)
    for answer in found.values():
        assert isinstance(answer, Recommendation), answer
    return {name: one for name, one in found.items() if isinstance(one, Recommendation)}


def code(one: Case, **config: Any) -> str:
    """Why it does not share, beside one that would."""
    answer = asked(one, small("other"), **config)[one.key.name]
    assert isinstance(answer, Refusal), answer
    assert answer.action == "share-gpu"
    return answer.code


def halves() -> tuple[Values, Values]:
    """Busy in the first half of each day, and in the second."""
    early = np.where(np.arange(2016) % 288 < 144, 0.6, 0.1)
    return early, 0.7 - early


def test_two_that_are_busy_at_different_times() -> None:
    early, late = halves()
    found = advised(small("chat-a", work=early), small("chat-b", work=late))
    one = found["chat-a"]
    assert one.before == "L40S"
    assert one.after == "1/2 of L40S (time-slicing, with chat-b)"
    # One of two GPUs is freed: 168 h, 84 of them each, at $1.861.
    assert one.saving.gpu_hours_per_week == pytest.approx(84)
    assert one.saving.worth_usd_per_month == pytest.approx(365 * 1.861)
    assert one.saving.worth_usd_per_month == pytest.approx(679.265)
    assert one.saving.usd_per_month is None
    assert one.evidence["gpu_work_together"] == pytest.approx(0.7)
    assert one.evidence["gpu_work_of_peaks"] == pytest.approx(1.2)
    assert one.evidence["with"] == "inference/chat-b"
    assert one.evidence["memory_gib"] == 8.05
    assert one.evidence["memory_together_gib"] == 16.11
    # 46,068 MiB x 0.92.
    assert one.evidence["memory_limit_gib"] == 41.39
    assert one.evidence["gpus_before"] == 2
    assert one.evidence["gpus_after"] == 1
    assert one.confidence.level == "medium"


def test_means_decide_nothing() -> None:
    # 10 % on average each; in one step a week both are at 50 %.
    work = np.full(2016, 0.1)
    work[1000] = 0.5
    found = asked(small("a", work=work), small("b", work=work))
    assert {getattr(one, "code", "") for one in found.values()} == {"no-partner"}
    assert advised(small("a", work=work), small("b", work=np.roll(work, 1)))
    assert advised(small("a", work=0.4), small("b", work=0.4))
    assert isinstance(asked(small("a", work=0.41), small("b", work=0.4))["a"], Refusal)


def test_unmeasured_steps_count_as_its_highest() -> None:
    early, late = halves()
    seen = np.ones(2016)
    seen[100] = 0.5  # In the morning, in which the other is busy.
    found = asked(small("a", work=early), small("b", work=late, observed=seen))
    assert isinstance(found["a"], Refusal)
    assert advised(small("a", work=early), small("b", work=late))


def test_memory_is_a_hard_limit() -> None:
    # Six of 8.053 GiB are 48.3, five 40.3 of 41.39 GiB.
    names = [f"m{n}" for n in range(5)]
    found = advised(*(small(name, work=0.01) for name in names), most=16)
    assert found["m0"].evidence["gpus_after"] == 1
    more = asked(*(small(f"m{n}", work=0.01) for n in range(6)), most=16)
    assert sum(isinstance(one, Refusal) for one in more.values()) == 1


def test_the_longest_request_has_to_fit() -> None:
    # 65,536 tokens of 128 KiB are 8 GiB: 14.588 GiB.
    one = small("long", model=known(longest=65536))
    assert advised(one, small("b"))["long"].evidence["memory_gib"] == 14.59


def test_peaks_of_the_cache_count_not_its_mean() -> None:
    use = np.full(2016, 0.1)
    use[7] = 0.5  # 12.207 x 0.5 x 1.2 = 7.324 GiB.
    found = advised(small("a", kv=use), small("b", kv=np.roll(use, 5)))["a"]
    assert found.evidence["memory_gib"] == 13.91
    assert found.evidence["kv_of_peaks_gib"] == 12.21
    assert found.evidence["kv_together_gib"] == 7.32


def test_no_more_than_the_most() -> None:
    found = advised(*(small(f"m{n}", work=0.01) for n in range(4)), most=2)
    assert all(one.after.startswith("1/2 ") for one in found.values() if isinstance(one.after, str))


def test_two_replicas_of_one_workload_never_share() -> None:
    alone = asked(small("a", replicas=3, allocated=3.0, work=0.3))["a"]
    assert isinstance(alone, Refusal)
    assert alone.code == "no-partner"


def test_replicas_are_packed_one_by_one() -> None:
    # Each of a's three has room for one other: six GPUs become three.
    big = small("a", replicas=3, allocated=3.0, work=1.5)
    found = advised(big, *(small(name, work=0.3) for name in "bcd"))
    assert found["a"].after == "1/2 of L40S (time-slicing, with b, c, d)"
    assert found["b"].after == "1/2 of L40S (time-slicing, with a)"
    assert (found["a"].evidence["gpus_before"], found["a"].evidence["gpus_after"]) == (6, 3)
    # 3 x 168 h, half of what is held: nobody frees more than it has.
    freed = {key: one.saving.gpu_hours_per_week for key, one in found.items()}
    assert freed == {name: pytest.approx(84 * (3 if name == "a" else 1)) for name in "abcd"}


def test_the_most_loaded_replica_counts() -> None:
    two = {"replicas": 2, "allocated": 2.0, "work": 0.8}
    assert advised(small("a", **two), small("b", work=0.3))
    assert isinstance(asked(small("a", lean=1.5, **two), small("b", work=0.3))["a"], Refusal)


def test_what_is_never_there_together_frees_nothing() -> None:
    span = window(14 * 24)
    early = (np.arange(span.steps) % 288 < 144).astype(float)
    a, b = (
        small(name, span=span, allocated=held, work=held * 0.3)
        for name, held in (("a", early), ("b", 1 - early))
    )
    codes = {getattr(one, "code", "") for one in asked(a, b).values()}
    assert codes == {"nothing-freed"}


def test_what_a_newcomer_would_have_done_before_is_not_known() -> None:
    span = window(14 * 24)
    there = (np.arange(span.steps) >= 4 * 288).astype(float)
    work = 0.1 * there
    work[-1] = 0.6
    new = small("new", span=span, allocated=there, work=work)
    found = advised(new, small("old", span=span, work=0.2))
    # A week of the ten days in which both were there.
    assert found["new"].saving.gpu_hours_per_week == pytest.approx(84)
    busy_before = np.where(there > 0, 0.1, 0.6)
    apart = asked(new, small("old", span=span, work=busy_before))
    assert isinstance(apart["new"], Refusal)


@pytest.mark.parametrize("part", ["environment", "cluster", "gpu", "spot"])
def test_only_what_is_alike_shares(part: str) -> None:
    other = {
        "environment": {"environment": "staging"},
        "cluster": {"cluster": "elsewhere"},
        "gpu": {"node": NodeClass("L4"), "work": 0.1},
        "spot": {"node": replace(L40S, spot=True)},
    }[part]
    found = asked(small("a"), small("b", **other))
    assert isinstance(found["a"], Refusal)


def test_production_shares_by_mig_only() -> None:
    sliced_only = asked(*(small(n, environment="production") for n in "ab"))
    assert {getattr(one, "code", "") for one in sliced_only.values()} == {"no-mig-part"}
    found = advised(*(small(n, environment="production", node=A100) for n in "ab"))
    # 8.053 GiB are in 10 GB = 9.313 GiB x 0.92 = 8.568, but 20 % of work need 2 of 7 slices.
    assert found["a"].after == "2g.20gb of A100 80GB (MIG, with b)"
    assert found["a"].before == "A100 80GB"
    assert found["a"].evidence["gpu_work_limit"] == 0.2857
    assert found["a"].evidence["memory_limit_gib"] == 17.14
    unknown = asked(*(small(n, environment="unknown") for n in "ab"))
    assert {getattr(one, "code", "") for one in unknown.values()} == {"no-mig-part"}


def test_the_smallest_part_that_holds_it() -> None:
    cases = [small("a", node=H100, work=0.1), small("b", node=H100, work=0.14)]
    cases += [small("c", node=H100, work=0.15), small("d", node=H100, work=0.42)]
    found = advised(*cases)
    names = {name: str(one.after).split()[0] for name, one in found.items()}
    assert names == {"a": "1g.10gb", "b": "1g.10gb", "c": "2g.20gb", "d": "3g.40gb"}


def test_slices_of_memory_run_out_before_those_of_compute() -> None:
    # 3 + 3 + 1 of 7 slices of compute, but 4 + 4 + 1 of 8 of memory.
    three = [small("a", node=A100, work=0.4), small("b", node=A100, work=0.4)]
    found = asked(*three, small("c", node=A100, work=0.1))
    assert isinstance(found["a"], Recommendation)
    assert found["a"].after == "3g.40gb of A100 80GB (MIG, with b)"
    assert isinstance(found["c"], Refusal)


def test_who_fits_no_part_shares_in_time_slices() -> None:
    early, late = halves()
    found = advised(small("a", work=early, node=A100), small("b", work=late, node=A100))
    assert found["a"].after == "1/2 of A100 80GB (time-slicing, with b)"
    # The one that fits a part has no partner for it.
    mixed = advised(small("a", work=0.6, node=A100), small("b", work=0.1, node=A100))
    assert mixed["b"].after == "1/2 of A100 80GB (time-slicing, with a)"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"gpus_per_replica": 2.0}, "not-one-gpu"),
        ({"gpus_per_replica": None}, "not-one-gpu"),
        ({"gpus_per_replica": float("nan")}, "not-one-gpu"),
        ({"gpus_per_replica": 0.5}, "not-one-gpu"),
        ({"shared": True}, "shared-already"),
        ({"replicas": None}, "no-replicas"),
        ({"replicas": 0}, "no-replicas"),
        ({"model": Unknown("no config.json")}, "model-unknown"),
        ({"model": known(longest=None)}, "model-unknown"),
        ({"model": known(shape=Shape(1e9, 20, 0, 0))}, "model-unknown"),
        ({"verdict": verdict("saturated")}, "saturated"),
        ({"verdict": verdict("unknown")}, "unknown"),
        ({"serving": None}, "cache-unknown"),
        ({"tokens": None}, "cache-unknown"),
        ({"tokens": float("nan")}, "cache-unknown"),
        ({"tokens": -5.0}, "cache-unknown"),
        ({"kv": np.nan}, "low-serving-coverage"),
        ({"node": UNPRICED}, "gpu-unknown"),
        ({"node": NodeClass("MI300X")}, "too-large"),
        ({"work": 0.81}, "too-large"),
        ({"work": np.nan}, "low-coverage"),
        ({"observed": np.nan, "coverage": None}, "no-gpu-metrics"),
        ({"observed": 0.5}, "low-coverage"),
        ({"allocated": np.nan}, "short-history"),
        ({"span": window(1 / 12)}, "short-history"),
        ({"exists": False}, "gone"),
    ],
)
def test_who_does_not_share(changes: dict[str, Any], told: str) -> None:
    assert code(small("one", **changes)) == told


def test_a_model_too_large_finds_no_partner() -> None:
    assert code(small("one", model=known(shape=Shape(18e9, 32, 8, 128)))) == "no-partner"


def test_one_workload_alone_and_none() -> None:
    assert isinstance(asked(small("a"))["a"], Refusal)
    assert share_gpu([], DEFAULT) == {}


def test_a_change_of_gpu_in_mid_week_is_too_short_a_history() -> None:
    early = np.arange(2016) < 1008
    use = (
        gpu_use(allocated=1.0 * early, work=0.1 * early, node=node_class()),
        gpu_use(allocated=1.0 * ~early, work=0.1 * ~early, node=L40S),
    )
    assert code(small("one", use=use)) == "short-history"


def test_restarts_every_hour_are_absences() -> None:
    held = np.ones(2016)
    held[::12] = 0
    found = advised(small("a", allocated=held, work=held * 0.2), small("b"))
    # It is there for 11 of 12 steps, from the second step on.
    freed = sum(one.saving.gpu_hours_per_week for one in found.values())
    assert freed == pytest.approx(168 * 11 / 12, rel=0.001)


def test_prices() -> None:
    for price in (np.nan, np.inf, -1.0):
        found = advised(small("a", prices=book(price)), small("b", prices=book(price)))
        assert found["a"].saving.worth_usd_per_month is None
    free = advised(small("a", prices=book(0.0)), small("b", prices=book(0.0)))
    assert free["a"].saving.worth_usd_per_month == 0
