"""A cheaper GPU would hold the model and its requests, and could answer as fast."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from analyzer.advice import Fact, Recommendation, Refusal, Saving
from analyzer.config.sizing import SmallerGpuConfig
from analyzer.model import NodeClass
from analyzer.pricing import CATALOGUE, Gpu, Price, comparable, find_gpu
from analyzer.sizing import confidence
from analyzer.sizing.case import Case
from analyzer.sizing.demand import Demand
from analyzer.sizing.evidence import proven, strained
from analyzer.sizing.memory import BANDWIDTH_SHARE, BYTES, DataType, Fit, fit, slowest_token_s
from analyzer.sizing.models import Known
from analyzer.sizing.money import per_month

ACTION: Final = "smaller-gpu"

_LACKING: Mapping[str, frozenset[DataType]] = {"T4": frozenset({"bfloat16", "fp8"})}
"""Data types of weights that a GPU cannot compute with."""
_AMD = frozenset({"MI300X"})
"""Another maker's GPUs need another build of the server: not a change of size."""
_QUEUE_SHARE = 0.001


@dataclass(frozen=True, slots=True)
class _Need:
    """Tokens that one replica has to keep at once: ``tokens``, for the longest request ``longest``
    or the most seen, ``peak``, with room to spare. ``objective_s`` is the time between tokens that
    is accepted, ``seen_s`` the p95 seen now."""

    tokens: float
    peak: float
    longest: float | None
    objective_s: float
    seen_s: float | None


@dataclass(frozen=True, slots=True)
class _Choice:
    """Some GPUs for one replica at a ``price`` each: ``floor_s`` the least time
    between tokens, ``expected_s`` the same with the most tokens seen to be kept."""

    gpu: Gpu
    count: int
    price: Price
    fit: Fit
    floor_s: float
    expected_s: float

    @property
    def usd(self) -> float:
        return self.price.usd_per_gpu_hour * self.count

    @property
    def name(self) -> str:
        return named(self.gpu.name, self.count)


def smaller_gpu(case: Case, config: SmallerGpuConfig) -> Recommendation | Refusal:
    """The cheapest GPUs that keep what was seen at once and the longest request, and whose
    bandwidth allows the time between tokens that is asked for."""
    demand = proven(case, ACTION)
    if isinstance(demand, Refusal):
        return demand
    refused = strained(case, demand, _QUEUE_SHARE, ACTION)
    if refused:
        return refused
    if not isinstance(case.model, Known):
        return Refusal(ACTION, "model-unknown", case.model.reason)
    now, quote = find_gpu(case.node_class.gpu_model), case.prices.quote(case.node_class)
    if now is None or quote is None:
        what = "its GPU is not in the catalogue" if now is None else "its GPU has no price"
        return Refusal(ACTION, "gpu-unknown", f"{what}: what another would save is not known")
    need = _need(case, case.model, config, demand, now)
    if isinstance(need, Refusal):
        return need
    here = _choice(case.model, now, case.model.setup.tensor_parallel, quote.price, need)
    fitting = [c for c in _offers(case, case.model, config, need) if _is_less(c, here)]
    good = [choice for choice in fitting if _is_enough(choice, need)]
    if not good:
        return Refusal(ACTION, "nothing-smaller", _why_not(fitting, need))
    best = min(good, key=lambda c: (c.usd, c.count, -c.gpu.bandwidth_gb_s))
    return _recommended(case, demand, (here, best), need)


def _need(
    case: Case, model: Known, config: SmallerGpuConfig, demand: Demand, now: Gpu
) -> _Need | Refusal:
    serving = case.serving
    told = serving.cache.tokens if serving else None
    capacity = told or fit(model.shape, model.setup, now.memory_gib).tokens
    if not capacity:
        return Refusal(ACTION, "cache-unknown", "how many tokens its KV cache keeps is not known")
    seen_s = serving.itl_p95_s if serving else None
    objective_s = config.itl_p95.total_seconds() or seen_s
    if not objective_s:
        reason = "no time between tokens is told, and no objective is set (sizing.smaller_gpu)"
        return Refusal(ACTION, "no-latency", reason)
    peak = float(demand.kv_peak.max(initial=0.0)) * capacity
    tokens = max(model.longest or 0.0, peak * config.kv_headroom)
    return _Need(tokens, peak, model.longest, objective_s, seen_s)


def _offers(case: Case, model: Known, config: SmallerGpuConfig, need: _Need) -> Iterator[_Choice]:
    is_amd = case.node_class.gpu_model in _AMD
    wanted = {gpu.name for name in config.gpus if (gpu := find_gpu(name)) is not None}
    now = case.prices.quote(case.node_class)
    for gpu in CATALOGUE:
        if (gpu.name in _AMD) is not is_amd or (config.gpus and gpu.name not in wanted):
            continue
        quote = case.prices.quote(NodeClass(gpu.name, spot=case.node_class.spot))
        if quote is None or (now is not None and not comparable(now.price, quote.price)):
            continue
        for count in _counts(model):
            if model.setup.weights not in _LACKING.get(gpu.name, ()):
                yield _choice(model, gpu, count, quote.price, need)


def _counts(model: Known) -> list[int]:
    """As many GPUs as now, or fewer: over more of them a model answers slower than any floor
    tells."""
    most, heads = model.setup.tensor_parallel, model.shape.kv_heads
    return [
        count
        for count in range(1, min(most, heads) + 1)
        if most % count == 0 and heads % count == 0
    ]


