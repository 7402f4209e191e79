"""Limits of shared GPUs, checked anew for every GPU of random tenants; parts and their places."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.config.sizing import ShareGpuConfig
from analyzer.model import NodeClass
from analyzer.pricing import find_gpu
from analyzer.sizing.consolidate import Device, cut, groups, sliced
from analyzer.sizing.memory import Shape
from analyzer.sizing.mig import CUTS, Profile
from analyzer.sizing.tenants import Tenant, tenant_of
from tests.analyzer.sizing.cases import A100, L40S, known, small
from tests.builders import window

PLACES: dict[int, dict[int, tuple[int, ...]]] = {
    7: {1: tuple(range(7)), 2: (0, 2, 4), 3: (0, 4), 4: (0,)},
    4: {1: (0, 1, 2, 3), 2: (0, 2)},
}
"""Where on the memory slices the parts of a device may begin, as nvidia-smi mig -lgipp lists it."""


def placeable(parts: list[Profile], slices: int, taken: frozenset[int] = frozenset()) -> bool:
    if not parts:
        return True
    first, *rest = parts
    for begin in PLACES[slices][first.slices]:
        mine = frozenset(range(begin, begin + first.memory_slices))
        if not mine & taken and placeable(rest, slices, taken | mine):
            return True
    return False


@pytest.mark.parametrize("name", sorted(CUTS))
def test_parts_whose_slices_suffice_have_a_place(name: str) -> None:
    whole = CUTS[name]
    for count in range(1, 8):
        for parts in itertools.combinations_with_replacement(whole.profiles, count):
            compute, memory = (
                sum(getattr(p, s) for p in parts) for s in ("slices", "memory_slices")
            )
            if compute <= whole.slices and memory <= whole.memory_slices:
                assert placeable(sorted(parts, key=lambda p: -p.slices), whole.slices), parts


@pytest.mark.parametrize("name", sorted(CUTS))
def test_parts_are_of_the_device(name: str) -> None:
    gpu, whole = find_gpu(name), CUTS[name]
    assert gpu
    assert gpu.mig_slices == whole.slices
    for profile in whole.profiles:
        share = profile.memory_slices / whole.memory_slices
        assert 0.85 * share < profile.memory_gib / gpu.memory_gib <= share
    assert whole.smallest(1.0, 0.01) == whole.profiles[0]
    assert whole.smallest(gpu.memory_gib, 0.01) is None
    assert whole.smallest(1.0, 0.99) is None


def test_the_arithmetic_of_a_part() -> None:
    # 10 GB = 10^10 / 2^30 = 9.313 GiB, of which a server takes 92 %.
    first = CUTS["A100 80GB"].profiles[0]
    assert first.memory_gib == pytest.approx(9.313, abs=0.001)
    assert first.budget_gib == pytest.approx(8.568, abs=0.001)
    assert CUTS["H200"].profiles[0].memory_gib == 16


@st.composite
def tenants(draw: st.DrawFn, node: NodeClass) -> list[Tenant]:
    made = []
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    span = window(168)
    for at in range(draw(st.integers(0, 9))):
        replicas = draw(st.integers(1, 4))
        top = draw(st.floats(0.01, 0.9))
        work = np.repeat(rng.random(168) ** draw(st.integers(1, 6)) * top, 12)
        one = small(
            f"m{at}",
            node=node,
            span=span,
            replicas=replicas,
            allocated=float(replicas),
            work=work * replicas,
            kv=draw(st.floats(0, 0.9)),
            model=known(shape=Shape(draw(st.floats(1e8, 2e10)), 32, 8, 128)),
        )
        found = tenant_of(one, ShareGpuConfig(peak=1.0))
        if isinstance(found, Tenant):
            made.append(found)
    return made


def check_replicas(members: list[Tenant], devices: list[Device], most: int) -> None:
    """Every replica is somewhere, no two of one workload together."""
    counts = Counter(t.case.key for device in devices for t in device)
    assert counts == {t.case.key: t.replicas for t in members}
    for device in devices:
        assert 0 < len(device) <= most
        assert len({t.case.key for t in device}) == len(device)
    for group in groups(devices, mig=False):
        assert len(group.devices) < group.gpus_before
        shared = {t.case.key for t in group.tenants}
        apart = [d for d in devices if d not in group.devices]
        assert not any(t.case.key in shared for device in apart for t in device)


@settings(max_examples=150, deadline=None)
@given(tenants(L40S), st.floats(0.3, 1.0), st.integers(2, 6))
def test_limits_of_time_slices_hold(members: list[Tenant], peak: float, most: int) -> None:
    fit = [t for t in members if t.peak <= peak]
    devices = sliced(fit, peak, most)
    check_replicas(fit, devices, most)
    for device in devices:
        if len(device) == 1:
            continue
        assert sum(t.memory_gib for t in device) <= 46068 / 1024 * 0.92 + 1e-5
        for step in range(0, 2016, 12):
            busy = 0.0
            for t in device:
                use = t.case.use[0]
                busy += float(use.work[step]) / float(use.observed[step])
            assert busy <= peak + 1e-5
    assert devices == sliced(fit[::-1], peak, most)
    # First-fit leaves no two devices that would go on one.
    for a, b in itertools.combinations(devices, 2):
        if len(a) + len(b) <= most and not {t.case.key for t in a} & {t.case.key for t in b}:
            memory = sum(t.memory_gib for t in (*a, *b))
            together = np.sum([t.work for t in (*a, *b)], axis=0).max()
            assert memory > 41.39 - 0.01 or together > peak - 1e-5


@settings(max_examples=100, deadline=None)
@given(tenants(A100), st.integers(2, 7))
def test_limits_of_parts_hold(members: list[Tenant], most: int) -> None:
    fit = [t for t in members if t.profile]
    devices = cut(fit, most)
    check_replicas(fit, devices, most)
    for device in devices:
        parts = [t.profile for t in device if t.profile]
        assert placeable(sorted(parts, key=lambda p: -p.slices), 7)
        for t in device:
            assert t.profile
            gb = int(t.profile.name.partition(".")[2].removesuffix("gb"))
            assert t.memory_gib <= gb * 1e9 / 2**30 * 0.92
            assert t.peak <= int(t.profile.name[0]) / 7 + 1e-6
    assert devices == cut(fit[::-1], most)
