"""Builds Prometheus blocks of a large fleet for ``make bench``: 500 GPUs, a week, every minute.

    python -m benchmarks.generate DIRECTORY --gpus 500 --days 7 --interval 60

promtool parses the whole text again for every block, so the text is cut where blocks end (18
hours) and each piece is written, turned into one block and deleted by a worker of its own. Only
the series that the analysis asks for are written, and those that only carry labels at a quarter
of the rate, which is still within Prometheus' look-back.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import cycle
from pathlib import Path

import numpy as np
import numpy.typing as npt

BLOCK_S = 18 * 3600
"""promtool's block lengths are 2 h times powers of three; this is the longest under a day."""
DAY_S = 86_400.0
END_S = 1_788_048_000
"""30 August 2026: fixed, so that two runs build the same blocks. ``--end`` takes another."""
EPOCH_S = 1_735_689_600
"""1 January 2025, when every counter stood at nothing."""
SPARSE_S = 240
GPUS_A_NODE = 8
NAMESPACE = "llm-serving"
MODELS = ("meta-llama/Llama-3.1-8B-Instruct", "mistralai/Mistral-7B-Instruct-v0.3")
ENVIRONMENTS = ("production", "production", "development", "staging")
POD_SIZES = (1, 1, 2, 1, 4, 1, 8)
REPLICAS = (2, 4, 1, 3)

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Size:
    """How much to generate. The same seed gives the same fleet at any interval."""

    gpus: int = 500
    days: float = 7
    interval_s: int = 60
    seed: int = 1
    end_s: int = END_S

    @property
    def start_s(self) -> int:
        return self.end_s - int(self.days * DAY_S)

    @property
    def sparse(self) -> int:
        """Scrapes from one sample to the next of series that only carry labels."""
        return min(4, max(1, SPARSE_S // self.interval_s))


@dataclass(frozen=True)
class Pod:
    """A vLLM server that holds ``gpus`` of ``node`` all the time."""

    deployment: str
    number: int
    node: int
    gpus: tuple[int, ...]
    model: str
    level: float

    @property
    def replica_set(self) -> str:
        return f"{self.deployment}-7c9f8b6d5"

    @property
    def name(self) -> str:
        return f"{self.replica_set}-x{self.number:04d}"


@dataclass(frozen=True)
class Line:
    """One series: its head as text, and what its values are like.

    ``level`` and ``spread`` shape a gauge; a counter grows by ``level`` a second; ``every`` is in
    scrapes.
    """

    head: str
    kind: str
    level: float
    spread: float = 0.0
    every: int = 1


def pods(size: Size) -> list[Pod]:
    """Single-GPU and multi-GPU deployments that fill the nodes one after the other."""
    rng = np.random.Generator(np.random.PCG64(size.seed))
    found: list[Pod] = []
    at, number = 0, 0
    sizes, replicas, environments = cycle(POD_SIZES), cycle(REPLICAS), cycle(ENVIRONMENTS)
    while at < size.gpus:
        held, level = next(sizes), float(rng.uniform(0.05, 0.95))
        name = f"llm-{number:03d}-{next(environments)}"
        number += 1
        for _ in range(next(replicas)):
            room = min(GPUS_A_NODE - at % GPUS_A_NODE, size.gpus - at)
            taken = min(held, room)
            if not taken:
                break
            first = at % GPUS_A_NODE
            gpus = tuple(range(first, first + taken))
            model = MODELS[number % len(MODELS)]
            found.append(Pod(name, len(found), at // GPUS_A_NODE, gpus, model, level))
            at += taken
    return found


def lines(size: Size) -> Iterator[Line]:
    """Every series, those of one metric together, as OpenMetrics wants them."""
    every = pods(size)
    for pod in every:
        for gpu in pod.gpus:
            yield Line(_gpu(pod, gpu), "gauge", 100 * pod.level, 6.0)
    yield from _kube(size, every)
    for name, kind, scale in (
        ("vllm:num_requests_running", "gauge", 40.0),
        ("vllm:num_requests_waiting", "gauge", 2.0),
        ("vllm:kv_cache_usage_perc", "share", 0.8),
        ("vllm:prompt_tokens_total", "counter", 1500.0),
        ("vllm:generation_tokens_total", "counter", 400.0),
        ("vllm:num_preemptions_total", "counter", 0.001),
    ):
        for pod in every:
            yield Line(f"{name}{{{_vllm(pod)}}}", kind, scale * pod.level, 0.1 * scale)
    for pod in every:
        for reason, share in (("stop", 1.2), ("length", 0.3)):
            head = f'vllm:request_success_total{{{_vllm(pod)},finished_reason="{reason}"}}'
            yield Line(head, "counter", share * pod.level)


def _gpu(pod: Pod, gpu: int) -> str:
    return (
        f'DCGM_FI_DEV_GPU_UTIL{{gpu="{gpu}",UUID="GPU-{pod.node:04d}-{gpu}",device="nvidia{gpu}",'
        f'modelName="NVIDIA A100-SXM4-80GB",Hostname="gpu-{pod.node:03d}",container="vllm",'
        f'namespace="{NAMESPACE}",pod="{pod.name}"}}'
    )


def _vllm(pod: Pod) -> str:
    return f'engine="0",model_name="{pod.model}",namespace="{NAMESPACE}",pod="{pod.name}"'


def _kube(size: Size, every: list[Pod]) -> Iterator[Line]:
    scope = f'namespace="{NAMESPACE}"'
    for pod in every:
        yield Line(
            f'kube_pod_container_resource_requests{{{scope},pod="{pod.name}",uid="u-{pod.number}",'
            f'container="vllm",node="gpu-{pod.node:03d}",resource="nvidia_com_gpu",unit="integer"}}',
            "constant",
            len(pod.gpus),
        )
    nodes = [f"gpu-{node:03d}" for node in range(-(-size.gpus // GPUS_A_NODE))]
    for node in nodes:
        yield Line(
            f'kube_node_status_allocatable{{node="{node}",resource="nvidia_com_gpu",'
            'unit="integer"}',
            "constant",
            GPUS_A_NODE,
        )
    for node in nodes:
        yield Line(
            f'kube_node_labels{{node="{node}",label_node_kubernetes_io_instance_type='
            '"p4de.24xlarge",label_nvidia_com_gpu_product="NVIDIA-A100-SXM4-80GB"}',
            "constant",
            1,
            every=size.sparse,
        )
    for pod in every:
        head = (
            f'kube_pod_owner{{{scope},pod="{pod.name}",uid="u-{pod.number}",'
            f'owner_kind="ReplicaSet",owner_name="{pod.replica_set}",owner_is_controller="true"}}'
        )
        yield Line(head, "constant", 1, every=size.sparse)
    sizes: dict[str, int] = {}
    for pod in every:
        sizes[pod.deployment] = sizes.get(pod.deployment, 0) + 1
    for name in sizes:
        yield Line(
            f'kube_replicaset_owner{{{scope},replicaset="{name}-7c9f8b6d5",'
            f'owner_kind="Deployment",owner_name="{name}",owner_is_controller="true"}}',
            "constant",
            1,
            every=size.sparse,
        )
    for name in sizes:
        head = (
            f'kube_deployment_labels{{{scope},deployment="{name}",'
            f'label_app_kubernetes_io_environment="{name.rsplit("-", 1)[-1]}"}}'
        )
        yield Line(head, "constant", 1, every=size.sparse)
    for metric in ("spec_replicas", "status_replicas_ready"):
        for name, count in sizes.items():
            head = f'kube_deployment_{metric}{{{scope},deployment="{name}"}}'
            yield Line(head, "constant", count, every=size.sparse)


@cache
def _number(value: int) -> str:
    return f" {value}"


@cache
def _share(value: int) -> str:
    return f" {value / 1000}"


def values(line: Line, times_s: Ints, rng: np.random.Generator) -> list[str]:
    """The values of a series as text. A counter is a function of time, so pieces fit together."""
    if line.kind == "constant":
        return [f" {line.level:g}"] * times_s.size
    angle = 2 * np.pi * times_s / DAY_S
    if line.kind == "counter":
        # The wave grows by at most 0.9 of the level a second: the sum never falls.
        grown = line.level * (times_s - EPOCH_S + 0.9 * DAY_S / 6.3 * np.sin(angle))
        return [f" {value}" for value in np.floor(grown).astype(np.int64).tolist()]
    wave = line.level * (1 + 0.3 * np.sin(angle))
    noisy = wave + line.spread * rng.standard_normal(times_s.size, dtype=np.float32)
    if line.kind == "share":
        shares = np.clip(1000 * noisy, 0, 1000).astype(np.int64)
        return list(map(_share, shares.tolist()))
    return list(map(_number, np.clip(np.rint(noisy), 0, 100).astype(np.int64).tolist()))


def write(size: Size, span: tuple[int, int], path: Path) -> int:
    """Write the samples of ``[start, end)`` as OpenMetrics text; returns how many there are."""
    times_s = np.arange(size.start_s, size.end_s, size.interval_s, dtype=np.int64)
    # A few seconds off the minute, as scrapes are.
    times_s += 7
    times_s = times_s[(times_s >= span[0]) & (times_s < span[1])]
    stamps = [f" {at}\n" for at in times_s.tolist()]
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence((size.seed, span[0]))))
    written = 0
    with path.open("w", encoding="utf-8", newline="\n") as out:
        for line in lines(size):
            texts = values(line, times_s[:: line.every], rng)
            head = line.head
            pairs = zip(texts, stamps[:: line.every], strict=True)
            out.write("".join([head + text + stamp for text, stamp in pairs]))
            written += len(texts)
        out.write("# EOF\n")
    return written


def pieces(size: Size) -> list[tuple[int, int]]:
    """Spans that cover the time and end where blocks end."""
    first = size.start_s // BLOCK_S * BLOCK_S
    return [(at, at + BLOCK_S) for at in range(first, size.end_s, BLOCK_S)]


def blocks(text: Path, directory: Path) -> None:
    """Turn OpenMetrics text into TSDB blocks in ``directory``, one for each span of BLOCK_S."""
    done = subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet",
         f"--max-block-duration={BLOCK_S}s", str(text), str(directory)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"promtool refused {text}: {done.stderr.strip()[-500:]}")


def _piece(size: Size, directory: Path, span: tuple[int, int]) -> int:
    text = directory / f"{span[0]}.om"
    written = write(size, span, text)
    try:
        if written:
            blocks(text, directory)
    finally:
        text.unlink()
    return written


def fleet(size: Size, directory: Path, workers: int | None = None) -> int:
    """Fill ``directory`` with blocks of the fleet; returns the number of samples."""
    directory.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(workers or os.cpu_count()) as pool:
        return sum(pool.map(partial(_piece, size, directory), pieces(size)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--gpus", type=int, default=Size.gpus)
    parser.add_argument("--days", type=float, default=Size.days)
    parser.add_argument("--interval", type=int, default=Size.interval_s)
    parser.add_argument("--seed", type=int, default=Size.seed)
    parser.add_argument("--end", type=int, default=END_S, help="Unix seconds")
    given = parser.parse_args()
    size = Size(given.gpus, given.days, given.interval, given.seed, given.end)
    began = time.perf_counter()
    samples = fleet(size, given.directory)
    took_s = time.perf_counter() - began
    print(f"{samples:,} samples in {took_s:.0f} s, end {size.end_s}", file=sys.stderr)


if __name__ == "__main__":
    main()
