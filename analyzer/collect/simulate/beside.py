"""Pods beside those with GPUs: what every node runs, and a few that only found room there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from analyzer.collect.simulate.dcgm import exporter_of
from analyzer.collect.simulate.fleet import Fleet, Node
from analyzer.collect.simulate.load import generator
from analyzer.collect.simulate.manifests import amounts, controlled_by, pod_manifest

EXPORTER = "nvidia-dcgm-exporter"


@dataclass(frozen=True, slots=True)
class Daemon:
    """A DaemonSet that has a pod on each node."""

    namespace: str
    name: str
    cpus: float
    memory_gib: float


@dataclass(frozen=True, slots=True)
class Guest:
    """A workload without GPUs, with a pod on each of these ``nodes``; ``claim`` is its volume,
    which keeps it where it is."""

    namespace: str
    kind: str
    name: str
    cpus: float
    memory_gib: float
    nodes: tuple[str, ...]
    claim: str = ""


DAEMONS = (
    Daemon("kube-system", "aws-node", 0.1, 0.1),
    Daemon("kube-system", "kube-proxy", 0.1, 0.1),
    Daemon("gpu-operator", "nvidia-device-plugin-daemonset", 0.1, 0.1),
    Daemon("gpu-operator", EXPORTER, 0.1, 0.25),
    Daemon("monitoring", "node-exporter", 0.1, 0.2),
)
GUESTS = (
    Guest("llm-serving", "Deployment", "gateway", 1.0, 2.0, ("gpu-l4-1", "gpu-l4-4", "gpu-l40s-3")),
    Guest("llm-serving", "Deployment", "tokenizer", 2.0, 4.0, ("gpu-l4-5", "gpu-a100-1")),
    Guest("platform-ml", "StatefulSet", "features", 4.0, 32.0, ("onprem-mig-1",), "features"),
)


def beside(fleet: Fleet, nodes: Sequence[Node]) -> Iterator[dict[str, Any]]:
    """The manifests of all of them on these nodes."""
    for node in nodes:
        for daemon in DAEMONS:
            yield _daemon_pod(fleet, daemon, node)
        for guest in GUESTS:
            if node.name in guest.nodes:
                yield _guest_pod(fleet, guest, node)


def _daemon_pod(fleet: Fleet, daemon: Daemon, node: Node) -> dict[str, Any]:
    name = f"{daemon.name}-{_mark(fleet, daemon.name, node.name)}"
    if daemon.name == EXPORTER:
        name = exporter_of(fleet, node)
    owner = controlled_by("apps/v1", "DaemonSet", daemon.name)
    return _asking(pod_manifest(daemon.namespace, name, owner, node.name), daemon)


def _guest_pod(fleet: Fleet, guest: Guest, node: Node) -> dict[str, Any]:
    if guest.kind == "StatefulSet":
        owner = controlled_by("apps/v1", "StatefulSet", guest.name)
        name = f"{guest.name}-{guest.nodes.index(node.name)}"
    else:
        replica_set = f"{guest.name}-{_mark(fleet, guest.name)}"
        owner = controlled_by("apps/v1", "ReplicaSet", replica_set)
        name = f"{replica_set}-{_mark(fleet, guest.name, node.name)}"
    manifest = _asking(pod_manifest(guest.namespace, name, owner, node.name), guest)
    if guest.claim:
        volume = {"name": "data", "persistentVolumeClaim": {"claimName": guest.claim}}
        manifest["spec"]["volumes"] = [volume]
    return manifest


def _asking(manifest: dict[str, Any], one: Daemon | Guest) -> dict[str, Any]:
    asked = amounts(one.cpus, one.memory_gib)
    manifest["spec"]["containers"] = [{"name": one.name, "resources": {"requests": asked}}]
    return manifest


def _mark(fleet: Fleet, *of: str) -> str:
    """The five hexadecimal digits at the end of a name."""
    return generator(fleet.seed, "beside", *of).bytes(3).hex()[:5]
