"""A bare HTTP caller of a Kubernetes API, the stand-in's or a real one's, with its own namespace.

Tests that use it run against both: ``TEST_KUBECONFIG`` names the kubeconfig of a real API server
whose controllers are not running.
"""

from __future__ import annotations

import base64
import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.fakes.kube import KubeStandIn

SERVERS = ("stand-in", *(("real",) if os.environ.get("TEST_KUBECONFIG") else ()))

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"

KINDS = {
    "Namespace": "/api/v1/namespaces",
    "Node": "/api/v1/nodes",
    "Pod": "/api/v1/namespaces/{ns}/pods",
    "ConfigMap": "/api/v1/namespaces/{ns}/configmaps",
    "Deployment": "/apis/apps/v1/namespaces/{ns}/deployments",
    "StatefulSet": "/apis/apps/v1/namespaces/{ns}/statefulsets",
    "ReplicaSet": "/apis/apps/v1/namespaces/{ns}/replicasets",
    "Job": "/apis/batch/v1/namespaces/{ns}/jobs",
    "CronJob": "/apis/batch/v1/namespaces/{ns}/cronjobs",
}
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@dataclass
class Answer:
    status: int
    body: Any


@dataclass
class Caller:
    url: str
    kubeconfig: Path
    namespace: str
    session: requests.Session = field(repr=False)
    standin: KubeStandIn | None = None
    made: list[str] = field(default_factory=list)
    """Paths of cluster-wide objects to delete afterwards."""

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        """``query``, ``headers`` and ``content_type`` may be given; ``{ns}`` is our namespace."""
        headers = dict(more.get("headers") or {})
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = more.get("content_type", "application/json")
        answer = self.session.request(
            method,
            self.url + path.replace("{ns}", self.namespace),
            params=more.get("query"),
            data=data,
            headers=headers,
            timeout=20,
        )
        try:
            return Answer(answer.status_code, answer.json())
        except ValueError:
            return Answer(answer.status_code, answer.text)

    def make(self, kind: str, manifest: dict[str, Any], path: str = "") -> dict[str, Any]:
        """Creates an object, then its status if it has one, and returns it."""
        path = path or KINDS[kind]
        answer = self.call("POST", path, manifest)
        assert answer.status == 201, answer
        made: dict[str, Any] = answer.body
        if "{ns}" not in path:
            self.made.append(f"{path}/{made['metadata']['name']}")
        if "status" in manifest and path != KINDS["Node"]:
            body = {"status": manifest["status"]}
            where = f"{path}/{made['metadata']['name']}/status"
            answer = self.call("PATCH", where, body, content_type=MERGE)
            assert answer.status == 200, answer
            made = answer.body
        return made

    def patch(self, path: str, body: Any, content_type: str = MERGE, **more: Any) -> Answer:
        return self.call("PATCH", path, body, content_type=content_type, **more)

    def define(self, group: str, kind: str, scale: bool) -> str:
        """Defines a custom kind and waits until it is served; returns its path with ``{ns}``."""
        plural = f"{kind.lower()}s"
        anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        scaled = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
        version = {
            "name": "v1",
            "served": True,
            "storage": True,
            "subresources": {"status": {}, **({"scale": scaled} if scale else {})},
            "schema": {"openAPIV3Schema": {**anything, "properties": {"spec": anything}}},
        }
        self.make(
            "",
            {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": f"{plural}.{group}"},
                "spec": {
                    "group": group,
                    "scope": "Namespaced",
                    "names": {"plural": plural, "kind": kind},
                    "versions": [version],
                },
            },
            DEFINITIONS,
        )
        path = f"/apis/{group}/v1/namespaces/{{ns}}/{plural}"
        end = time.monotonic() + 20
        while self.call("GET", path).status != 200:
            assert time.monotonic() < end, f"{path} is not served"
            time.sleep(0.05)
        return path


@contextmanager
def caller(server: str, directory: Path) -> Iterator[Caller]:
    """A caller with a namespace of its own, emptied afterwards."""
    if server == "stand-in":
        with KubeStandIn(tokens={"admin-token": "admin"}) as standin:
            path = standin.kubeconfig(directory / "kubeconfig")
            with _namespace(standin.url, path, "admin-token", True) as made:
                made.standin = standin
                yield made
        return
    path = Path(os.environ["TEST_KUBECONFIG"])
    document = yaml.safe_load(path.read_text())
    cluster = document["clusters"][0]["cluster"]
    authority = directory / "ca.crt"
    authority.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    with _namespace(
        cluster["server"], path, document["users"][0]["user"]["token"], str(authority)
    ) as made:
        yield made


@contextmanager
def _namespace(url: str, kubeconfig: Path, token: str, verify: bool | str) -> Iterator[Caller]:
    with requests.Session() as session:
        session.trust_env = False
        session.verify = verify
        session.headers["Authorization"] = f"Bearer {token}"
        name = f"thrift-{uuid.uuid4().hex[:8]}"
        made = Caller(url, kubeconfig, name, session)
        made.make("Namespace", {"metadata": {"name": name}})
        try:
            yield made
        finally:
            if verify is not True:
                for path in KINDS.values():
                    if "{ns}" in path:
                        made.call("DELETE", path, query={"gracePeriodSeconds": "0"})
                for path in reversed(made.made):
                    made.call("DELETE", path)
                # Without a namespace controller nobody else lets the empty namespace go.
                made.call(
                    "PUT", f"/api/v1/namespaces/{name}/finalize", {"metadata": {"name": name}}
                )
