"""Who held GPUs, how many and when: pods' requests turned into shares of physical devices.

A request is counted from the moment its pod is on a node until the pod ends or is deleted. A MIG
instance or a time slice counts as its share of the device, so that a shared GPU is billed once.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from analyzer.collect.facts import (
    CapacityReading,
    DeviceReading,
    NodeFact,
    PodFact,
)
from analyzer.collect.kubestate import StateReadings
from analyzer.collect.sampling import heard, present, samples_per_step
from analyzer.environment import find_label
from analyzer.model import STEP_S, StepArray, Window
from analyzer.pricing import mig_share

PodName = tuple[str, str]
MIG_RESOURCE = re.compile(r"mig[-_](\d+g[._]\d+gb)")
MIG_PRODUCT = re.compile(r"-MIG-(\d+g\.\d+gb)", re.IGNORECASE)


@dataclass(frozen=True, eq=False, slots=True)
class Holding:
    """What one pod held on one node: GPUs (shares of physical devices) averaged over each step.
    ``per_pod`` is the most of it at one time."""

    namespace: str
    pod: str
    node: str
    allocated: StepArray
    per_pod: float
    shared: bool = False

    @property
    def name(self) -> PodName:
        return self.namespace, self.pod


@dataclass(frozen=True, slots=True)
class Share:
    """How much of a physical device one unit of a resource is on one node (0-1)."""

    of_device: float
    time_sliced: bool = False


class Shares:
    """Tells the share of a device behind a requested unit, from node labels or the devices seen."""

    def __init__(
        self,
        nodes: Mapping[str, NodeFact],
        devices: Mapping[str, list[DeviceReading]],
        capacities: Iterable[CapacityReading],
        asked: Mapping[tuple[str, str], float],
    ) -> None:
        """``asked`` is the most units requested at one time by (node, resource): more than there
        are devices proves that they are shared."""
        self._nodes = nodes
        self._devices = devices
        self._asked = asked
        self._capacity: dict[tuple[str, str], float] = defaultdict(float)
        for reading in capacities:
            key = reading.node, plain_resource(reading.resource)
            self._capacity[key] = max(self._capacity[key], reading.count)

    def of(self, node: str, resource: str) -> Share:
        """The share of one unit of ``resource`` on ``node``."""
        model = self.model(node)
        profile = MIG_RESOURCE.search(resource)
        if profile:
            return Share(mig_share(profile.group(1), model) or 1.0)
        single = self._single_strategy(node)
        if single:
            return Share(mig_share(single, model) or 1.0)
        slots = self._slots(node, resource)
        return Share(1.0 / slots, time_sliced=slots > 1)

    def model(self, node: str) -> str:
        """The GPU model of a node: its labels', else the devices' own; empty when unknown."""
        product = self.product(node)
        if product:
            return product
        models = [d.gpu_model for d in self._devices.get(node, []) if d.gpu_model]
        if models:
            return max(sorted(set(models)), key=models.count)
        return find_label(self._labels(node), "cloud.google.com/gke-accelerator") or ""

    def product(self, node: str) -> str:
        """The GPU model that the vendor's label of a node names; empty without one."""
        labels = self._labels(node)
        names = ("nvidia.com/gpu.product", "amd.com/gpu.product-name")
        return next((found for name in names if (found := find_label(labels, name))), "")

    def _labels(self, node: str) -> Mapping[str, str]:
        fact = self._nodes.get(node)
        return fact.labels if fact else {}

    def _single_strategy(self, node: str) -> str:
        """The MIG profile of a node whose ``nvidia.com/gpu`` units are all MIG instances."""
        fact = self._nodes.get(node)
        product = find_label(fact.labels, "nvidia.com/gpu.product") if fact else None
        found = MIG_PRODUCT.search(product or "")
        if found:
            return found.group(1)
        devices = self._devices.get(node, [])
        profiles = {d.mig_profile for d in devices if d.mig_id}
        all_cut = bool(devices) and all(d.mig_id for d in devices)
        mixed = any("mig" in r for n, r in self._capacity if n == node)
        return profiles.pop() if all_cut and len(profiles) == 1 and not mixed else ""

    def _slots(self, node: str, resource: str) -> int:
        fact = self._nodes.get(node)
        told = find_label(fact.labels, "nvidia.com/gpu.replicas") if fact else None
        if told and told.isdigit() and int(told) > 1:
            return int(told)
        asked = self._asked.get((node, plain_resource(resource)), 0.0)
        units = self._capacity.get((node, plain_resource(resource)), asked)
        whole = {d.uuid for d in self._devices.get(node, []) if d.uuid and not d.mig_id}
        shared = "shared" in resource or asked > len(whole)
        if whole and shared and units > len(whole) and units % len(whole) == 0:
            return int(units) // len(whole)
        return 1


