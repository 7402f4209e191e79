"""Advice on real request rates, judged by a queueing simulation that knows nothing of it.

Learnt on the first half of a trace, judged on the second. What is learnt are the metrics of the
simulated replicas, never the arrivals. A week is not the next one: the table tells by how much the
highest rate had grown, and the load that was learnt is judged as well.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analyzer.advice import Level, Recommendation
from analyzer.config.sizing import ReplicasConfig
from analyzer.sizing.reduce_replicas import reduce_replicas
from tests.analyzer.sizing.loads import of_run
from tests.analyzer.sizing.queueing import Floats, Requests, Run, Server, arrivals, run

DATA = Path(os.environ.get("GPU_THRIFT_DATA") or Path(__file__).parents[4] / "shared" / "data")
WINDOW_S = 600.0
MEANS = (1_500.0, 1_700.0)
"""Tokens of a prompt and an answer where the trace's own are not used."""
TOKEN_S = 0.05

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(),
    reason=f"no captured data at {DATA}; GPU_THRIFT_DATA may name another place",
)


@dataclass(frozen=True)
class Trace:
    """A trace served by ``replicas`` whose caches are ``kv`` full on average while ``together``
    requests run. ``own`` takes the tokens of the trace; ``half_s`` is learnt, the rest judged."""

    name: str
    replicas: int
    kv: float
    together: float = 80.0
    own: bool = False
    half_s: float = 7 * 86_400.0

    def __str__(self) -> str:
        return f"{self.name}{' (own tokens)' if self.own else ''}"


CASES = (
    *(
        Trace(name, replicas, kv, together)
        for name in ("all", "5", "8", "12", "14", "17", "26", "27", "31", "36", "38", "41")
        for replicas, kv, together in ((6, 0.15, 80.0), (10, 0.12, 80.0))
    ),
    Trace("all", 10, 0.04, own=True),
    Trace("deepseek-r1", 10, 0.15, own=True, half_s=43_200.0),
    Trace("azure", 6, 0.2, own=True, half_s=1_800.0),
    Trace("azure", 10, 0.2, own=True, half_s=1_800.0),
)


@dataclass(frozen=True)
class Judged:
    """What became of one recommendation. ``met`` and ``fewer_met`` are of the half that was learnt
    and of the other; ``grown`` is the highest rate of the other over that of the learnt one."""

    trace: Trace
    advised: int
    level: Level
    surge: float
    grown: float
    met: tuple[bool, bool]
    fewer_met: tuple[bool, bool]
    seen: Seen

    @property
    def row(self) -> str:
        words = ["met" if one else "missed" for one in (*self.met, *self.fewer_met)]
        return (
            f"{self.trace!s:>24} {self.trace.replicas:>3} -> {self.advised} {self.level:>6} | "
            f"{words[0]:>6} {words[2]:>6} | {words[1]:>6} {words[3]:>6} | "
            f"{self.grown:.2f} ({self.surge:.2f}) | "
            f"{self.seen.kv_p95:.2f} {self.seen.saturated:.3%} {self.seen.waited:.4%}"
        )


HEAD = (
    "trace, replicas, advised, confidence | learnt: met, one fewer | then: met, one fewer | "
    "peak rate grown (let expect) | then: KV p95, minutes above 90 %, requests that waited"
)


@dataclass(frozen=True)
class Seen:
    """Over the time in which anything ran: p95 of the fullest cache, share of minutes in which it
    was above 0.9, share of requests that waited."""

    kv_p95: float
    saturated: float
    waited: float

    @property
    def meets(self) -> bool:
        """The target; one in a thousand requests may wait for the end of another."""
        return self.kv_p95 < 0.8 and self.saturated <= 0.001 and self.waited <= 0.001

    @property
    def meets_strictly(self) -> bool:
        return self.meets and self.waited == 0


@cache
def rates() -> dict[str, tuple[Floats, tuple[Floats, Floats]]]:
    """Requests a second in windows of ten minutes, and the mean tokens of their prompts and
    answers."""
    found = {}
    for name in ("m-small", "deepseek-r1"):
        rows = pd.read_csv(DATA / f"rate_servegen_{name}.csv").ffill().bfill()
        tokens = rows.mean_prompt_tokens.to_numpy(float), rows.mean_output_tokens.to_numpy(float)
        found[name.replace("m-small", "all")] = rows.rate_rps.to_numpy(float), tokens
    clients = pd.read_parquet(DATA / "rate_servegen_m-small_clients.parquet")
    by_client = clients.pivot(index="time_s", columns="client", values="rate_rps").fillna(0.0)
    tokens = found["all"][1]
    return found | {str(name): (by_client[name].to_numpy(float), tokens) for name in by_client}


