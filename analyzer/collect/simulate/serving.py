"""What vLLM and SGLang would have shown in each pod, with the target labels of a PodMonitor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from analyzer.collect.simulate.fleet import Fleet, Pod
from analyzer.collect.simulate.load import ITL_SPREAD, TTFT_SPREAD, generator
from analyzer.collect.simulate.models import BLOCK, SHARE, blocks
from analyzer.collect.simulate.raw import Clock, Floats, RawSeries, Values, constant

TTFT_BOUNDS_S = (0.02, 0.06, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0, 40.0, float("inf"))
ITL_BOUNDS_S = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.5, float("inf"))
FINISHED = {"stop": 0.84, "length": 0.14, "abort": 0.02}
PREEMPTS_ABOVE = 0.95
PREEMPTIONS_PER_S = 0.02


@dataclass(frozen=True, eq=False, slots=True)
class Answering:
    """One pod while its server answers: demand and scrape interval at ``times_s``.

    ``fresh`` marks the first sample after a restart of the server, from which counters begin anew.
    """

    fleet: Fleet
    pod: Pod
    times_s: Floats
    demand: Floats
    fresh: int

    def noise(self, what: str) -> Floats:
        return generator(self.fleet.seed, what, self.pod.uid).random(self.times_s.size)

    def whole(self, level: Floats, what: str) -> Values:
        """A level as whole requests, right on average."""
        return np.floor(level + self.noise(what)).astype(np.float32)

    def grown(self, per_s: Floats, before: float) -> Floats:
        """A counter of whole things that stood at ``before`` when the fleet began."""
        step_s = np.diff(self.times_s, prepend=self.times_s[:1])
        step_s[self.fresh :][:1] = 0
        total = before + np.cumsum(per_s * step_s)
        if 0 < self.fresh < total.size:
            total[self.fresh :] -= total[self.fresh - 1]
        return np.floor(total)

    @property
    def running(self) -> Floats:
        return self.pod.app.load.running(self.demand)

    @property
    def waiting(self) -> Floats:
        return self.pod.app.load.queue(self.demand)

    @property
    def kv_cache(self) -> Floats:
        level = self.pod.app.load.kv_cache * self.demand**0.8
        noisy = level + 0.04 * (self.noise("kv") - 0.5)
        return np.where(self.demand > 0, np.clip(noisy, 0.0, 1.0), 0.0)

    @property
    def requests_per_s(self) -> Floats:
        return self.pod.app.load.requests_per_s * self.demand

    def requests(self, share: float = 1.0) -> Floats:
        return self.grown(share * self.requests_per_s, share * self.pod.counted)

    def prompt_tokens(self) -> Floats:
        return self.requests(self.pod.app.load.prompt_tokens)

    def generation_tokens(self) -> Floats:
        return self.requests(self.pod.app.load.generation_tokens)

    def preemptions(self) -> Floats:
        return self.grown(np.where(self.kv_cache > PREEMPTS_ABOVE, PREEMPTIONS_PER_S, 0.0), 0.0)

    def under(self, bound_s: float, median_s: Floats, spread: float, share: float) -> Floats:
        """A bucket: how many of ``share`` things a request took at most ``bound_s``."""
        part = 1 / (1 + (median_s / bound_s) ** spread)
        return self.grown(share * self.requests_per_s * part, share * self.pod.counted * part[0])


Variants = Iterator[tuple[Mapping[str, str], Values]]
Show = Callable[[Answering], Variants]


def makers(fleet: Fleet, clock: Clock) -> dict[str, Callable[[], Iterator[RawSeries]]]:
    """Metric names and what makes their series."""
    shows = {f"vllm:{name}": ("vllm", show) for name, show in _VLLM.items()}
    shows |= {f"sglang:{name}": ("sglang", show) for name, show in _SGLANG.items()}
    return {
        name: partial(_series, name, server, show, fleet, clock)
        for name, (server, show) in shows.items()
    }


def _series(name: str, server: str, show: Show, fleet: Fleet, clock: Clock) -> Iterator[RawSeries]:
    for pod in fleet.pods:
        if pod.app.server != server:
            continue
        parts = [clock.during(*span) for span in pod.serving]
        times_s = parts[0] if len(parts) == 1 else np.concatenate(parts)
        if not times_s.size:
            continue
        fresh = len(parts[0]) if len(parts) > 1 else 0
        answering = Answering(fleet, pod, times_s, fleet.demand(pod, times_s), fresh)
        labels = _labels(pod)
        for extra, values in show(answering):
            yield from clock.show(name, {**labels, **extra}, times_s, values)


def _labels(pod: Pod) -> dict[str, str]:
    own = (
        {"engine": "0"}
        if pod.app.server == "vllm"
        else {"engine_type": "unified", "tp_rank": "0", "pp_rank": "0"}
    )
    return own | {
        "model_name": pod.app.model,
        "namespace": pod.app.namespace,
        "pod": pod.name,
        "container": pod.app.container,
        "instance": f"{pod.ip}:8000",
        "job": f"{pod.app.namespace}/{pod.app.server}",
    }


def _gauge(level: Callable[[Answering], Values]) -> Show:
    def show(answering: Answering) -> Variants:
        yield {}, level(answering)

    return show


def _finished(answering: Answering) -> Variants:
    for reason, share in FINISHED.items():
        yield {"finished_reason": reason}, answering.requests(share)


def _ttft(answering: Answering) -> Variants:
    queued = answering.waiting / (1 + answering.running)
    median_s = answering.pod.app.load.ttft_s * (1 + 6 * queued)
    for bound_s in TTFT_BOUNDS_S:
        yield {"le": _le(bound_s)}, answering.under(bound_s, median_s, TTFT_SPREAD, 1.0)


def _itl(answering: Answering) -> Variants:
    load = answering.pod.app.load
    median_s = load.between_tokens_s(answering.demand)
    for bound_s in ITL_BOUNDS_S:
        yield (
            {"le": _le(bound_s)},
            answering.under(bound_s, median_s, ITL_SPREAD, load.generation_tokens),
        )


def _le(bound_s: float) -> str:
    return "+Inf" if bound_s == float("inf") else str(bound_s)


def _cache_config(answering: Answering) -> Variants:
    labels = {
        "block_size": str(BLOCK),
        "num_gpu_blocks": str(blocks(answering.pod)),
        "gpu_memory_utilization": str(SHARE),
        "cache_dtype": "auto",
        "enable_prefix_caching": "True",
    }
    yield labels, constant(1.0, answering.times_s)


def _cache_tokens(answering: Answering) -> Variants:
    yield {}, constant(float(BLOCK * blocks(answering.pod)), answering.times_s)


_RUNNING = _gauge(lambda pod: pod.whole(pod.running, "running"))
_WAITING = _gauge(lambda pod: pod.whole(pod.waiting, "waiting") * (pod.waiting > 0))
_KV_CACHE = _gauge(lambda pod: np.round(pod.kv_cache, 4).astype(np.float32))

_VLLM: dict[str, Show] = {
    "num_requests_running": _RUNNING,
    "num_requests_waiting": _WAITING,
    "kv_cache_usage_perc": _KV_CACHE,
    "prompt_tokens_total": _gauge(Answering.prompt_tokens),
    "generation_tokens_total": _gauge(Answering.generation_tokens),
    "request_success_total": _finished,
    "num_preemptions_total": _gauge(Answering.preemptions),
    "time_to_first_token_seconds_bucket": _ttft,
    "inter_token_latency_seconds_bucket": _itl,
    "cache_config_info": _cache_config,
}
_SGLANG: dict[str, Show] = {
    "num_running_reqs": _RUNNING,
    "num_queue_reqs": _WAITING,
    "token_usage": _KV_CACHE,
    "max_total_num_tokens": _cache_tokens,
    "prompt_tokens_total": _gauge(Answering.prompt_tokens),
    "generation_tokens_total": _gauge(Answering.generation_tokens),
    "time_to_first_token_seconds_bucket": _ttft,
}