def _choice(model: Known, gpu: Gpu, count: int, price: Price, need: _Need) -> _Choice:
    setup = replace(model.setup, tensor_parallel=count)
    floor_s = slowest_token_s(model.shape, setup, gpu.bandwidth_gb_s)
    kept = model.shape.kv_bytes_per_token(count, BYTES[setup.keys]) or 0.0
    reading_s = need.peak * kept / (BANDWIDTH_SHARE * gpu.bandwidth_gb_s * 1e9)
    room = fit(model.shape, setup, gpu.memory_gib)
    return _Choice(gpu, count, price, room, floor_s, floor_s + reading_s)


def _is_less(choice: _Choice, here: _Choice) -> bool:
    """Cheaper, and of no more memory: a larger GPU that happens to be cheaper is no advice on
    size. Makers round: 80 GB are more on one model than on another."""
    memory, now = choice.count * choice.gpu.memory_mib, here.count * here.gpu.memory_mib
    return choice.usd < 0.99 * here.usd and memory < 1.02 * now


def _is_enough(choice: _Choice, need: _Need) -> bool:
    return choice.floor_s <= need.objective_s and _keeps(choice, need)


def _keeps(choice: _Choice, need: _Need) -> bool:
    """Requests that take longer stay longer: as many more tokens have to be kept at once."""
    slower = max(1.0, choice.floor_s / need.seen_s) if need.seen_s else 1.0
    asked = max(need.longest or 0.0, need.tokens * slower)
    return choice.fit.fits and choice.fit.tokens is not None and choice.fit.tokens >= asked


def _why_not(offers: list[_Choice], need: _Need) -> str:
    if not offers:
        return "nothing smaller that can be had is cheaper"
    small = [c for c in offers if not _keeps(c, need)]
    slow = [c for c in offers if _keeps(c, need)]
    said = [f"{need.tokens:,.0f} tokens have to be kept at once"]
    if slow:
        quickest = min(slow, key=lambda c: c.floor_s)
        said.append(
            f"{quickest.name} would keep them, but cannot give a token in less than "
            f"{quickest.floor_s * 1000:.0f} ms (accepted: {need.objective_s * 1000:.0f} ms)"
        )
    elif small:
        largest = max(small, key=lambda c: c.fit.tokens or 0.0)
        said.append(
            f"{largest.name}, the roomiest that is smaller and cheaper, keeps {_tokens(largest)}"
        )
    return ": ".join(said)


def _tokens(choice: _Choice) -> str:
    return f"{choice.fit.tokens:,.0f}" if choice.fit.tokens else "none beside the weights"


def _recommended(
    case: Case, demand: Demand, choices: tuple[_Choice, _Choice], need: _Need
) -> Recommendation:
    here, best = choices
    hours = case.gpu_hours_per_week
    replica_hours = hours / case.per_replica
    worth = per_month(replica_hours, here.usd - best.usd)
    return Recommendation(
        action=ACTION,
        before=here.name,
        after=best.name,
        reason=(
            f"{best.name} keeps {_tokens(best)} tokens at once where {need.tokens:,.0f} are "
            f"needed, and can give one every {best.floor_s * 1000:.0f} ms where "
            f"{need.objective_s * 1000:.0f} ms are accepted; measure it with one replica first"
        ),
        saving=Saving(hours, worth),
        confidence=confidence.combined(_doubts(case, demand, choices, need)),
        evidence=_evidence(case, choices, need),
    )


def _doubts(
    case: Case, demand: Demand, choices: tuple[_Choice, _Choice], need: _Need
) -> list[confidence.Reason]:
    here, best = choices
    margin = (best.fit.tokens or 0.0) / need.tokens if need.tokens else 0.0
    doubts = [
        confidence.of_coverage(case, demand.coverage),
        confidence.of_history(case),
        confidence.of_steadiness(demand),
        confidence.of_room(margin),
        confidence.of_pace(best.expected_s, need.objective_s),
    ]
    if need.seen_s and best.floor_s > here.floor_s:
        slower = best.floor_s / here.floor_s
        doubts.append(confidence.of_slower(need.seen_s, slower, need.objective_s))
    told = case.serving.cache.tokens if case.serving else None
    if told and here.fit.tokens:
        doubts.append(confidence.of_formula(told / here.fit.tokens))
    return doubts


def _evidence(case: Case, choices: tuple[_Choice, _Choice], need: _Need) -> dict[str, Fact]:
    here, best = choices
    return _of_model(case) | {
        "peak_kv_tokens": round(need.peak),
        "longest_request_tokens": None if need.longest is None else round(need.longest),
        "tokens_needed": round(need.tokens),
        "tokens_fit": round(best.fit.tokens or 0),
        "tokens_fit_now": round(here.fit.tokens or 0),
        "bandwidth_floor_ms": round(best.floor_s * 1000, 2),
        "expected_at_peak_ms": round(best.expected_s * 1000, 2),
        "itl_p95_now_ms": None if need.seen_s is None else round(need.seen_s * 1000, 2),
        "itl_accepted_ms": round(need.objective_s * 1000, 2),
        "usd_per_replica_hour_now": round(here.usd, 4),
        "usd_per_replica_hour_then": round(best.usd, 4),
        "price_source_then": best.price.source,
        "price_as_of_then": best.price.as_of.isoformat() if best.price.as_of else None,
        "needs_gpu_hours_per_week": round(
            case.gpu_hours_per_week / case.per_replica * best.count, 2
        ),
        "history_hours": round(case.span_h, 2),
    }


def _of_model(case: Case) -> dict[str, Fact]:
    model = case.model
    if not isinstance(model, Known):
        return {}
    return {
        "model": model.name,
        "parameters_billion": round(model.shape.parameters / 1e9, 3),
        "parameters_source": model.source,
        "weights": model.setup.weights,
        "memory_share": model.setup.share,
    }


def named(gpu: str, count: int) -> str:
    """So many GPUs of a model, as people write it."""
    return gpu if count == 1 else f"{count} × {gpu}"
