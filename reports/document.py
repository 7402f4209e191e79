"""The analysis as one document of plain JSON types: the contract that other programs rely on.

It is schema 1 of ``analysis-v1.json``, which ships beside this module; docs/output.md
explains every key. Keys are added, never renamed, within a schema number.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from analyzer.analysis import Analysis, PoolUse, PriceUsed, Totals, WorkloadUse
from reports.advice_json import plan_first, recommendation, refusal, savings
from reports.plain import FRACTION, HOURS, RATE, USD, WHOLE, moment, number, text_or_null
from reports.sections import in_order, oldest_price, price_sources
from reports.text import encodable

SCHEMA = 1

UTILISATION = ("mean", "p50", "p95", "max")
"""Keys of ``utilisation``, in order."""

SERVING = {
    "requests": WHOLE,
    "prompt_tokens": WHOLE,
    "generation_tokens": WHOLE,
    "waiting_p95": FRACTION,
    "kv_cache_p95": FRACTION,
    "usd_per_million_tokens": RATE,
    "coverage": FRACTION,
    "running_p95": FRACTION,
    "queue_share": FRACTION,
    "ttft_p95_s": RATE,
    "itl_p95_s": RATE,
    "preemptions": WHOLE,
}
"""Keys of ``serving``, in order, each with its decimals."""


def document(analysis: Analysis) -> dict[str, Any]:
    """The analysis as plain JSON types, keys in the contract's order, additions after them."""
    window = analysis.window
    return {
        "schema": SCHEMA,
        "generated_at": moment(analysis.generated_at),
        "window": {
            "start": moment(window.start),
            "end": moment(window.end),
            "hours": number(window.hours, HOURS),
        },
        "prices": _prices(analysis.prices),
        "totals": _totals(analysis.totals),
        "workloads": [workload_object(use) for use in in_order(analysis.workloads)],
        "warnings": [
            {
                "cluster": encodable(notice.cluster),
                "code": notice.code,
                "message": encodable(notice.message),
                "subject": encodable(notice.subject),
            }
            for notice in analysis.notices
        ],
        "clusters": [encodable(cluster) for cluster in analysis.clusters],
        "failed_clusters": [
            {"cluster": encodable(cluster), "reason": encodable(reason)}
            for cluster, reason in sorted(analysis.failed.items())
        ],
        "pools": [_pool(pool) for pool in analysis.pools],
        "savings": savings(analysis.savings),
    }


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the document."""
    text = files("reports").joinpath("analysis-v1.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def workload_object(use: WorkloadUse) -> dict[str, Any]:
    """One of the document's ``workloads``."""
    workload = use.workload
    key = workload.key
    return {
        "cluster": encodable(key.cluster),
        "namespace": encodable(key.namespace),
        "kind": encodable(key.kind),
        "name": encodable(key.name),
        "environment": use.environment,
        "environment_reason": encodable(use.environment_reason),
        "model": text_or_null(use.model),
        "team": text_or_null(use.team),
        "gpu_model": text_or_null(use.gpu_model),
        "gpus_per_replica": number(workload.gpus_per_replica, FRACTION),
        "replicas": workload.replicas,
        "gpu_hours": number(use.gpu_hours, HOURS, nullable=False),
        "cost_usd": number(use.cost_usd, USD),
        "idle_cost_usd": number(use.idle_cost_usd, USD),
        "coverage": number(use.coverage, FRACTION),
        "utilisation": _utilisation(use),
        "serving": _serving(use),
        "verdict": use.verdict.name,
        "reason": encodable(use.verdict.reason),
        "recommendations": [recommendation(one) for one in plan_first(use.advice)],
        "verdict_code": use.verdict.code,
        "history_hours": number(use.history_hours, HOURS, nullable=False),
        "observed_gpu_hours": number(use.observed_gpu_hours, HOURS, nullable=False),
        "refusals": [refusal(one) for one in use.advice.refusals],
    }


def _utilisation(use: WorkloadUse) -> dict[str, Any] | None:
    spread = use.utilisation
    if spread is None:
        return None
    figures = {name: number(getattr(spread, name), FRACTION) for name in UTILISATION}
    # Half a distribution cannot be judged: one figure that is not a number and none is known.
    return None if None in figures.values() else figures


def _serving(use: WorkloadUse) -> dict[str, Any] | None:
    served = use.serving
    if served is None:
        return None
    return {name: number(getattr(served, name), places) for name, places in SERVING.items()}


def _totals(totals: Totals) -> dict[str, Any]:
    return {
        "gpu_hours": number(totals.gpu_hours, HOURS, nullable=False),
        "cost_usd": number(totals.cost_usd, USD, nullable=False),
        "idle_cost_usd": number(totals.idle_cost_usd, USD, nullable=False),
        "unallocated_gpu_hours": number(totals.unallocated_gpu_hours, HOURS),
        "unallocated_cost_usd": number(totals.unallocated_cost_usd, USD),
        "coverage": number(totals.coverage, FRACTION),
        "unpriced_gpu_hours": number(totals.unpriced_gpu_hours, HOURS, nullable=False),
    }


def _prices(prices: tuple[PriceUsed, ...]) -> dict[str, Any]:
    oldest = oldest_price(prices)
    undated = dict.fromkeys(encodable(p.gpu_model) for p in prices if p.as_of is None)
    return {
        "as_of": oldest.isoformat() if oldest else None,
        "source": text_or_null(price_sources(prices)),
        "used": [
            {
                "gpu_model": encodable(price.gpu_model),
                "instance_type": encodable(price.instance_type),
                "spot": price.spot,
                "usd_per_gpu_hour": number(price.usd_per_gpu_hour, RATE, nullable=False),
                "as_of": price.as_of.isoformat() if price.as_of else None,
                "source": encodable(price.source),
            }
            for price in prices
        ],
        "undated": list(undated),
    }


def _pool(pool: PoolUse) -> dict[str, Any]:
    node = pool.node_class
    return {
        "cluster": encodable(pool.cluster),
        "gpu_model": encodable(node.gpu_model),
        "instance_type": encodable(node.instance_type),
        "pool": encodable(node.pool),
        "spot": node.spot,
        "node_labels": {encodable(key): encodable(value) for key, value in node.labels},
        "present_gpu_hours": number(pool.present_gpu_hours, HOURS, nullable=False),
        "unallocated_gpu_hours": number(pool.unallocated_gpu_hours, HOURS, nullable=False),
        "unallocated_cost_usd": number(pool.unallocated_cost_usd, USD),
    }
