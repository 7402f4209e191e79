"""The demo's nodes, as a table. Days count from the start of the four weeks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

NVIDIA_GPU = "nvidia.com/gpu"
MIG_1G = "nvidia.com/mig-1g.10gb"


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as DCGM names it, as GPU feature discovery names it, and its memory in MiB."""

    model: str
    product: str
    memory_mib: int


A100 = Gpu("NVIDIA A100-SXM4-80GB", "NVIDIA-A100-SXM4-80GB", 81_920)
A100_PCIE = Gpu("NVIDIA A100 80GB PCIe", "NVIDIA-A100-80GB-PCIe", 81_920)
H100 = Gpu("NVIDIA H100 80GB HBM3", "NVIDIA-H100-80GB-HBM3", 81_559)
L4 = Gpu("NVIDIA L4", "NVIDIA-L4", 23_034)
L40S = Gpu("NVIDIA L40S", "NVIDIA-L40S", 46_068)
A10G = Gpu("NVIDIA A10G", "NVIDIA-A10G", 23_028)
T4 = Gpu("Tesla T4", "Tesla-T4", 15_360)


@dataclass(frozen=True, slots=True)
class Machine:
    """What a node has beside GPUs."""

    cpus: int
    memory_gib: int


MACHINES: Mapping[str, Machine] = {
    "p4de.24xlarge": Machine(96, 1152),
    "p5.48xlarge": Machine(192, 2048),
    "g6.12xlarge": Machine(48, 192),
    "g6.2xlarge": Machine(8, 32),
    "g6e.12xlarge": Machine(48, 384),
    "g6e.2xlarge": Machine(8, 64),
    "g5.12xlarge": Machine(48, 192),
    "g4dn.xlarge": Machine(4, 16),
}
"""By the name that AWS gives them."""
ON_PREMISES = Machine(64, 512)


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A node. Nodes with the same ``place`` follow each other, as spot nodes do."""

    name: str
    place: str
    gpu: Gpu
    count: int
    instance_type: str
    pool: str
    spot: bool = False
    slices: int = 1
    mig: int = 0
    from_day: float = 0.0
    until_day: float = 28.0

    @property
    def machine(self) -> Machine:
        return MACHINES[self.instance_type] if self.instance_type else ON_PREMISES


NODES = (
    NodeSpec("gpu-a100-1", "a100-1", A100, 8, "p4de.24xlarge", "a100"),
    NodeSpec("gpu-a100-2", "a100-2", A100, 8, "p4de.24xlarge", "a100"),
    NodeSpec("gpu-h100-1", "h100-1", H100, 8, "p5.48xlarge", "h100"),
    NodeSpec("gpu-l4-1", "l4-1", L4, 4, "g6.12xlarge", "l4"),
    NodeSpec("gpu-l4-2", "l4-2", L4, 4, "g6.12xlarge", "l4"),
    NodeSpec("gpu-l4-3", "l4-3", L4, 1, "g6.2xlarge", "l4-single"),
    NodeSpec("gpu-l4-4", "l4-4", L4, 1, "g6.2xlarge", "l4-single"),
    NodeSpec("gpu-l4-5", "l4-5", L4, 1, "g6.2xlarge", "l4-single"),
    NodeSpec("gpu-l4-6", "l4-6", L4, 1, "g6.2xlarge", "l4-single"),
    NodeSpec("gpu-l4-7", "l4-7", L4, 1, "g6.2xlarge", "l4-single"),
    NodeSpec("gpu-l40s-1", "l40s", L40S, 4, "g6e.12xlarge", "l40s-spot", spot=True, until_day=11.4),
    NodeSpec("gpu-l40s-2", "l40s", L40S, 4, "g6e.12xlarge", "l40s-spot", spot=True, from_day=11.41),
    NodeSpec("gpu-l40s-3", "l40s-3", L40S, 1, "g6e.2xlarge", "l40s-single"),
    NodeSpec("gpu-a10g-1", "a10g", A10G, 4, "g5.12xlarge", "a10g"),
    NodeSpec("gpu-a10g-2", "a10g-old", A10G, 2, "g5.12xlarge", "a10g", until_day=14.02),
    NodeSpec("onprem-mig-1", "mig", A100_PCIE, 1, "", "mig", mig=7),
    NodeSpec("gpu-t4-1", "t4", T4, 1, "g4dn.xlarge", "notebooks", slices=4),
)
