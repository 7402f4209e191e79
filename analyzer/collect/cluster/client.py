"""Cluster facts from the Kubernetes API: what runs, who owns it, what the nodes are.

The client library takes 0.3 s of CPU to import, so it is loaded with the first question and not
with this module.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from analyzer.collect.cluster.resources import READ
from analyzer.collect.facts import KubeFacts
from analyzer.errors import BadAnswer

if TYPE_CHECKING:
    from analyzer.collect.cluster.api import KubeApi


class Permission(NamedTuple):
    """Whether the credentials may do ``verb`` on ``resource`` (``apps/deployments``)."""

    verb: str
    resource: str
    allowed: bool


class KubeClient:
    """One cluster's API. Every method raises ``SourceError`` when it cannot be read, and
    ``ConfigError`` when the kubeconfig or its context cannot be used."""

    def __init__(self, kubeconfig: str | None, context: str, timeout_s: float) -> None:
        self._kubeconfig = kubeconfig or ""
        self._context = context
        self._timeout_s = timeout_s

    @cached_property
    def _api(self) -> KubeApi:
        from analyzer.collect.cluster.api import KubeApi  # noqa: PLC0415 - heavy, see above

        return KubeApi(self._kubeconfig, self._context, self._timeout_s)

    def version(self) -> str:
        """The server's version (``v1.36.2``): one small request, the cheapest sign of life."""
        version = self._api.get("/version").get("gitVersion")
        if not isinstance(version, str):
            raise BadAnswer(
                f"{self._api.name} does not say its version; is it a Kubernetes API server?"
            )
        return version

    def permissions(self) -> list[Permission]:
        """What ``facts`` reads, each with whether these credentials may."""
        return [
            Permission(
                "list",
                f"{resource.group}/{resource.plural}" if resource.group else resource.plural,
                self._api.allowed("list", resource.group, resource.plural),
            )
            for resource in READ
        ]

    def facts(self, cluster_name: str) -> KubeFacts:
        """Pods that ask for GPUs, what owns them, nodes and namespaces, as they are now.

        ``warnings`` carry ``cluster_name`` and name each part that is forbidden and missing.
        """
        from analyzer.collect.cluster.reader import read_facts  # noqa: PLC0415 - heavy, see above

        return read_facts(self._api, cluster_name)


def connect(kubeconfig: str | None, context: str, timeout_s: float) -> KubeClient:
    """A client of the cluster that ``context`` of ``kubeconfig`` names; reads nothing yet.

    Without ``kubeconfig`` it is ``~/.kube/config``, or inside a pod its service account. Without
    ``context`` it is the file's current one. ``timeout_s`` bounds the wait for each answer.
    """
    return KubeClient(kubeconfig, context, timeout_s)
