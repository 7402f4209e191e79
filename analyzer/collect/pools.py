"""Classes of nodes, and the GPUs they offer against those that were asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analyzer.collect.facts import CapacityReading, DeviceReading, NodeFact
from analyzer.collect.holdings import Holding, Shares
from analyzer.collect.readings import Readings
from analyzer.collect.sampling import covered, heard, present, samples_per_step
from analyzer.environment import find_label
from analyzer.model import NodeClass, Pool, StepArray, Window
from analyzer.pricing import PriceRule, gpu_name, select_labels

SPOT_LABELS = {
    "karpenter.sh/capacity-type": "spot",
    "eks.amazonaws.com/capacityType": "SPOT",
    "kubernetes.azure.com/scalesetpriority": "spot",
    "cloud.google.com/gke-spot": "true",
    "cloud.google.com/gke-preemptible": "true",
}
INSTANCE_LABEL = "node.kubernetes.io/instance-type"
PRODUCT_LABELS = (
    "nvidia.com/gpu.product",
    "nvidia.com/gpu.replicas",
    "amd.com/gpu.product-name",
    "cloud.google.com/gke-accelerator",
)


@dataclass(frozen=True, slots=True)
class NodeClasses:
    """Puts nodes into classes. ``pool_labels`` name the pool; ``rules`` are the configured prices
    whose node labels have to be kept."""

    pool_labels: Sequence[str] = ()
    rules: Sequence[PriceRule] = ()

    def of(self, node: NodeFact | None, model: str) -> NodeClass:
        """The class of one node with this GPU model (as the exporter or a label has it)."""
        labels: Mapping[str, str] = node.labels if node else {}
        pool = next((v for key in self.pool_labels if (v := find_label(labels, key))), "")
        spot = any(
            (find_label(labels, key) or "").lower() == value.lower()
            for key, value in SPOT_LABELS.items()
        )
        wanted = {key for rule in self.rules for key, _ in rule.node_labels}
        known = {key: value for key in wanted if (value := find_label(labels, key)) is not None}
        return NodeClass(
            gpu_model=gpu_name(model),
            instance_type=find_label(labels, INSTANCE_LABEL) or "",
            pool=pool,
            spot=spot,
            labels=select_labels(known, self.rules),
        )

    @property
    def label_keys(self) -> tuple[str, ...]:
        """Every node label that a class is made from."""
        priced = (key for rule in self.rules for key, _ in rule.node_labels)
        keys = (*self.pool_labels, *SPOT_LABELS, INSTANCE_LABEL, *PRODUCT_LABELS, *priced)
        return tuple(dict.fromkeys(keys))


def pools(
    read: Readings,
    shares: Shares,
    devices: Mapping[str, list[DeviceReading]],
    held: Iterable[Holding],
    classes: Mapping[str, NodeClass],
) -> list[Pool]:
    """GPUs present and asked for, by class of node; from allocatable counts over time, and where
    nobody tells those, from the devices that were measured."""
    window = read.window
    offered = _offered(read.state.capacities, shares, window)
    for node, readings in devices.items():
        if node not in offered and any(reading.uuid for reading in readings):
            offered[node] = _measured(readings, window)
    held_on: dict[str, StepArray] = defaultdict(window.zeros)
    for holding in held:
        held_on[holding.node] += holding.allocated
    grouped: dict[NodeClass, tuple[StepArray, StepArray, StepArray]] = {}
    for node, gpus in sorted(offered.items()):
        node_class = classes[node]
        if node_class not in grouped:
            grouped[node_class] = window.zeros(), window.zeros(), window.zeros()
        total, asked, nodes = grouped[node_class]
        total += gpus
        nodes += gpus > 0
        # What one node has too little of, another's free GPUs do not make up for.
        asked += np.minimum(held_on[node], gpus)
    return [
        Pool(read.cluster, node_class, total, asked, nodes)
        for node_class, (total, asked, nodes) in sorted(grouped.items())
        if total.any()
    ]


def _offered(
    capacities: Sequence[CapacityReading], shares: Shares, window: Window
) -> dict[str, StepArray]:
    per_step = samples_per_step(reading.samples for reading in capacities)
    told = heard((reading.samples for reading in capacities), per_step, window.steps)
    offered: dict[str, StepArray] = {}
    for reading in capacities:
        if reading.count > 0:
            share = shares.of(reading.node, reading.resource).of_device
            gpus = present(reading.samples, per_step, told) * np.float32(reading.count * share)
            offered[reading.node] = offered.get(reading.node, window.zeros()) + gpus
    return offered


def _measured(readings: list[DeviceReading], window: Window) -> StepArray:
    per_step = samples_per_step(reading.samples for reading in readings)
    by_device: dict[str, StepArray] = {}
    for reading in readings:
        part = covered(reading.samples, per_step)
        known = by_device.get(reading.uuid)
        by_device[reading.uuid] = part if known is None else np.maximum(known, part)
    total = window.zeros()
    for part in by_device.values():
        total += part
    return total
