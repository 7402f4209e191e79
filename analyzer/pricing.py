"""What a GPU-hour costs: a dated catalogue, and the prices the configuration puts before it.

There is no single price of a GPU (an H100 spreads 4.6 times between vendors), so each price keeps
its date and its source, and every figure made from it can show both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from analyzer.model import NodeClass

_DEAREST = 1e6
"""Dollars a GPU-hour above which it is a mistake."""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for one whole GPU for one hour, the instance's share included."""

    usd_per_gpu_hour: float
    source: str
    as_of: date | None = None
    """None: the source gives no date."""

    @property
    def is_sound(self) -> bool:
        """Whether it can be one. Zero is a price; NaN, for which every comparison is false, not."""
        return 0 <= self.usd_per_gpu_hour <= _DEAREST


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU model. ``memory_mib`` is what the device reports, less than ``vram_gb`` that is
    written on it; ``mig_slices`` is how many compute slices a whole device has."""

    name: str
    vram_gb: float
    memory_mib: int
    bandwidth_gb_s: float
    pattern: str
    on_demand: Price | None = None
    spot: Price | None = None
    mig_slices: int = 0

    @property
    def memory_gib(self) -> float:
        return self.memory_mib / 1024


_SEPTEMBER = date(2026, 9, 6)

CATALOGUE: tuple[Gpu, ...] = (
    Gpu(
        "T4",
        16,
        15360,
        320,
        r"\bt4\b",
        Price(0.526, "AWS on-demand", _SEPTEMBER),
        Price(0.149, "Azure spot"),
    ),
    Gpu("L4", 24, 23034, 300, r"\bl4\b", Price(0.805, "AWS on-demand", _SEPTEMBER)),
    # AWS spot was seen between 0.48 and 0.62: the upper end, so that no saving is overstated.
    Gpu(
        "A10G",
        24,
        23028,
        600,
        r"\ba10g\b",
        Price(1.006, "AWS on-demand", _SEPTEMBER),
        Price(0.62, "AWS spot"),
    ),
    Gpu("A10", 24, 23028, 600, r"\ba10\b", Price(2.00, "OCI on-demand", _SEPTEMBER)),
    Gpu("RTX 4000 Ada", 20, 20475, 360, r"\brtx 4000 ada\b", Price(0.52, "Linode on-demand")),
    Gpu(
        "L40S",
        48,
        46068,
        864,
        r"\bl40s\b",
        Price(1.861, "AWS on-demand", _SEPTEMBER),
        Price(0.94, "AWS spot"),
    ),
    # "nvidia-tesla-a100" is how GKE names the 40 GB model.
    Gpu(
        "A100 40GB",
        40,
        40960,
        1555,
        r"\ba100\b.*\b40gb\b|^tesla a100$",
        Price(2.74, "AWS on-demand"),
        Price(0.74, "Azure spot"),
        mig_slices=7,
    ),
    Gpu(
        "A100 80GB",
        80,
        81920,
        2039,
        r"\ba100\b.*\b80gb\b",
        Price(3.43, "AWS on-demand", date(2026, 11, 9)),
        Price(0.68, "Azure spot"),
        mig_slices=7,
    ),
    # PCIe and NVL boards are other machines at other prices: known by name, priced by nobody here.
    Gpu("H100 PCIe 80GB", 80, 81559, 2000, r"\bh100\b.*\bpcie\b", mig_slices=7),
    Gpu("H100 NVL 94GB", 94, 95830, 3900, r"\bh100\b.*\b(nvl|94gb)\b", mig_slices=7),
    Gpu(
        "H100 SXM 80GB",
        80,
        81559,
        3350,
        r"\bh100\b.*\b(hbm3|sxm5?|80gb)\b",
        Price(6.88, "AWS on-demand"),
        Price(2.27, "Azure spot"),
        mig_slices=7,
    ),
    Gpu(
        "H200",
        141,
        143771,
        4800,
        r"\bh200\b",
        Price(3.99, "Hyperstack on-demand", date(2026, 8, 26)),
        Price(1.45, "Nebius spot"),
        mig_slices=7,
    ),
    Gpu(
        "B200",
        180,
        183359,
        7700,
        r"\bb200\b",
        Price(6.00, "Hyperstack on-demand", date(2026, 9, 20)),
        mig_slices=7,
    ),
    Gpu(
        "MI300X",
        192,
        196592,
        5300,
        r"\bmi300x\b",
        Price(3.45, "Crusoe on-demand", date(2026, 2, 26)),
        Price(0.95, "Crusoe spot"),
    ),
    Gpu("A30", 24, 24576, 933, r"\ba30\b", mig_slices=4),
)

_VENDORS = {
    price.source for gpu in CATALOGUE for price in (gpu.on_demand, gpu.spot) if price is not None
}


def comparable(one: Price, other: Price) -> bool:
    """Whether two prices may be held against each other. The catalogue's are of several vendors:
    only those of the same one tell a difference. A configured price is meant to stand beside
    any."""
    if one.source not in _VENDORS or other.source not in _VENDORS:
        return True
    return one.source.partition(" ")[0] == other.source.partition(" ")[0]


_MAKER = re.compile(r"\b(nvidia|amd|instinct|geforce)\b")
_SUFFIX = re.compile(r"-MIG-.*$|-SHARED$", re.IGNORECASE)
_SEPARATORS = re.compile(r"[\s_\-]+")


def plain_product(product: str) -> str:
    """A node's ``nvidia.com/gpu.product`` without what MIG or sharing appends to it."""
    return _SUFFIX.sub("", _SUFFIX.sub("", product))


