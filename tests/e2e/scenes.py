"""Small fleets, written as the exporters write them, together with what is true of them.

Every scene is a cluster of its own: its series carry ``cluster``, so that one server and one run
of the program serve many scenes, and none leaks into another.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tests.openmetrics import RawSeries

Floats = npt.NDArray[np.float64]
Labels = dict[str, str]

A100, H100 = "NVIDIA A100-SXM4-80GB", "NVIDIA H100 80GB HBM3"
L4, T4, A10G, MI300X = "NVIDIA L4", "Tesla T4", "NVIDIA A10G", "AMD_Instinct_MI300X_OAM"
USD = {A100: 3.43, H100: 6.88, L4: 0.805, T4: 0.526, A10G: 1.006, MI300X: 3.45}
"""Dollars a GPU-hour, on-demand."""

HOUR_S = 3600.0
SLOW_S = 300.0
"""How often what never changes (owners, labels) is written: it keeps the servers quick."""


@dataclass(frozen=True)
class Span:
    """From an hour before the window to some minutes past it, so that the clock may move on
    while the program runs. Hours are counted from ``start_s``, the first hour of the window."""

    start_s: float
    end_s: float

    @classmethod
    def until_now(cls, hours: float = 48) -> Span:
        end_s = time.time() // 300 * 300
        return cls(end_s - hours * HOUR_S, end_s)

    def at(self, hours: float) -> float:
        return self.start_s + hours * HOUR_S

    def times(
        self, every_s: float = 60, hours: tuple[float, float] | None = None, phase_s: float = 7
    ) -> Floats:
        """Scrape times; ``hours`` narrows them to a part of the window."""
        all_times = np.arange(self.start_s - HOUR_S, self.end_s + 900, every_s) + phase_s
        if hours is None:
            return all_times
        first, last = self.at(hours[0]), self.at(hours[1])
        return all_times[(all_times > first) & (all_times <= last)]


@dataclass(frozen=True, eq=False)
class Held:
    """Times at which a request was told, and the whole devices it was for."""

    times_s: Floats
    gpus: float


@dataclass(frozen=True, eq=False)
class Worked:
    """Samples of a device's (0-1) use that count for a workload, and its share of the device."""

    times_s: Floats
    use: Floats
    gpus: float


@dataclass
class Truth:
    """What one workload held and did, sample by sample."""

    usd_per_gpu_hour: float
    every_s: float = 60
    worked_every_s: float = 60
    held: list[Held] = field(default_factory=list)
    worked: list[Worked] = field(default_factory=list)


@dataclass(frozen=True)
class Pod:
    namespace: str
    name: str
    node: str
    workload: str
    hours: tuple[float, float] | None


Style = Callable[[str, str, str, str], Labels]
"""(pod or "", namespace, node, index) to the labels that an exporter puts on a GPU."""


def plain(pod: str, namespace: str, node: str, index: str) -> Labels:
    """dcgm-exporter with ``honor_labels`` on."""
    own = {"pod": pod, "namespace": namespace, "container": "main"} if pod else {}
    return {"Hostname": node, "gpu": index, "device": f"nvidia{index}", **own}


def exported(pod: str, namespace: str, node: str, index: str) -> Labels:
    """dcgm-exporter with ``honor_labels`` off: ``pod`` is the exporter's own, also on idle GPUs."""
    own = {"exported_pod": pod, "exported_namespace": namespace, "exported_container": "main"}
    scraped = {
        "pod": f"nvidia-dcgm-exporter-{node}",
        "namespace": "gpu-operator",
        "container": "nvidia-dcgm-exporter",
        "instance": "10.1.0.4:9400",
    }
    host = {"Hostname": node, "gpu": index, "device": f"nvidia{index}"}
    return {**host, **scraped, **(own if pod else {})}


def legacy(pod: str, namespace: str, node: str, index: str) -> Labels:
    own = {"pod_name": pod, "pod_namespace": namespace, "container_name": "main"}
    return {"Hostname": node, "gpu": index, **(own if pod else {})}


def lower_host(pod: str, namespace: str, node: str, index: str) -> Labels:
    labels = plain(pod, namespace, node, index)
    return {"hostname": labels.pop("Hostname"), **labels}


def amd(pod: str, namespace: str, node: str, index: str) -> Labels:
    own = {"pod": pod, "namespace": namespace, "container": "main"} if pod else {}
    return {"hostname": node, "gpu_id": index, **own}


