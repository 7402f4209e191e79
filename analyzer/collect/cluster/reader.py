"""Reads from one Kubernetes API server all that the join needs: ``KubeFacts``.

Owner chains are followed whatever they lead to (Argo Rollouts, LeaderWorkerSets, KServe and Ray
objects, kinds nobody has heard of): unknown kinds are discovered and read as metadata, so that a
workload is called by the object its people know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from analyzer.collect.cluster.api import Forbidden, KubeApi, NotFound
from analyzer.collect.cluster.objects import (
    node_fact,
    owner_of,
    pod_fact,
    template_asks_for_gpus,
    workload_fact,
)
from analyzer.collect.cluster.placement import resident_fact
from analyzer.collect.cluster.quantities import is_gpu
from analyzer.collect.cluster.resources import (
    DEPLOYMENTS,
    JOBS,
    LOSSES,
    NAMESPACES,
    NODES,
    PODS,
    REPLICASETS,
    STATEFULSETS,
    Resource,
)
from analyzer.collect.facts import (
    KubeFacts,
    NodeFact,
    ObjectRef,
    PodFact,
    ResidentFact,
    WorkloadFact,
)
from analyzer.errors import Denied
from analyzer.model import Notice

MAX_CHAIN = 20
"""Owners above owners that are followed. Real chains have at most six; the bound is for a server
that makes them up."""

T = TypeVar("T")


def read_facts(api: KubeApi, cluster: str) -> KubeFacts:
    """Everything that the API server tells of GPUs. Raises ``SourceError`` when pods cannot be
    read; any other part that is forbidden is missing, with a ``Notice`` of code ``forbidden``."""
    return _Reader(api, cluster).read()


@dataclass(frozen=True, slots=True)
class _Found:
    """An object of a list; ``fact`` is None when it is only a link from child to owner."""

    ref: ObjectRef
    owner: ObjectRef | None
    fact: WorkloadFact | None


@dataclass(frozen=True, slots=True)
class _FoundPod:
    """A pod that asks for GPUs (``pod``), holds room on a node with some (``resident``) or both."""

    ref: ObjectRef
    owner: ObjectRef | None
    pod: PodFact | None
    resident: ResidentFact | None


@dataclass
class _Reader:
    api: KubeApi
    cluster: str
    owners: dict[ObjectRef, ObjectRef] = field(default_factory=dict)
    workloads: dict[ObjectRef, WorkloadFact] = field(default_factory=dict)
    notices: dict[str, Notice] = field(default_factory=dict)
    searched: set[ObjectRef] = field(default_factory=set)
    """Owners that were looked for, whether they were there or not."""

    def read(self) -> KubeFacts:
        # Nodes first, so that of the pods of others than GPU nodes nothing has to be kept.
        nodes: list[NodeFact] = self._listed(NODES, node_fact)
        pods, residents = self._pods({n.name for n in nodes if any(map(is_gpu, n.allocatable))})
        namespaces = self._listed(
            NAMESPACES,
            lambda item: (item["metadata"]["name"], item["metadata"].get("labels") or {}),
        )
        starts = [pod.owner for pod in pods if pod.owner]
        # Every link is kept, not only those of pods that are there: pods that are gone are known
        # to the metric store by name alone.
        for resource in (REPLICASETS, JOBS):
            self._read(resource, self._missing(starts), links=True)
        for resource in (DEPLOYMENTS, STATEFULSETS):
            self._read(resource, self._missing(starts))
        self._follow(starts)
        return KubeFacts(
            pods=tuple(pods),
            residents=tuple(residents),
            owners=self.owners,
            workloads=self.workloads,
            nodes={node.name: node for node in nodes},
            namespace_labels=dict(namespaces),
            warnings=tuple(self.notices.values()),
        )

    def _pods(self, gpu_nodes: set[str]) -> tuple[list[PodFact], list[ResidentFact]]:
        """Pods that ask for GPUs, and all that are on these nodes."""

        def keep(item: dict[str, Any]) -> _FoundPod | None:
            pod = pod_fact(item)
            resident = resident_fact(item) if item["spec"].get("nodeName") in gpu_nodes else None
            if not pod and not resident:
                return None
            metadata = item["metadata"]
            ref = ObjectRef(metadata["namespace"], "Pod", metadata["name"], "v1")
            return _FoundPod(ref, owner_of(metadata), pod, resident)

        try:
            found = self.api.read_list(PODS.path, keep)
        except Forbidden as exc:
            raise Denied(
                f"{self.api.name} does not let these credentials list pods in all namespaces; "
                'bind a ClusterRole with apiGroups [""], resources [pods], verbs [list]'
            ) from exc
        for one in found:
            if one.owner:
                self.owners[one.ref] = one.owner
        return [one.pod for one in found if one.pod], [
            one.resident for one in found if one.resident
        ]

    def _listed(self, resource: Resource, keep: Callable[[dict[str, Any]], T | None]) -> list[T]:
        """The list, empty when there is no such kind or when it is forbidden."""
        try:
            return self.api.read_list(resource.path, keep, metadata_only=resource.metadata_only)
        except NotFound:
            return []
        except Forbidden:
            self._forbidden(resource.name)
            return []

    def _forbidden(self, subject: str) -> None:
        self.notices[subject] = Notice(
            self.cluster,
            "forbidden",
            f"may not list {subject}: {LOSSES.get(subject, 'owners of this kind are not read')}; "
            "allow the verb list on it in the ClusterRole",
            subject,
        )

    def _missing(self, starts: Iterable[ObjectRef]) -> set[ObjectRef]:
        """Owners on the way up from ``starts`` and from what was kept that nobody looked for."""
        reached: set[ObjectRef] = set()
        pending = [*starts, *self.workloads]
        while pending:
            ref = pending.pop()
            if ref not in reached:
                reached.add(ref)
                if ref in self.owners:
                    pending.append(self.owners[ref])
        return reached - self.searched - self.workloads.keys()

    def _read(self, resource: Resource, missing: set[ObjectRef], links: bool = False) -> None:
        wanted: dict[str, set[ObjectRef]] = {}
        for ref in missing:
            if ref.kind == resource.kind:
                wanted.setdefault(ref.name, set()).add(ref)

        def keep(item: dict[str, Any]) -> _Found | None:
            metadata = item["metadata"]
            namespace, name = metadata.get("namespace", ""), metadata["name"]
            ref = ObjectRef(namespace, resource.kind, name, resource.api_version)
            owner = owner_of(metadata)
            # An owner without a namespace is known to its children by the name alone.
            needed = ref in wanted.get(name, ()) or (not namespace and name in wanted)
            if not resource.metadata_only:
                needed = needed or template_asks_for_gpus(item)
            if not needed and not (links and owner):
                return None
            return _Found(ref, owner, workload_fact(ref, item) if needed else None)

        for found in self._listed(resource, keep):
            refs = {found.ref} if found.ref.namespace else wanted.get(found.ref.name, set())
            for ref in refs:
                if found.owner:
                    self.owners[ref] = found.owner
                if found.fact:
                    self.workloads[ref] = replace(found.fact, ref=ref)
        self.searched.update(*wanted.values())

    def _follow(self, starts: list[ObjectRef]) -> None:
        """Read kinds that the chains lead to until they lead nowhere new."""
        for _ in range(MAX_CHAIN):
            missing = self._missing(starts)
            if not missing:
                return
            for api_version, kind in sorted({(ref.api_version, ref.kind) for ref in missing}):
                resource = self._discover(api_version, kind)
                if resource and resource.name not in self.notices:
                    self._read(resource, missing)
            self.searched |= missing

    def _discover(self, api_version: str, kind: str) -> Resource | None:
        """How a kind is listed; None when the cluster does not serve it (any more)."""
        try:
            return self._served(api_version, kind) or self._preferred(api_version, kind)
        except NotFound:
            return None
        except Forbidden:
            group = api_version.partition("/")[0]
            self._forbidden(f"{kind} in {group}")
            return None

    def _served(self, api_version: str, kind: str) -> Resource | None:
        try:
            answer = self.api.get(f"/apis/{api_version}" if "/" in api_version else "/api/v1")
        except NotFound:
            return None
        return Resource.discovered(api_version, kind, answer.get("resources") or ())

    def _preferred(self, api_version: str, kind: str) -> Resource | None:
        """The kind in its group's present version: owner references outlive API versions."""
        group, _, version = api_version.rpartition("/")
        if not group:
            return None
        answer = self.api.get(f"/apis/{group}")
        preferred = str((answer.get("preferredVersion") or {}).get("version") or version)
        return self._served(f"{group}/{preferred}", kind) if preferred != version else None
