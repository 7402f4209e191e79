"""Parameters counted from configurations, against the counts that the models are published with."""

from __future__ import annotations

from typing import Any

import pytest

from analyzer.sizing.memory import Shape
from analyzer.sizing.shapes import Unknown, shape_of


def llama(**more: Any) -> dict[str, Any]:
    return {
        "model_type": "llama",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
    } | more


LLAMA_70B = llama(
    hidden_size=8192, intermediate_size=28672, num_hidden_layers=80, num_attention_heads=64
)
LLAMA_1B = llama(
    hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, tie_word_embeddings=True
)
MIXTRAL = llama(model_type="mixtral", vocab_size=32000, num_local_experts=8)
QWEN_7B = llama(
    model_type="qwen2",
    hidden_size=3584,
    intermediate_size=18944,
    num_hidden_layers=28,
    num_attention_heads=28,
    num_key_value_heads=4,
    vocab_size=152064,
)
QWEN3_8B = llama(
    model_type="qwen3",
    intermediate_size=12288,
    num_hidden_layers=36,
    head_dim=128,
    vocab_size=151936,
)


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        (llama(), 8_030_261_248),
        (LLAMA_70B, 70_553_706_496),
        (LLAMA_1B, 1_235_814_400),
        (MIXTRAL, 46_702_792_704),
        (QWEN_7B, 7_615_616_512),
        (QWEN3_8B, 8_190_735_360),
    ],
    ids=["Llama-3.1-8B", "70B", "Llama-3.2-1B", "Mixtral-8x7B", "Qwen2.5-7B", "Qwen3-8B"],
)
def test_every_parameter_is_counted(config: dict[str, Any], parameters: int) -> None:
    found = shape_of(config)
    assert isinstance(found, Shape)
    assert found.parameters == parameters


def test_the_form_of_keys_is_told() -> None:
    assert shape_of(llama()) == Shape(8_030_261_248, 32, 8, 128)
    # Without groups each head has keys of its own.
    alone = shape_of(llama(num_key_value_heads=None))
    assert isinstance(alone, Shape)
    assert alone.kv_heads == 32


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({}, "model_type None"),
        (llama(model_type="deepseek_v3"), "'deepseek_v3'"),
        (llama(hidden_size=None), "hidden_size"),
        (llama(vocab_size=-1), "vocab_size"),
        (llama(num_hidden_layers=True), "num_hidden_layers"),
        (llama(num_key_value_heads=5), "num_key_value_heads"),
        (llama(intermediate_size=None), "intermediate_size"),
        (llama(model_type="qwen3_moe", num_experts=8, decoder_sparse_step=2), "alternate"),
    ],
)
def test_what_is_not_known_is_refused_with_the_reason(config: dict[str, Any], told: str) -> None:
    found = shape_of(config)
    assert isinstance(found, Unknown)
    assert told in found.reason