@dataclass
class Scene:
    """One cluster's series and truths; ``rng`` makes its load the same in every run."""

    cluster: str
    span: Span
    every_s: float = 60
    series: list[RawSeries] = field(default_factory=list)
    truths: dict[str, Truth] = field(default_factory=dict)
    renamed: bool = False
    """kube-state-metrics scraped with ``honor_labels`` off."""

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(abs(hash_of(self.cluster)))

    def add(self, name: str, times_s: Floats, values: float | Floats, **labels: str) -> None:
        filled = np.broadcast_to(np.asarray(values, dtype=np.float64), np.shape(times_s))
        kept = {key: value for key, value in labels.items() if value}
        self.series.append(RawSeries(name, {"cluster": self.cluster, **kept}, times_s, filled))

    def state(self, name: str, times_s: Floats, value: float, **labels: str) -> None:
        """A series of kube-state-metrics."""
        if self.renamed:
            own = {"namespace", "pod", "container", "node"}
            labels = {(f"exported_{k}" if k in own else k): v for k, v in labels.items()}
            labels |= {"namespace": "monitoring", "pod": "ksm-0", "container": "ksm"}
        self.add(name, times_s, value, **labels)

    def slow(self, hours: tuple[float, float] | None = None) -> Floats:
        times_s = self.span.times(SLOW_S, hours)
        return times_s if times_s.size else self.span.times(60, hours)[:1]

    def node(self, name: str, gpus: float, resource: str = "nvidia_com_gpu", **labels: str) -> None:
        """A node that offers GPUs; ``labels`` as kube-state-metrics spells them."""
        self.state(
            "kube_node_status_allocatable",
            self.span.times(self.every_s),
            gpus,
            node=name,
            resource=resource,
            unit="integer",
        )
        if labels:
            told = {f"label_{key}": value for key, value in labels.items()}
            self.state("kube_node_labels", self.slow(), 1, node=name, **told)

    def workload(
        self,
        name: str,
        usd: float,
        namespace: str = "inference",
        *,
        replicas: int = 1,
        **labels: str,
    ) -> None:
        """A Deployment that exists now. ``labels`` as kube-state-metrics spells them."""
        self.truths[name] = Truth(usd, every_s=self.every_s)
        for metric in ("kube_deployment_spec_replicas", "kube_deployment_status_replicas_ready"):
            self.state(metric, self.slow(), replicas, namespace=namespace, deployment=name)
        if labels:
            told = {f"label_{key}": value for key, value in labels.items()}
            where = {"namespace": namespace, "deployment": name}
            self.state("kube_deployment_labels", self.slow(), 1, **where, **told)

    def pod(
        self,
        workload: str,
        node: str,
        gpus: float = 1,
        *,
        name: str = "",
        namespace: str = "inference",
        resource: str = "nvidia_com_gpu",
        share: float = 1.0,
        hours: tuple[float, float] | None = None,
        replica_set: str = "7c9f",
        told: Floats | None = None,
    ) -> Pod:
        """A pod of a Deployment by way of its ReplicaSet, told of only while it lives."""
        name = name or f"{workload}-{replica_set}-x{len(self.truths[workload].held)}"
        times_s = self.span.times(self.every_s, hours) if told is None else told
        self.request(name, node, gpus, namespace=namespace, resource=resource, times_s=times_s)
        parent = f"{workload}-{replica_set}"
        self.state(
            "kube_pod_owner", self.slow(hours), 1, namespace=namespace, pod=name,
            owner_kind="ReplicaSet", owner_name=parent, owner_is_controller="true",
        )  # fmt: skip
        self.state(
            "kube_replicaset_owner", self.slow(hours), 1, namespace=namespace, replicaset=parent,
            owner_kind="Deployment", owner_name=workload, owner_is_controller="true",
        )  # fmt: skip
        self.truths[workload].held.append(Held(times_s, gpus * share))
        return Pod(namespace, name, node, workload, hours)

    def request(
        self,
        pod: str,
        node: str,
        gpus: float,
        *,
        namespace: str = "inference",
        resource: str = "nvidia_com_gpu",
        times_s: Floats | None = None,
    ) -> None:
        """``node`` is empty while nobody has scheduled the pod."""
        times_s = self.span.times(self.every_s) if times_s is None else times_s
        self.state(
            "kube_pod_container_resource_requests", times_s, gpus, namespace=namespace, pod=pod,
            uid=f"uid-{pod}", container="main", node=node, resource=resource, unit="integer",
        )  # fmt: skip

    def load(self, times_s: Floats, mean: float) -> Floats:
        """Use (0-1) with a day's rhythm, five-minute moods and noise, in whole percents."""
        day = 1 + 0.5 * np.sin(2 * np.pi * times_s / 86400)
        mood = np.random.default_rng(int(self.rng.integers(1 << 30))).normal(1, 0.2, 1 << 12)
        slow = mood[(times_s // 300).astype(np.int64) % mood.size]
        noise = self.rng.normal(0, 0.1 * mean, times_s.size)
        return np.clip(np.round((mean * day * slow + noise) * 100), 0, 100) / 100

    def gpu(
        self,
        uuid: str,
        pods: Iterable[Pod],
        mean: float | Floats,
        *,
        node: str = "",
        model: str = A100,
        style: Style = plain,
        metric: str = "DCGM_FI_DEV_GPU_UTIL",
        scale: float = 100,
        share: float = 1.0,
        every_s: float = 60,
        times_s: Floats | None = None,
        index: str = "0",
        **labels: str,
    ) -> None:
        """One GPU, or MIG instance, through the hands of ``pods``; of nobody without any."""
        times_s = self.span.times(every_s) if times_s is None else times_s
        use = self.load(times_s, mean) if isinstance(mean, float | int) else mean
        held = list(pods) or [None]
        shown = {"amd_gpu_gfx_activity": "card_model", "gpu_gfx_activity": "card_model"}
        own = {"UUID": uuid, shown.get(metric, "modelName"): model, **labels}
        for pod in held:
            mine = np.ones(times_s.size, dtype=bool)
            if pod is not None and pod.hours is not None:
                first, last = (self.span.at(hour) for hour in pod.hours)
                mine = (times_s > first) & (times_s <= last)
            where = (pod.name, pod.namespace, pod.node) if pod else ("", "", node)
            self.add(metric, times_s[mine], use[mine] * scale, **{**style(*where, index), **own})
            if pod is not None:
                truth = self.truths[pod.workload]
                truth.worked_every_s = every_s
                truth.worked.append(Worked(times_s[mine], use[mine], share))


def hash_of(text: str) -> int:
    """A number that is the same in every run, unlike ``hash``."""
    return int.from_bytes(text.encode()[:7].ljust(7, b"\0"), "big")
