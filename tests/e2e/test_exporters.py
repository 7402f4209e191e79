"""Every exporter and every spelling of its labels gives the figures of the samples."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest

from tests.conftest import Engine
from tests.e2e.run import Told, analyse, check, close, program
from tests.e2e.scenes import (
    A100,
    H100,
    L4,
    MI300X,
    T4,
    USD,
    Scene,
    Span,
    Style,
    amd,
    exported,
    legacy,
    lower_host,
    plain,
)
from tests.openmetrics import RawSeries

NVIDIA_STYLES: dict[str, Style] = {
    "plain": plain,
    "exported": exported,
    "legacy": legacy,
    "lower-host": lower_host,
}


def dcgm(name: str, style: Style, span: Span, renamed: bool = False) -> Scene:
    """A node with three A100s: one at 18 %, one at 70 %, one that nobody holds."""
    scene = Scene(name, span, renamed=renamed)
    scene.node("a100-1", 3)
    for index, (workload, mean) in enumerate((("chat-production", 0.18), ("embed-prod", 0.7))):
        scene.workload(workload, USD[A100])
        pod = scene.pod(workload, "a100-1")
        scene.gpu(f"GPU-{name}-{index}", [pod], mean, style=style, index=str(index))
    scene.gpu(f"GPU-{name}-2", [], 0.0, node="a100-1", style=style, index="2")
    return scene


def prof_only(span: Span) -> Scene:
    """GPU_UTIL switched off: the profiling counter alone, 0-1."""
    scene = Scene("prof-only", span)
    scene.node("h100-1", 1)
    scene.workload("chat-production", USD[H100])
    pod = scene.pod("chat-production", "h100-1")
    metric = "DCGM_FI_PROF_GR_ENGINE_ACTIVE"
    scene.gpu("GPU-p", [pod], 0.3, model=H100, metric=metric, scale=1)
    return scene


def smi(name: str, span: Span, by_ip: bool, workloads: tuple[str, ...]) -> Scene:
    """nvidia_gpu_exporter: a uuid, and the node only by the exporter's address or a label."""
    scene = Scene(name, span)
    scene.node("l4-1", 2)
    for workload in workloads:
        scene.workload(workload, USD[L4])
    pods = [scene.pod(workload, "l4-1", 2 / len(workloads)) for workload in workloads]
    where = {"instance": "10.2.0.9:9835"} if by_ip else {"node": "l4-1", "instance": "smi:9835"}
    if by_ip:
        own = {"namespace": "monitoring", "pod": "smi-exporter-4x", "node": "l4-1"}
        scene.state("kube_pod_info", scene.slow(), 1, pod_ip="10.2.0.9", **own)
    for index in range(2):
        told = {"uuid": f"{name}-{index}", **where}

        def style(*_: str, told: dict[str, str] = told) -> dict[str, str]:
            return told

        metric = "nvidia_smi_utilization_gpu_ratio"
        scene.gpu("", pods[:1], 0.35, metric=metric, scale=1, model="", style=style)
        info = RawSeries(
            "nvidia_smi_gpu_info",
            {"cluster": name, "name": L4, **told},
            scene.slow(),
            np.ones_like(scene.slow()),
        )
        scene.series.append(info)
    return scene


def amd_node(name: str, metric: str, span: Span) -> Scene:
    scene = Scene(name, span)
    scene.node("mi300x-1", 2, "amd_com_gpu")
    scene.workload("chat-production", USD[MI300X])
    pod = scene.pod("chat-production", "mi300x-1", 2, resource="amd_com_gpu")
    for index in range(2):
        scene.gpu(
            "", [pod], 0.25 + 0.2 * index, model=MI300X, style=amd, metric=metric, index=str(index)
        )
    return scene


def seed(name: str, scale: float, span: Span) -> Scene:
    """The seed document's own name, known by pod alone; kube-state-metrics names the GPU."""
    scene = Scene(name, span)
    scene.node("t4-1", 2, nvidia_com_gpu_product="Tesla-T4")
    for workload, mean in (("chat-production", 0.2), ("batch-dev", 0.6)):
        scene.workload(workload, USD[T4])
        pod = scene.pod(workload, "t4-1")
        scene.gpu(
            "", [pod], mean, metric="nvidia_gpu_utilization", scale=scale, model="",
            style=lambda pod, namespace, *_: {"pod": pod, "namespace": namespace},
        )  # fmt: skip
    return scene


def alone(span: Span) -> Scene:
    """The seed's metric and nothing else: no kube-state-metrics, no model, no namespace."""
    scene = Scene("alone", span)
    scene.add("nvidia_gpu_utilization", span.times(), 20.0, pod="llama-production-7c9f-abcde")
    return scene


@dataclass(frozen=True)
class Fleet:
    told: Told
    scenes: dict[str, Scene]
    url: str

    def check(self, cluster: str, name: str, **known: float) -> dict[str, object]:
        return check(self.told, self.scenes[cluster], name, **known)


