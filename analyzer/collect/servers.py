"""How each inference server names things: metrics, their renames, and what they tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analyzer.collect.store import Over


@dataclass(frozen=True, slots=True)
class Server:
    """How one inference server names things. Several names for one thing are its renames, newest
    first. ``:`` stands for a colon or, as OpenMetrics 1.0 writes it, an underscore.

    ``cache_info`` tells the KV cache in labels, ``cache_tokens`` its size as a value.
    """

    name: str
    running: tuple[str, ...]
    waiting: tuple[str, ...]
    kv_cache: tuple[str, ...]
    totals: Mapping[str, tuple[str, ...]]
    ttft: tuple[str, ...]
    itl: tuple[str, ...]
    cache_info: tuple[str, ...] = ()
    cache_tokens: tuple[str, ...] = ()

    @property
    def mark(self) -> str:
        """A metric whose presence tells that this server is scraped."""
        return self.running[0]

    @property
    def steps(self) -> tuple[tuple[str, tuple[str, ...], Over], ...]:
        """What is read step by step: field of the reading, names, and fold over the step."""
        return (
            ("running", self.running, "avg"),
            ("waiting", self.waiting, "avg"),
            ("waiting_peak", self.waiting, "max"),
            ("kv_cache", self.kv_cache, "avg"),
            ("kv_peak", self.kv_cache, "max"),
            ("finished", self.totals["requests"], "increase"),
            ("prompted", self.totals["prompt_tokens"], "increase"),
            ("generated", self.totals["generation_tokens"], "increase"),
        )


SERVERS = (
    Server(
        "vLLM",
        running=("vllm:num_requests_running",),
        waiting=("vllm:num_requests_waiting",),
        kv_cache=("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
        totals={
            "requests": ("vllm:request_success_total",),
            "prompt_tokens": ("vllm:prompt_tokens_total",),
            "generation_tokens": ("vllm:generation_tokens_total",),
            "preemptions": ("vllm:num_preemptions_total",),
        },
        ttft=("vllm:time_to_first_token_seconds_bucket",),
        itl=(
            "vllm:inter_token_latency_seconds_bucket",
            "vllm:time_per_output_token_seconds_bucket",
        ),
        cache_info=("vllm:cache_config_info",),
    ),
    Server(
        "SGLang",
        running=("sglang:num_running_reqs",),
        waiting=("sglang:num_queue_reqs",),
        kv_cache=("sglang:token_usage",),
        totals={
            "requests": ("sglang:num_requests_total",),
            "prompt_tokens": ("sglang:prompt_tokens_total",),
            "generation_tokens": ("sglang:generation_tokens_total",),
        },
        ttft=("sglang:time_to_first_token_seconds_bucket",),
        itl=("sglang:inter_token_latency_seconds_bucket",),
        cache_tokens=("sglang:max_total_num_tokens",),
    ),
)
