"""What dcgm-exporter would have shown, scraped with ``honor_labels`` off.

So ``pod`` and ``namespace`` name the exporter itself, on every GPU, and the workload stands in
``exported_pod`` and its like, where there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import numpy.typing as npt

from analyzer.collect.simulate.fleet import Device, Fleet, Node, Pod
from analyzer.collect.simulate.load import generator
from analyzer.collect.simulate.raw import Clock, Floats, RawSeries, Values

ENGINE_SHARE = 0.97
"""``GR_ENGINE_ACTIVE`` runs a little below ``GPU_UTIL``, which counts any moment of a kernel."""
MEMORY_SHARE = 0.9
"""A server takes ``gpu_memory_utilization`` of the memory at once, whatever its load."""
NOISE = 0.03
IDLE_MIB = 4.0

Mask = npt.NDArray[np.bool_]
Show = Callable[[Fleet, Device, "Held", Floats], Values]
Held = list[tuple[Pod, slice]]


def makers(fleet: Fleet, clock: Clock) -> dict[str, Callable[[], Iterator[RawSeries]]]:
    """Metric names and what makes their series."""
    shows: dict[str, Show] = {
        "DCGM_FI_DEV_GPU_UTIL": _gpu_util,
        "DCGM_FI_PROF_GR_ENGINE_ACTIVE": _engine_active,
        "DCGM_FI_DEV_FB_USED": _memory_used,
    }
    return {name: partial(_series, name, show, fleet, clock) for name, show in shows.items()}


def _series(name: str, show: Show, fleet: Fleet, clock: Clock) -> Iterator[RawSeries]:
    holders: dict[Device, list[Pod]] = {}
    for pod in fleet.pods:
        for device in pod.devices:
            holders.setdefault(device, []).append(pod)
    for node in fleet.nodes:
        times_s = clock.during(node.start_s, node.end_s)
        seen = _outside(fleet, node, times_s)
        named = _named(fleet, node, times_s) & seen
        for device in node.devices:
            if device.mig_id and name == "DCGM_FI_DEV_GPU_UTIL":
                continue
            held: Held = [
                (pod, slice(*np.searchsorted(times_s, (pod.scheduled_s, pod.ended_s), "right")))
                for pod in holders.get(device, ())
            ]
            values = show(fleet, device, held, times_s)
            labels = _labels(fleet, node, device)
            free = seen.copy()
            for pod, life in held:
                free[life] &= ~named[life]
                mask = named[life]
                yield from clock.show(
                    name, labels | _exported(pod), times_s[life][mask], values[life][mask]
                )
            yield from clock.show(name, labels, times_s[free], values[free])


def _outside(fleet: Fleet, node: Node, times_s: Floats) -> Mask:
    """Whether the node's exporter answered."""
    seen = np.ones(times_s.shape, dtype=bool)
    for span in fleet.outages:
        if span.node == node.name:
            seen &= (times_s <= span.start_s) | (times_s > span.end_s)
    return seen


def _named(fleet: Fleet, node: Node, times_s: Floats) -> Mask:
    """Whether the kubelet told the exporter which pod holds which GPU."""
    named = np.ones(times_s.shape, dtype=bool)
    for span in fleet.unlabelled:
        if span.node == node.name:
            named &= (times_s <= span.start_s) | (times_s > span.end_s)
    return named


def _busy(fleet: Fleet, device: Device, held: Held, times_s: Floats) -> Floats:
    """How busy the device is (0-1). Pods that share it add up."""
    busy = np.zeros(times_s.shape)
    for pod, life in held:
        busy[life] += pod.app.load.gpu * fleet.demand(pod, times_s[life])
    rng = generator(fleet.seed, "device", device.uuid, device.mig_id)
    noise = NOISE * rng.standard_normal(times_s.size)
    return np.where(busy > 0, np.clip(busy + noise, 0.0, 1.0), 0.0)


def _gpu_util(fleet: Fleet, device: Device, held: Held, times_s: Floats) -> Values:
    return np.rint(100 * _busy(fleet, device, held, times_s)).astype(np.float32)


def _engine_active(fleet: Fleet, device: Device, held: Held, times_s: Floats) -> Values:
    share = ENGINE_SHARE * _busy(fleet, device, held, times_s)
    return np.round(share, 6).astype(np.float32)


def _memory_used(_fleet: Fleet, device: Device, held: Held, times_s: Floats) -> Values:
    used = np.full(times_s.shape, IDLE_MIB, dtype=np.float32)
    for pod, life in held:
        share = MEMORY_SHARE if pod.app.server else 0.2
        used[life] += np.float32(round(share * device.memory_mib))
    return used


def exporter_of(fleet: Fleet, node: Node) -> str:
    """The pod of the exporter on a node."""
    number = generator(fleet.seed, "exporter", node.name).integers(10_000, 99_999)
    return f"nvidia-dcgm-exporter-{number}"


def _labels(fleet: Fleet, node: Node, device: Device) -> dict[str, str]:
    labels = {
        "gpu": str(device.index),
        "UUID": device.uuid,
        "pci_bus_id": f"00000000:{0x10 + 0x11 * device.index:02X}:00.0",
        "device": f"nvidia{device.index}",
        "modelName": device.model,
        "Hostname": node.name,
        "DCGM_FI_DRIVER_VERSION": "580.105.08",
        "instance": f"{node.ip}:9400",
        "job": "nvidia-dcgm-exporter",
        "namespace": "gpu-operator",
        "pod": exporter_of(fleet, node),
        "container": "nvidia-dcgm-exporter",
    }
    if device.mig_id:
        labels |= {"GPU_I_ID": device.mig_id, "GPU_I_PROFILE": device.mig_profile}
    return labels


def _exported(pod: Pod) -> dict[str, str]:
    return {
        "exported_namespace": pod.app.namespace,
        "exported_pod": pod.name,
        "exported_container": pod.app.container,
    }
