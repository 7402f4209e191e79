"""A week of one workload, made by hand: day and night, gaps, one busy evening."""

from __future__ import annotations

from typing import Any

import numpy as np

from analyzer.sizing.story import Story
from tests.builders import serving_figures, window, workload_use
from tests.reports import advised


def story(use: Any = None, **changes: Any) -> Story:
    span = window()
    at = np.arange(span.steps)
    day = np.clip(np.sin((at / 288 - 0.3) * 2 * np.pi), 0, 1) + 0.08
    noise = np.random.default_rng(1).normal(1, 0.08, span.steps)
    kv = (0.45 * day * noise).astype(np.float32)
    busy = (0.6 * day * noise).clip(0, 1).astype(np.float32)
    running = (40 * day * noise).astype(np.float32)
    waiting = np.zeros(span.steps, np.float32)
    waiting[1300:1310] = 12
    kv[500:560] = running[500:560] = waiting[500:560] = np.nan
    busy[530:540] = np.nan
    # One step alone between two gaps.
    kv[900:905] = kv[906:911] = np.nan
    fields: dict[str, Any] = {
        "use": use
        or workload_use(
            replicas=4,
            gpus_per_replica=8.0,
            serving=serving_figures(),
            advice=advised.mixed().workloads[-1].advice,
        ),
        "window": span,
        "busy": busy,
        "kv": kv,
        "running": running,
        "waiting": waiting,
        "kv_then": kv * np.float32(4 / 2),
        "then": 2,
        "thresholds": {
            "sizing.replicas.kv_p95": 0.8,
            "sizing.replicas.saturated_at": 0.9,
            "sizing.min_history": "7d",
        },
    }
    return Story(**(fields | changes))
