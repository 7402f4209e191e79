"""The demo's nodes and workloads, as tables. Days count from the start of the four weeks.

Each workload is there for one thing that an analysis has to get right; ``why`` says which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from analyzer.collect.simulate.load import Load

ENVIRONMENT = "app.kubernetes.io/environment"
Hours = Literal["always", "daytime", "office"]
NVIDIA_GPU = "nvidia.com/gpu"
MIG_1G = "nvidia.com/mig-1g.10gb"

NAMESPACES: Mapping[str, Mapping[str, str]] = {
    "llm-serving": {"team": "inference"},
    "platform-ml": {"team": "ml-platform", "cost-center": "4711"},
    "research": {"team": "research"},
}


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as DCGM names it, as GPU feature discovery names it, and its memory in MiB."""

    model: str
    product: str
    memory_mib: int


A100 = Gpu("NVIDIA A100-SXM4-80GB", "NVIDIA-A100-SXM4-80GB", 81_920)
A100_PCIE = Gpu("NVIDIA A100 80GB PCIe", "NVIDIA-A100-80GB-PCIe", 81_920)
H100 = Gpu("NVIDIA H100 80GB HBM3", "NVIDIA-H100-80GB-HBM3", 81_559)
L4 = Gpu("NVIDIA L4", "NVIDIA-L4", 23_034)
L40S = Gpu("NVIDIA L40S", "NVIDIA-L40S", 46_068)
A10G = Gpu("NVIDIA A10G", "NVIDIA-A10G", 23_028)
T4 = Gpu("Tesla T4", "Tesla-T4", 15_360)


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A node. Nodes with the same ``place`` follow each other, as spot nodes do."""

    name: str
    place: str
    gpu: Gpu
    count: int
    instance_type: str
    pool: str
    spot: bool = False
    slices: int = 1
    mig: int = 0
    from_day: float = 0.0
    until_day: float = 28.0


NODES = (
    NodeSpec("gpu-a100-1", "a100-1", A100, 8, "p4de.24xlarge", "a100"),
    NodeSpec("gpu-a100-2", "a100-2", A100, 8, "p4de.24xlarge", "a100"),
    NodeSpec("gpu-h100-1", "h100-1", H100, 8, "p5.48xlarge", "h100"),
    NodeSpec("gpu-l4-1", "l4-1", L4, 4, "g6.12xlarge", "l4"),
    NodeSpec("gpu-l4-2", "l4-2", L4, 4, "g6.12xlarge", "l4"),
    NodeSpec("gpu-l40s-1", "l40s", L40S, 4, "g6e.12xlarge", "l40s-spot", spot=True, until_day=12.3),
    NodeSpec("gpu-l40s-2", "l40s", L40S, 4, "g6e.12xlarge", "l40s-spot", spot=True, from_day=12.31),
    NodeSpec("gpu-a10g-1", "a10g", A10G, 4, "g5.12xlarge", "a10g"),
    NodeSpec("gpu-a10g-2", "a10g-old", A10G, 2, "g5.12xlarge", "a10g", until_day=14.02),
    NodeSpec("onprem-mig-1", "mig", A100_PCIE, 1, "", "mig", mig=7),
    NodeSpec("gpu-t4-1", "t4", T4, 1, "g4dn.xlarge", "notebooks", slices=4),
)


@dataclass(frozen=True, slots=True)
class Slot:
    """Where one replica lives, and when: around the clock, by day, or in office hours."""

    place: str
    devices: tuple[int, ...]
    hours: Hours = "always"


@dataclass(frozen=True, slots=True)
class AppSpec:
    """A workload. Every day in ``rollouts`` all its pods are replaced, one after the other."""

    namespace: str
    name: str
    why: str
    load: Load
    slots: tuple[Slot, ...]
    kind: Literal["Deployment", "StatefulSet", "Job"] = "Deployment"
    model: str = ""
    server: Literal["vllm", "sglang", ""] = "vllm"
    resource: str = NVIDIA_GPU
    labels: Mapping[str, str] = field(default_factory=dict)
    pod_labels: Mapping[str, str] = field(default_factory=dict)
    rollouts: tuple[float, ...] = ()
    from_day: float = -20.0
    until_day: float = 28.0
    crash_day: float = 0.0
    cron_job: str = ""
    load_minutes: float = 7.0


def _singles(place: str, *indexes: int, hours: Hours = "always") -> tuple[Slot, ...]:
    return tuple(Slot(place, (index,), hours) for index in indexes)


def _labels(environment: str = "", team: str = "inference") -> Mapping[str, str]:
    return {"team": team} | ({ENVIRONMENT: environment} if environment else {})


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
        labels=_labels("production"),
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
        slots=(*_singles("a100-1", 6, 7), *_singles("a100-2", 0, 1)),
        model="lmsys/vicuna-13b-v1.5",
        labels=_labels("production"),
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
        slots=_singles("a100-2", 2, 3),
        model="codellama/CodeLlama-34b-Instruct-hf",
        labels=_labels("production"),
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
        labels=_labels("production"),
        load_minutes=18,
    ),
    AppSpec(
        "llm-serving",
        "mixtral-8x7b-production",
        why="idle: no kernel and no request for weeks",
        load=Load(gpu=0.0, hours="never"),
        slots=(Slot("h100-1", (0, 1)), Slot("h100-1", (2, 3))),
        model="mistralai/Mixtral-8x7B-Instruct-v0.1",
        labels=_labels("production"),
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
            *_singles("l4-1", 0, 1, 2),
            *_singles("l4-1", 3, hours="daytime"),
            *_singles("l4-2", 0, 1, hours="daytime"),
        ),
        model="mistralai/Mistral-7B-Instruct-v0.3",
        labels=_labels("production"),
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
        slots=_singles("a10g", 0, 1, 2, 3),
        model="BAAI/bge-reranker-v2-gemma",
        pod_labels=_labels("production"),
    ),
    AppSpec(
        "llm-serving",
        "mistral-7b-development",
        why="development on spot nodes, running through nights and weekends unused",
        load=Load(
            gpu=0.5, hours="office", requests_per_s=0.4, prompt_tokens=500,
            generation_tokens=200, kv_cache=0.1, ttft_s=0.1, itl_s=0.02,
        ),
        slots=_singles("l40s", 0, 1),
        model="mistralai/Mistral-7B-Instruct-v0.3",
        labels=_labels("development"),
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
        slots=_singles("l4-2", 2, 3, hours="office"),
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
        slots=_singles("a10g-old", 0, 1),
        model="lmsys/vicuna-7b-v1.5",
        labels=_labels("development"),
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
        labels=_labels("production", "ml-platform"),
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
        slots=_singles("mig", 0, 1, 2, 3, 4),
        model="Qwen/Qwen2.5-0.5B-Instruct",
        resource=MIG_1G,
        labels=_labels("production", "ml-platform"),
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
        slots=_singles("l40s", 2),
        model="meta-llama/Llama-3.1-8B-Instruct",
        labels=_labels("staging", "ml-platform"),
        rollouts=(3.4, 8.6, 15.5, 22.4),
    ),
    AppSpec(
        "platform-ml",
        "recsys-ranker",
        why="no sign of its environment anywhere: hands off",
        load=Load(gpu=0.45, trough=0.4, weekend=0.9),
        slots=_singles("l40s", 3),
        server="",
        labels=_labels(team="ml-platform"),
    ),
    AppSpec(
        "research",
        "notebooks",
        why="three notebooks share a T4 by time-slicing",
        load=Load(gpu=0.3, hours="office", noise=0.4),
        slots=_singles("t4", 0, 1, 2),
        kind="StatefulSet",
        server="",
        labels=_labels("development", "research"),
    ),
    AppSpec(
        "research",
        "finetune-mistral-7b",
        why="a Job that completed and is still listed for hours",
        load=Load(gpu=0.93, trough=1.0, weekend=1.0, noise=0.01),
        slots=(Slot("h100-1", (6,)),),
        kind="Job",
        server="",
        labels=_labels(team="research"),
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
            labels=_labels(team="research"),
            from_day=5.0 + 7 * week,
            until_day=5.125 + 7 * week,
            cron_job="weekly-eval",
        )
        for week in range(4)
    ),
)  # fmt: skip
