"""Analyses with advice, made by hand. A GPU-hour a week is 730 ÷ 168 GPU-hours a month, so that
one H100 ($6.88) held all week is $5,022.40 a month, one L4 ($0.805) $587.65, one T4 ($0.149)
$108.77."""

from __future__ import annotations

from dataclasses import replace

from analyzer.advice import (
    Advice,
    Confidence,
    Recommendation,
    Refusal,
    Replay,
    Saving,
    Savings,
    Trial,
)
from analyzer.analysis import Analysis
from tests.builders import (
    analysis,
    distribution,
    price_used,
    serving_figures,
    verdict,
    workload_use,
)

REPLAY = Replay(
    minutes=9600.0,
    gap_minutes=180.0,
    zero_minutes=300.0,
    trials=(
        Trial(4, 0.412, 0.633, 0.0, 0.0, 0.0, 0.31, 0.042),
        Trial(3, 0.548, 0.843, 0.0, 0.0, 0.0, 0.41, 0.046),
        Trial(
            2,
            0.821,
            1.27,
            214.5,
            35.0,
            1833.4,
            0.62,
            0.055,
            "p95 of KV-cache use 82%, to be below 80%",
        ),
    ),
)


def fewer(**changes: object) -> Recommendation:
    """Three replicas of eight H100s instead of four: 8 × 168 GPU-hours a week, one node."""
    made = Recommendation(
        action="reduce-replicas",
        before=4,
        after=3,
        reason="3 would have carried 160 h of load; 2 would not: p95 of KV-cache use 82%",
        saving=Saving(1344.0, 40179.2, 40179.2, 1),
        confidence=Confidence(
            "medium",
            (
                "99.0% of its time measured (high)",
                "7.0 days of history (medium)",
                "replayed KV-cache p95 32% below its limit (high)",
            ),
        ),
        evidence={
            "coverage": 0.99,
            "history_hours": 168.0,
            "preemptions": None,
            "kv_cache_p95_below": 0.8,
        },
        replay=REPLAY,
        plan=True,
    )
    return replace(made, **changes)


def plain(
    action: str, before: int | str, after: int | str, saving: Saving, **changes: object
) -> Recommendation:
    made = Recommendation(
        action,
        before,
        after,
        f"the figures say {action}",
        saving,
        Confidence("high", ("7 days",)),
        plan=True,
    )
    return replace(made, **changes)


def mixed() -> Analysis:
    """Every action: six plans and an alternative, of which one costs, and a workload without."""
    chat = workload_use(
        replicas=4,
        gpus_per_replica=8.0,
        serving=serving_figures(),
        advice=Advice(
            (
                fewer(),
                plain(
                    "smaller-gpu",
                    "H100 SXM 80GB",
                    "A100 80GB",
                    Saving(0.0, 0.0, 9000.0),
                    plan=False,
                ),
            ),
            (Refusal("use-spot", "production", "production never runs on spot nodes"),),
        ),
    )
    small = workload_use(
        "chat-8b",
        gpu_model="L4",
        replicas=6,
        gpus_per_replica=1.0,
        cost_usd=811.44,
        idle_cost_usd=97.37,
        verdict=verdict("saturated"),
        advice=Advice((plain("add-replicas", 6, 7, Saving(-168.0, -587.65, -587.65, -1)),)),
    )
    gone = workload_use(
        "embeddings-v2",
        namespace="search",
        gpu_model="L4",
        replicas=2,
        gpus_per_replica=1.0,
        verdict=verdict("idle"),
        advice=Advice((plain("remove", 2, 0, Saving(336.0, 1175.3, 0.0, 0)),)),
    )
    shared = workload_use(
        "rerank",
        environment="staging",
        gpu_model="L4",
        advice=Advice((plain("share-gpu", "L4", "a quarter of an L4", Saving(126.0, 440.74)),)),
    )
    spot = workload_use(
        "tune",
        namespace="research",
        environment="development",
        advice=Advice((plain("use-spot", "on-demand", "spot", Saving(0.0, 0.0, 1500.0)),)),
    )
    nights = workload_use(
        "notebook-anna",
        namespace="research",
        environment="development",
        gpu_model="T5",
        cost_usd=None,
        idle_cost_usd=None,
        advice=Advice(
            (
                plain(
                    "sleep-overnight",
                    "always",
                    "Mon-Fri 08:00-20:00",
                    Saving(108.0, None, None, 0),
                ),
            )
        ),
    )
    needed = workload_use(
        "vision",
        utilisation=distribution(0.7),
        verdict=verdict("right-sized"),
        advice=Advice(
            (), (Refusal("reduce-replicas", "needed", "with 1: 900 requests would have waited"),)
        ),
    )
    return analysis(
        needed,
        nights,
        spot,
        small,
        shared,
        gone,
        chat,
        prices=(price_used(), price_used("L4", 0.805)),
        # 1344 - 168 + 336 + 126 + 0 + 108 GPU-hours; dollars of what has a price.
        savings=Savings(1746.0, 41207.59, 41091.55, 1, 2),
    )


def refused() -> Analysis:
    """Three workloads that nothing is advised for, and why."""
    short = Advice(
        (),
        (
            Refusal("use-spot", "production", "production never runs on spot nodes"),
            Refusal(
                "reduce-replicas", "short-history", "only 3.0 h of history, at least 168 h needed"
            ),
            Refusal("smaller-gpu", "short-history", "only 3.0 h of history, at least 168 h needed"),
        ),
    )
    needed = Advice(
        (), (Refusal("reduce-replicas", "needed", "with 3: 900 requests would wait", REPLAY),)
    )
    return analysis(
        workload_use(advice=short),
        workload_use("chat-8b", advice=short),
        workload_use("rerank", advice=needed),
        savings=Savings(0.0, 0.0, 0.0, 0, 0),
    )
