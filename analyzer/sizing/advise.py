"""Asks every rule about every workload and settles what they say into one plan each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta, tzinfo

from analyzer.advice import Action, Advice, Recommendation, Refusal
from analyzer.analysis import Analysis, WorkloadUse
from analyzer.config.sizing import SizingConfig
from analyzer.model import GpuUse, Serving, Snapshot, WorkloadKey
from analyzer.plausible import plausible
from analyzer.pricing import PriceBook
from analyzer.sizing.add_replicas import add_replicas
from analyzer.sizing.bill import Bill, Plan
from analyzer.sizing.case import Case, Floor
from analyzer.sizing.models import Described, Known, Unknown, known
from analyzer.sizing.money import per_month
from analyzer.sizing.reduce_replicas import reduce_replicas
from analyzer.sizing.remove import remove
from analyzer.sizing.share_gpu import share_gpu
from analyzer.sizing.sleep_overnight import sleep_overnight
from analyzer.sizing.smaller_gpu import smaller_gpu
from analyzer.sizing.use_spot import use_spot
from analyzer.sleep.annotations import AWAKE, EXCLUDE, has_memory
from analyzer.wishes import Wishes, wishes

Answer = Recommendation | Refusal

_WEIGHT = {"high": 1.0, "medium": 0.8, "low": 0.4}
"""How much a dollar of advice counts by confidence, when pieces of advice exclude each other."""

_FIRST: tuple[Action, ...] = ("add-replicas", "remove")
"""What goes before anything else that could be done with the same workload."""


@dataclass(frozen=True, slots=True)
class Sizing:
    """What advice needs of the configuration. ``itl_p95`` is the objective for the time between
    tokens (zero: none), ``asleep`` the environments that the schedule puts to sleep already,
    ``zone`` where people's nights are, by its IANA name too, ``snooze_zone`` that of snooze dates
    without an offset."""

    config: SizingConfig = field(default_factory=SizingConfig)
    prices: PriceBook = field(default_factory=PriceBook)
    described: Mapping[str, Described] = field(default_factory=dict)
    itl_p95: timedelta = timedelta(0)
    asleep: frozenset[str] = frozenset()
    zone: tzinfo = UTC
    zone_name: str = "UTC"
    snooze_zone: tzinfo = UTC


def advised(snapshot: Snapshot, analysis: Analysis, settings: Sizing) -> Analysis:
    """``analysis`` of ``snapshot`` with advice for each workload, and what all plans free."""
    cases = cases_of(snapshot, analysis, settings)
    bill = Bill(snapshot, settings.prices)
    said = {case.key: _asked(case, settings) for case in cases}
    shared = share_gpu(cases, settings.config.share_gpu) if _is_asked("share-gpu", settings) else {}
    by_key = {
        case.key: (case, wishes(case.figures.workload, snapshot.taken_at, settings.snooze_zone))
        for case in cases
    }
    plans: dict[WorkloadKey, list[Plan]] = {
        key: [_plan(*by_key[key], one) for one in answers if isinstance(one, Recommendation)]
        for key, answers in said.items()
    }
    plans = {
        key: [replace(plan, advice=bill.priced(plan)) for plan in mine]
        for key, mine in plans.items()
    }
    chosen = {key: best for key, mine in plans.items() if (best := _best(mine)) is not None}
    for group in _groups(shared, by_key):
        priced = bill.shared(group)
        others = [chosen.get(plan.key) for plan in group]
        wins = sum(map(_value, priced)) > sum(_value(one) for one in others if one)
        fixed = any(one is not None and one.advice.action in _FIRST for one in others) or any(
            # GPUs are freed by all of a group or by none.
            plan.advice.withheld
            for plan in group
        )
        for plan in priced:
            plans[plan.key].append(plan)
            if wins and not fixed:
                chosen[plan.key] = plan
    workloads = tuple(
        replace(
            use,
            advice=_advice(
                plans.get(use.workload.key, []),
                chosen.get(use.workload.key),
                [*said.get(use.workload.key, []), *_one(shared, use.workload.key)],
            ),
        )
        for use in analysis.workloads
    )
    return replace(analysis, workloads=workloads, savings=bill.together(list(chosen.values())))


def cases_of(snapshot: Snapshot, analysis: Analysis, settings: Sizing) -> list[Case]:
    """A case for each workload that held a GPU."""
    snapshot = plausible(snapshot)
    use: dict[WorkloadKey, list[GpuUse]] = defaultdict(list)
    for one in snapshot.use:
        use[one.workload].append(one)
    serving = {one.workload: one for one in snapshot.serving}
    floor = Floor(settings.config.coverage_floor, settings.config.min_history)
    return [
        Case(
            figures=figures,
            use=tuple(use[figures.workload.key]),
            serving=serving.get(figures.workload.key),
            window=snapshot.window,
            prices=settings.prices,
            model=_model(figures, serving.get(figures.workload.key), settings),
            floor=floor,
            sleeps=_sleeps(figures, settings),
        )
        for figures in analysis.workloads
        if use[figures.workload.key]
    ]


def _model(figures: WorkloadUse, serving: Serving | None, settings: Sizing) -> Known | Unknown:
    gpus = figures.workload.gpus_per_replica or 0.0
    return known(figures.workload, serving, settings.described, gpus)


def _sleeps(figures: WorkloadUse, settings: Sizing) -> str:
    """Why no schedule is to be advised, empty when it may be."""
    annotations = figures.workload.annotations
    if AWAKE in annotations:
        return f"it has a schedule: {annotations[AWAKE]}"
    if has_memory(annotations):
        return "it is asleep now"
    if EXCLUDE in annotations:
        return f"its annotation {EXCLUDE} keeps it awake"
    if figures.environment in settings.asleep:
        return "the schedule in the configuration puts it to sleep"
    return ""


def _is_asked(rule: Action, settings: Sizing) -> bool:
    return rule in settings.config.rules


def _asked(case: Case, settings: Sizing) -> list[Answer]:
    """What the rules that look at one workload alone say."""
    config = settings.config
    rules: dict[Action, Callable[[], Answer]] = {
        "add-replicas": lambda: add_replicas(case, config.replicas, settings.itl_p95),
        "reduce-replicas": lambda: reduce_replicas(case, config.replicas, settings.itl_p95),
        "smaller-gpu": lambda: smaller_gpu(case, config.smaller_gpu),
        "use-spot": lambda: use_spot(case, config.use_spot),
        "sleep-overnight": lambda: sleep_overnight(
            case, config.sleep_overnight, settings.zone, settings.zone_name
        ),
        "remove": lambda: remove(case),
    }
    return [rule() for name, rule in rules.items() if name in config.rules]


def _plan(case: Case, wished: Wishes, advice: Recommendation) -> Plan:
    """``advice`` with what it needs instead of what the workload has."""
    advice = replace(advice, withheld=wished.withheld(advice.action))
    saving, usd = advice.saving, case.usd_per_gpu_hour
    if advice.action == "sleep-overnight":
        held = case.gpu_hours_per_week
        return Plan(case.key, advice, 0.0, saving.gpu_hours_per_week / held if held else 0.0)
    if advice.action in ("smaller-gpu", "use-spot"):
        had = per_month(case.gpu_hours_per_week, usd)
        worth = saving.worth_usd_per_month
        return Plan(case.key, advice, None if had is None or worth is None else had - worth)
    return Plan(case.key, advice)


def _best(plans: Sequence[Plan]) -> Plan | None:
    """What to plan, None where people withhold everything."""
    plans = [plan for plan in plans if not plan.advice.withheld]
    for action in _FIRST:
        for plan in plans:
            if plan.advice.action == action:
                return plan
    return max(plans, key=_rank, default=None)


def _rank(plan: Plan) -> tuple[float, float]:
    hours = plan.advice.saving.gpu_hours_per_week
    return _value(plan), hours * _WEIGHT[plan.advice.confidence.level]


def _value(plan: Plan) -> float:
    worth = plan.advice.saving.worth_usd_per_month or 0.0
    return worth * _WEIGHT[plan.advice.confidence.level]


def _groups(
    shared: Mapping[WorkloadKey, Answer], cases: Mapping[WorkloadKey, tuple[Case, Wishes]]
) -> list[list[Plan]]:
    """The plans of workloads that are to share GPUs, one list a group."""
    groups: dict[object, list[Plan]] = defaultdict(list)
    for key, answer in shared.items():
        if isinstance(answer, Recommendation):
            group = key.cluster, answer.evidence.get("group")
            groups[group].append(_plan(*cases[key], answer))
    return [groups[name] for name in sorted(groups, key=str)]


def _one(shared: Mapping[WorkloadKey, Answer], key: WorkloadKey) -> list[Answer]:
    return [shared[key]] if key in shared else []


def _advice(plans: Sequence[Plan], chosen: Plan | None, answers: Sequence[Answer]) -> Advice:
    others = [plan for plan in plans if plan is not chosen]
    others.sort(key=lambda plan: (not plan.advice.withheld, _rank(plan)), reverse=True)
    first = [replace(chosen.advice, plan=True)] if chosen else []
    return Advice(
        (*first, *(plan.advice for plan in others)),
        tuple(one for one in answers if isinstance(one, Refusal)),
    )