@pytest.fixture(scope="module")
def fleet(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    span = Span.until_now()
    scenes = [dcgm(name, style, span) for name, style in NVIDIA_STYLES.items()]
    scenes += [
        dcgm("ksm-renamed", exported, span, renamed=True),
        prof_only(span),
        smi("smi-ip", span, True, ("chat-production",)),
        smi("smi-label", span, False, ("chat-production",)),
        smi("smi-shared", span, True, ("chat-production", "embed-prod")),
        amd_node("amd", "gpu_gfx_activity", span),
        amd_node("amd-prefixed", "amd_gpu_gfx_activity", span),
        seed("seed-percent", 100, span),
        seed("seed-fraction", 1, span),
        alone(span),
    ]
    url = engine(series for scene in scenes for series in scene.series)
    told = analyse(scenes, url, tmp_path_factory.mktemp("exporters"))
    return Fleet(told, {scene.cluster: scene for scene in scenes}, url)


@pytest.mark.parametrize("style", [*NVIDIA_STYLES, "ksm-renamed"])
def test_dcgm_labels_of_every_spelling_lead_to_the_deployment(fleet: Fleet, style: str) -> None:
    low = fleet.check(style, "chat-production")
    assert low["verdict"] == "underused"
    assert low["environment"] == "production"
    assert low["kind"] == "Deployment"
    assert low["gpu_hours"] == close(48)
    assert low["cost_usd"] == close(48 * 3.43)
    assert fleet.check(style, "embed-prod")["verdict"] == "right-sized"


@pytest.mark.parametrize("style", [*NVIDIA_STYLES, "ksm-renamed"])
def test_a_gpu_that_carries_its_exporters_pod_is_unallocated_and_no_workload(
    fleet: Fleet, style: str
) -> None:
    assert set(fleet.told.workloads(style)) == {"chat-production", "embed-prod"}
    pool = fleet.told.pool(style)
    assert pool["gpu_model"] == "A100 80GB"
    assert pool["unallocated_gpu_hours"] == close(48)
    assert pool["unallocated_cost_usd"] == close(48 * 3.43)


def test_the_profiling_counter_alone_is_read_as_a_fraction(fleet: Fleet) -> None:
    assert fleet.check("prof-only", "chat-production")["verdict"] == "underused"


@pytest.mark.parametrize("where", ["smi-ip", "smi-label"])
def test_an_exporter_without_pods_counts_where_one_workload_holds_the_node(
    fleet: Fleet, where: str
) -> None:
    one = fleet.check(where, "chat-production")
    assert one["gpu_model"] == "L4"
    assert one["verdict"] == "underused"


def test_an_exporter_without_pods_tells_nothing_of_a_node_that_two_share(fleet: Fleet) -> None:
    for name in ("chat-production", "embed-prod"):
        one = fleet.told.workload("smi-shared", name)
        assert one["verdict"] == "unknown"
        assert one["gpu_hours"] == close(48)
        assert one["utilisation"] is None
        assert one["idle_cost_usd"] is None
    assert "l4-1" in fleet.told.warnings("smi-shared")["unsplit-node"]


@pytest.mark.parametrize("cluster", ["amd", "amd-prefixed"])
def test_amd_metrics_count_with_and_without_their_prefix(fleet: Fleet, cluster: str) -> None:
    one = fleet.check(cluster, "chat-production")
    assert (one["gpu_model"], one["verdict"]) == ("MI300X", "underused")
    assert one["gpu_hours"] == close(96)


@pytest.mark.parametrize("cluster", ["seed-percent", "seed-fraction"])
def test_the_seeds_metric_is_read_in_percent_and_as_a_fraction(fleet: Fleet, cluster: str) -> None:
    low = fleet.check(cluster, "chat-production")
    assert (low["environment"], low["verdict"]) == ("production", "underused")
    assert fleet.check(cluster, "batch-dev")["environment"] == "development"


def test_the_seeds_metric_alone_still_gives_hours_and_use_but_no_dollars(fleet: Fleet) -> None:
    one = fleet.told.workload("alone", "llama-production-7c9f-abcde")
    assert (one["kind"], one["environment"]) == ("Pod", "production")
    assert one["gpu_hours"] == close(48)
    assert one["utilisation"]["mean"] == close(0.2)
    assert one["cost_usd"] is None
    assert {"no-requests", "no-price"} <= set(fleet.told.warnings("alone"))


def test_the_totals_are_the_sums_of_their_parts(fleet: Fleet) -> None:
    document = fleet.told.document
    hours = sum(w["gpu_hours"] for w in document["workloads"])
    usd = sum(w["cost_usd"] or 0 for w in document["workloads"])
    assert document["totals"]["gpu_hours"] == close(hours)
    assert document["totals"]["cost_usd"] == close(usd)
    free = sum(p["unallocated_gpu_hours"] for p in document["pools"])
    assert document["totals"]["unallocated_gpu_hours"] == close(free)


def test_a_server_with_one_cluster_needs_no_configuration(engine: Engine) -> None:
    """`analyze --prometheus URL` on a server that holds the first scene only."""
    scene = dcgm("plain", plain, Span.until_now())
    url = engine(scene.series)
    options = ("--no-cluster", "--window", "2d", "--format", "json")
    done = program("analyze", "--prometheus", url, *options)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    scene.cluster = document["clusters"][0]
    one = check(Told(document, None), scene, "chat-production")  # type: ignore[arg-type]
    assert one["verdict"] == "underused"
