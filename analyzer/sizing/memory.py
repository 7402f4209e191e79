"""Whether a model fits into the memory of a GPU, and how many tokens it can then keep.

All per GPU. The server takes a share of the memory that the device reports; what weights and the
runtime leave of it holds keys and values of tokens (https://docs.vllm.ai/en/latest/).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

GIB = 2**30

SHARE = 0.92
"""vLLM's default ``gpu_memory_utilization`` from 0.22 on; 0.9 before."""

OVERHEAD_GIB = 1.0
"""What the runtime takes beside weights and keys: activations, graphs, libraries."""

OVERHEAD_LARGE_GIB = 1.5
"""The same for models of 40 billion parameters and more, whose activations are larger."""

LARGE = 40e9

BANDWIDTH_SHARE = 0.8
"""Of the bandwidth that is written on a GPU, what reading weights reaches."""

DataType = Literal["float32", "float16", "bfloat16", "fp8", "int8", "int4"]
BYTES: dict[DataType, float] = {
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "fp8": 1,
    "int8": 1,
    "int4": 0.5,
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What memory depends on. ``parameters`` counts all of them, also those of experts that are
    idle at the moment. ``kv_heads`` is 0 where keys are kept in another form (MLA, hybrids): then
    nothing can be said of tokens."""

    parameters: float
    layers: int
    kv_heads: int
    head_dim: int

    def kv_bytes_per_token(self, tensor_parallel: int, bytes_each: float) -> float | None:
        """On each of the GPUs that share the model."""
        if self.kv_heads <= 0:
            return None
        # With fewer heads than GPUs each keeps a whole one.
        heads = max(self.kv_heads / tensor_parallel, 1)
        return 2 * self.layers * heads * self.head_dim * bytes_each


@dataclass(frozen=True, slots=True)
class Setup:
    """How a server runs a model."""

    weights: DataType = "bfloat16"
    keys: DataType = "bfloat16"
    tensor_parallel: int = 1
    share: float = SHARE


@dataclass(frozen=True, slots=True)
class Fit:
    """GiB on each GPU; ``tokens`` is how many can be kept at once in all, None where that cannot
    be told. A model does not fit when nothing is left for tokens."""

    budget_gib: float
    weights_gib: float
    room_gib: float
    tokens: float | None

    @property
    def fits(self) -> bool:
        return self.room_gib > 0


def fit(shape: Shape, setup: Setup, vram_gib: float, overhead_gib: float | None = None) -> Fit:
    """``vram_gib`` is what the device reports, which is less than what is written on it.
    ``overhead_gib`` is what the runtime takes, by the size of the model where it is not given."""
    parallel = setup.tensor_parallel
    budget = vram_gib * setup.share
    weights = shape.parameters * BYTES[setup.weights] / parallel / GIB
    if overhead_gib is None:
        overhead_gib = OVERHEAD_LARGE_GIB if shape.parameters >= LARGE else OVERHEAD_GIB
    room = budget - weights - overhead_gib
    each = shape.kv_bytes_per_token(parallel, BYTES[setup.keys])
    tokens = max(room, 0.0) * GIB / each if each else None
    return Fit(budget, weights, room, tokens)


def slowest_token_s(shape: Shape, setup: Setup, bandwidth_gb_s: float) -> float:
    """The least time between two tokens, in seconds: every weight is read once for each. For dense
    models; of one with experts only some are read."""
    per_gpu = shape.parameters * BYTES[setup.weights] / setup.tensor_parallel
    return per_gpu / (BANDWIDTH_SHARE * bandwidth_gb_s * 1e9)
