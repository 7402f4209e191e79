"""A week, put together for people: the facts of every renderer of the weekly report, sorted and
totalled. Pure.

It decides nothing and words nothing: figures are those of the analysis and of the ledger, and
what could not be known stands beside them with the reason.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from analyzer.advice import Recommendation
from analyzer.analysis import Analysis, PoolUse, WorkloadUse
from analyzer.followed import Followed
from analyzer.model import Snapshot, WorkloadKey
from analyzer.nights import Nights, ended, nights
from analyzer.plausible import plausible
from analyzer.rhythm import Hours, Rhythm, by_workload, hourly, rhythm, sleeps_of
from analyzer.sleep.model import NotDone, Slept
from analyzer.totals import of_teams
from analyzer.weeks import Comparison, Week, compared, week_of
from reports.sections import in_order, is_flagged

FOLLOWED_FOR = timedelta(days=91)
"""For how long what a followed recommendation brought is told."""


@dataclass(frozen=True, slots=True)
class Past:
    """What the ledger tells of a week and of those before it (``weeks``, the oldest first).

    ``sleeps`` and ``not_done`` are of the week; None, as of ``followed``, where no ledger could
    tell. ``problems`` says why something is missing.
    """

    weeks: tuple[Week, ...] = ()
    sleeps: tuple[Slept, ...] | None = None
    not_done: tuple[NotDone, ...] = ()
    followed: tuple[Followed, ...] | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """The advice that counts for one workload."""

    use: WorkloadUse
    advised: Recommendation


@dataclass(frozen=True, slots=True)
class ModelCost:
    """What a million tokens of one model cost, over all workloads that serve it and count tokens.

    ``usd_per_million_tokens`` is None where there were no tokens or some GPU has no price.
    ``uncounted`` workloads serve it and told of no tokens: no figure includes them. ``coverage``
    (0-1) is how much of their time the servers were heard, weighted by GPU-hours.
    """

    model: str
    workloads: int
    uncounted: int
    tokens: float
    cost_usd: float | None
    usd_per_million_tokens: float | None
    coverage: float | None


@dataclass(frozen=True, slots=True)
class Realised:
    """What followed recommendations brought, the latest first. Both sums are US dollars a month of
    those entries for which both are known (``counted``)."""

    entries: tuple[Followed, ...]
    counted: int
    predicted_usd_per_month: float
    realised_usd_per_month: float


@dataclass(frozen=True, slots=True)
class Digest:
    """One week of all clusters, or of some ``teams``. ``analysis`` has the workloads it is about;
    ``this`` is the week, ``before`` those before it. ``actions`` free the most first, ``needs``
    take more. ``nights`` and ``realised`` are None where no ledger could tell."""

    week: str
    teams: tuple[str, ...]
    analysis: Analysis
    this: Week
    before: tuple[Week, ...]
    comparison: Comparison | None
    actions: tuple[Action, ...]
    needs: tuple[Action, ...]
    flagged: tuple[WorkloadUse, ...]
    nights: Nights | None
    unallocated: tuple[PoolUse, ...]
    models: tuple[ModelCost, ...]
    realised: Realised | None
    rhythm: Rhythm
    hours: Mapping[WorkloadKey, Hours]
    problems: tuple[str, ...] = ()


def digest(
    week: str,
    snapshot: Snapshot,
    analysis: Analysis,
    past: Past,
    teams: Collection[str] = (),
) -> Digest:
    """``analysis`` is that of ``snapshot``, and its window the week. ``teams`` narrows everything
    to the workloads that carry one of these labels; ``past.weeks`` has to be theirs already."""
    # The analysis is made of the figures that can be, and what is drawn has to be as well.
    snapshot = plausible(snapshot)
    problems = past.problems
    if teams:
        known = {use.team for use in analysis.workloads}
        problems += tuple(
            f"no workload of this week carries the team label {team}"
            for team in sorted(teams)
            if team not in known
        )
        analysis = of_teams(analysis, teams)
    keys = {use.workload.key for use in analysis.workloads}
    found = _nights(snapshot, analysis, past, keys if teams else None)
    this = week_of(week, analysis)
    actions = sorted((a for a in _actions(analysis) if not _takes(a)), key=_by_worth)
    return Digest(
        week=week,
        teams=tuple(sorted(set(teams))),
        analysis=analysis,
        this=this,
        before=past.weeks,
        comparison=compared(this, past.weeks),
        actions=tuple(actions),
        needs=tuple(sorted((a for a in _actions(analysis) if _takes(a)), key=_by_worth)),
        flagged=tuple(use for use in in_order(analysis.workloads) if is_flagged(use)),
        nights=found[0],
        unallocated=_unallocated(analysis),
        models=_models(analysis),
        realised=_realised(past.followed, analysis, keys if teams else None),
        rhythm=rhythm(snapshot, keys, ZoneInfo(analysis.timezone)),
        hours=_hours(snapshot, analysis, found[1]),
        problems=problems,
    )


def _nights(
    snapshot: Snapshot, analysis: Analysis, past: Past, keys: Collection[WorkloadKey] | None
) -> tuple[Nights | None, list[Slept]]:
    """What sleep brought, and the sleeps, of the workloads ``keys`` (None for all)."""
    if past.sleeps is None:
        return None, []
    slept = [one for one in past.sleeps if keys is None or one.key in keys]
    undone = [one for one in past.not_done if keys is None or one.key in keys]
    sleeps = ended(slept, snapshot)
    # Nodes leave for what all workloads do together: told to each team, they would count twice.
    return nights(snapshot.pools if keys is None else (), analysis, sleeps, undone), sleeps


def _actions(analysis: Analysis) -> list[Action]:
    plans = ((use, use.advice.plan) for use in analysis.workloads)
    return [Action(use, plan) for use, plan in plans if plan is not None]


def _takes(action: Action) -> bool:
    """Whether it is advised to have more."""
    return action.advised.action == "add-replicas"


def _by_worth(action: Action) -> tuple[float, float, float, WorkloadKey]:
    """What frees the most dollars first; then what lowers the bill, then the most GPU-hours."""
    saving = action.advised.saving
    worth, usd = saving.worth_usd_per_month or 0.0, saving.usd_per_month or 0.0
    most = max(abs(worth), abs(usd))
    return -most, -abs(usd), -abs(saving.gpu_hours_per_week), action.use.workload.key


def _unallocated(analysis: Analysis) -> tuple[PoolUse, ...]:
    pools = [pool for pool in analysis.pools if pool.unallocated_gpu_hours > 0]
    return tuple(
        sorted(pools, key=lambda p: (-(p.unallocated_cost_usd or 0.0), -p.unallocated_gpu_hours))
    )


def _models(analysis: Analysis) -> tuple[ModelCost, ...]:
    served: dict[str, list[WorkloadUse]] = defaultdict(list)
    for use in analysis.workloads:
        if use.model and use.serving is not None:
            served[use.model].append(use)
    made = [_model(model, uses) for model, uses in served.items()]
    return tuple(sorted(made, key=lambda one: (-(one.cost_usd or 0.0), one.model)))


def _model(model: str, uses: list[WorkloadUse]) -> ModelCost:
    counting = [(use, tokens) for use in uses if (tokens := _tokens(use)) is not None]
    costs = [use.cost_usd for use, _ in counting]
    known = [cost for cost in costs if cost is not None]
    cost = sum(known) if counting and len(known) == len(costs) else None
    tokens = sum(tokens for _, tokens in counting)
    hours = sum(use.gpu_hours for use, _ in counting)
    heard = sum(use.serving.coverage * use.gpu_hours for use, _ in counting if use.serving)
    return ModelCost(
        model=model,
        workloads=len(counting),
        uncounted=len(uses) - len(counting),
        tokens=tokens,
        cost_usd=cost,
        usd_per_million_tokens=cost / tokens * 1e6 if cost is not None and tokens > 0 else None,
        coverage=heard / hours if hours > 0 else None,
    )


def _tokens(use: WorkloadUse) -> float | None:
    """Tokens read and written; None where either was not counted."""
    served = use.serving
    if served is None or served.prompt_tokens is None or served.generation_tokens is None:
        return None
    return served.prompt_tokens + served.generation_tokens


def _realised(
    followed: tuple[Followed, ...] | None, analysis: Analysis, keys: Collection[WorkloadKey] | None
) -> Realised | None:
    if followed is None:
        return None
    since = analysis.window.end - FOLLOWED_FOR
    entries = [
        one
        for one in followed
        if one.accepted is not None
        and since <= one.accepted.at < analysis.window.end
        and (keys is None or one.key in keys)
    ]
    entries.sort(key=lambda one: one.identity)
    entries.sort(key=lambda one: one.accepted.at if one.accepted else since, reverse=True)
    both = [
        (one.predicted.worth_usd_per_month, one.accepted.usd_per_month)
        for one in entries
        if one.accepted is not None
    ]
    known = [(p, r) for p, r in both if p is not None and r is not None]
    return Realised(tuple(entries), len(known), sum(p for p, _ in known), sum(r for _, r in known))


def _hours(
    snapshot: Snapshot, analysis: Analysis, sleeps: Collection[Slept]
) -> dict[WorkloadKey, Hours]:
    use, slept = by_workload(snapshot), sleeps_of(list(sleeps))
    return {
        one.workload.key: hourly(
            analysis.window,
            one.workload.gpus_per_replica,
            use.get(one.workload.key, ()),
            slept.get(one.workload.key, ()),
        )
        for one in analysis.workloads
    }
