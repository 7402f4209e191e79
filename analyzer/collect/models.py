"""GPU models where the devices of a node, one after the other or at once, are of several.

A node may keep its name when its machine is replaced, so that its name alone does not tell which
model a pod had.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from analyzer.collect.facts import DeviceReading
from analyzer.collect.holdings import Holding, PodName, Shares
from analyzer.model import NodeClass
from analyzer.pricing import gpu_name

Devices = Mapping[str, Sequence[DeviceReading]]
"""By node."""


def other_classes(
    held: Iterable[Holding],
    devices: Devices,
    shares: Shares,
    class_of: Callable[[str, str], NodeClass],
) -> dict[tuple[PodName, str], NodeClass]:
    """Classes of those (pod, node) whose devices are all of one model that is not their node's.
    ``class_of`` makes them, from a node and a model.

    A pod that devices of several models name may have moved from one to the other or be named by
    mistake: it is left with its node's, as is each where a label names the product.
    """
    on: dict[str, set[PodName]] = defaultdict(set)
    for holding in held:
        on[holding.node].add(holding.name)
    found = {}
    for node, pods in on.items():
        if shares.product(node):
            continue
        usual = gpu_name(shares.model(node))
        for pod, models in _named(pods, devices.get(node, ())).items():
            if len(models) == 1 and usual not in models:
                found[pod, node] = class_of(node, next(iter(models)))
    return found


def _named(pods: set[PodName], devices: Sequence[DeviceReading]) -> dict[PodName, set[str]]:
    """The models of the devices that name each of these pods."""
    found: dict[PodName, set[str]] = defaultdict(set)
    for device in devices:
        pod = next((one for one in device.pods if one in pods), None)
        if pod is not None and device.gpu_model:
            found[pod].add(gpu_name(device.gpu_model))
    return found


def present_model(node: str, devices: Devices, shares: Shares) -> str:
    """The model of a node as it is now: what most of the devices that were heard last say, where
    no label names the product."""
    mine = [one for one in devices.get(node, ()) if one.gpu_model]
    last = [int(np.flatnonzero(one.samples > 0).max(initial=-1)) for one in mine]
    if shares.product(node) or not mine:
        return shares.model(node)
    latest = {
        (one.uuid, one.gpu_model) for one, at in zip(mine, last, strict=True) if at == max(last)
    }
    count = Counter(model for _, model in sorted(latest))
    return max(count, key=lambda model: count[model])
