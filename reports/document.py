"""The analysis as one document of plain JSON types: the contract that other programs rely on.

It is schema 1 of ``analysis-v1.json``, which ships beside this module; docs/output.md
explains every key. Keys are added, never renamed, within a schema number.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from analyzer.analysis import Analysis, PoolUse, PriceUsed, Totals, WorkloadUse
from reports.digest import in_order, oldest_price, price_sources
from reports.text import encodable

SCHEMA = 1

_HOURS, _USD, _FRACTION, _RATE, _WHOLE = 4, 2, 4, 4, 0
"""Decimals. A rate (dollars a GPU-hour or a million tokens, seconds) is not a sum of money and
would lose its meaning at two."""

UTILISATION = ("mean", "p50", "p95", "max")
"""Keys of ``utilisation``, in order."""

SERVING = {
    "requests": _WHOLE,
    "prompt_tokens": _WHOLE,
    "generation_tokens": _WHOLE,
    "waiting_p95": _FRACTION,
    "kv_cache_p95": _FRACTION,
    "usd_per_million_tokens": _RATE,
    "coverage": _FRACTION,
    "running_p95": _FRACTION,
    "queue_share": _FRACTION,
    "ttft_p95_s": _RATE,
    "itl_p95_s": _RATE,
    "preemptions": _WHOLE,
}
"""Keys of ``serving``, in order, each with its decimals."""


def document(analysis: Analysis) -> dict[str, Any]:
    """The analysis as plain JSON types, keys in the contract's order, additions after them."""
    window = analysis.window
    return {
        "schema": SCHEMA,
        "generated_at": _moment(analysis.generated_at),
        "window": {
            "start": _moment(window.start),
            "end": _moment(window.end),
            "hours": _number(window.hours, _HOURS),
        },
        "prices": _prices(analysis.prices),
        "totals": _totals(analysis.totals),
        "workloads": [_workload(use) for use in in_order(analysis.workloads)],
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
    }


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the document."""
    text = files("reports").joinpath("analysis-v1.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def _workload(use: WorkloadUse) -> dict[str, Any]:
    workload = use.workload
    key = workload.key
    return {
        "cluster": encodable(key.cluster),
        "namespace": encodable(key.namespace),
        "kind": encodable(key.kind),
        "name": encodable(key.name),
        "environment": use.environment,
        "environment_reason": encodable(use.environment_reason),
        "model": _text(use.model),
        "team": _text(use.team),
        "gpu_model": _text(use.gpu_model),
        "gpus_per_replica": _number(workload.gpus_per_replica, _FRACTION),
        "replicas": workload.replicas,
        "gpu_hours": _number(use.gpu_hours, _HOURS, nullable=False),
        "cost_usd": _number(use.cost_usd, _USD),
        "idle_cost_usd": _number(use.idle_cost_usd, _USD),
        "coverage": _number(use.coverage, _FRACTION),
        "utilisation": _utilisation(use),
        "serving": _serving(use),
        "verdict": use.verdict.name,
        "reason": encodable(use.verdict.reason),
        "recommendations": [],
        "verdict_code": use.verdict.code,
        "history_hours": _number(use.history_hours, _HOURS, nullable=False),
        "observed_gpu_hours": _number(use.observed_gpu_hours, _HOURS, nullable=False),
    }


def _utilisation(use: WorkloadUse) -> dict[str, Any] | None:
    spread = use.utilisation
    if spread is None:
        return None
    figures = {name: _number(getattr(spread, name), _FRACTION) for name in UTILISATION}
    # Half a distribution cannot be judged: one figure that is not a number and none is known.
    return None if None in figures.values() else figures


def _serving(use: WorkloadUse) -> dict[str, Any] | None:
    served = use.serving
    if served is None:
        return None
    return {name: _number(getattr(served, name), places) for name, places in SERVING.items()}


def _totals(totals: Totals) -> dict[str, Any]:
    return {
        "gpu_hours": _number(totals.gpu_hours, _HOURS, nullable=False),
        "cost_usd": _number(totals.cost_usd, _USD, nullable=False),
        "idle_cost_usd": _number(totals.idle_cost_usd, _USD, nullable=False),
        "unallocated_gpu_hours": _number(totals.unallocated_gpu_hours, _HOURS),
        "unallocated_cost_usd": _number(totals.unallocated_cost_usd, _USD),
        "coverage": _number(totals.coverage, _FRACTION),
        "unpriced_gpu_hours": _number(totals.unpriced_gpu_hours, _HOURS, nullable=False),
    }


def _prices(prices: tuple[PriceUsed, ...]) -> dict[str, Any]:
    oldest = oldest_price(prices)
    undated = dict.fromkeys(encodable(p.gpu_model) for p in prices if p.as_of is None)
    return {
        "as_of": oldest.isoformat() if oldest else None,
        "source": _text(price_sources(prices)),
        "used": [
            {
                "gpu_model": encodable(price.gpu_model),
                "instance_type": encodable(price.instance_type),
                "spot": price.spot,
                "usd_per_gpu_hour": _number(price.usd_per_gpu_hour, _RATE, nullable=False),
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
        "present_gpu_hours": _number(pool.present_gpu_hours, _HOURS, nullable=False),
        "unallocated_gpu_hours": _number(pool.unallocated_gpu_hours, _HOURS, nullable=False),
        "unallocated_cost_usd": _number(pool.unallocated_cost_usd, _USD),
    }


def _text(value: str | None) -> str | None:
    return None if value is None else encodable(value)


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _number(value: float | None, places: int, *, nullable: bool = True) -> float | int | None:
    """``value`` rounded. What is not finite is not known: null, or left for to_json to refuse."""
    if value is None:
        return None
    plain = float(value)
    if not math.isfinite(plain):
        return None if nullable else plain
    # Adding zero turns -0.0, which reads as a mistake, into 0.0.
    return round(plain) if places == 0 else round(plain, places) + 0.0
