"""Memory fit against figures that were worked out elsewhere."""

from __future__ import annotations

import pytest

from analyzer.pricing import find_gpu
from analyzer.sizing.memory import Setup, Shape, fit, slowest_token_s

LLAMA_8B = Shape(8.03e9, 32, 8, 128)
LLAMA_70B = Shape(70.55e9, 80, 8, 128)
LLAMA2_7B = Shape(6.74e9, 32, 32, 128)
LLAMA2_13B = Shape(13.016e9, 40, 40, 128)
MISTRAL_7B = Shape(7.2417e9, 32, 8, 128)
FP16, FP8 = Setup("float16"), Setup("fp8")


def memory_gib(name: str) -> float:
    gpu = find_gpu(name)
    assert gpu
    return gpu.memory_gib


@pytest.mark.parametrize(
    ("shape", "setup", "gpu", "tokens"),
    [
        (MISTRAL_7B, FP16, "L4", 50_800),
        (LLAMA2_7B, FP16, "T4", 503),
        (LLAMA2_13B, FP16, "L40S", 21_200),
        (LLAMA_70B, Setup(tensor_parallel=2), "H100 SXM 80GB", 39_500),
        (LLAMA_70B, Setup(tensor_parallel=4), "A100 80GB", 510_000),
        (LLAMA_70B, Setup(), "MI300X", 143_000),
        (LLAMA_70B, FP8, "H100 SXM 80GB", 19_800),
    ],
)
def test_the_tokens_that_fit(shape: Shape, setup: Setup, gpu: str, tokens: float) -> None:
    found = fit(shape, setup, memory_gib(gpu))
    assert found.fits
    assert found.tokens == pytest.approx(tokens, rel=0.01)


def test_an_8b_on_an_l4_with_the_least_overhead() -> None:
    """A public planner says 40,208; the runtime takes 0.8 GiB at least."""
    found = fit(LLAMA_8B, Setup(), memory_gib("L4"), overhead_gib=0.8)
    assert found.tokens == pytest.approx(40_172, rel=0.01)


@pytest.mark.parametrize(
    ("shape", "gpu"), [(MISTRAL_7B, "T4"), (LLAMA2_13B, "L4"), (LLAMA_70B, "H200")]
)
def test_what_does_not_fit(shape: Shape, gpu: str) -> None:
    found = fit(shape, FP16, memory_gib(gpu))
    assert not found.fits
    assert found.tokens == 0


def test_the_70b_misses_an_h200_by_its_weights_alone() -> None:
    found = fit(LLAMA_70B, Setup(), memory_gib("H200"))
    assert found.weights_gib == pytest.approx(131.4, rel=0.001)
    assert found.budget_gib == pytest.approx(129.2, rel=0.001)


@pytest.mark.parametrize(
    ("gpu", "milliseconds"),
    [("L4", 67), ("A10G", 33), ("L40S", 23), ("A100 80GB", 10), ("H100 SXM 80GB", 6)],
)
def test_no_token_comes_sooner_than_the_weights_are_read(gpu: str, milliseconds: float) -> None:
    found = find_gpu(gpu)
    assert found
    slowest = slowest_token_s(LLAMA_8B, Setup(), found.bandwidth_gb_s)
    assert slowest * 1000 == pytest.approx(milliseconds, abs=0.5)


def test_heads_that_are_fewer_than_gpus_are_kept_whole_on_each() -> None:
    shape = Shape(7.6e9, 28, 4, 128)
    two, four, eight = (shape.kv_bytes_per_token(n, 2) for n in (2, 4, 8))
    assert two == 2 * 28 * 2 * 128 * 2
    assert four == eight == two / 2


def test_of_keys_in_another_form_nothing_is_said() -> None:
    found = fit(Shape(16e9, 27, 0, 0), Setup("fp8"), 80)
    assert (found.fits, found.tokens) == (True, None)
