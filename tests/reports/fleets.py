"""Analyses made by hand, for everything that renders one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from analyzer.analysis import Analysis, Distribution
from tests.builders import (
    analysis,
    distribution,
    node_class,
    notice,
    pool_use,
    price_used,
    serving_figures,
    totals,
    unknown_use,
    verdict,
    workload_use,
)
from tests.reports import advised


def typical() -> Analysis:
    """Seven workloads, three pools, one GPU without a price.

    GPU-hours 1344 + 672 + 1008 + 168 + 168 + 336 + 96 = 3792, of which measured
    1330.56 + 672 + 1008 + 168 + 168 + 208.32 + 96 = 3650.88.
    """
    chat = workload_use(
        serving=serving_figures(),
        verdict=verdict("underused", "Mean use 31% of 8 GPUs; nothing waited, KV cache p95 41%."),
    )
    embeddings = workload_use(
        "embeddings-v2",
        namespace="search",
        model=None,
        replicas=4,
        gpus_per_replica=1.0,
        gpu_model="A100 80GB",
        gpu_hours=672.0,
        observed_gpu_hours=672.0,
        coverage=1.0,
        cost_usd=2304.96,
        idle_cost_usd=2304.96,
        utilisation=Distribution(0, 0, 0, 0),
        verdict=verdict("idle", "No GPU worked in 168 h."),
    )
    small_chat = workload_use(
        "chat-8b",
        replicas=6,
        gpus_per_replica=1.0,
        gpu_model="L4",
        gpu_hours=1008.0,
        observed_gpu_hours=1008.0,
        coverage=1.0,
        cost_usd=811.44,
        idle_cost_usd=97.3728,
        utilisation=distribution(0.88, 0.91, 1.0, 1.0),
        serving=serving_figures(waiting_p95=14.0, queue_share=0.22, kv_cache_p95=0.93),
        verdict=verdict("saturated", "Requests waited in 22% of the time, KV cache p95 93%."),
    )
    rerank = workload_use(
        "rerank",
        environment="staging",
        environment_reason="namespace label environment=stage",
        replicas=1,
        gpus_per_replica=1.0,
        gpu_model="L4",
        gpu_hours=168.0,
        observed_gpu_hours=168.0,
        coverage=1.0,
        cost_usd=135.24,
        idle_cost_usd=48.6864,
        utilisation=distribution(0.64, 0.66, 0.9, 0.97),
        verdict=verdict("right-sized", "Mean use 64%."),
    )
    notebook = workload_use(
        "notebook-anna",
        namespace="research",
        kind="StatefulSet",
        environment="development",
        environment_reason="namespace research matches research*",
        model=None,
        team=None,
        replicas=1,
        gpus_per_replica=1.0,
        gpu_model="T4",
        gpu_hours=168.0,
        observed_gpu_hours=168.0,
        coverage=1.0,
        cost_usd=25.032,
        idle_cost_usd=24.03072,
        utilisation=distribution(0.04, 0.0, 0.31, 1.0),
        verdict=verdict("underused", "Mean use 4% of 1 GPU."),
    )
    vision = unknown_use(
        "vision-beta",
        replicas=2,
        gpus_per_replica=1.0,
        gpu_model="H100 PCIe 80GB",
        gpu_hours=336.0,
        observed_gpu_hours=208.32,
        coverage=0.62,
        cost_usd=None,
        utilisation=distribution(0.12, 0.1, 0.2, 0.5),
        verdict=verdict("unknown", "Measured for 62% of the window; 90% is the floor.", "coverage"),
    )
    finetune = workload_use(
        "nightly-finetune",
        namespace="batch",
        kind="Job",
        environment="unknown",
        environment_reason="no label, namespace or name tells",
        model=None,
        team=None,
        replicas=None,
        gpus_per_replica=8.0,
        exists=False,
        gpu_hours=96.0,
        observed_gpu_hours=96.0,
        coverage=1.0,
        history_hours=12.0,
        cost_usd=660.48,
        idle_cost_usd=19.8144,
        utilisation=distribution(0.97, 0.99, 1.0, 1.0),
        verdict=verdict("right-sized", "Mean use 97%."),
    )
    return analysis(
        rerank,
        notebook,
        embeddings,
        vision,
        finetune,
        small_chat,
        chat,
        timezone="Europe/Berlin",
        pools=(
            pool_use(
                node=node_class(instance_type="p5.48xlarge", pool="h100"),
                present=2688.0,
                unallocated=1248.0,
                cost=8586.24,
            ),
            pool_use(node=node_class("A100 80GB"), present=672.0, unallocated=0.0, cost=0.0),
            pool_use(node=node_class("L4"), present=1680.0, unallocated=504.0, cost=405.72),
        ),
        totals=totals(
            gpu_hours=3792.0,
            cost_usd=13183.872,
            idle_cost_usd=8875.10112,
            unpriced_gpu_hours=336.0,
            unallocated_gpu_hours=1752.0,
            unallocated_cost_usd=8991.96,
            coverage=3650.88 / 3792,
        ),
        prices=(
            price_used(as_of=None, instance_type="p5.48xlarge"),
            price_used("A100 80GB", 3.43, as_of=date(2026, 11, 9)),
            price_used("L4", 0.805),
            price_used("T4", 0.149, spot=True, as_of=None, source="Azure spot"),
        ),
        notices=(
            notice("no price for H100 PCIe 80GB; set one in [[prices]]", code="no-price"),
            notice("time-sliced: use is the whole device's", code="shared", subject="T4"),
        ),
    )


def empty() -> Analysis:
    """No workload, no GPU, no price."""
    return replace(
        analysis(prices=(), totals=totals(gpu_hours=0, cost_usd=0, idle_cost_usd=0, coverage=None)),
        workloads=(),
    )


def one_failed() -> Analysis:
    """Two clusters were read, the third refused the token."""
    return analysis(
        workload_use(cluster="eu-west"),
        workload_use(
            cluster="us-east",
            idle_cost_usd=7120.0,
            utilisation=distribution(0.23, 0.2, 0.5, 0.9),
        ),
        clusters=("ap-south", "eu-west", "us-east"),
        totals=totals(gpu_hours=2688.0, cost_usd=18493.44, idle_cost_usd=13500.2368),
        failed={"ap-south": "https://prom.ap.example refused the token (401); set a valid one"},
    )


LONG = "a-very-long-name-" + "x" * 219 + "-ends-in-zebra-17"
ANSI = "\x1b[31mred\x1b[0m\x07"
REVERSED = "gpj.\u202egnp"
SCRIPT = '</script><img src=x onerror="alert(1)">'
FORMULA = "=cmd|'/c calc'!A0"
MARKUP = "[bold]loud[/bold] :smile: **star** `tick` a|b"


def hostile() -> Analysis:
    """Names that try to be something else."""
    assert len(LONG) == 253
    return analysis(
        workload_use(LONG, idle_cost_usd=600.0),
        workload_use(ANSI, idle_cost_usd=500.0),
        workload_use(REVERSED, namespace="\u05e9\u05dc\u05d5\u05dd", idle_cost_usd=400.0),
        workload_use(SCRIPT, model='say "hi", {brace}', team="line\nbreak\u2028sep"),
        workload_use(FORMULA, idle_cost_usd=200.0, team="+49", model="@SUM(A1)"),
        workload_use(MARKUP, idle_cost_usd=100.0, verdict=verdict("idle", "[red]x[/red] \x1b[2J")),
        workload_use("half \ud800 pair", idle_cost_usd=50.0, gpu_model="GPU " + "é" * 60),
        totals=totals(gpu_hours=9408.0, cost_usd=64727.04, idle_cost_usd=8230.2368),
        notices=(notice("<b>x</b> \x1b]0;title\x07", subject="\u202ename"),),
        prices=(price_used(source="=HYPERLINK(1)"),),
    )


ALL = {
    "typical": typical,
    "empty": empty,
    "failed": one_failed,
    "hostile": hostile,
    "advised": advised.mixed,
    "refused": advised.refused,
}
