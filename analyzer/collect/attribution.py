"""Which pod a GPU's work belongs to.

A pod label does not make a workload: an exporter may name itself, name the wrong pod of a shared
device, or lose the names for an hour. So every device is joined by its identity, over time, with
the pods that are known to hold GPUs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from analyzer.collect.facts import DeviceReading
from analyzer.collect.holdings import Holding, PodName
from analyzer.collect.sampling import covered, samples_per_step
from analyzer.model import StepArray, Window
from analyzer.pricing import mig_share

Steps = npt.NDArray[np.int_]
Owner = Callable[[PodName], object]
"""From a pod to its workload; pods of one workload compare equal."""


@dataclass(eq=False, slots=True)
class Use:
    """GPUs under measurement and busy in each step, of one pod."""

    observed: StepArray
    work: StepArray

    def add(self, observed: StepArray, mean: StepArray) -> None:
        self.observed += observed
        self.work += observed * np.nan_to_num(mean)


@dataclass(frozen=True, slots=True)
class Attribution:
    """Use by pod; ``unowned`` lists devices that worked while no pod held them, and
    ``unsplit`` nodes whose exporter names no pods and which several workloads share."""

    use: Mapping[PodName, Use] = field(default_factory=dict)
    unowned: tuple[str, ...] = ()
    unsplit: tuple[str, ...] = ()


class Attributor:
    """Joins devices with holdings. ``nodes`` is each device's node, by ``uuid``."""

    def __init__(
        self, held: Iterable[Holding], nodes: Mapping[str, str], owner: Owner, window: Window
    ) -> None:
        self._window, self._owner, self._nodes = window, owner, nodes
        self._allocated: dict[PodName, StepArray] = defaultdict(window.zeros)
        self._on_node: dict[str, list[Holding]] = defaultdict(list)
        self._shared: set[PodName] = set()
        for holding in held:
            self._allocated[holding.name] += holding.allocated
            self._on_node[holding.node].append(holding)
            if holding.shared:
                self._shared.add(holding.name)
        self._use: dict[PodName, Use] = {}
        self._unowned: list[str] = []
        self._unsplit: set[str] = set()

    def attribute(self, devices: Sequence[DeviceReading]) -> Attribution:
        """Every device's work, given to the pods that held it."""
        named = {d.exporter for d in devices if d.names_pods and self._holder(d) is not None}
        by_device: dict[tuple[str, str], list[DeviceReading]] = defaultdict(list)
        by_node: dict[str, list[DeviceReading]] = defaultdict(list)
        for device in devices:
            if not device.uuid:
                self._whole_pod(device)
            elif device.exporter in named:
                by_device[device.uuid, device.mig_id].append(device)
            else:
                by_node[self._nodes.get(device.uuid, "")].append(device)
        on_shared = self._single_shared_devices(by_device)
        for key, readings in by_device.items():
            if key in on_shared:
                self._slices(on_shared[key], readings)
            else:
                self._device(key, readings)
        for node, readings in by_node.items():
            self._node(node, readings)
        return Attribution(self._trimmed(), tuple(self._unowned), tuple(sorted(self._unsplit)))

    def _holder(self, device: DeviceReading) -> PodName | None:
        return next((pod for pod in device.pods if pod in self._allocated), None)

    def _of(self, pod: PodName) -> Use:
        if pod not in self._use:
            self._use[pod] = Use(self._window.zeros(), self._window.zeros())
        return self._use[pod]

    def _whole_pod(self, device: DeviceReading) -> None:
        """A series that does not tell a pod's GPUs apart stands for all of them."""
        pod = self._holder(device)
        if pod is not None:
            part = covered(device.samples, samples_per_step([device.samples]))
            self._of(pod).add(part * self._allocated[pod], device.mean)

    def _device(self, key: tuple[str, str], readings: list[DeviceReading]) -> None:
        per_step = samples_per_step(reading.samples for reading in readings)
        weight = 1.0
        if key[1]:
            weight = mig_share(readings[0].mig_profile, readings[0].gpu_model) or 1.0
        owned: dict[PodName, list[DeviceReading]] = defaultdict(list)
        free: list[DeviceReading] = []
        for reading in readings:
            pod = self._holder(reading)
            (free if pod is None else owned[pod]).append(reading)
        for pod, mine in owned.items():
            for reading in mine:
                part = covered(reading.samples, per_step)
                if pod in self._shared:
                    part = part * self._slice_of(pod)
                else:
                    part = part * np.float32(weight)
                self._of(pod).add(part, reading.mean)
        if free:
            self._rejoin(owned, free, per_step, weight)

    def _slice_of(self, pod: PodName) -> StepArray:
        """A time slice is its share of the device, whatever the device itself did."""
        return self._allocated[pod]

    def _rejoin(
        self,
        owned: Mapping[PodName, list[DeviceReading]],
        free: list[DeviceReading],
        per_step: float,
        weight: float,
    ) -> None:
        """Steps in which the exporter lost the pod's name go to the pod that had the device
        before, else to the one that had it after, as long as that pod still held GPUs."""
        pods = sorted(owned)
        owner = np.full(self._window.steps, -1)
        for index, pod in enumerate(pods):
            for reading in owned[pod]:
                owner[reading.samples > 0] = index
        before, after = _forward(owner), _forward(owner[::-1])[::-1]
        for reading in free:
            part = covered(reading.samples, per_step) * np.float32(weight)
            left = part > 0
            for index, pod in enumerate(pods):
                mine = left & (self._allocated[pod] > 0)
                mine &= (before == index) | ((before == -1) & (after == index))
                if mine.any():
                    self._of(pod).add(np.where(mine, part, np.float32(0)), reading.mean)
                    left &= ~mine
            if left.any() and float(np.nanmax(reading.mean[left])) > 0.05:
                self._unowned.append(_describe(reading))

    def _single_shared_devices(
        self, by_device: Mapping[tuple[str, str], list[DeviceReading]]
    ) -> dict[tuple[str, str], str]:
        """Time-sliced nodes with one device: every pod on the node uses that device, whichever
        of them the exporter happens to name."""
        per_node: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for key in by_device:
            per_node[self._nodes.get(key[0], "")].append(key)
        return {
            keys[0]: node
            for node, keys in per_node.items()
            if len(keys) == 1 and any(h.shared for h in self._on_node.get(node, []))
        }

    def _slices(self, node: str, readings: list[DeviceReading]) -> None:
        per_step = samples_per_step(reading.samples for reading in readings)
        samples = np.max([reading.samples for reading in readings], axis=0)
        mean = _merge(readings)
        for holding in self._on_node[node]:
            self._of(holding.name).add(covered(samples, per_step) * holding.allocated, mean)

    def _node(self, node: str, readings: list[DeviceReading]) -> None:
        """An exporter that names no pods: its node's work is one workload's where that workload
        alone holds every device there."""
        held = self._on_node.get(node, [])
        if not held:
            return
        per_step = samples_per_step(reading.samples for reading in readings)
        devices = len({reading.uuid for reading in readings})
        allocated = np.sum([h.allocated for h in held], axis=0)
        owners: dict[object, StepArray] = defaultdict(self._window.zeros)
        for holding in held:
            owners[self._owner(holding.name)] += holding.allocated
        holders = np.sum([array > 0 for array in owners.values()], axis=0)
        clear = (holders == 1) & (allocated > devices - 0.05)
        split = (holders > 0) & ~clear
        if split.any():
            self._unsplit.add(node)
        part = np.mean([covered(r.samples, per_step) for r in readings], axis=0)
        mean = _merge(readings)
        for holding in held:
            observed = np.where(clear | _dying(allocated, devices), part * holding.allocated, 0)
            observed = np.where(holders == 1, observed, 0).astype(np.float32)
            self._of(holding.name).add(observed, mean)

    def _trimmed(self) -> dict[PodName, Use]:
        """No pod is observed on more GPUs than it held: exporters name a pod some seconds after
        it is gone."""
        for pod, use in self._use.items():
            limit = self._allocated[pod]
            with np.errstate(divide="ignore", invalid="ignore"):
                factor = np.where(use.observed > limit, limit / use.observed, np.float32(1))
            use.observed *= factor
            use.work *= factor
        return self._use


