"""What sizing needs of the command line of an inference server (vLLM, SGLang).

Command lines hold secrets, so only arguments of known names are kept, and of those only values
that look like a name, a path or a number.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

from analyzer.collect.cluster.quantities import Manifest, gpu_request

KEPT = frozenset(
    {
        "model",
        "served-model-name",
        "dtype",
        "quantization",
        "kv-cache-dtype",
        "tensor-parallel-size",
        "pipeline-parallel-size",
        "data-parallel-size",
        "max-model-len",
        "max-num-seqs",
        "gpu-memory-utilization",
    }
)
"""By the names that vLLM gives them."""

_SAME: Mapping[str, str] = {
    "-tp": "tensor-parallel-size",
    "-pp": "pipeline-parallel-size",
    "-dp": "data-parallel-size",
    "--model-path": "model",
    "--tp": "tensor-parallel-size",
    "--tp-size": "tensor-parallel-size",
    "--pp": "pipeline-parallel-size",
    "--pp-size": "pipeline-parallel-size",
    "--dp": "data-parallel-size",
    "--dp-size": "data-parallel-size",
    "--context-length": "max-model-len",
    "--mem-fraction-static": "gpu-memory-utilization",
    "--max-running-requests": "max-num-seqs",
}
"""Short forms, and the names that SGLang gives to the same."""

LONGEST = 200
"""Characters of a value. No model's name is longer."""

_VALUE = re.compile(rf"[\w./:+,-]{{1,{LONGEST}}}")
"""Without ``@`` and ``=``: what they stand beside in an address may be a password or a token."""

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
"""A scheme of quantisation: neither a path nor an address."""

_NUMBER = re.compile(r"-[0-9.]+")
_SHELL = re.compile(r"(?:.*/)?(?:ba|da|z|k|a)?sh")
_SCRIPT = re.compile(r"-[a-z]*c")
_VLLM = re.compile(r"(?:.*/)?vllm")


def server_arguments(pod_spec: Manifest) -> dict[str, str]:
    """Known arguments of the first container that asks for GPUs and has any, by their name
    without dashes; the last one given counts. A value that the shell or Kubernetes has yet to
    fill in is not kept."""
    for container in pod_spec.get("containers") or ():
        if gpu_request({"containers": [container]}) and (found := _of(container)):
            return found
    return {}


def _of(container: Manifest) -> dict[str, str]:
    words = list(_words([*_texts(container, "command"), *_texts(container, "args")]))
    found: dict[str, str] = {}
    model = _positional(words, container)
    if model is not None:
        words = ["--model", model, *words]
    for at, word in enumerate(words):
        name, given, value = word.partition("=")
        name = _known(name)
        if not name:
            continue
        if not given:
            value = words[at + 1] if at + 1 < len(words) else ""
        found.pop(name, None)
        if _may_be_kept(name, value):
            found[name] = value
    return found


def _texts(container: Manifest, name: str) -> list[str]:
    return [one for one in container.get(name) or () if isinstance(one, str)]


def _words(command: Sequence[str]) -> Iterator[str]:
    """The words of a command line, a shell's script taken apart."""
    shell = script = False
    for word in command:
        if script:
            yield from _words(_script_words(word))
            shell = script = False
            continue
        script = shell and bool(_SCRIPT.fullmatch(word))
        shell = bool(_SHELL.fullmatch(word)) or (shell and word.startswith("-"))
        yield word


def _script_words(script: str) -> list[str]:
    lexer = shlex.shlex(script.replace("\\\n", " "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:
        # A quotation that does not end: where its words do cannot be told.
        return []


def _positional(words: Sequence[str], container: Manifest) -> str | None:
    """The model of ``vllm serve MODEL``; an image that begins with these words is given the model
    alone. Only right there: behind another option it could be that one's value."""
    for before, serve, model in zip(words, words[1:], words[2:], strict=False):
        if serve == "serve" and _VLLM.fullmatch(before) and not model.startswith("-"):
            return model
    if container.get("command") or "vllm" not in str(container.get("image")):
        return None
    arguments = _texts(container, "args")
    first = next((one for one in arguments if one != "serve"), "")
    is_model = "/" in first and not first.startswith("-")
    return first if is_model and not any(map(_SCRIPT.fullmatch, arguments)) else None


def _known(option: str) -> str:
    """The name of an option as it is kept; empty when it is not."""
    option = option.replace("_", "-")
    name = _SAME.get(option) or option.removeprefix("--")
    return name if option.startswith("-") and name in KEPT else ""


def _may_be_kept(name: str, value: str) -> bool:
    if value.startswith("-") and not _NUMBER.fullmatch(value):
        return False
    allowed = _WORD if name == "quantization" else _VALUE
    return bool(allowed.fullmatch(value))
