"""Puts replicas together on as few GPUs as first-fit finds, the largest first.

A GPU holds at most one replica of each workload. The same tenants always give the same GPUs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analyzer.sizing.demand import Floats
from analyzer.sizing.memory import SHARE
from analyzer.sizing.mig import CUTS
from analyzer.sizing.tenants import Tenant

Device = tuple[Tenant, ...]
"""Those of whom one replica each is on one GPU."""

PRECISION = 1e-6
"""What sums of shares in single precision may be off by."""

_AT_ONCE = 16
"""Devices that are looked at together: few enough that the first of them is not long in coming."""

_PROBES = 16
"""Of a tenant's busiest steps, how many are tried before all are."""

Indices = npt.NDArray[np.intp]


def by_size(tenants: Iterable[Tenant]) -> list[Tenant]:
    return sorted(tenants, key=lambda t: (-t.memory_gib, t.case.key))


def sliced(tenants: Sequence[Tenant], peak: float, most: int) -> list[Device]:
    """GPUs shared in time slices, all of one model: at most ``most`` tenants, memory within what
    servers may take of it, and GPU work (0-1) of all together at no step above ``peak``."""
    devices = _Devices(sum(t.replicas for t in tenants), tenants[0].work.size if tenants else 0)
    for tenant in by_size(tenants):
        start = 0
        for _ in range(tenant.replicas):
            # What had no room for one replica has none for the next.
            start = devices.put(tenant, start, peak, most) + 1
    return [tuple(on) for on in devices.on]


class _Devices:
    def __init__(self, number: int, steps: int) -> None:
        self.on: list[list[Tenant]] = []
        self._work = np.empty((number, steps), dtype=np.float32)
        self._memory = np.zeros(number)
        self._count = np.zeros(number, dtype=np.intp)
        self._peak = np.zeros(number, dtype=np.float32)
        self._peak_at = np.zeros(number, dtype=np.intp)

    def put(self, tenant: Tenant, start: int, peak: float, most: int) -> int:
        """Puts one replica on the first device from ``start`` on that has room, or on a new one;
        says on which."""
        at = self._first(tenant, start, peak, most)
        if at is None:
            at = len(self.on)
            self.on.append([])
            self._work[at] = 0.0
        self.on[at].append(tenant)
        self._work[at] += tenant.work
        self._memory[at] += tenant.memory_gib
        self._count[at] += 1
        self._peak_at[at] = int(self._work[at].argmax())
        self._peak[at] = self._work[at, self._peak_at[at]]
        return at

    def _first(self, tenant: Tenant, start: int, peak: float, most: int) -> int | None:
        over, limit = len(self.on), peak + PRECISION
        budget = tenant.gpu.memory_gib * SHARE
        room = self._memory[start:over] + tenant.memory_gib <= budget + PRECISION
        room &= self._count[start:over] < most
        found: Indices = np.flatnonzero(room) + start
        # Where either is busiest, the other works too: that alone rules most of them out.
        found = found[self._peak[found] + tenant.work[self._peak_at[found]] <= limit]
        busiest = np.argsort(tenant.work)[-_PROBES:]
        there = self._work[found[:, None], busiest] + tenant.work[busiest]
        found = found[there.max(axis=1, initial=0.0) <= limit]
        for begin in range(0, found.size, _AT_ONCE):
            part = found[begin : begin + _AT_ONCE]
            good = (self._work[part] + tenant.work).max(axis=1) <= limit
            if good.any():
                return int(part[int(good.argmax())])
        return None


def cut(tenants: Sequence[Tenant], most: int) -> list[Device]:
    """GPUs cut into MIG parts, all of one model: each tenant has its ``profile``, and no GPU more
    slices of compute or memory than it has, nor more than ``most`` tenants."""
    devices: list[list[Tenant]] = []
    left: list[tuple[int, int]] = []
    for tenant in by_size(tenants):
        profile, whole = tenant.profile, CUTS[tenant.gpu.name]
        if profile is None:
            raise ValueError(f"{tenant.case.key} fits no part")
        at = 0
        for _ in range(tenant.replicas):
            while at < len(devices) and not (
                len(devices[at]) < most
                and left[at][0] >= profile.slices
                and left[at][1] >= profile.memory_slices
            ):
                at += 1
            if at == len(devices):
                devices.append([])
                left.append((whole.slices, whole.memory_slices))
            devices[at].append(tenant)
            compute, memory = left[at]
            left[at] = (compute - profile.slices, memory - profile.memory_slices)
            at += 1
    return [tuple(on) for on in devices]


@dataclass(frozen=True, eq=False, slots=True)
class Group:
    """Tenants that share GPUs with each other, directly or through others; none is alone."""

    tenants: tuple[Tenant, ...]
    devices: tuple[Device, ...]
    mig: bool

    @property
    def gpus_before(self) -> int:
        return sum(len(device) for device in self.devices)

    @property
    def _together(self) -> slice:
        """The steps since all were there."""
        first = max(t.span[0] for t in self.tenants)
        return slice(first, max(first, max(t.span[1] for t in self.tenants) + 1))

    def parts(self) -> list[float]:
        """The part (0-1) of all that the tenants hold in this time that each holds."""
        steps = self._together
        held = [t.replicas * float(t.held[steps].sum(dtype=np.float64)) for t in self.tenants]
        total = sum(held)
        return [one / total if total > 0 else 0.0 for one in held]

    def freed_steps(self) -> tuple[Floats, int]:
        """GPUs freed on average in each step of the time in which all were there, and how many
        steps that is. A shared GPU is taken as long as any of its tenants is there."""
        part = self._together
        freed: Floats = np.zeros(part.stop - part.start)
        for device in self.devices:
            held = np.sum([t.held[part] for t in device], axis=0, dtype=np.float64)
            freed += np.maximum(held - 1.0, 0.0)
        return freed, freed.size


def groups(devices: Sequence[Device], mig: bool) -> list[Group]:
    """Workloads that have a GPU in common, in the order of their first devices."""
    head: dict[int, int] = {}

    def head_of(one: int) -> int:
        while head.setdefault(one, one) != one:
            head[one] = one = head[head[one]]
        return one

    for device in devices:
        first, *others = [head_of(id(tenant)) for tenant in device]
        for other in others:
            head[head_of(other)] = head_of(first)
    found: dict[int, list[Device]] = {}
    for device in devices:
        found.setdefault(head_of(id(device[0])), []).append(device)
    made = []
    for theirs in found.values():
        members = {id(tenant): tenant for device in theirs for tenant in device}
        if len(members) > 1:
            made.append(Group(tuple(members.values()), tuple(theirs), mig))
    return made
