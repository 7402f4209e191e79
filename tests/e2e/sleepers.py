"""One workload of every kind that can sleep, on a Kubernetes API, and what is seen of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fakes.kubeapi.caller import DEFINITIONS, Caller

DEVELOPMENT = {"environment": "development"}
PRODUCTION = {"environment": "production"}


@dataclass(frozen=True, eq=False)
class Sort:
    """A kind, where it is served, and the part of it that a stop changes."""

    kind: str
    api_version: str
    plural: str
    spec: dict[str, Any]
    stopped: dict[str, Any]
    """Dotted path and value, once it sleeps; slashes belong to a name."""

    @property
    def path(self) -> str:
        return f"/apis/{self.api_version}/namespaces/{{ns}}/{self.plural}"


def template(gpus: int = 1) -> dict[str, Any]:
    limits = {"nvidia.com/gpu": str(gpus)}
    container = {"name": "vllm", "image": "i", "resources": {"limits": limits}}
    return {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [container]}}


_SELECTOR = {"matchLabels": {"app": "x"}}
_RAY = {
    "headGroupSpec": {"rayStartParams": {}, "template": {"spec": {"containers": [{"name": "h"}]}}},
    "workerGroupSpecs": [{"groupName": "g", "replicas": 2, "template": template()}],
}

DEPLOYMENT = Sort(
    "Deployment",
    "apps/v1",
    "deployments",
    {"replicas": 4, "selector": _SELECTOR, "template": template()},
    {"spec.replicas": 0},
)
SORTS = (
    DEPLOYMENT,
    Sort(
        "StatefulSet",
        "apps/v1",
        "statefulsets",
        {"replicas": 3, "serviceName": "s", "selector": _SELECTOR, "template": template()},
        {"spec.replicas": 0},
    ),
    Sort(
        "Rollout",
        "argoproj.io/v1alpha1",
        "rollouts",
        {"replicas": 5, "selector": _SELECTOR, "template": template()},
        {"spec.replicas": 0},
    ),
    Sort(
        "LeaderWorkerSet",
        "leaderworkerset.x-k8s.io/v1",
        "leaderworkersets",
        {"replicas": 2, "leaderWorkerTemplate": {"size": 4, "workerTemplate": template()}},
        {"spec.replicas": 0},
    ),
    Sort(
        "InferenceService",
        "serving.kserve.io/v1beta1",
        "inferenceservices",
        {"predictor": {"model": template(2)["spec"]["containers"][0]}},
        {"metadata.annotations.serving.kserve.io/stop": "true"},
    ),
    Sort("RayCluster", "ray.io/v1", "rayclusters", _RAY, {"spec.suspend": True}),
    Sort(
        "RayService",
        "ray.io/v1",
        "rayservices",
        {"suspend": False, "rayClusterConfig": _RAY},
        {"spec.suspend": True},
    ),
)
SCALED_OBJECT = Sort(
    "ScaledObject",
    "keda.sh/v1alpha1",
    "scaledobjects",
    {"scaleTargetRef": {"name": "scaled"}, "minReplicaCount": 1},
    {"metadata.annotations.autoscaling.keda.sh/paused-replicas": "0"},
)
MODEL_SERVER = Sort(
    "ModelServer",
    "example.com/v1",
    "modelservers",
    {"size": 6, "template": template()},
    {"spec.size": 0},
)


def define(api: Caller, *sorts: Sort) -> None:
    """Serves the custom kinds among ``sorts``."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    custom = [sort for sort in sorts if not sort.api_version.startswith("apps/")]
    for sort in custom:
        group, _, version = sort.api_version.partition("/")
        definition = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{sort.plural}.{group}"},
            "spec": {
                "group": group,
                "scope": "Namespaced",
                "names": {"plural": sort.plural, "kind": sort.kind},
                "versions": [
                    {
                        "name": version,
                        "served": True,
                        "storage": True,
                        "subresources": {"status": {}},
                        "schema": {
                            "openAPIV3Schema": {**anything, "properties": {"spec": anything}}
                        },
                    }
                ],
            },
        }
        answer = api.call("POST", DEFINITIONS, definition)
        assert answer.status in (201, 409), answer
        if answer.status == 201:
            api.made.append(f"{DEFINITIONS}/{definition['metadata']['name']}")
    end = time.monotonic() + 20
    for sort in custom:
        while api.call("GET", sort.path).status != 200:
            assert time.monotonic() < end, f"{sort.path} is not served"
            time.sleep(0.05)


def make(
    api: Caller, sort: Sort, name: str, labels: dict[str, str] | None = None, **more: Any
) -> dict[str, Any]:
    """Creates one; ``spec`` is merged into the sort's, ``annotations`` are the object's."""
    manifest = {
        "apiVersion": sort.api_version,
        "kind": sort.kind,
        "metadata": {
            "name": name,
            "labels": DEVELOPMENT if labels is None else labels,
            "annotations": more.get("annotations", {}),
            **({"ownerReferences": more["owners"]} if "owners" in more else {}),
        },
        "spec": {**sort.spec, **more.get("spec", {})},
    }
    answer = api.call("POST", sort.path, manifest)
    assert answer.status == 201, answer
    made: dict[str, Any] = answer.body
    api.made.append(f"{sort.path}/{name}")
    return made


def read(api: Caller, sort: Sort, name: str) -> dict[str, Any]:
    answer = api.call("GET", f"{sort.path}/{name}")
    assert answer.status == 200, answer
    found: dict[str, Any] = answer.body
    return found


def ours(item: dict[str, Any]) -> dict[str, str]:
    """The annotations of ours that an object has."""
    annotations = item["metadata"].get("annotations") or {}
    return {name: text for name, text in annotations.items() if name.startswith("gpu-thrift.io/")}


def theirs(item: dict[str, Any]) -> Any:
    """All that people wrote: what has to be the same after a night."""
    annotations = item["metadata"].get("annotations") or {}
    others = {name: text for name, text in annotations.items() if name not in ours(item)}
    return item["spec"], item["metadata"].get("labels"), others


def is_stopped(item: dict[str, Any], sort: Sort) -> bool:
    for path, value in sort.stopped.items():
        head, _, tail = path.partition("annotations.")
        steps = [*head.strip(".").split("."), *(["annotations", tail] if tail else [])]
        here: Any = item
        for step in steps:
            here = (here or {}).get(step)
        if here != value:
            return False
    return True


def config(api: Caller, directory: Path, **sleep: Any) -> Path:
    """A configuration that looks at the test's own namespace alone, for the schedule to act."""
    keys = {
        "enabled": True,
        "dry_run": False,
        "namespaces": [api.namespace],
        "grace": "0s",
        "when_metrics_missing": "sleep",
        **sleep,
    }
    kinds = keys.pop("kinds", "")
    lines = ["[sleep]", *(f"{key} = {_toml(value)}" for key, value in keys.items()), kinds]
    lines += ["[ledger]", f'file = "{directory / "ledger.db"}"', "[[clusters]]"]
    lines += ["[clusters.prometheus]", 'url = "http://127.0.0.1:9"', "retries = 0"]
    lines += ["[clusters.kubernetes]", f'kubeconfig = "{api.kubeconfig}"']
    path = directory / "config.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
