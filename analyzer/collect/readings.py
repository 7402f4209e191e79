"""Everything that was read of one cluster, before it is joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from analyzer.collect.facts import DeviceReading, KubeFacts, ServingReading
from analyzer.collect.kubestate import StateReadings
from analyzer.model import Window


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
