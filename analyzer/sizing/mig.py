"""The parts that a GPU can be cut into by MIG, each with memory and compute of its own.

https://docs.nvidia.com/datacenter/tesla/mig-user-guide/supported-mig-profiles.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analyzer.sizing.memory import GIB, SHARE


@dataclass(frozen=True, slots=True)
class Profile:
    """One part: its compute slices, its memory slices, and GiB of memory."""

    name: str
    slices: int
    memory_slices: int
    memory_gib: float

    @property
    def budget_gib(self) -> float:
        """What a server takes of its memory."""
        return self.memory_gib * SHARE


@dataclass(frozen=True, slots=True)
class Cut:
    """A device: its compute and memory slices and the parts it can be cut into, smallest first.
    Parts that together have no more slices of either sort always find a place beside each other."""

    slices: int
    memory_slices: int
    profiles: tuple[Profile, ...]

    def smallest(self, memory_gib: float, peak: float) -> Profile | None:
        """The smallest part whose budget holds ``memory_gib`` and whose share of compute is at
        least ``peak`` (0-1, of the device). None when only the whole device would do."""
        for profile in self.profiles:
            enough = profile.slices / self.slices >= peak - 1e-9
            if enough and profile.budget_gib >= memory_gib:
                return profile
        return None


def _cut(memory_gb: tuple[int, ...], smallest_gib: float | None = None) -> Cut:
    """``memory_gb`` is what is written in the names of 1g, 2g, 3g and 4g; of GPUs with four slices
    of 1g and 2g. That many GB (10^9 bytes) are counted: drivers report a little more (9.75 GiB of
    1g.10gb, whose name makes 9.31) but for ``smallest_gib``."""
    seven = len(memory_gb) == 4
    parts = zip((1, 2, 3, 4), (1, 2, 4, 4) if seven else (1, 2), memory_gb, strict=False)
    profiles = [Profile(f"{s}g.{gb}gb", s, m, gb * 1e9 / GIB) for s, m, gb in parts]
    if smallest_gib is not None:
        first = profiles[0]
        profiles[0] = Profile(first.name, first.slices, first.memory_slices, smallest_gib)
    return Cut(7 if seven else 4, 8 if seven else 4, tuple(profiles))


CUTS: Mapping[str, Cut] = {
    "A100 40GB": _cut((5, 10, 20, 20)),
    "A100 80GB": _cut((10, 20, 40, 40)),
    "H100 PCIe 80GB": _cut((10, 20, 40, 40)),
    "H100 SXM 80GB": _cut((10, 20, 40, 40)),
    # nvidia-smi reports 16.0 GiB of 1g.18gb, which is less than 18 GB (16.76 GiB).
    "H200": _cut((18, 35, 71, 71), smallest_gib=16.0),
    "B200": _cut((23, 45, 90, 90)),
    "A30": _cut((6, 12)),
}
"""By the catalogue's name. What takes the whole device (7g, and 4g of an A30) shares nothing."""
