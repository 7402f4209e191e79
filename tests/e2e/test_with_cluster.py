"""The program with both its sources: a real Prometheus and a Kubernetes API over HTTP.

Runs against the stand-in and, when TEST_KUBECONFIG names one, a real API server.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Engine
from tests.e2e.run import program
from tests.fakes.kube import Attempt
from tests.fakes.kubeapi.caller import SERVERS, Caller, caller
from tests.openmetrics import RawSeries

HOURS = 26
"""How long the pods have been scheduled; the window is 48 h."""
UTILISATION = 20.0


@pytest.fixture(params=SERVERS)
def api(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Caller]:
    with caller(request.param, tmp_path) as made:
        yield made


def stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def owner(api_version: str, kind: str, name: str) -> list[dict[str, Any]]:
    found = {"apiVersion": api_version, "kind": kind, "name": name, "uid": f"uid-{name}"}
    return [{**found, "controller": True}]


def template(labels: dict[str, str]) -> dict[str, Any]:
    container = {"name": "vllm", "image": "i", "resources": {"limits": {"nvidia.com/gpu": "1"}}}
    return {"metadata": {"labels": labels}, "spec": {"containers": [container]}}


def deploy(api: Caller, name: str, labels: dict[str, str], since_s: float) -> str:
    """A Deployment of one GPU with its ReplicaSet and its scheduled pod; returns the pod."""
    pods = {"app": name, **labels}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template(pods)}
    api.make("Deployment", {"metadata": {"name": name, "labels": labels}, "spec": spec})
    replica_set, pod = f"{name}-5d9c7f", f"{name}-5d9c7f-x2x4z"
    above = owner("apps/v1", "Deployment", name)
    api.make(
        "ReplicaSet", {"metadata": {"name": replica_set, "ownerReferences": above}, "spec": spec}
    )
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": stamp(since_s)}
    above = owner("apps/v1", "ReplicaSet", replica_set)
    made = template(pods)
    api.make(
        "Pod",
        {
            "metadata": {"name": pod, "labels": pods, "ownerReferences": above},
            "spec": {**made["spec"], "nodeName": f"{api.namespace}-n1"},
            "status": {"phase": "Running", "conditions": [scheduled]},
        },
    )
    return pod


def node(api: Caller) -> None:
    labels = {
        "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB",
        "node.kubernetes.io/instance-type": "p4de.24xlarge",
    }
    api.make("Node", {"metadata": {"name": f"{api.namespace}-n1", "labels": labels}})


def devices(api: Caller, pods: list[str], since_s: float, now_s: float) -> list[RawSeries]:
    times = np.arange(since_s, now_s + 600, 60.0) + 7
    return [
        RawSeries(
            "DCGM_FI_DEV_GPU_UTIL",
            {
                "UUID": f"GPU-{api.namespace}-{index}",
                "gpu": str(index),
                "modelName": "NVIDIA A100-SXM4-80GB",
                "Hostname": f"{api.namespace}-n1",
                "namespace": api.namespace,
                "pod": pod,
            },
            times,
            np.full(times.size, UTILISATION),
        )
        for index, pod in enumerate(pods)
    ]


def analysed(api: Caller, url: str) -> dict[str, Any]:
    args = ("analyze", "--prometheus", url, "--kubeconfig", api.kubeconfig, "--format", "json")
    done = program(*args, "--window", "2d")
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_the_api_tells_environments_owners_and_hours_without_kube_state_metrics(
    api: Caller, prometheus: Engine
) -> None:
    now_s = time.time() // 300 * 300
    since_s = now_s - HOURS * 3600
    node(api)
    pods = [
        deploy(api, "chat-dev", {"environment": "production"}, since_s),
        deploy(api, "lab", {"environment": "development", "team": "search"}, since_s),
    ]
    url = prometheus(devices(api, pods, since_s, now_s))

    document = analysed(api, url)

    found = {w["name"]: w for w in document["workloads"]}
    assert set(found) == {"chat-dev", "lab"}
    for one in found.values():
        assert (one["kind"], one["namespace"], one["replicas"]) == ("Deployment", api.namespace, 1)
        assert one["gpu_model"] == "A100 80GB"
        assert one["gpu_hours"] == pytest.approx(HOURS, rel=0.01)
        assert one["cost_usd"] == pytest.approx(HOURS * 3.43, rel=0.01)
        assert one["utilisation"]["mean"] == pytest.approx(0.20, rel=0.01)
        assert one["coverage"] == pytest.approx(1, abs=0.01)
        assert one["verdict"] == "underused"
    assert found["chat-dev"]["environment"] == "production"
    assert found["lab"]["environment"] == "development"
    assert found["lab"]["team"] == "search"
    assert "no-request-history" in {w["code"] for w in document["warnings"]}


def test_a_forbidden_resource_is_named_and_the_rest_goes_on(
    tmp_path: Path, prometheus: Engine
) -> None:
    now_s = time.time() // 300 * 300
    since_s = now_s - HOURS * 3600

    def rule(attempt: Attempt) -> bool:
        return attempt.resource != "nodes" or attempt.verb == "create"

    with caller("stand-in", tmp_path) as api:
        node(api)
        pod = deploy(api, "chat-production", {}, since_s)
        assert api.standin is not None
        api.standin.allow(rule)
        document = analysed(api, prometheus(devices(api, [pod], since_s, now_s)))

    assert [w["environment"] for w in document["workloads"]] == ["production"]
    assert "nodes" in next(w for w in document["warnings"] if w["code"] == "forbidden")["message"]


def test_an_api_server_that_is_down_is_done_without_and_said(
    tmp_path: Path, prometheus: Engine
) -> None:
    now_s = time.time() // 300 * 300
    since_s = now_s - HOURS * 3600
    with caller("stand-in", tmp_path) as api:
        pass
    document = analysed(api, prometheus(devices(api, ["chat-production-0"], since_s, now_s)))

    told = {w["code"]: w["message"] for w in document["warnings"]}
    assert "kube-state-metrics is used alone" in told["no-cluster-api"]
    assert [w["name"] for w in document["workloads"]] == ["chat-production-0"]


def test_an_unknown_context_is_an_error(tmp_path: Path, prometheus: Engine) -> None:
    with caller("stand-in", tmp_path) as api:
        done = program(
            "analyze", "--prometheus", "http://127.0.0.1:1", "--kubeconfig", api.kubeconfig,
            "--context", "nowhere",
        )  # fmt: skip
    assert done.returncode == 2
    assert "nowhere" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_doctor_lists_metrics_permissions_and_what_is_lacking(
    api: Caller, prometheus: Engine
) -> None:
    now_s = time.time() // 300 * 300
    since_s = now_s - HOURS * 3600
    node(api)
    pod = deploy(api, "chat-production", {}, since_s)
    url = prometheus(devices(api, [pod], since_s, now_s))

    done = program("doctor", "--prometheus", url, "--kubeconfig", api.kubeconfig)

    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert f"ok Prometheus {url}" in lines
    assert "ok GPU metrics: dcgm-exporter (DCGM_FI_DEV_GPU_UTIL)" in lines
    assert "-- kube-state-metrics: kube_pod_owner not found" in lines
    assert "ok may list pods" in lines