def plain_resource(resource: str) -> str:
    """One spelling for the manifest's ``nvidia.com/gpu`` and the metrics' ``nvidia_com_gpu``."""
    return re.sub(r"[^a-zA-Z0-9_]", "_", resource)


@dataclass(frozen=True, eq=False, slots=True)
class Request:
    """Units of one resource that one pod asked for on one node; ``part`` (0-1) is how much of
    each step it was there."""

    name: PodName
    node: str
    resource: str
    count: float
    part: StepArray


def requests_from_metrics(
    state: StateReadings, window: Window, named: Mapping[PodName, StepArray]
) -> list[Request]:
    """Scheduled requests over time, cut where their pod ended.

    Capacities come from the same exporter and outlive pods, so they tell a pod's end from the
    exporter's silence. A pod that is known to have been there before the exporter was first heard
    held its GPUs then too: that time is allocated, whether anything measured it or not. And while
    the exporter is silent, a pod that GPU metrics name (``named``, 0-1 a step) holds its GPUs.
    """
    per_step = samples_per_step(r.samples for r in state.requests)
    counts = [*(r.samples for r in state.requests), *(c.samples for c in state.capacities)]
    told = heard(counts, per_step, window.steps)
    requests = []
    for reading in state.requests:
        name = reading.namespace, reading.pod
        node = reading.node or state.pod_nodes.get(name, "")
        if not node:
            continue
        part = present(reading.samples, per_step, told)
        seen = named.get(name)
        if seen is not None:
            part = np.where(told > 0, part, np.maximum(part, seen))
        start = state.started.get((*name, reading.uid))
        if start is not None:
            part = np.maximum(part, _before_first_heard(start, part, told, window))
        end = state.ended.get((*name, reading.uid), state.ended.get((*name, "")))
        if end is not None:
            part = part * _until(end, window)
        requests.append(Request(name, node, reading.resource, reading.count, part))
    return requests


def _before_first_heard(
    start_s: float, part: StepArray, told: StepArray, window: Window
) -> StepArray:
    """The part of each step (0-1) from a pod's start to the first word of the exporter, when that
    word was of this pod too."""
    steps = np.flatnonzero(told > 0)
    if not steps.size or not part[steps[0]] > 0:
        return window.zeros()
    missing = 1 - _until(start_s, window)
    missing[steps[0] + 1 :] = 0
    return missing


def requests_from_pods(pods: Iterable[PodFact], window: Window) -> list[Request]:
    """Requests of the pods that exist now, since they were scheduled. Pods that are gone are not
    in here: without kube-state-metrics nobody remembers them."""
    requests = []
    for pod in pods:
        if not pod.node or pod.scheduled_at is None:
            continue
        end = pod.ended_at.timestamp() if pod.ended_at else window.end.timestamp()
        part = _until(end, window) - _until(pod.scheduled_at.timestamp(), window)
        part = np.clip(part, 0, 1)
        if part.any():
            requests += [
                Request((pod.namespace, pod.name), pod.node, resource, count, part)
                for resource, count in sorted(pod.gpus.items())
            ]
    return requests


def _until(moment_s: float, window: Window) -> StepArray:
    """How much of each step (0-1) lies before a Unix time."""
    starts = window.start.timestamp() + np.arange(window.steps) * STEP_S
    return np.clip((moment_s - starts) / STEP_S, 0, 1).astype(np.float32)


def most_asked(requests: Iterable[Request], window: Window) -> dict[tuple[str, str], float]:
    """The most units requested at one time, by (node, resource)."""
    at_once: dict[tuple[str, str], StepArray] = defaultdict(window.zeros)
    for request in requests:
        key = request.node, plain_resource(request.resource)
        at_once[key] += request.part * np.float32(request.count)
    return {key: float(units.max()) for key, units in at_once.items()}


def holdings(requests: Iterable[Request], shares: Shares, window: Window) -> list[Holding]:
    """One holding a pod and node, in shares of physical devices."""
    grouped: dict[tuple[PodName, str], list[Request]] = defaultdict(list)
    for request in requests:
        grouped[request.name, request.node].append(request)
    held = []
    for (name, node), asked in sorted(grouped.items()):
        allocated = window.zeros()
        shared = False
        for request in asked:
            share = shares.of(node, request.resource)
            allocated += request.part * np.float32(request.count * share.of_device)
            shared = shared or share.time_sliced
        held.append(Holding(*name, node, allocated, float(allocated.max()), shared))
    return held
