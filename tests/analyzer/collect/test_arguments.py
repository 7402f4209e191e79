"""Arguments of inference servers, and that nothing else of a command line is ever kept."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.collect.cluster.arguments import KEPT, server_arguments

ONE_GPU = {"limits": {"nvidia.com/gpu": "1"}}


def told(args: list[str], command: list[str] | None = None, image: str = "img") -> dict[str, str]:
    container: dict[str, Any] = {"name": "main", "image": image, "resources": ONE_GPU, "args": args}
    if command is not None:
        container["command"] = command
    return server_arguments({"containers": [container]})


def test_names_and_values_in_two_words_or_one() -> None:
    args = ["--model", "org/m-7B", "--tensor-parallel-size=2", "--max_model_len", "8192"]
    assert told([*args, "--gpu_memory_utilization=0.9", "--max-num-seqs", "64"]) == {
        "model": "org/m-7B",
        "tensor-parallel-size": "2",
        "max-model-len": "8192",
        "gpu-memory-utilization": "0.9",
        "max-num-seqs": "64",
    }


def test_short_forms_of_vllm() -> None:
    assert told(["-tp", "4", "-pp=2", "-dp", "8"]) == {
        "tensor-parallel-size": "4",
        "pipeline-parallel-size": "2",
        "data-parallel-size": "8",
    }


def test_sglang_says_the_same_in_other_words() -> None:
    args = ["--model-path", "/models/q", "--tp", "4", "--context-length", "32768"]
    args += ["--mem-fraction-static", "0.85", "--max-running-requests", "128"]
    args += ["--dtype", "bfloat16", "--quantization", "fp8", "--kv-cache-dtype", "fp8_e5m2"]
    assert told(args, ["python3", "-m", "sglang.launch_server"]) == {
        "model": "/models/q",
        "tensor-parallel-size": "4",
        "max-model-len": "32768",
        "gpu-memory-utilization": "0.85",
        "max-num-seqs": "128",
        "dtype": "bfloat16",
        "quantization": "fp8",
        "kv-cache-dtype": "fp8_e5m2",
    }
    assert told(["--tp-size=8", "--dp-size", "2"]) == {
        "tensor-parallel-size": "8",
        "data-parallel-size": "2",
    }


SERVED = {"model": "org/model", "tensor-parallel-size": "2"}


@pytest.mark.parametrize(
    ("command", "args"),
    [
        (["vllm", "serve", "org/model", "-tp", "2"], []),
        (["/opt/venv/bin/vllm"], ["serve", "org/model", "-tp", "2"]),
        (["sh", "-c", "vllm serve org/model --tensor-parallel-size 2"], []),
        (["/bin/bash", "-lc"], ["exec vllm serve 'org/model' --tensor-parallel-size=2"]),
        (["bash", "-e", "-c"], ["pip install -q x && vllm serve org/model \\\n -tp 2 | tee log"]),
        (["bash", "-c"], ["# was -tp 1\nvllm serve org/model -tp 2; sleep 1"]),
        (["tini", "--", "sh", "-c"], ["bash -c 'vllm serve org/model -tp 2'"]),
    ],
)
def test_wherever_the_server_is_begun(command: list[str], args: list[str]) -> None:
    assert told(args, command) == SERVED


@pytest.mark.parametrize("first", [["org/model"], ["serve", "org/model"]])
def test_an_image_that_begins_with_the_server_is_given_the_model_alone(first: list[str]) -> None:
    args = [*first, "-tp", "2"]
    assert told(args, image="docker.io/vllm/vllm-openai:v0.22.0") == SERVED
    assert "model" not in told(args, image="img")
    assert "model" not in told(args, ["run"], image="vllm/vllm-openai")
    assert "model" not in told(["/bin/sh", "-c", "true"], image="vllm/vllm-openai")


def test_the_last_one_counts_and_a_value_that_cannot_be_kept_hides_what_was_before() -> None:
    assert told(["--dtype", "half", "--dtype", "float16"]) == {"dtype": "float16"}
    assert told(["--model", "a/b", "--model", "$(MODEL)"]) == {}


@pytest.mark.parametrize(
    "value",
    [
        "$(MODEL)",
        "${MODEL}",
        "$MODEL",
        "/m/$(NAME)/x",
        "`cat x`",
        "a" * 201,
        "a\x00b",
        "a\nb",
        "a\x1b[1m",
        "two words",
        "",
        "--api-key",
        "s3://key:secret@host/m",
        "user:SECRET@host/m",
        "SECRET@host/m",
        "https://h/token=SECRET/m",
        "https://h/m?token=SECRET",
        "~/m",
        '{"a": 1}',
    ],
)
def test_values_that_are_not_kept(value: str) -> None:
    assert told(["--model", value]) == {}
    assert told([f"--model={value}"]) == {}


@pytest.mark.parametrize("value", ["fp8", "awq_marlin", "compressed-tensors", "w8a8_int8"])
def test_a_quantisation_that_is_a_word(value: str) -> None:
    assert told(["--quantization", value]) == {"quantization": value}


@pytest.mark.parametrize("value", ["/m/SECRET", "h:SECRET", "s3://b/k", "8", "-1", "a" * 33, "a,b"])
def test_a_quantisation_that_is_none(value: str) -> None:
    assert told(["--quantization", value]) == {}


def test_values_at_the_edge_that_are_kept() -> None:
    assert told(["--model", "a" * 200]) == {"model": "a" * 200}
    assert told(["--max-model-len", "-1"]) == {"max-model-len": "-1"}
    assert told(["--max-model-len", "32k"]) == {"max-model-len": "32k"}
    assert told(["--model"]) == {}
    assert told(["--model", "s3://bucket/m"]) == {"model": "s3://bucket/m"}


def test_secrets_and_all_else_are_left_where_they_are() -> None:
    args = ["--api-key", "sk-1", "--hf-token=hf_2", "--load-format", "auto", "--modelx", "y"]
    assert told([*args, "--dtype", "half"]) == {"dtype": "half"}
    assert told([], ["sh", "-c", "vllm serve --api-key sk-1 org/model"]) == {}
    assert told([], ["sh", "-c", "vllm serve 'org/model"]) == {}


def test_the_container_that_asks_for_gpus_is_the_server() -> None:
    proxy = {"name": "proxy", "image": "p", "args": ["--model", "not/me"]}
    server = {"name": "s", "image": "s", "args": ["--model", "a/b"], "resources": ONE_GPU}
    assert server_arguments({"containers": [proxy, server]}) == {"model": "a/b"}
    assert server_arguments({"containers": [proxy]}) == {}
    assert server_arguments({}) == {}


@given(st.lists(st.text(max_size=12) | st.sampled_from(["--model", "-tp", "sh", "-c", "serve"])))
def test_only_known_names_with_plain_values(words: list[str]) -> None:
    for name, value in told(words, image="vllm").items():
        assert name in KEPT
        assert value.isprintable()
        assert 0 < len(value) <= 200
        assert not set(value) & set("$`{}\"' \t\n@=~")
