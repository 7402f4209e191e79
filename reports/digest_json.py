"""A digest as plain JSON types: the ``week`` of the weekly report's document."""

from __future__ import annotations

from typing import Any

from analyzer.followed import Followed
from analyzer.model import WorkloadKey
from analyzer.nights import Left, Nights
from analyzer.sleep.model import NotDone
from analyzer.weeks import Comparison, Spend, Week
from reports.advice_json import recommendation
from reports.digest import Action, Digest, ModelCost, Realised
from reports.document import document
from reports.export import as_json
from reports.plain import FRACTION, HOURS, USD, WHOLE, moment, number
from reports.text import encodable


def weekly_document(digest: Digest) -> dict[str, Any]:
    """The analysis of the week, as every other command gives it, and the digest as ``week``."""
    return {**document(digest.analysis), "week": week_object(digest)}


def weekly_json(digest: Digest) -> str:
    """The document as text."""
    return as_json(weekly_document(digest))


def week_object(digest: Digest) -> dict[str, Any]:
    """The digest, beside the document of its analysis."""
    return {
        "name": digest.week,
        "teams": [encodable(team) for team in digest.teams],
        "this": _week(digest.this),
        "before": [_week(one) for one in digest.before],
        "comparison": _comparison(digest.comparison),
        "actions": [_action(one) for one in digest.actions],
        "needs": [_action(one) for one in digest.needs],
        "flagged": [_key(use.workload.key) for use in digest.flagged],
        "nights": _nights(digest.nights),
        "models": [_model(one) for one in digest.models],
        "realised": _realised(digest.realised),
        "rhythm": {
            "timezone": digest.analysis.timezone,
            "use": [[number(one, FRACTION) for one in day] for day in digest.rhythm.use],
            "coverage": number(digest.rhythm.coverage, FRACTION),
        },
        "problems": [encodable(one) for one in digest.problems],
    }


def _key(key: WorkloadKey) -> dict[str, Any]:
    names = ("cluster", "namespace", "kind", "name")
    return {name: encodable(getattr(key, name)) for name in names}


def _week(week: Week) -> dict[str, Any]:
    return {
        "name": week.name,
        "start": moment(week.window.start),
        "end": moment(week.window.end),
        "hours": number(week.hours, HOURS),
        "of_hours": number(week.of_hours, HOURS),
        # Of a week that nobody recorded nothing is known, not that it was free.
        **(_spend(week.total) if week.hours else dict.fromkeys(_spend(week.total))),
        "environments": {one: _spend(spend) for one, spend in sorted(week.environments.items())},
        "unallocated_gpu_hours": number(week.unallocated_gpu_hours, HOURS),
        "unallocated_cost_usd": number(week.unallocated_cost_usd, USD),
        "coverage": number(week.coverage, FRACTION),
    }


def _spend(spend: Spend) -> dict[str, Any]:
    return {
        "gpu_hours": number(spend.gpu_hours, HOURS),
        "cost_usd": number(spend.cost_usd, USD),
        "idle_cost_usd": number(spend.idle_cost_usd, USD),
        "unpriced_gpu_hours": number(spend.unpriced_gpu_hours, HOURS),
    }


def _comparison(found: Comparison | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "weeks": found.weeks,
        "mean_cost_usd": number(found.mean_cost_usd, USD),
        "mean_idle_cost_usd": number(found.mean_idle_cost_usd, USD),
        "change": number(found.change, FRACTION),
        "idle_change": number(found.idle_change, FRACTION),
    }


def _action(action: Action) -> dict[str, Any]:
    return {**_key(action.use.workload.key), **recommendation(action.advised)}


def _nights(nights: Nights | None) -> dict[str, Any] | None:
    if nights is None:
        return None
    return {
        "workloads": nights.workloads,
        "slept": nights.slept,
        "woken": nights.woken,
        "otherwise": nights.otherwise,
        "asleep": nights.asleep,
        "gpu_hours": number(nights.gpu_hours, HOURS),
        "usd": number(nights.usd, USD),
        "unpriced_gpu_hours": number(nights.unpriced_gpu_hours, HOURS),
        "late": [
            {
                **_key(one.key),
                "woken_at": moment(one.woken_at),
                "ready_at": moment(one.ready_at) if one.ready_at else None,
                "cause": encodable(one.cause),
            }
            for one in nights.late
        ],
        "not_done": [_not_done(one) for one in nights.not_done],
        "left": _left(nights.left),
    }


def _not_done(one: NotDone) -> dict[str, Any]:
    return {
        **_key(one.key),
        "at": moment(one.at),
        "action": one.action,
        "result": one.result,
        "detail": encodable(one.detail),
    }


def _left(left: Left | None) -> dict[str, Any] | None:
    if left is None:
        return None
    return {
        "nodes": number(left.nodes, WHOLE),
        "gpu_hours": number(left.gpu_hours, HOURS),
        "usd": number(left.usd, USD),
    }


def _model(one: ModelCost) -> dict[str, Any]:
    return {
        "model": encodable(one.model),
        "workloads": one.workloads,
        "uncounted": one.uncounted,
        "tokens": number(one.tokens, WHOLE),
        "cost_usd": number(one.cost_usd, USD),
        "usd_per_million_tokens": number(one.usd_per_million_tokens, FRACTION),
        "coverage": number(one.coverage, FRACTION),
    }


def _realised(found: Realised | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "counted": found.counted,
        "predicted_usd_per_month": number(found.predicted_usd_per_month, USD),
        "realised_usd_per_month": number(found.realised_usd_per_month, USD),
        "entries": [_followed(one) for one in found.entries],
    }


def _followed(one: Followed) -> dict[str, Any]:
    accepted = one.accepted
    return {
        **_key(one.key),
        "action": one.action,
        "from": encodable(one.before),
        "to": encodable(one.after),
        "accepted_at": moment(accepted.at) if accepted else None,
        "predicted_gpu_hours_per_week": number(one.predicted.gpu_hours_per_week, HOURS),
        "predicted_usd_per_month": number(one.predicted.worth_usd_per_month, USD),
        "realised_gpu_hours_per_week": number(
            accepted.gpu_hours_per_week if accepted else None, HOURS
        ),
        "realised_usd_per_month": number(accepted.usd_per_month if accepted else None, USD),
        "note": encodable(accepted.note) if accepted else "",
    }
