"""What inference servers tell of a pod, in every spelling they have had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tests.e2e.oracle import grown, p95, step_means
from tests.e2e.scenes import Floats, Pod, Scene


@dataclass(frozen=True)
class Names:
    """How one server, at one age, names things; "" for what it does not tell."""

    running: str = "vllm:num_requests_running"
    waiting: str = "vllm:num_requests_waiting"
    kv_cache: str = "vllm:kv_cache_usage_perc"
    requests: str = "vllm:request_success_total"
    prompt: str = "vllm:prompt_tokens_total"
    generation: str = "vllm:generation_tokens_total"
    ttft: str = "vllm:time_to_first_token_seconds_bucket"
    itl: str = "vllm:inter_token_latency_seconds_bucket"
    reasons: tuple[str, ...] = ("stop", "length")


VLLM = Names()
VLLM_OLD = Names(
    kv_cache="vllm:gpu_cache_usage_perc", itl="vllm:time_per_output_token_seconds_bucket"
)
VLLM_UNDERSCORE = Names(
    **{key: value.replace(":", "_") for key, value in vars(VLLM).items() if isinstance(value, str)}
)
SGLANG = Names(
    running="sglang:num_running_reqs",
    waiting="sglang:num_queue_reqs",
    kv_cache="sglang:token_usage",
    requests="sglang:num_requests_total",
    prompt="sglang:prompt_tokens_total",
    generation="sglang:generation_tokens_total",
    ttft="sglang:time_to_first_token_seconds_bucket",
    itl="sglang:inter_token_latency_seconds_bucket",
    reasons=("",),
)

BOUNDS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


@dataclass(frozen=True)
class Traffic:
    """Gauges are numbers or arrays over the times; ``ttft_s`` and ``itl_s`` what every request
    and every token took; ``restarts`` hours at which the counters begin anew."""

    running: float | Floats = 4
    waiting: float | Floats = 0
    kv_cache: float | Floats = 0.3
    requests_a_minute: float = 30
    prompt_tokens: float = 700
    generation_tokens: float = 250
    ttft_s: float = 0.2
    itl_s: float = 0.03
    restarts: tuple[float, ...] = ()


@dataclass(frozen=True)
class Served:
    """Raw samples by what they are, for the oracle."""

    times_s: Floats
    gauges: Mapping[str, Floats]
    counters: Mapping[str, tuple[Floats, ...]]

    def total(self, what: str, start_s: float, end_s: float) -> float:
        return sum(grown(self.times_s, one, start_s, end_s) for one in self.counters[what])

    def p95(self, what: str, start_s: float, end_s: float) -> float:
        return p95(step_means(self.times_s, self.gauges[what], start_s, end_s))


def serve(
    scene: Scene, pod: Pod, traffic: Traffic, names: Names = VLLM, every_s: float = 60
) -> Served:
    """The series of one pod's server."""
    times_s = scene.span.times(every_s, pod.hours)
    own = {"pod": pod.name, "namespace": pod.namespace, "model_name": "llama-8b", "engine": "0"}
    per_sample = traffic.requests_a_minute * every_s / 60
    asked = scene.rng.poisson(per_sample, times_s.size).astype(float)
    gauges = {}
    for what in ("running", "waiting", "kv_cache"):
        values = np.broadcast_to(np.asarray(getattr(traffic, what), dtype=float), times_s.shape)
        gauges[what] = values
        scene.add(getattr(names, what), times_s, values, **own)
    share = 1 / len(names.reasons)
    split = [np.floor(asked * share), asked - np.floor(asked * share)][-len(names.reasons) :]
    split = split if len(names.reasons) > 1 else [asked]
    counters = {
        "requests": tuple(counted(part, times_s, scene, traffic) for part in split),
        "prompt": (counted(asked * traffic.prompt_tokens, times_s, scene, traffic),),
        "generation": (counted(asked * traffic.generation_tokens, times_s, scene, traffic),),
    }
    for reason, values in zip(names.reasons, counters["requests"], strict=True):
        scene.add(names.requests, times_s, values, finished_reason=reason, **own)
    scene.add(names.prompt, times_s, counters["prompt"][0], **own)
    scene.add(names.generation, times_s, counters["generation"][0], **own)
    tokens = asked * traffic.generation_tokens
    for metric, seconds, events in (
        (names.ttft, traffic.ttft_s, asked),
        (names.itl, traffic.itl_s, tokens),
    ):
        total = counted(events, times_s, scene, traffic)
        for bound in (*BOUNDS_S, np.inf):
            le = "+Inf" if np.isinf(bound) else str(bound)
            scene.add(metric, times_s, total * (seconds <= bound), le=le, **own)
    return Served(times_s, gauges, counters)


def counted(events: Floats, times_s: Floats, scene: Scene, traffic: Traffic) -> Floats:
    """A counter of these events, back at nothing after each restart."""
    total = np.cumsum(events)
    for hour in traffic.restarts:
        after = times_s > scene.span.at(hour)
        if after.any() and not after.all():
            total[after] -= total[after][0] - events[after][0]
    return total
