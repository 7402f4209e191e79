"""Reads every cluster and joins what it said into one snapshot.

A cluster that cannot be read is named with the reason, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from analyzer.collect.devices import read_devices
from analyzer.collect.facts import KubeFacts
from analyzer.collect.join import ClusterFacts, Join, JoinSettings
from analyzer.collect.kubeobjects import LabelKeys
from analyzer.collect.kubestate import StateReader
from analyzer.collect.places import address
from analyzer.collect.readings import Readings
from analyzer.collect.serving import ServingReader
from analyzer.collect.store import MetricStore
from analyzer.errors import ConfigError, GpuThriftError, SourceError
from analyzer.model import NO_API, Notice, Snapshot, Window


class KubeSource(Protocol):
    """Where the cluster's objects are read; raises ``SourceError`` or ``ConfigError``."""

    def facts(self, cluster_name: str) -> KubeFacts: ...


@dataclass(frozen=True, slots=True)
class ClusterSource:
    """One cluster to read. ``kube`` is None where only metrics are to be used; ``required`` says
    that a person named this kubeconfig or context: one that cannot be used is then an error,
    while an API server that does not answer is only done without."""

    name: str
    open_store: Callable[[], MetricStore]
    kube: KubeSource | None = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """What reading needs of the configuration."""

    keys: LabelKeys
    join: JoinSettings


def take_snapshot(
    sources: Sequence[ClusterSource], settings: ReadSettings, window: Window, now: datetime
) -> Snapshot:
    """The facts of all clusters in this window. Raises the only cluster's error when there is
    just one; with several, each failure is kept by name."""
    parts: list[ClusterFacts] = []
    failed: dict[str, str] = {}
    heard: dict[str, float] = {}
    for source in sources:
        try:
            part = read_cluster(source, settings, window)
            parts.append(part)
            heard[source.name] = part.heard_hours
        except SourceError as error:
            if len(sources) == 1:
                raise
            failed[source.name] = str(error)
    return Snapshot(
        taken_at=now,
        window=window,
        clusters=tuple(source.name for source in sources),
        workloads=tuple(one for part in parts for one in part.workloads),
        use=tuple(one for part in parts for one in part.use),
        pools=tuple(one for part in parts for one in part.pools),
        serving=tuple(one for part in parts for one in part.serving),
        notices=tuple(one for part in parts for one in part.notices),
        failed=failed,
        nodes=tuple(one for part in parts for one in part.nodes),
        placed=tuple(one for part in parts for one in part.placed),
        heard_hours=heard,
    )


def read_cluster(source: ClusterSource, settings: ReadSettings, window: Window) -> ClusterFacts:
    """One cluster's facts."""
    kube, notices = _kube(source)
    store = source.open_store()
    try:
        names = store.names(window)
        devices, said = read_devices(store, names, window, source.name)
        serving = ServingReader(store, names, window)
        serving_pods, targets = serving.targets()
        device_pods = {pod for device in devices for pod in device.pods}
        hosts = {address(h) for device in devices if not device.pods for h in device.hosts}
        state = StateReader(store, names, window, settings.keys).read(
            device_pods | serving_pods, hosts | {address(target) for target in targets}
        )

        def pod_at(target: str) -> tuple[str, str] | None:
            found = state.addresses.get(address(target))
            return found[:2] if found else None

        unplaced = sorted(target for target in targets if pod_at(target) is None)
        readings = Readings(
            source.name, window, devices, serving.read(pod_at), unplaced, state, kube
        )
        notices += [*said, *store.warnings()]
    finally:
        store.close()
    if not devices:
        notices.append(Notice(source.name, "no-gpu-metrics", _NO_GPU_METRICS))
    facts = Join(readings, settings.join).facts()
    return replace(facts, notices=(*notices, *facts.notices))


_NO_GPU_METRICS = (
    "no GPU metrics in the window (dcgm-exporter, AMD device-metrics-exporter, "
    "nvidia_gpu_exporter or nvidia_gpu_utilization): use is unknown; `gpu-thrift doctor` tells more"
)


def _kube(source: ClusterSource) -> tuple[KubeFacts | None, list[Notice]]:
    """The Kubernetes API's facts, or why kube-state-metrics has to do without them."""
    if source.kube is None:
        return None, []
    try:
        return source.kube.facts(source.name), []
    except (SourceError, ConfigError) as error:
        if source.required and isinstance(error, ConfigError):
            raise
        return None, [Notice(source.name, NO_API, _without_api(error))]


def _without_api(error: GpuThriftError) -> str:
    return f"Kubernetes API not read, kube-state-metrics is used alone: {error}"
