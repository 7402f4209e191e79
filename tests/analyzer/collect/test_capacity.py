"""What a KV cache holds, told in labels that may say anything."""

from __future__ import annotations

import math

import pytest

from analyzer.collect.capacity import from_labels, of_replica, smallest, tokens
from analyzer.model import UNTOLD, Cache

VLLM = {
    "num_gpu_blocks": "27651",
    "block_size": "16",
    "gpu_memory_utilization": "0.9",
    "cache_dtype": "fp8_e4m3",
}


def test_blocks_times_their_size_are_tokens() -> None:
    # 27,651 blocks of 16 tokens.
    assert from_labels(VLLM) == Cache(442_416, 0.9, "fp8_e4m3")


def test_the_size_in_tokens_goes_before_the_blocks() -> None:
    # A model with state-space layers: 320 blocks of 8 would be 2,560.
    told = {"num_gpu_blocks": "320", "block_size": "8", "kv_cache_size_tokens": "463459"}
    assert from_labels(told).tokens == 463_459
    assert from_labels(told | {"kv_cache_size_tokens": "None"}).tokens == 2_560


@pytest.mark.parametrize("label", ["num_gpu_blocks", "block_size"])
@pytest.mark.parametrize(
    "text",
    ["None", "", "0", "-5", "1.5", "inf", "nan", "1e400", "0x10", "1_000", " 16", "٣", "9" * 15],
)
def test_a_number_that_cannot_be_is_no_size(label: str, text: str) -> None:
    assert from_labels(VLLM | {label: text}) == Cache(None, 0.9, "fp8_e4m3")


@pytest.mark.parametrize("text", ["None", "", "0", "0.0", "-0.9", "1.01", "90", "nan", "90%"])
def test_a_share_that_cannot_be_is_none(text: str) -> None:
    assert from_labels(VLLM | {"gpu_memory_utilization": text}).memory_share is None


@pytest.mark.parametrize("text", ["None", "", "null", "x" * 41, "a b", "<script>", "8"])
def test_a_data_type_that_cannot_be_is_none(text: str) -> None:
    assert from_labels(VLLM | {"cache_dtype": text}).data_type is None


def test_labels_that_are_not_there_tell_nothing() -> None:
    assert from_labels({}) == UNTOLD


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf, 2e9])
def test_tokens_that_cannot_be_are_none(value: float) -> None:
    assert tokens(value) is None


def test_engines_of_a_replica_add_up() -> None:
    found = of_replica([("0", Cache(100, 0.9, "auto")), ("1", Cache(90, 0.9, "auto"))])
    assert found == Cache(190, 0.9, "auto")


def test_a_size_is_not_known_while_one_engine_does_not_tell() -> None:
    found = of_replica([("0", Cache(100, 0.9, "auto")), ("1", Cache(None, 0.9, "auto"))])
    assert found == Cache(None, 0.9, "auto")


def test_of_an_engine_that_was_restarted_the_smallest_size_stands() -> None:
    assert of_replica([("0", Cache(100)), ("0", Cache(98)), ("0", UNTOLD)]).tokens == 98


def test_a_replica_without_engines_tells_nothing() -> None:
    assert of_replica([]) == UNTOLD


def test_the_smallest_replica_stands_and_what_differs_is_none() -> None:
    found = smallest([Cache(100, 0.9, "auto"), Cache(90, 0.8, "auto"), UNTOLD])
    assert found == Cache(90, None, "auto")
    assert smallest([UNTOLD]) == UNTOLD