def find_gpu(model: str) -> Gpu | None:
    """The catalogue's GPU for a name as an exporter, a node label or a person writes it."""
    text = _SEPARATORS.sub(" ", plain_product(model)).lower()
    text = _MAKER.sub("", text).strip()
    for gpu in CATALOGUE:
        if text == gpu.name.lower() or re.search(gpu.pattern, text):
            return gpu
    return None


def gpu_name(model: str) -> str:
    """The catalogue's name where the model is known, else the name as given."""
    gpu = find_gpu(model)
    return gpu.name if gpu else model.strip()


def names_gpu(wanted: str, model: str) -> bool:
    """Whether a person's ``wanted`` covers ``model``: "H100" covers "H100 SXM 80GB", while "L4"
    does not cover "L40S", nor "A10" the A10G."""
    return _words(gpu_name(wanted)) <= _words(gpu_name(model)) | _words(model)


def _words(text: str) -> frozenset[str]:
    return frozenset(_MAKER.sub("", _SEPARATORS.sub(" ", text).lower()).split())


@dataclass(frozen=True, slots=True)
class PriceRule:
    """A configured price. Empty conditions match anything; all that are given must match."""

    on_demand: Price
    spot: Price | None = None
    gpu: str = ""
    instance_type: str = ""
    node_labels: tuple[tuple[str, str], ...] = ()

    def matches(self, node: NodeClass) -> bool:
        if self.gpu and not names_gpu(self.gpu, node.gpu_model):
            return False
        if self.instance_type and self.instance_type != node.instance_type:
            return False
        return set(self.node_labels) <= set(node.labels)

    @property
    def rank(self) -> tuple[int, bool, bool]:
        """More specific first: node labels, then the instance type, then the GPU."""
        return (len(self.node_labels), bool(self.instance_type), bool(self.gpu))


@dataclass(frozen=True, slots=True)
class Quote:
    """The price of one class of node, and what a reader should know about it."""

    price: Price
    note: str = ""


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Configured rules before the catalogue. ``spot_discount`` (0-1) is applied to the on-demand
    price of a spot node whose own spot price nobody gave; at 0 it is charged in full, and noted."""

    rules: Sequence[PriceRule] = ()
    spot_discount: float = 0.0

    def quote(self, node: NodeClass) -> Quote | None:
        """The price of a GPU-hour on this class of node; None when nobody gave one, or one that
        can be none."""
        found = self._found(node)
        return found if found is not None and found.price.is_sound else None

    def _found(self, node: NodeClass) -> Quote | None:
        matching = [rule for rule in self.rules if rule.matches(node)]
        if matching:
            # max() keeps the first of equals, so a later rule wins by going first.
            best = max(reversed(matching), key=lambda rule: rule.rank)
            return self._choose(node, best.on_demand, best.spot)
        gpu = find_gpu(node.gpu_model)
        if gpu is None or gpu.on_demand is None:
            return None
        return self._choose(node, gpu.on_demand, gpu.spot)

    def _choose(self, node: NodeClass, on_demand: Price, spot: Price | None) -> Quote:
        if not node.spot:
            return Quote(on_demand)
        if spot is not None:
            return Quote(spot)
        if self.spot_discount > 0:
            rate = on_demand.usd_per_gpu_hour * (1 - self.spot_discount)
            source = f"{on_demand.source} less {self.spot_discount:.0%} for spot"
            return Quote(Price(rate, source, on_demand.as_of))
        return Quote(on_demand, f"no spot price for {node.gpu_model}: charged on-demand")


def mig_share(profile: str, gpu_model: str) -> float | None:
    """The share of a device that a MIG profile such as ``1g.10gb`` takes (0-1).

    Counted in compute slices (a whole A100 or H100 has 7, an A30 4); None for a name that is not
    a profile. An unknown model is taken to have 7, as every MIG-capable GPU but the A30 has.
    """
    found = re.match(r"(\d+)g[._]\d+gb", profile)
    if not found:
        return None
    gpu = find_gpu(gpu_model)
    slices = (gpu.mig_slices if gpu else 0) or 7
    return min(1.0, int(found.group(1)) / slices)


def select_labels(
    labels: Mapping[str, str], rules: Sequence[PriceRule]
) -> tuple[tuple[str, str], ...]:
    """The node labels that any rule looks at, sorted: what must be kept to price a node later."""
    wanted = {key for rule in rules for key, _ in rule.node_labels}
    return tuple(sorted((key, value) for key, value in labels.items() if key in wanted))
