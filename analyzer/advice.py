"""What would do the same work with fewer or smaller GPUs: a value a piece of advice.

Advice carries its evidence, its price and its doubts; where the data cannot carry one, a
``Refusal`` says what is missing. Fractions are 0-1, money is US dollars, None is "not known".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Action = Literal[
    "add-replicas",
    "reduce-replicas",
    "smaller-gpu",
    "share-gpu",
    "use-spot",
    "sleep-overnight",
    "remove",
]
Level = Literal["high", "medium", "low"]
Fact = str | float | int | bool | None

HOURS_A_MONTH = 730.0
"""365 days of 24 hours over 12 months."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The load that was seen, replayed on ``replicas``.

    ``kv_p95`` and ``kv_max`` are of the fullest replica; ``saturated_minutes`` are those in which
    its KV cache would have been fuller than the target's saturation, ``longest_minutes`` the
    longest stretch of them; ``would_wait`` requests that would have found it full. ``gpu_p95`` is
    the share of time in which a GPU would have been busy, ``itl_p95_s`` the time between tokens;
    both None where nothing tells. ``broken`` says which part of the target is missed, empty when
    none is.
    """

    replicas: int
    kv_p95: float
    kv_max: float
    saturated_minutes: float
    longest_minutes: float
    would_wait: float
    gpu_p95: float | None = None
    itl_p95_s: float | None = None
    broken: str = ""

    @property
    def meets(self) -> bool:
        return not self.broken


@dataclass(frozen=True, slots=True)
class Replay:
    """Trials by number of replicas, the present one first. ``minutes`` of load were replayed;
    ``gap_minutes`` were not measured and ``zero_minutes`` showed no load at all, neither of which
    proves anything."""

    minutes: float
    gap_minutes: float
    zero_minutes: float
    trials: tuple[Trial, ...]


@dataclass(frozen=True, slots=True)
class Confidence:
    """How far to trust advice, and why; every reason holds a figure."""

    level: Level
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Saving:
    """What advice frees. ``worth_usd_per_month`` is what the freed GPU-hours cost, less what is
    needed in their place; ``usd_per_month`` is by how much the bill would fall: by the
    ``nodes_freed`` that can leave whole, less what is needed instead. None where nodes are not
    known, negative where advice costs more than it frees."""

    gpu_hours_per_week: float
    worth_usd_per_month: float | None = None
    usd_per_month: float | None = None
    nodes_freed: int | None = None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One piece of advice for one workload.

    ``before`` and ``after`` are replicas for advice on replicas and removal, else texts. ``plan``
    is True for the one that counts in totals; the others are alternatives to it. ``evidence`` has
    the figures and thresholds that decided, by name. ``withheld`` says which wish of people keeps
    it from being the plan, empty where none does.
    """

    action: Action
    before: int | str
    after: int | str
    reason: str
    saving: Saving
    confidence: Confidence
    evidence: Mapping[str, Fact] = field(default_factory=dict)
    replay: Replay | None = None
    plan: bool = False
    withheld: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a rule advises nothing: ``code`` for programs, ``reason`` for people. ``replay`` is
    there where trials were made and none was good enough."""

    action: Action
    code: str
    reason: str
    replay: Replay | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """All that the rules say of one workload: recommendations, the plan first, and refusals."""

    recommendations: tuple[Recommendation, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    @property
    def plan(self) -> Recommendation | None:
        return next((one for one in self.recommendations if one.plan), None)


NONE = Advice()
"""No rule was asked."""


@dataclass(frozen=True, slots=True)
class Savings:
    """What all plans together free; no GPU counts twice. ``nodes_bound`` is the most nodes that
    any packing could free beside those that are empty already, None where nodes are not known;
    ``nodes_freed_at_night`` leave while development sleeps, beside those that leave for good.
    Replicas that are advised in addition stand apart: ``added_gpu_hours_per_week`` and what they
    cost."""

    gpu_hours_per_week: float
    worth_usd_per_month: float | None
    usd_per_month: float | None
    nodes_freed: int | None
    nodes_bound: int | None = None
    nodes_freed_at_night: int | None = None
    added_gpu_hours_per_week: float = 0.0
    added_usd_per_month: float | None = 0.0
