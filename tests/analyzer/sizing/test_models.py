"""What a server runs: its arguments, its metrics, a config.json, the catalogue; never a guess."""

from __future__ import annotations

from typing import Any

import pytest

from analyzer.model import Cache
from analyzer.sizing.catalogue import CATALOGUE
from analyzer.sizing.models import Described, Known, Unknown, known
from analyzer.sizing.shapes import shape_of
from tests import builders
from tests.analyzer.sizing.loads import served

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
OWN = {
    "model_type": "llama",
    "hidden_size": 2048,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 8192,
    "vocab_size": 128256,
    "tie_word_embeddings": True,
    "torch_dtype": "float16",
    "max_position_embeddings": 4096,
}


def asked(
    served_as: str = "chat",
    described: dict[str, Described] | None = None,
    gpus: float = 1,
    cache: Cache | None = None,
    **arguments: str,
) -> Known | Unknown:
    server = {name.replace("_", "-"): value for name, value in arguments.items()}
    serving = served(cache=cache or Cache())
    object.__setattr__(serving, "model", served_as)
    return known(builders.workload(server=server), serving, described or {}, gpus)


def found(*args: Any, **changes: Any) -> Known:
    answer = asked(*args, **changes)
    assert isinstance(answer, Known), answer
    return answer


def refused(*args: Any, **changes: Any) -> str:
    answer = asked(*args, **changes)
    assert isinstance(answer, Unknown), answer
    return answer.reason


def test_the_catalogue_knows_whole_names() -> None:
    one = found(LLAMA)
    assert one.shape.parameters == 8_030_261_248, "as Hugging Face counts them"
    assert (one.setup.weights, one.setup.keys, one.setup.tensor_parallel) == (
        "bfloat16",
        "bfloat16",
        1,
    )
    assert (one.source, one.longest) == ("catalogue", 131_072)
    assert "not known" in refused("my-llama-3.1-8b-instruct")
    assert "not known" in refused("someone/Mixtral-8x7B-merged")


def test_a_served_name_is_looked_up_by_the_argument_as_well() -> None:
    one = found("chat", model=LLAMA)
    assert one.name == LLAMA


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("meta-llama/llama-2-7b-hf", 6_738_415_616),
        ("meta-llama/llama-2-13b-hf", 13_015_864_320),
        ("meta-llama/llama-3.1-70b", 70_553_706_496),
        ("mistralai/mistral-7b-v0.1", 7_241_732_096),
        ("mistralai/mixtral-8x7b-v0.1", 46_702_792_704),
        ("qwen/qwen2.5-7b", 7_615_616_512),
        ("qwen/qwen3-8b", 8_190_735_360),
    ],
)
def test_parameters_as_the_makers_give_them(name: str, parameters: float) -> None:
    shape = shape_of(CATALOGUE[name])
    assert not isinstance(shape, Unknown)
    assert shape.parameters == parameters


def test_every_entry_of_the_catalogue_can_be_counted() -> None:
    assert all(not isinstance(shape_of(one), Unknown) for one in CATALOGUE.values())
    assert all(name == name.lower() for name in CATALOGUE)


def test_a_description_goes_before_the_catalogue() -> None:
    one = found(LLAMA, {LLAMA: Described(OWN)})
    assert (one.source, one.longest, one.setup.weights) == ("config.json", 4096, "float16")
    assert found("chat", {"chat": Described(OWN, "int4")}).setup.weights == "int4"
    assert "model_type" in refused("chat", {"chat": Described({"model_type": "mamba"})})


def test_arguments_say_how_it_is_run() -> None:
    one = found(
        LLAMA,
        gpus=2,
        tensor_parallel_size="2",
        max_model_len="16384",
        gpu_memory_utilization="0.85",
        kv_cache_dtype="fp8_e4m3",
        quantization="fp8",
    )
    assert one.setup.tensor_parallel == 2
    assert one.setup.share == 0.85
    assert (one.setup.weights, one.setup.keys) == ("fp8", "fp8")
    assert one.longest == 16_384


@pytest.mark.parametrize(("text", "tokens"), [("32k", 32_000), ("32K", 32_768), ("8192", 8_192)])
def test_lengths_as_vllm_takes_them(text: str, tokens: float) -> None:
    assert found(LLAMA, max_model_len=text).longest == tokens


def test_what_the_server_tells_of_its_cache_goes_before_arguments() -> None:
    one = found(LLAMA, cache=Cache(1e5, 0.8, "auto"), gpu_memory_utilization="0.95")
    assert one.setup.share == 0.8


@pytest.mark.parametrize("share", ["nan", "-1", "0", "1.5", "x", ""])
def test_a_share_that_cannot_be_is_the_servers_default(share: str) -> None:
    assert found(LLAMA, gpu_memory_utilization=share).setup.share == 0.92


def test_weights_of_a_quantised_checkpoint() -> None:
    quantised = OWN | {"quantization_config": {"quant_method": "awq", "bits": 4}}
    assert found("chat", {"chat": Described(quantised)}).setup.weights == "int4"
    odd = OWN | {"quantization_config": {"quant_method": "exotic"}}
    assert "exotic" in refused("chat", {"chat": Described(odd)})


def test_what_memory_fit_does_not_know_is_refused() -> None:
    assert "pipeline" in refused(LLAMA, gpus=2, pipeline_parallel_size="2")
    assert "data parallelism" in refused(LLAMA, gpus=2, data_parallel_size="2")
    assert "tensor parallelism of 4 on 2" in refused(LLAMA, gpus=2, tensor_parallel_size="4")
    assert "part of a GPU" in refused(LLAMA, gpus=0.5)
    assert "no inference server" in refused("")
