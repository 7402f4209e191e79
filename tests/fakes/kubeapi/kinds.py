"""The kinds that the stand-in serves, and discovery of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


@dataclass(frozen=True)
class Kind:
    """A resource as the API serves it. ``custom`` kinds come from a CustomResourceDefinition."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    scale: bool = False
    status: bool = True
    custom: bool = False

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full_name(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural


BUILT_IN = (
    Kind("", "v1", "namespaces", "Namespace", namespaced=False),
    Kind("", "v1", "nodes", "Node", namespaced=False),
    Kind("", "v1", "pods", "Pod"),
    Kind("", "v1", "configmaps", "ConfigMap", status=False),
    Kind("", "v1", "services", "Service"),
    Kind("", "v1", "events", "Event", status=False),
    Kind("apps", "v1", "deployments", "Deployment", scale=True),
    Kind("apps", "v1", "statefulsets", "StatefulSet", scale=True),
    Kind("apps", "v1", "replicasets", "ReplicaSet", scale=True),
    Kind("apps", "v1", "daemonsets", "DaemonSet"),
    Kind("batch", "v1", "jobs", "Job"),
    Kind("batch", "v1", "cronjobs", "CronJob"),
    Kind("coordination.k8s.io", "v1", "leases", "Lease", status=False),
    Kind(
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        namespaced=False,
    ),
)


def from_definition(definition: dict[str, Any]) -> list[Kind]:
    """The kinds that a CustomResourceDefinition declares, one a served version."""
    spec = definition["spec"]
    return [
        Kind(
            spec["group"],
            version["name"],
            spec["names"]["plural"],
            spec["names"]["kind"],
            namespaced=spec["scope"] == "Namespaced",
            scale="scale" in version.get("subresources", {}),
            status="status" in version.get("subresources", {}),
            custom=True,
        )
        for version in spec["versions"]
        if version.get("served")
    ]


def resource_list(group_version: str, kinds: Iterable[Kind]) -> dict[str, Any]:
    """APIResourceList of one group and version."""
    resources: list[dict[str, Any]] = []
    for kind in sorted(kinds, key=lambda one: one.plural):
        entry = {
            "name": kind.plural,
            "singularName": kind.kind.lower(),
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": VERBS,
        }
        resources.append(entry)
        common = {"singularName": "", "namespaced": kind.namespaced}
        verbs = ["get", "patch", "update"]
        if kind.scale:
            scale = {"group": "autoscaling", "version": "v1", "kind": "Scale", "verbs": verbs}
            resources.append({"name": f"{kind.plural}/scale", **common, **scale})
        if kind.status:
            resources.append(
                {"name": f"{kind.plural}/status", **common, "kind": kind.kind, "verbs": verbs}
            )
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": resources,
    }


def group(name: str, versions: Iterable[str]) -> dict[str, Any]:
    """APIGroup; the first version is the preferred one."""
    found = [{"groupVersion": f"{name}/{one}", "version": one} for one in versions]
    return {"name": name, "versions": found, "preferredVersion": found[0]}
