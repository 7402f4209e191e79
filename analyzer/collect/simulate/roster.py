"""The demo's workloads, as a table. Days count from the start of the four weeks.

Each workload is there for one thing that an analysis has to get right; ``why`` says which.
"""

from __future__ import annotations

from collections.abc import Mapping

from analyzer.collect.simulate.hardware import MIG_1G
from analyzer.collect.simulate.load import Load
from analyzer.collect.simulate.spec import AppSpec, Slot, labelled, singles

NAMESPACES: Mapping[str, Mapping[str, str]] = {
    "llm-serving": {"team": "inference"},
    "platform-ml": {"team": "ml-platform", "cost-center": "4711"},
    "research": {"team": "research"},
}

APPS = (
    AppSpec(
        "llm-serving",
        "llama-70b-production",
        why="right-sized, two GPUs a replica; one server crashes once",
        load=Load(
            gpu=0.88, trough=0.55, weekend=0.85, requests_per_s=1.6, prompt_tokens=1400,
            generation_tokens=420, kv_cache=0.68, ttft_s=0.42, itl_s=0.034,
        ),
        slots=(
            Slot("a100-1", (0, 1)),
            Slot("a100-1", (2, 3)),
            Slot("a100-1", (4, 5)),
        ),
        model="meta-llama/Llama-3.1-70B-Instruct",
        labels=labelled("production"),
        rollouts=(9.4, 18.45),
        crash_day=16.6,
        load_minutes=17,
    ),
    AppSpec(
        "llm-serving",
        "vicuna-13b-production",
        why="underused: four A100 at about 18 %",
        load=Load(
            gpu=0.26, trough=0.45, weekend=0.8, requests_per_s=0.5, prompt_tokens=700,
            generation_tokens=260, kv_cache=0.06, ttft_s=0.09, itl_s=0.017,
        ),
        slots=(*singles("a100-1", 6, 7), *singles("a100-2", 0, 1)),
        model="lmsys/vicuna-13b-v1.5",
        labels=labelled("production"),
        rollouts=(11.5,),
        load_minutes=11,
    ),
    AppSpec(
        "llm-serving",
        "codellama-34b-production",
        why="requests wait while the GPU is at 30 %: never underused",
        load=Load(
            gpu=0.34, trough=0.8, weekend=0.95, requests_per_s=0.7, prompt_tokens=2600,
            generation_tokens=500, waiting=1, waits_above=1.03, kv_cache=0.5,
            ttft_s=0.7, itl_s=0.04,
        ),
        slots=singles("a100-2", 2, 3),
        model="codellama/CodeLlama-34b-Instruct-hf",
        labels=labelled("production"),
        load_minutes=13,
    ),
    AppSpec(
        "llm-serving",
        "qwen-72b-production",
        why="saturated: the KV cache is full and requests wait",
        load=Load(
            gpu=0.98, trough=0.9, weekend=1.0, noise=0.03, requests_per_s=1.9,
            prompt_tokens=1900, generation_tokens=480, waiting=40, waits_above=0.7,
            kv_cache=1.0, ttft_s=0.9, itl_s=0.052,
        ),
        slots=(Slot("a100-2", (4, 5)), Slot("a100-2", (6, 7))),
        model="Qwen/Qwen2.5-72B-Instruct",
        labels=labelled("production"),
        load_minutes=18,
    ),
    AppSpec(
        "llm-serving",
        "mixtral-8x7b-production",
        why="idle: no kernel and no request for weeks",
        load=Load(gpu=0.0, hours="never"),
        slots=(Slot("h100-1", (0, 1)), Slot("h100-1", (2, 3))),
        model="mistralai/Mixtral-8x7B-Instruct-v0.1",
        labels=labelled("production"),
    ),
    AppSpec(
        "llm-serving",
        "mistral-7b-production",
        why="an autoscaler takes it from six replicas to three each night: new pods daily",
        load=Load(
            gpu=0.85, trough=0.5, weekend=0.85, requests_per_s=2.4, prompt_tokens=650,
            generation_tokens=210, kv_cache=0.55, ttft_s=0.12, itl_s=0.021,
        ),
        slots=(
            *singles("l4-1", 0, 1, 2),
            *singles("l4-1", 3, hours="daytime"),
            *singles("l4-2", 0, 1, hours="daytime"),
        ),
        model="mistralai/Mistral-7B-Instruct-v0.3",
        labels=labelled("production"),
        load_minutes=6,
    ),
    AppSpec(
        "llm-serving",
        "rerank-7b-production",
        why="its node's exporter is silent for 40 hours: unknown over a week, known over four",
        load=Load(
            gpu=0.78, trough=0.6, weekend=0.9, requests_per_s=3.0, prompt_tokens=1100,
            generation_tokens=40, kv_cache=0.4, ttft_s=0.1, itl_s=0.02,
        ),
        slots=singles("a10g", 0, 1, 2, 3),
        model="BAAI/bge-reranker-v2-gemma",
        pod_labels=labelled("production"),
    ),
    AppSpec(
        "llm-serving",
        "mistral-7b-development",
        why="development on spot nodes, running through nights and weekends unused",
        load=Load(
            gpu=0.5, hours="office", requests_per_s=0.4, prompt_tokens=500,
            generation_tokens=200, kv_cache=0.1, ttft_s=0.1, itl_s=0.02,
        ),
        slots=singles("l40s", 0, 1),
        model="mistralai/Mistral-7B-Instruct-v0.3",
        labels=labelled("development"),
        load_minutes=6,
    ),
    AppSpec(
        "llm-serving",
        "llama-8b-dev",
        why="development that is already scaled to zero outside office hours",
        load=Load(
            gpu=0.75, hours="office", requests_per_s=0.8, prompt_tokens=500,
            generation_tokens=220, kv_cache=0.3, ttft_s=0.12, itl_s=0.022,
        ),
        slots=singles("l4-2", 2, 3, hours="office"),
        model="meta-llama/Llama-3.1-8B-Instruct",
        load_minutes=6,
    ),
    AppSpec(
        "llm-serving",
        "vicuna-7b-development",
        why="deleted two weeks ago: its pods and owners are only in history",
        load=Load(
            gpu=0.2, hours="office", requests_per_s=0.2, kv_cache=0.2,
        ),
        slots=singles("a10g-old", 0, 1),
        model="lmsys/vicuna-7b-v1.5",
        labels=labelled("development"),
        until_day=14.0,
    ),
    AppSpec(
        "platform-ml",
        "deepseek-70b-sglang-production",
        why="SGLang instead of vLLM",
        load=Load(
            gpu=0.82, trough=0.6, weekend=0.9, requests_per_s=2.2, prompt_tokens=1200,
            generation_tokens=700, kv_cache=0.6, ttft_s=0.3, itl_s=0.02,
        ),
        slots=(Slot("h100-1", (4, 5)),),
        model="deepseek-ai/DeepSeek-R1-Distill-Llama-70B",
        server="sglang",
        labels=labelled("production", "ml-platform"),
        load_minutes=16,
    ),
    AppSpec(
        "platform-ml",
        "small-models",
        why="five instances of a MIG device, which has no utilisation of its own",
        load=Load(
            gpu=0.8, trough=0.5, requests_per_s=1.5, prompt_tokens=300, generation_tokens=60,
            kv_cache=0.3, ttft_s=0.06, itl_s=0.012,
        ),
        slots=singles("mig", 0, 1, 2, 3, 4),
        model="Qwen/Qwen2.5-0.5B-Instruct",
        resource=MIG_1G,
        labels=labelled("production", "ml-platform"),
        rollouts=(20.5,),
        load_minutes=3,
    ),
    AppSpec(
        "platform-ml",
        "llama-8b-staging",
        why="neither production nor development",
        load=Load(
            gpu=0.4, trough=0.3, weekend=0.4, requests_per_s=0.5, kv_cache=0.15,
        ),
        slots=singles("l40s", 2),
        model="meta-llama/Llama-3.1-8B-Instruct",
        labels=labelled("staging", "ml-platform"),
        rollouts=(3.4, 8.6, 15.5, 22.4),
    ),
    AppSpec(
        "platform-ml",
        "recsys-ranker",
        why="no sign of its environment anywhere: hands off",
        load=Load(gpu=0.45, trough=0.4, weekend=0.9),
        slots=singles("l40s", 3),
        server="",
        labels=labelled(team="ml-platform"),
    ),
    AppSpec(
        "research",
        "notebooks",
        why="three notebooks share a T4 by time-slicing",
        load=Load(gpu=0.3, hours="office", noise=0.4),
        slots=singles("t4", 0, 1, 2),
        kind="StatefulSet",
        server="",
        labels=labelled("development", "research"),
    ),
    AppSpec(
        "research",
        "finetune-mistral-7b",
        why="a Job that completed and is still listed for hours",
        load=Load(gpu=0.93, trough=1.0, weekend=1.0, noise=0.01),
        slots=(Slot("h100-1", (6,)),),
        kind="Job",
        server="",
        labels=labelled(team="research"),
        from_day=26.2,
        until_day=26.6,
    ),
    *(
        AppSpec(
            "research",
            f"weekly-eval-{29_800_000 + week * 10_080}",
            why="a CronJob's Job every week",
            load=Load(gpu=0.7, trough=1.0, weekend=1.0, noise=0.05),
            slots=(Slot("h100-1", (6,)),),
            kind="Job",
            server="",
            labels=labelled(team="research"),
            from_day=5.0 + 7 * week,
            until_day=5.125 + 7 * week,
            cron_job="weekly-eval",
        )
        for week in range(4)
    ),
)  # fmt: skip
