"""Advice as sentences: what to change, what that frees, and how much of it the bill would lose.

GPU-hours that are freed are worth money, and yet the bill falls only when whole nodes can leave:
the two are never said as one. Sentences hold outside text as it is.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from analyzer.advice import Action, Advice, Recommendation, Refusal, Saving, Savings
from reports.text import counted, hours, money, sentence

WEEK_H = 168

NO_API = "the Kubernetes API was not read"
"""Why nobody knows which nodes could leave."""

_NOT_ALL = "not every cluster's Kubernetes API was read"
"""The same of all clusters with plans: a part of the bill is not the bill."""

CODES = {
    "short-history": "too short a history",
    "no-gpu-metrics": "no GPU metrics",
    "low-coverage": "too little of its time measured",
    "gone": "not there any more",
    "no-replicas": "number of replicas not known",
    "fewest": "as few replicas as are advised",
    "no-inference-metrics": "no inference metrics",
    "low-serving-coverage": "inference metrics with gaps",
    "little-load": "too little load seen",
    "queue": "requests wait",
    "preemptions": "KV cache full",
    "saturated": "saturated",
    "needed": "every replica needed",
    "fewer-already": "fewer replicas on average already",
    "asleep": "asleep now",
    "asleep-already": "at zero by night already",
    "cache-unknown": "size of the KV cache not known",
    "environment": "not for its environment",
    "few-weekdays": "too few weekdays seen",
    "gpu-unknown": "GPU or its price not known",
    "in-use": "in use",
    "kind": "not for its kind",
    "model-unknown": "parameters of the model not known",
    "never-used": "never used",
    "no-latency": "no time between tokens to keep",
    "no-mig-part": "no MIG part large enough",
    "no-night": "no quiet night",
    "no-partner": "no model fits beside it",
    "no-price": "no price",
    "no-spot-price": "no spot price",
    "not-by-replicas": "more replicas would not help",
    "not-cheaper": "spot is not cheaper",
    "not-one-gpu": "not one whole GPU a replica",
    "not-saturated": "not short of room",
    "nothing-freed": "sharing would free nothing",
    "nothing-smaller": "no smaller GPU would do",
    "scheduled": "a schedule or a person's word",
    "shared-already": "shares its GPU already",
    "spot-already": "on spot nodes already",
    "too-large": "too large to share a GPU",
    "too-many-replicas": "too many replicas to try",
    "unknown": "not judged",
}
"""Why nothing is advised, in a few words; another code stands for itself."""


class Changed(Protocol):
    """Advice as it is given, or as it is remembered."""

    @property
    def action(self) -> Action: ...

    @property
    def before(self) -> int | str: ...

    @property
    def after(self) -> int | str: ...


def advice_lines(advised: Sequence[tuple[str, Advice]], savings: Savings | None) -> tuple[str, ...]:
    """What all plans free together, then a line a workload with advice, what is worth most first.

    ``advised`` are workloads as they are called, each with its advice. Where there is none at all
    one line says why; nothing when no rule was asked.
    """
    found = [(name, advice) for name, advice in advised if advice.recommendations]
    if not found:
        refused = [advice.refusals for _, advice in advised if advice.refusals]
        return (_none(refused),) if refused else ()
    found.sort(key=lambda one: _rank(_first(one[1])))
    lines = [_line(name, advice) for name, advice in found]
    if savings is None:
        return tuple(lines)
    # Plans together may free a node that none of them frees alone.
    alone = (
        "" if savings.nodes_freed is None or len(lines) < 2 else " Each line below counts alone."
    )
    return (f"{total(savings)}{alone}", *lines)


def change(advised: Changed) -> str:
    """The action and what it changes: ``reduce-replicas 4 → 3``."""
    awake = "awake " if advised.action == "sleep-overnight" else ""
    return f"{advised.action} {awake}{advised.before} → {advised.after}"


def instead(advised: Changed) -> str:
    """What the saving has already paid for, of what advice needs in place of what it frees."""
    if advised.action == "smaller-gpu":
        return f"the {advised.after} paid"
    if advised.action == "share-gpu":
        return "its part of the shared GPU paid"
    return "the spot price paid" if advised.action == "use-spot" else ""


def effect(saving: Saving, paid: str = "") -> str:
    """What is freed and what the bill loses; a lower price alone frees nothing."""
    amount, worth, usd = saving.gpu_hours_per_week, saving.worth_usd_per_month, saving.usd_per_month
    if amount == 0 and usd is not None and usd != 0:
        return bill(saving, paid)
    if amount < 0 and usd is not None and usd == worth and not saving.nodes_freed:
        # New GPUs cost what they are worth: once is enough.
        return f"takes {hours(-amount)} GPU-h a week more, {bill(saving)}"
    return f"{freed(saving)}; {bill(saving, paid)}"


def freed(saving: Saving) -> str:
    """GPU-hours a week, and what they cost a month: ``frees 336 GPU-h a week, worth $9,993 a
    month``."""
    amount, usd = saving.gpu_hours_per_week, saving.worth_usd_per_month
    if not math.isfinite(amount):
        return "what it frees is not known"
    if amount == 0:
        less = "" if _unknown(usd) or not usd else f" that cost {money(usd)} a month less"
        return f"the same GPU-hours{less}" if less else "frees no GPU-hours"
    worth = "no price known" if _unknown(usd) else f"worth {money(abs(usd or 0))} a month"
    if amount < 0:
        return f"takes {hours(-amount)} GPU-h a week more, {worth}"
    return f"frees {hours(amount)} GPU-h a week, {worth}"


def bill(saving: Saving, paid: str = "") -> str:
    """How much the bill falls, with the nodes it takes: ``1 node can leave: saves $39,972 a
    month``. ``paid`` is what was taken off the saving already."""
    usd, nodes = saving.usd_per_month, saving.nodes_freed
    if usd is None or not math.isfinite(usd):
        if nodes is None:
            return "how much the bill falls is not known"
        return f"{_leaving(nodes)}, what that saves is not known"
    if usd == 0:
        return "no node can leave, so the bill stays as it is" if nodes == 0 else "saves nothing"
    said = f"saves {money(usd)} a month" if usd > 0 else f"costs {money(-usd)} more a month"
    if paid and nodes is not None:
        said = f"{said}, {paid}"
    return f"{_leaving(nodes)}: {said}" if nodes else said


def total(savings: Savings) -> str:
    """What all plans free, apart from what the bill loses."""
    return f"{_total_freed(savings)}; {_total_bill(savings)}.{_total_added(savings)}"


def _total_added(savings: Savings) -> str:
    gpus, usd = savings.added_gpu_hours_per_week / WEEK_H, savings.added_usd_per_month
    if not gpus > 0 or not math.isfinite(gpus):
        return ""
    cost = "at a price that is not known" if _unknown(usd) else f"for {money(usd)} a month"
    return f" Where room is short, {_gpus(gpus)} more would be needed, {cost}."


def _gpus(gpus: float) -> str:
    number = f"{gpus:,.1f}".removesuffix(".0")
    return f"{number} {'GPU' if number == '1' else 'GPUs'}"


def _total_freed(savings: Savings) -> str:
    gpus, usd = savings.gpu_hours_per_week / WEEK_H, savings.worth_usd_per_month
    if gpus == 0:
        return "No GPU is freed"
    number = f"{abs(gpus):,.1f}".removesuffix(".0") if math.isfinite(gpus) else ""
    one = number == "1"
    said = f"{number} {'GPU' if one else 'GPUs'} {'more' if gpus < 0 else 'freed'}".lstrip()
    if usd is None or not math.isfinite(usd):
        return f"{said} {'has' if one else 'have'} no known price"
    return f"{said} {'is' if one else 'are'} worth {money(abs(usd))} a month"


def _total_bill(savings: Savings) -> str:
    usd, nodes, bound = savings.usd_per_month, savings.nodes_freed, savings.nodes_bound
    if usd is None or not math.isfinite(usd):
        if nodes is None:
            return f"how much the bill falls is not known: {_NOT_ALL}"
        said = f"{_leaving(nodes)}, what that saves is not known"
    elif nodes is None:
        return f"{_falls(usd)}; how much more with fewer nodes is not known: {_NOT_ALL}"
    else:
        said = f"{_falls(usd)}, {'as' if nodes or usd <= 0 else 'though'} {_leaving(nodes)}"
    nightly = savings.nodes_freed_at_night
    if nightly:
        said = f"{said} for good and {nightly:,} at night"
    if bound is not None and bound > nodes >= 0:
        return f"{said} ({bound:,} at most, whatever is moved)"
    return said


def _falls(usd: float) -> str:
    if usd == 0:
        return "the bill does not fall"
    return f"the bill {'falls' if usd > 0 else 'rises'} by {money(abs(usd))} a month"


def _leaving(nodes: int) -> str:
    if nodes < 0:
        return "1 more node is needed" if nodes == -1 else f"{-nodes:,} more nodes are needed"
    return f"{counted(nodes, 'node') if nodes else 'no node'} can leave"


def _unknown(usd: float | None) -> bool:
    return usd is None or not math.isfinite(usd)


def _first(advice: Advice) -> Recommendation:
    return advice.plan or advice.recommendations[0]


def _rank(one: Recommendation) -> tuple[bool, float, float]:
    """By worth, or by what a lower price saves, and what is needed in addition by its cost; what
    has no price goes last, by hours."""
    usd, amount = one.saving.worth_usd_per_month, one.saving.gpu_hours_per_week
    usd = usd or (one.saving.usd_per_month if amount == 0 else usd)
    most = -amount if math.isfinite(amount) else math.inf
    return (True, 0.0, most) if usd is None or _unknown(usd) else (False, -abs(usd), most)


def _line(name: str, advice: Advice) -> str:
    one = _first(advice)
    why = f", {one.withheld}" if one.withheld else ""
    apart = "" if one.plan else f"{why}, not in the totals"
    said = (
        f"{name}: {change(one)}: {effect(one.saving, instead(one))}"
        f" ({one.confidence.level} confidence{apart}). {sentence(one.reason)}"
    )
    others = ", ".join(_other(other) for other in advice.recommendations if other is not one)
    return f"{said} Alternative: {others}." if others else said


def _other(one: Recommendation) -> str:
    return f"{change(one)} ({one.withheld.split()[0]})" if one.withheld else change(one)


def _none(refused: Sequence[tuple[Refusal, ...]]) -> str:
    """Each workload counts once, for the reason that most of its rules give."""
    codes = (Counter(one.code for one in refusals).most_common(1)[0][0] for refusals in refused)
    why = ", ".join(
        f"{CODES.get(code, code)} ({number:,})" for code, number in Counter(codes).most_common()
    )
    return f"No advice for {counted(len(refused), 'workload')}: {why}."
