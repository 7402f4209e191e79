"""Nodes with GPUs as they are now, the pods that hold room on them, and what their servers were
told: the part of the join that only the Kubernetes API's word goes into."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from analyzer.collect.cluster.quantities import is_gpu
from analyzer.collect.facts import KubeFacts, NodeFact, WorkloadFact
from analyzer.collect.holdings import Holding, PodName, Shares
from analyzer.model import Node, NodeClass, Placed, WorkloadKey


def gpu_nodes(
    cluster: str, kube: KubeFacts, shares: Shares, class_of: Callable[[str], NodeClass]
) -> list[Node]:
    """The nodes that offer GPUs, by name; a MIG instance or a time slice counts as its share."""
    return [
        Node(
            cluster=cluster,
            name=name,
            node_class=class_of(name),
            allocatable=fact.allocatable,
            gpus=gpus,
            labels=fact.labels,
            taints=fact.taints,
            schedulable=fact.schedulable,
        )
        for name, fact in sorted(kube.nodes.items())
        if (gpus := _gpus(fact, shares)) > 0
    ]


def _gpus(node: NodeFact, shares: Shares) -> float:
    return sum(
        count * shares.of(node.name, resource).of_device
        for resource, count in node.allocatable.items()
        if is_gpu(resource)
    )


def placed(kube: KubeFacts, owner_of: Callable[[PodName], WorkloadKey]) -> list[Placed]:
    """The pods on those nodes, by node and name."""
    return [
        Placed(
            workload=owner_of((pod.namespace, pod.name)),
            pod=pod.name,
            node=pod.node,
            requests=pod.requests,
            daemon=pod.daemon,
            terms=pod.terms,
            tolerations=pod.tolerations,
            pinned=pod.pinned,
        )
        for pod in sorted(kube.residents, key=lambda pod: (pod.node, pod.namespace, pod.name))
    ]


def server(
    fact: WorkloadFact | None, pods: Iterable[Holding], told: Mapping[PodName, Mapping[str, str]]
) -> Mapping[str, str]:
    """What a workload's inference server was told: by its template, else by one of its pods."""
    if fact and fact.server:
        return fact.server
    return next((found for pod in pods if (found := told.get(pod.name))), {})