def _dying(allocated: StepArray, devices: int) -> npt.NDArray[np.bool_]:
    """Steps in which a node's only holder came or went: less than whole, next to a whole one."""
    whole = allocated > devices - 0.05
    near = np.zeros_like(whole)
    near[:-1] |= whole[1:]
    near[1:] |= whole[:-1]
    edge: npt.NDArray[np.bool_] = near & (allocated > 0)
    return edge


def _merge(readings: list[DeviceReading]) -> StepArray:
    """The mean over several devices or labels, weighted by samples; NaN where none spoke."""
    samples = np.sum([r.samples for r in readings], axis=0)
    total = np.sum([np.nan_to_num(r.mean) * r.samples for r in readings], axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean: StepArray = np.where(samples > 0, total / samples, np.nan).astype(np.float32)
    return mean


def _forward(owner: Steps) -> Steps:
    """Each step's latest known owner (-1: none so far)."""
    at = np.where(owner >= 0, np.arange(owner.size), 0)
    np.maximum.accumulate(at, out=at)
    return owner[at]


def _describe(device: DeviceReading) -> str:
    who = "/".join(device.pods[0]) if device.pods else "no pod named"
    where = device.hosts[0] if device.hosts else "?"
    return f"{where} {device.uuid[:12]} ({who})"
