"""The parameters of models that many run, as their ``config.json`` on Hugging Face gives them.

By repository, in lower case. Of each, only what memory depends on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def _config(
    family: str, width: tuple[int, int], heads: tuple[int, int], inner: int, words: int, **more: Any
) -> Mapping[str, Any]:
    """``width``: hidden size and layers; ``heads``: of queries and of keys."""
    return {
        "model_type": family,
        "hidden_size": width[0],
        "num_hidden_layers": width[1],
        "num_attention_heads": heads[0],
        "num_key_value_heads": heads[1],
        "intermediate_size": inner,
        "vocab_size": words,
        "torch_dtype": "bfloat16",
        **more,
    }


_OLD: dict[str, Any] = {"torch_dtype": "float16", "max_position_embeddings": 4096}
_LLAMA_2_7B = _config("llama", (4096, 32), (32, 32), 11008, 32000, **_OLD)
_LLAMA_2_13B = _config("llama", (5120, 40), (40, 40), 13824, 32000, **_OLD)
_LLAMA_2_70B = _config("llama", (8192, 80), (64, 8), 28672, 32000, **_OLD)
_LLAMA_3_8B = _config("llama", (4096, 32), (32, 8), 14336, 128256, max_position_embeddings=8192)
_LLAMA_3_70B = _config("llama", (8192, 80), (64, 8), 28672, 128256, max_position_embeddings=8192)
_LONG: dict[str, Any] = {"max_position_embeddings": 131072}
_TIED: dict[str, Any] = {**_LONG, "tie_word_embeddings": True}
_LLAMA_32_1B = _config("llama", (2048, 16), (32, 8), 8192, 128256, head_dim=64, **_TIED)
_LLAMA_32_3B = _config("llama", (3072, 28), (24, 8), 8192, 128256, head_dim=128, **_TIED)
_MIDDLE: dict[str, Any] = {"max_position_embeddings": 32768}
_MISTRAL_7B = _config("mistral", (4096, 32), (32, 8), 14336, 32000, **_MIDDLE)
_MISTRAL_7B_3 = {**_MISTRAL_7B, "vocab_size": 32768}
_MIXTRAL = _config("mixtral", (4096, 32), (32, 8), 14336, 32000, num_local_experts=8, **_MIDDLE)
_QWEN_25_7B = _config("qwen2", (3584, 28), (28, 4), 18944, 152064, **_MIDDLE)
_QWEN_25_14B = _config("qwen2", (5120, 48), (40, 8), 13824, 152064, **_MIDDLE)
_QWEN_25_32B = _config("qwen2", (5120, 64), (40, 8), 27648, 152064, **_MIDDLE)
_QWEN_25_72B = _config("qwen2", (8192, 80), (64, 8), 29568, 152064, **_MIDDLE)
_QWEN_3: dict[str, Any] = {"max_position_embeddings": 40960}
_QWEN_3_8B = _config("qwen3", (4096, 36), (32, 8), 12288, 151936, head_dim=128, **_QWEN_3)

CATALOGUE: Mapping[str, Mapping[str, Any]] = {
    "meta-llama/llama-2-7b-hf": _LLAMA_2_7B,
    "meta-llama/llama-2-7b-chat-hf": _LLAMA_2_7B,
    "meta-llama/llama-2-13b-hf": _LLAMA_2_13B,
    "meta-llama/llama-2-13b-chat-hf": _LLAMA_2_13B,
    "meta-llama/llama-2-70b-hf": _LLAMA_2_70B,
    "meta-llama/llama-2-70b-chat-hf": _LLAMA_2_70B,
    "meta-llama/meta-llama-3-8b": _LLAMA_3_8B,
    "meta-llama/meta-llama-3-8b-instruct": _LLAMA_3_8B,
    "meta-llama/meta-llama-3-70b": _LLAMA_3_70B,
    "meta-llama/meta-llama-3-70b-instruct": _LLAMA_3_70B,
    "meta-llama/llama-3.1-8b": {**_LLAMA_3_8B, **_LONG},
    "meta-llama/llama-3.1-8b-instruct": {**_LLAMA_3_8B, **_LONG},
    "meta-llama/llama-3.1-70b": {**_LLAMA_3_70B, **_LONG},
    "meta-llama/llama-3.1-70b-instruct": {**_LLAMA_3_70B, **_LONG},
    "meta-llama/llama-3.3-70b-instruct": {**_LLAMA_3_70B, **_LONG},
    "meta-llama/llama-3.2-1b": _LLAMA_32_1B,
    "meta-llama/llama-3.2-1b-instruct": _LLAMA_32_1B,
    "meta-llama/llama-3.2-3b": _LLAMA_32_3B,
    "meta-llama/llama-3.2-3b-instruct": _LLAMA_32_3B,
    "mistralai/mistral-7b-v0.1": _MISTRAL_7B,
    "mistralai/mistral-7b-instruct-v0.1": _MISTRAL_7B,
    "mistralai/mistral-7b-instruct-v0.2": _MISTRAL_7B,
    "mistralai/mistral-7b-v0.3": _MISTRAL_7B_3,
    "mistralai/mistral-7b-instruct-v0.3": _MISTRAL_7B_3,
    "mistralai/mixtral-8x7b-v0.1": _MIXTRAL,
    "mistralai/mixtral-8x7b-instruct-v0.1": _MIXTRAL,
    "qwen/qwen2.5-7b": _QWEN_25_7B,
    "qwen/qwen2.5-7b-instruct": _QWEN_25_7B,
    "qwen/qwen2.5-14b": _QWEN_25_14B,
    "qwen/qwen2.5-14b-instruct": _QWEN_25_14B,
    "qwen/qwen2.5-32b": _QWEN_25_32B,
    "qwen/qwen2.5-32b-instruct": _QWEN_25_32B,
    "qwen/qwen2.5-72b": _QWEN_25_72B,
    "qwen/qwen2.5-72b-instruct": _QWEN_25_72B,
    "qwen/qwen3-8b": _QWEN_3_8B,
}
