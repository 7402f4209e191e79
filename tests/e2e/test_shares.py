"""Devices cut or shared: MIG instances and time slices are billed as their share, and once."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.conftest import Engine
from tests.e2e.run import Told, analyse, check, close
from tests.e2e.scenes import A100, T4, USD, Pod, Scene, Span, Worked

ENGINE_ACTIVE = "DCGM_FI_PROF_GR_ENGINE_ACTIVE"
PRODUCT = "NVIDIA-A100-SXM4-80GB"


def instance(scene: Scene, device: str, mig_id: int, pod: Pod | None, mean: float) -> None:
    """A 1g.10gb instance: a seventh of its device, without GPU_UTIL of its own."""
    scene.gpu(
        device, [pod] if pod else [], mean, node="mig-1", metric=ENGINE_ACTIVE, scale=1,
        share=1 / 7, GPU_I_ID=str(mig_id), GPU_I_PROFILE="1g.10gb",
    )  # fmt: skip


def mixed(span: Span) -> Scene:
    """Two A100s: one whole, one cut into seven of which three instances are held."""
    scene = Scene("mixed", span)
    resource = "nvidia_com_mig_1g_10gb"
    scene.node("mig-1", 1, nvidia_com_gpu_product=PRODUCT)
    scene.node("mig-1", 7, resource)
    scene.workload("chat-production", USD[A100])
    whole = scene.pod("chat-production", "mig-1")
    scene.gpu("GPU-whole", [whole], 0.6)
    scene.gpu("GPU-cut", [], 0.33, node="mig-1", index="1")
    for name, pods, mean in (("embed-production", 1, 0.2), ("rerank-production", 2, 0.5)):
        scene.workload(name, USD[A100])
        for number in range(pods):
            pod = scene.pod(name, "mig-1", 1, resource=resource, share=1 / 7)
            instance(scene, "GPU-cut", 7 + 10 * number + len(name), pod, mean)
    for mig_id in (40, 41, 42, 43):
        instance(scene, "GPU-cut", mig_id, None, 0.0)
    return scene


def single(span: Span, labelled: bool) -> Scene:
    """All devices cut alike: ``nvidia.com/gpu`` counts instances. The node's label says so, or
    only the exporter's series do."""
    scene = Scene("single-labelled" if labelled else "single", span)
    product = {"nvidia_com_gpu_product": f"{PRODUCT}-MIG-1g.10gb"} if labelled else {}
    scene.node("mig-1", 7, **product)
    for name, count, mean in (("embed-production", 1, 0.2), ("rerank-production", 2, 0.5)):
        scene.workload(name, USD[A100])
        pod = scene.pod(name, "mig-1", count, share=1 / 7)
        for number in range(count):
            instance(scene, "GPU-cut", 7 + number + 10 * count, pod, mean)
    for mig_id in (40, 41, 42, 43):
        instance(scene, "GPU-cut", mig_id, None, 0.0)
    return scene


def sliced(span: Span, labelled: bool, all_named: bool) -> Scene:
    """One T4 in four slots, three of them held; the exporter copies the device's value to every
    pod, or names just one of them."""
    scene = Scene(f"t4-{labelled}-{all_named}", span)
    labels = {"nvidia_com_gpu_product": "Tesla-T4-SHARED", "nvidia_com_gpu_replicas": "4"}
    scene.node("t4-1", 4, **(labels if labelled else {}))
    times_s = span.times()
    use = scene.load(times_s, 0.4)
    for number, name in enumerate(SLICED):
        scene.workload(name, USD[T4])
        pod = scene.pod(name, "t4-1", 1, share=0.25)
        if all_named or number == 0:
            scene.gpu("GPU-t", [pod], use, model=T4, share=0.25)
        else:
            scene.truths[name].worked.append(Worked(times_s, use, 0.25))
    return scene


SLICED = ("chat-production", "embed-production", "rerank-dev")
SHARED = [(labelled, named) for labelled in (True, False) for named in (True, False)]


@dataclass(frozen=True)
class Fleet:
    told: Told
    scenes: dict[str, Scene]

    def check(self, cluster: str, name: str) -> dict[str, object]:
        return check(self.told, self.scenes[cluster], name)


@pytest.fixture(scope="module")
def fleet(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    span = Span.until_now()
    scenes = [mixed(span), single(span, True), single(span, False)]
    scenes += [sliced(span, *each) for each in SHARED]
    url = engine(series for scene in scenes for series in scene.series)
    told = analyse(scenes, url, tmp_path_factory.mktemp("shares"))
    return Fleet(told, {scene.cluster: scene for scene in scenes})


@pytest.mark.parametrize("cluster", ["mixed", "single", "single-labelled"])
def test_a_mig_instance_costs_a_seventh_of_its_device(fleet: Fleet, cluster: str) -> None:
    one = fleet.check(cluster, "embed-production")
    assert one["gpu_hours"] == close(48 / 7)
    assert one["cost_usd"] == close(48 / 7 * 3.43, 0.006)
    assert one["verdict"] == "underused"
    two = fleet.check(cluster, "rerank-production")
    assert two["gpu_hours"] == close(2 * 48 / 7)
    assert two["gpu_model"] == "A100 80GB"


@pytest.mark.parametrize("cluster", ["mixed", "single", "single-labelled"])
def test_four_free_instances_are_four_sevenths_of_a_device(fleet: Fleet, cluster: str) -> None:
    pool = fleet.told.pool(cluster)
    assert pool["unallocated_gpu_hours"] == close(48 * 4 / 7)
    assert pool["unallocated_cost_usd"] == close(48 * 4 / 7 * 3.43)


def test_a_whole_gpu_beside_a_cut_one_stays_whole(fleet: Fleet) -> None:
    assert fleet.check("mixed", "chat-production")["gpu_hours"] == close(48)


@pytest.mark.parametrize(("labelled", "named"), SHARED)
def test_a_time_slice_costs_its_share_and_has_the_devices_use(
    fleet: Fleet, labelled: bool, named: bool
) -> None:
    cluster = f"t4-{labelled}-{named}"
    for name in SLICED:
        one = fleet.check(cluster, name)
        assert one["gpu_hours"] == close(12)
        assert one["cost_usd"] == close(12 * 0.526, 0.006)
    assert fleet.told.pool(cluster)["unallocated_gpu_hours"] == close(12)