@cache
def requests_of(trace: Trace) -> Requests:
    if trace.name == "azure":
        rows = pd.read_csv(DATA / "req_azure2023_conv.csv")
        columns = (rows.arrival_s, rows.prompt_tokens, rows.output_tokens)
        return Requests(*(column.to_numpy(float) for column in columns))
    rate, own = rates()[trace.name]
    tokens = own if trace.own else tuple(np.full(rate.size, mean) for mean in MEANS)
    if trace.name == "all" and trace.own:
        # A small model's short requests, made as long as those of the others.
        tokens = own[0] * 12, own[1] * 100
    busy = float((rate * (tokens[0] / 8000 + tokens[1] * TOKEN_S)).mean())
    return arrivals(rate * trace.together / busy, tokens, WINDOW_S, seed=7)


def server_of(trace: Trace) -> Server:
    """Room for so many tokens that the caches are as full as the trace says."""
    asked = requests_of(trace)
    service = asked.service_s(Server(1.0, token_s=TOKEN_S))
    kept = float((service * asked.size).sum()) / float(asked.arrival_s[-1])
    return Server(kept / trace.replicas / trace.kv, token_s=TOKEN_S)


def seen(what: Run) -> Seen:
    busy = what.running > 0
    return Seen(
        float(np.quantile(what.kv[busy], 0.95)),
        float((what.minutes_kv[np.repeat(busy, 5)] > 0.9).mean()),
        float((what.waited_s > 1e-6).mean()),
    )


def played(trace: Trace, half: int, replicas: int) -> Run:
    asked = requests_of(trace).between(half * trace.half_s, (half + 1) * trace.half_s)
    return run(asked, server_of(trace), replicas, trace.half_s)


def judge(trace: Trace, certainty: float) -> Judged | str:
    """Why not, when nothing was advised."""
    case = of_run(played(trace, 0, trace.replicas), trace.replicas)
    advice = reduce_replicas(case, ReplicasConfig(certainty=certainty))
    if not isinstance(advice, Recommendation):
        return f"{trace!s:>24} {trace.replicas:>3} | {advice.code}: {advice.reason}"
    count = int(advice.after)
    then = [seen(played(trace, half, count)) for half in (0, 1)]
    fewer = [count > 1 and seen(played(trace, half, count - 1)).meets_strictly for half in (0, 1)]
    arrival_s = requests_of(trace).arrival_s
    counts = np.histogram(arrival_s, bins=np.arange(0, 2 * trace.half_s + 1, trace.half_s / 6 / 28))
    peaks = [part.max() for part in np.split(counts[0], 2)]
    return Judged(
        trace,
        count,
        advice.confidence.level,
        float(advice.evidence["expected_surge"] or 0),
        float(peaks[1] / peaks[0]),
        (then[0].meets, then[1].meets),
        (fewer[0], fewer[1]),
        then[1],
    )


@cache
def verdicts(certainty: float) -> tuple[Judged, ...]:
    found = [judge(trace, certainty) for trace in CASES]
    print(f"\ncertainty {certainty:g}\n{HEAD}")
    for one in found:
        print(one if isinstance(one, str) else one.row)
    return tuple(one for one in found if isinstance(one, Judged))


def part(flags: list[bool]) -> float:
    return sum(flags) / len(flags)


CAUTIOUS = 0.98


def test_what_was_advised_would_have_carried_the_load_that_was_learnt() -> None:
    judged = verdicts(0.0)
    assert len(judged) >= 16
    assert all(one.met[0] for one in judged)


def test_one_fewer_would_not_have_carried_the_load_that_was_learnt() -> None:
    assert part([not one.fewer_met[0] for one in verdicts(0.0)]) >= 0.8


def test_the_load_that_came_is_carried_where_confidence_is_not_low() -> None:
    sure = [one for one in verdicts(0.0) if one.level != "low"]
    assert len(sure) >= 5
    assert all(one.met[1] for one in sure)


def test_one_fewer_breaks_where_the_load_that_came_was_no_less() -> None:
    same = [one for one in verdicts(0.0) if one.grown >= 1]
    assert len(same) >= 8
    assert part([not one.fewer_met[1] for one in same]) >= 0.8


def test_with_a_margin_for_days_to_come_all_are_carried() -> None:
    judged = verdicts(CAUTIOUS)
    assert len(judged) >= 12
    assert all(all(one.met) for one in judged)
