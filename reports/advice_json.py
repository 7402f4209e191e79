"""Advice as plain JSON types: its part of the document."""

from __future__ import annotations

import math
from typing import Any

from analyzer.advice import (
    Advice,
    Fact,
    Recommendation,
    Refusal,
    Replay,
    Savings,
    Trial,
)
from reports.plain import FRACTION, HOURS, RATE, USD, WHOLE, number
from reports.text import encodable

MINUTES, REQUESTS = 1, 1
"""Decimals."""

COLUMNS = {
    "recommendation": "action",
    "recommendation_from": "from",
    "recommendation_to": "to",
    "recommendation_gpu_hours_freed_per_week": "gpu_hours_freed_per_week",
    "recommendation_worth_usd_per_month": "worth_usd_per_month",
    "recommendation_saves_usd_per_month": "saves_usd_per_month",
    "recommendation_nodes_freed": "nodes_freed",
    "recommendation_confidence": "confidence",
}
"""Columns of the CSV, each with the plan's key that it holds."""


def recommendation(advised: Recommendation) -> dict[str, Any]:
    saving = advised.saving
    return {
        "action": advised.action,
        "from": _setting(advised.before),
        "to": _setting(advised.after),
        "gpu_hours_freed_per_week": number(saving.gpu_hours_per_week, HOURS),
        "saves_usd_per_month": number(saving.usd_per_month, USD),
        "nodes_freed": number(saving.nodes_freed, WHOLE),
        "confidence": advised.confidence.level,
        "evidence": {encodable(key): _fact(fact) for key, fact in advised.evidence.items()},
        "replay": _replay(advised.replay),
        "worth_usd_per_month": number(saving.worth_usd_per_month, USD),
        "plan": advised.plan,
        "withheld": encodable(advised.withheld) or None,
        "reason": encodable(advised.reason),
        "confidence_reasons": [encodable(reason) for reason in advised.confidence.reasons],
    }


def plan_first(advice: Advice) -> list[Recommendation]:
    """The plan first, then the alternatives as they came."""
    return sorted(advice.recommendations, key=lambda one: not one.plan)


def refusal(refused: Refusal) -> dict[str, Any]:
    return {
        "action": refused.action,
        "code": encodable(refused.code),
        "reason": encodable(refused.reason),
        "replay": _replay(refused.replay),
    }


def savings(all_plans: Savings | None) -> dict[str, Any] | None:
    if all_plans is None:
        return None
    return {
        "gpu_hours_freed_per_week": number(all_plans.gpu_hours_per_week, HOURS),
        "worth_usd_per_month": number(all_plans.worth_usd_per_month, USD),
        "saves_usd_per_month": number(all_plans.usd_per_month, USD),
        "nodes_freed": number(all_plans.nodes_freed, WHOLE),
        "nodes_bound": number(all_plans.nodes_bound, WHOLE),
        "nodes_freed_at_night": number(all_plans.nodes_freed_at_night, WHOLE),
        "gpu_hours_added_per_week": number(all_plans.added_gpu_hours_per_week, HOURS),
        "added_usd_per_month": number(all_plans.added_usd_per_month, USD),
    }


def plan_cells(workload: dict[str, Any]) -> dict[str, Any]:
    """The plan of one of the document's workloads by column of the CSV, None where there is
    none."""
    plan: dict[str, Any] = next((one for one in workload["recommendations"] if one["plan"]), {})
    return {column: plan.get(key) for column, key in COLUMNS.items()}


def _setting(value: int | str) -> int | str:
    return encodable(value) if isinstance(value, str) else int(value)


def _fact(fact: Fact) -> Fact:
    """As the rule gave it: what a figure means, and so its decimals, only the rule knows."""
    if isinstance(fact, str):
        return encodable(fact)
    if fact is None or isinstance(fact, bool | int):
        return fact
    return float(fact) if math.isfinite(fact) else None


def _replay(replay: Replay | None) -> dict[str, Any] | None:
    if replay is None:
        return None
    return {
        "minutes": number(replay.minutes, MINUTES),
        "gap_minutes": number(replay.gap_minutes, MINUTES),
        "zero_rate_minutes": number(replay.zero_minutes, MINUTES),
        "trials": [_trial(trial) for trial in replay.trials],
    }


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "replicas": trial.replicas,
        "kv_cache_p95": number(trial.kv_p95, FRACTION),
        "kv_cache_max": number(trial.kv_max, FRACTION),
        "saturated_minutes": number(trial.saturated_minutes, MINUTES),
        "longest_saturated_minutes": number(trial.longest_minutes, MINUTES),
        "would_wait": number(trial.would_wait, REQUESTS),
        "gpu_work_p95": number(trial.gpu_p95, FRACTION),
        "itl_p95_s": number(trial.itl_p95_s, RATE),
        "meets": trial.meets,
        "broken": encodable(trial.broken),
    }
