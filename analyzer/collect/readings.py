"""Everything that was read of one cluster, before it is joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from analyzer.collect.facts import DeviceReading, KubeFacts, ServingReading
from analyzer.collect.kubestate import StateReadings
from analyzer.model import STEP_S, Window


@dataclass(frozen=True, slots=True)
class Readings:
    """``kube`` is the Kubernetes API's word, None without it. ``unplaced`` are scrape targets of
    inference servers that name no pod and whose address is nobody's."""

    cluster: str
    window: Window
    devices: Sequence[DeviceReading] = ()
    serving: Sequence[ServingReading] = ()
    unplaced: Sequence[str] = ()
    state: StateReadings = field(default_factory=StateReadings)
    kube: KubeFacts | None = None


EDGE = 0.01
"""The part of a window that may be without a word at either end: a scrape is not a step."""


def heard_hours(read: Readings) -> float:
    """Hours of the window from the first to the last word of any exporter. What goes on is taken
    to go on while all are silent in between, and what the API alone told is of now."""
    state, window = read.state, read.window
    said = [*(r.samples for r in state.requests), *(r.samples for r in state.capacities)]
    said += [one.samples for one in read.devices]
    said += [] if state.nodes is None else [state.nodes]
    heard = [np.zeros(window.steps, dtype=bool), *(samples > 0 for samples in said)]
    steps = np.flatnonzero(np.any(heard, axis=0))
    if not steps.size:
        return window.hours if read.kube is not None and read.kube.pods else 0.0
    edge = max(3, int(EDGE * window.steps))
    first = 0 if steps[0] <= edge else int(steps[0])
    last = window.steps if steps[-1] >= window.steps - 1 - edge else int(steps[-1]) + 1
    return (last - first) * STEP_S / 3600
