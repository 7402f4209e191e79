"""What a model's memory depends on, from its ``config.json``: counted, never read from its name.

The count is exact for decoders of the Llama family and for mixtures of experts built like them;
anything else is refused. https://huggingface.co/docs/transformers/model_doc/llama
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analyzer.sizing.memory import Shape

KNOWN = frozenset({"llama", "mistral", "mixtral", "qwen2", "qwen3", "qwen2_moe", "qwen3_moe"})
"""Families whose layers are counted below."""

_QUERY_BIAS = frozenset({"qwen2", "qwen2_moe"})
_QUERY_NORM = frozenset({"qwen3", "qwen3_moe"})


@dataclass(frozen=True, slots=True)
class Unknown:
    """Why a configuration does not tell the shape."""

    reason: str


def shape_of(config: Mapping[str, Any]) -> Shape | Unknown:
    """``config`` is the parsed ``config.json`` of a Hugging Face model."""
    family = config.get("model_type")
    if family not in KNOWN:
        return Unknown(f"model_type {family!r} is not one of {', '.join(sorted(KNOWN))}")
    missing = [key for key in _NEEDED if not _is_count(config.get(key))]
    if missing:
        return Unknown(f"expected a whole number above 0 for {', '.join(missing)}")
    hidden, layers, heads = (config[key] for key in _NEEDED[:3])
    kv_heads = config.get("num_key_value_heads") or heads
    head_dim = config.get("head_dim") or hidden // heads
    if not (_is_count(kv_heads) and _is_count(head_dim)) or heads % kv_heads:
        return Unknown("num_key_value_heads and head_dim do not fit num_attention_heads")
    experts = _experts(config, hidden)
    if isinstance(experts, Unknown):
        return experts
    each = _attention(str(family), hidden, (heads, kv_heads, head_dim)) + experts + 2 * hidden
    embeddings = config["vocab_size"] * hidden
    embeddings *= 1 if config.get("tie_word_embeddings") else 2
    return Shape(float(layers * each + embeddings + hidden), layers, kv_heads, head_dim)


_NEEDED = ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size")


def _attention(family: str, hidden: int, form: tuple[int, int, int]) -> int:
    heads, kv_heads, head_dim = form
    queries, keys = heads * head_dim, kv_heads * head_dim
    biases = queries + 2 * keys if family in _QUERY_BIAS else 0
    norms = 2 * head_dim if family in _QUERY_NORM else 0
    return 2 * hidden * queries + 2 * hidden * keys + biases + norms


def _experts(config: Mapping[str, Any], hidden: int) -> int | Unknown:
    """Parameters of a layer beside attention; all experts, for all of them are in memory."""
    number = config.get("num_local_experts") or config.get("num_experts") or 0
    if not number:
        dense: Any = config.get("intermediate_size")
        return 3 * hidden * dense if _is_count(dense) else Unknown("expected intermediate_size")
    if config.get("mlp_only_layers") or config.get("decoder_sparse_step", 1) != 1:
        return Unknown("layers with and without experts alternate")
    size: Any = config.get("moe_intermediate_size") or config.get("intermediate_size")
    if not (_is_count(size) and _is_count(number)):
        return Unknown("expected the number and the size of experts")
    shared = config.get("shared_expert_intermediate_size") or 0
    gate = hidden if shared else 0
    return (
        int(number) * 3 * hidden * int(size or 0)
        + hidden * int(number)
        + 3 * hidden * shared
        + gate
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
