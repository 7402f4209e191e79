"""What the demo's models need of memory, and so how many tokens the cache of a replica holds."""

from __future__ import annotations

from collections.abc import Mapping

from analyzer.collect.simulate.fleet import Pod
from analyzer.sizing.memory import DataType, Setup, Shape, fit

SHARE = 0.9
"""``gpu_memory_utilization`` of every server."""
BLOCK = 16
"""Tokens in a block."""
QUANTISED_FROM = 30e9
"""Parameters from which weights are kept in FP8: else the GPUs of the roster hold few requests."""

_LLAMA_70B = Shape(70.55e9, layers=80, kv_heads=8, head_dim=128)
_LLAMA_8B = Shape(8.03e9, layers=32, kv_heads=8, head_dim=128)
SHAPES: Mapping[str, Shape] = {
    "meta-llama/Llama-3.1-70B-Instruct": _LLAMA_70B,
    "deepseek-ai/DeepSeek-R1-Distill-Llama-70B": _LLAMA_70B,
    "meta-llama/Llama-3.1-8B-Instruct": _LLAMA_8B,
    "meta-llama/Llama-3.2-3B-Instruct": Shape(3.21e9, layers=28, kv_heads=8, head_dim=128),
    "meta-llama/Llama-3.2-1B-Instruct": Shape(1.24e9, layers=16, kv_heads=8, head_dim=64),
    "lmsys/vicuna-13b-v1.5": Shape(13.02e9, layers=40, kv_heads=40, head_dim=128),
    "lmsys/vicuna-7b-v1.5": Shape(6.74e9, layers=32, kv_heads=32, head_dim=128),
    "codellama/CodeLlama-34b-Instruct-hf": Shape(33.74e9, layers=48, kv_heads=8, head_dim=128),
    "Qwen/Qwen2.5-72B-Instruct": Shape(72.71e9, layers=80, kv_heads=8, head_dim=128),
    "Qwen/Qwen2.5-7B-Instruct": Shape(7.62e9, layers=28, kv_heads=4, head_dim=128),
    "Qwen/Qwen2.5-0.5B-Instruct": Shape(0.49e9, layers=24, kv_heads=2, head_dim=64),
    "mistralai/Mixtral-8x7B-Instruct-v0.1": Shape(46.7e9, layers=32, kv_heads=8, head_dim=128),
    "mistralai/Mistral-7B-Instruct-v0.3": Shape(7.25e9, layers=32, kv_heads=8, head_dim=128),
    "BAAI/bge-reranker-v2-gemma": Shape(2.51e9, layers=18, kv_heads=1, head_dim=256),
}


def weights(model: str) -> DataType:
    return "fp8" if SHAPES[model].parameters >= QUANTISED_FROM else "bfloat16"


def blocks(pod: Pod) -> int:
    """Blocks of the KV cache that a server has on the pod's devices, all with the same memory."""
    setup = Setup(weights=weights(pod.app.model), tensor_parallel=len(pod.devices), share=SHARE)
    memory_gib = pod.devices[0].memory_mib / 1024
    return int((fit(SHAPES[pod.app.model], setup, memory_gib).tokens or 0) // BLOCK)
