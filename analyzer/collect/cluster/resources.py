"""The kinds that are read from the Kubernetes API, and what is lost without each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind as the API serves it. ``metadata_only`` leaves out spec and status."""

    api_version: str
    plural: str
    kind: str
    metadata_only: bool = False

    @classmethod
    def discovered(
        cls, api_version: str, kind: str, served: Iterable[Mapping[str, Any]]
    ) -> Resource | None:
        """The kind among the resources of a discovery answer, None if it is not there.

        Kinds that can be scaled are read whole, for their replicas.
        """
        names = {str(entry.get("name")): entry.get("kind") for entry in served}
        for name, found in names.items():
            if found == kind and "/" not in name:
                return cls(api_version, name, kind, metadata_only=f"{name}/scale" not in names)
        return None

    @property
    def group(self) -> str:
        """The API group, empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def path(self) -> str:
        """Path of the list over all namespaces."""
        return self.in_namespace("")

    def in_namespace(self, namespace: str) -> str:
        """Path of the list of one namespace, or over all when it is empty."""
        root = f"/{'apis' if self.group else 'api'}/{self.api_version}"
        return (
            f"{root}/namespaces/{namespace}/{self.plural}" if namespace else f"{root}/{self.plural}"
        )

    @property
    def name(self) -> str:
        """As kubectl writes it: ``deployments.apps``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


PODS = Resource("v1", "pods", "Pod")
NODES = Resource("v1", "nodes", "Node")
NAMESPACES = Resource("v1", "namespaces", "Namespace", metadata_only=True)
REPLICASETS = Resource("apps/v1", "replicasets", "ReplicaSet", metadata_only=True)
JOBS = Resource("batch/v1", "jobs", "Job", metadata_only=True)
DEPLOYMENTS = Resource("apps/v1", "deployments", "Deployment")
STATEFULSETS = Resource("apps/v1", "statefulsets", "StatefulSet")

READ = (PODS, NODES, NAMESPACES, REPLICASETS, JOBS, DEPLOYMENTS, STATEFULSETS)
"""What is always read."""

LOSSES = {
    "nodes": "GPU models, instance types and spot prices come from metrics alone",
    "namespaces": "no environment can be told from a namespace's labels",
    "replicasets.apps": "pods cannot be followed from their ReplicaSet to its Deployment",
    "jobs.batch": "pods cannot be followed from their Job to its CronJob",
    "deployments.apps": "labels and replicas of Deployments are unknown, those at zero unseen",
    "statefulsets.apps": "labels and replicas of StatefulSets are unknown, those at zero unseen",
}
