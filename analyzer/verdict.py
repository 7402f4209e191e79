"""What one workload's figures mean: idle, underused, right-sized, saturated or unknown.

The mean alone decides nothing. Real inference servers hold a queue at 30 % utilisation, so a
queue, a full KV cache or a missed latency objective overrules it; and too little data is
``unknown`` before anything else is asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from analyzer.analysis import Distribution, ServingFigures, Verdict


class Thresholds(Protocol):
    """The ``[verdict]`` section."""

    @property
    def underused_below(self) -> float: ...
    @property
    def idle_below(self) -> float: ...
    @property
    def saturated_above(self) -> float: ...
    @property
    def kv_cache_saturated(self) -> float: ...
    @property
    def kv_cache_busy(self) -> float: ...
    @property
    def waiting_saturated(self) -> float: ...
    @property
    def queue_share(self) -> float: ...
    @property
    def ttft_p95(self) -> timedelta: ...
    @property
    def itl_p95(self) -> timedelta: ...
    @property
    def coverage_floor(self) -> float: ...
    @property
    def min_history(self) -> timedelta: ...


@dataclass(frozen=True, slots=True)
class Figures:
    """What a verdict is made from. ``history_hours`` is the time in which it
    held GPUs; ``shared`` marks a device whose utilisation is not the workload's alone."""

    gpu_hours: float
    coverage: float | None
    history_hours: float
    utilisation: Distribution | None
    serving: ServingFigures | None
    shared: bool = False


def judge(figures: Figures, limits: Thresholds) -> Verdict:
    """The verdict with its code and its reason. Pure: the same figures, the same verdict."""
    for rule in _RULES:
        verdict = rule(figures, limits)
        if verdict is not None:
            return verdict
    use = figures.utilisation
    mean = f"mean use {use.mean:.0%}" if use else ""
    return Verdict("right-sized", "in-range", mean)


def _too_little_data(figures: Figures, limits: Thresholds) -> Verdict | None:
    # Written so that NaN, for which every comparison is false, ends as unknown too.
    if not figures.gpu_hours > 0:
        return Verdict("unknown", "no-allocation", "held no GPU in the window")
    if figures.utilisation is None or figures.coverage is None:
        return Verdict("unknown", "no-gpu-metrics", "no GPU metrics for any of its pods")
    if not (0 <= figures.coverage <= 1 and 0 <= figures.utilisation.mean <= 1):
        return Verdict("unknown", "no-gpu-metrics", "its GPU metrics are not numbers from 0 to 1")
    needed = limits.min_history.total_seconds() / 3600
    # Half a step of slack: the window's length itself must pass at exactly the minimum.
    if not figures.history_hours >= needed - 0.05:
        reason = f"only {figures.history_hours:.1f} h of history, at least {needed:g} h needed"
        return Verdict("unknown", "short-history", reason)
    if figures.coverage < limits.coverage_floor:
        reason = (
            f"GPU metrics cover {_percent(figures.coverage)} of its GPU time, "
            f"at least {_limit(limits.coverage_floor)} needed"
        )
        return Verdict("unknown", "low-coverage", reason)
    return None


def _saturated(figures: Figures, limits: Thresholds) -> Verdict | None:
    serving, use = figures.serving, figures.utilisation
    if serving is not None:
        kv, waiting = serving.kv_cache_p95, serving.waiting_p95
        if waiting is not None and waiting >= limits.waiting_saturated:
            return Verdict("saturated", "queue", f"p95 of waiting requests is {waiting:.1f}")
        if kv is not None and kv >= limits.kv_cache_saturated:
            return Verdict("saturated", "kv-cache", f"p95 of KV-cache use is {_percent(kv)}")
    elif use is not None and use.mean >= limits.saturated_above:
        return Verdict("saturated", "gpu", f"mean use {_percent(use.mean)}")
    return None


def _serving_unheard(figures: Figures, limits: Thresholds) -> Verdict | None:
    serving, use = figures.serving, figures.utilisation
    if serving is None or use is None or use.mean >= limits.underused_below:
        return None
    if serving.coverage < limits.coverage_floor:
        reason = (
            f"mean use {_percent(use.mean)}, but inference metrics cover only "
            f"{_percent(serving.coverage)} of its time: a queue may have gone unseen"
        )
        return Verdict("unknown", "low-serving-coverage", reason)
    return None


def _idle(figures: Figures, limits: Thresholds) -> Verdict | None:
    use, serving = figures.utilisation, figures.serving
    if use is None or max(use.mean, use.max) >= limits.idle_below:
        return None
    if serving is not None and any((serving.requests, serving.running_p95, serving.queue_share)):
        return None
    if figures.shared:
        return Verdict("idle", "no-work", "no work on the shared device it holds a part of")
    finished = ", no request finished" if serving and serving.requests is not None else ""
    return Verdict("idle", "no-work", f"mean use {use.mean:.1%}{finished}")


def _busy_below_the_mean(figures: Figures, limits: Thresholds) -> Verdict | None:
    use, serving = figures.utilisation, figures.serving
    if use is None or serving is None or use.mean >= limits.underused_below:
        return None
    guard = _guard(serving, limits)
    if guard is None:
        return None
    code, reason = guard
    return Verdict("right-sized", code, f"mean use {_percent(use.mean)}, but {reason}")


def _guard(serving: ServingFigures, limits: Thresholds) -> tuple[str, str] | None:
    if serving.queue_share is not None and serving.queue_share > limits.queue_share:
        share = serving.queue_share
        return "queue-at-low-use", f"requests waited in {share:.1%} of five-minute steps"
    if serving.kv_cache_p95 is not None and serving.kv_cache_p95 >= limits.kv_cache_busy:
        return "kv-cache-at-low-use", f"p95 of KV-cache use is {_percent(serving.kv_cache_p95)}"
    latencies = (
        ("first token", serving.ttft_p95_s, limits.ttft_p95),
        ("the next token", serving.itl_p95_s, limits.itl_p95),
    )
    for what, seconds, objective in latencies:
        limit = objective.total_seconds()
        if limit > 0 and seconds is not None and seconds > limit:
            return "latency-at-low-use", f"p95 to {what} is {seconds:.2g} s (objective {limit:g} s)"
    return None


def _underused(figures: Figures, limits: Thresholds) -> Verdict | None:
    use = figures.utilisation
    if use is None or use.mean >= limits.underused_below:
        return None
    below = f"mean use {_percent(use.mean)} is below {_limit(limits.underused_below)}"
    where = " on the shared device" if figures.shared else ""
    no_queue = ", nothing waited" if figures.serving and figures.serving.queue_share == 0 else ""
    return Verdict("underused", "low-mean", f"{below}{where}{no_queue}")


def _percent(fraction: float) -> str:
    """Whole percents; near a limit tenths, cut off rather than rounded, so that a figure below
    the limit is never written as the limit itself."""
    if 0.88 <= fraction < 1 or 0.48 <= fraction < 0.52:
        return f"{math.floor(fraction * 1000 + 1e-6) / 10:.1f}%"
    return f"{fraction:.0%}"


def _limit(fraction: float) -> str:
    return f"{fraction * 100:g}%"


Rule = Callable[[Figures, Thresholds], Verdict | None]
_RULES: tuple[Rule, ...] = (
    _too_little_data,
    _saturated,
    _serving_unheard,
    _idle,
    _busy_below_the_mean,
    _underused,
)
