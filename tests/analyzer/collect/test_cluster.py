"""Cluster facts, read over HTTP from the stand-in and, under TEST_KUBECONFIG, a real API server."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from analyzer.collect.cluster import connect
from analyzer.collect.cluster.api import KubeApi
from analyzer.collect.cluster.quantities import gpu_request, quantity
from analyzer.collect.cluster.reader import read_facts
from analyzer.collect.facts import KubeFacts, ObjectRef
from analyzer.errors import BadAnswer, ConfigError, Denied, GpuThriftError, Unreachable
from tests.fakes.kube import Attempt, Close, Hang, KubeStandIn, Reply, Request
from tests.fakes.kubeapi.caller import KINDS, MERGE, SERVERS, Caller, caller

PODS = KINDS["Pod"]
ENDED = datetime(2026, 3, 1, 10, 30, tzinfo=UTC)


@pytest.fixture(params=SERVERS)
def api(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Caller]:
    with caller(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def standin_api(tmp_path: Path) -> Iterator[Caller]:
    with caller("stand-in", tmp_path) as made:
        yield made


def facts(api: Caller) -> KubeFacts:
    return connect(str(api.kubeconfig), "", 20).facts("blue")


def ref(api: Caller, kind: str, name: str) -> ObjectRef:
    return ObjectRef(api.namespace, kind, name)


def gpus(count: object, resource: str = "nvidia.com/gpu", name: str = "main") -> dict[str, Any]:
    return {"name": name, "image": "i", "resources": {"limits": {resource: str(count)}}}


def owner(api_version: str, kind: str, name: str, controller: bool = True) -> dict[str, Any]:
    found = {"apiVersion": api_version, "kind": kind, "name": name, "uid": f"uid-{name}"}
    return {**found, "controller": controller}


def metadata(name: str, *owners: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, **more, **({"ownerReferences": list(owners)} if owners else {})}


def make_pod(api: Caller, name: str, *owners: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A pod with one GPU; ``spec``, ``status`` and ``labels`` may be given."""
    labels = more.get("labels", {})
    spec = {"containers": [gpus(1)], **more.get("spec", {})}
    status = {"status": more["status"]} if "status" in more else {}
    manifest = {"metadata": metadata(name, *owners, labels=labels), "spec": spec, **status}
    return api.make("Pod", manifest)


def template(containers: list[dict[str, Any]], **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": "x", "tier": "from-template"}},
        "spec": {"containers": containers, **spec},
    }


def scaled(name: str, replicas: int, containers: list[Any], *owners: Any, **more: Any) -> Any:
    return {
        "metadata": metadata(name, *owners, **more),
        "spec": {
            "replicas": replicas,
            "serviceName": name,
            "selector": {"matchLabels": {"app": "x"}},
            "template": template(containers),
        },
    }


def deployment(*args: Any, **more: Any) -> Any:
    manifest = scaled(*args, **more)
    del manifest["spec"]["serviceName"]
    return manifest


def test_only_pods_that_ask_for_gpus_are_kept(api: Caller) -> None:
    make_pod(api, "cpu", spec={"containers": [{"name": "main", "image": "i"}]})
    make_pod(api, "none", spec={"containers": [gpus(0)]})
    mig = gpus(2, "nvidia.com/mig-1g.10gb")
    make_pod(api, "mig", spec={"containers": [mig], "nodeName": "n1"}, labels={"a": "b"})
    both = [gpus(1, "nvidia.com/gpu.shared", "one"), gpus(3, "amd.com/gpu", "two")]
    made = make_pod(api, "both", spec={"containers": both})
    found = {pod.name: pod for pod in facts(api).pods if pod.namespace == api.namespace}
    assert set(found) == {"mig", "both"}
    assert found["mig"].gpus == {"nvidia.com/mig-1g.10gb": 2}
    assert found["mig"].node == "n1"
    assert found["mig"].labels == {"a": "b"}
    assert found["both"].gpus == {"nvidia.com/gpu.shared": 1, "amd.com/gpu": 3}
    assert found["both"].uid == made["metadata"]["uid"]
    assert (found["both"].node, found["both"].owner, found["both"].ended_at) == ("", None, None)


@pytest.mark.parametrize(
    ("init", "main", "expected"),
    [
        ([], [1, 2], 3),
        ([(4, False)], [1, 2], 4),
        ([(2, False)], [1, 2], 3),
        ([(1, True)], [1, 2], 4),  # a sidecar stays beside the containers
        ([(1, True), (3, False)], [2], 4),  # ... and beside the init containers after it
        ([(3, False), (1, True)], [2], 3),  # ... but not before it
    ],
)
def test_the_request_is_what_the_scheduler_sets_aside(
    api: Caller, init: list[tuple[int, bool]], main: list[int], expected: int
) -> None:
    spec = {
        "initContainers": [
            gpus(count, name=f"i{at}") | ({"restartPolicy": "Always"} if sidecar else {})
            for at, (count, sidecar) in enumerate(init)
        ],
        "containers": [gpus(count, name=f"c{at}") for at, count in enumerate(main)],
    }
    make_pod(api, "p", spec=spec)
    [pod] = [pod for pod in facts(api).pods if pod.namespace == api.namespace]
    assert pod.gpus == {"nvidia.com/gpu": expected}


def test_requests_count_when_limits_are_left_out() -> None:
    spec = {"containers": [{"resources": {"requests": {"nvidia.com/gpu": 2, "cpu": "1"}}}]}
    assert gpu_request(spec) == {"nvidia.com/gpu": 2}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8", 8),
        (8, 8),
        ("1k", 1000),
        ("500m", 0.5),
        ("1900m", 1.9),
        ("250u", 0.00025),
        ("7n", 7e-9),
        ("2M", 2e6),
        ("3G", 3e9),
        ("1.5T", 1.5e12),
        ("2P", 2e15),
        ("1E", 1e18),
        ("1E3", 1000),
        ("12e6", 12_000_000),
        ("5e-1", 0.5),
        ("2Ki", 2048),
        ("2Mi", 2 * 1024**2),
        ("0.5Gi", 512 * 1024**2),
        ("1Ti", 1024**4),
        ("1Pi", 1024**5),
        ("1Ei", 1024**6),
        (".5", 0.5),
        ("5.", 5),
        ("+3", 3),
        ("1e3k", 0),
        ("1e999", 0),
        ("", 0),
        (None, 0),
        ("inf", 0),
        ("nan", 0),
        ("x", 0),
    ],
)
def test_quantities(text: object, expected: float) -> None:
    assert quantity(text) == expected


def make_chains(api: Caller) -> None:
    notes = {"note": "SECRET", "gpu-thrift.iox/y": "SECRET", "gpu-thrift.io/exclude": "demo"}
    api.make("Deployment", deployment("web", 3, [gpus(1)], labels={"environment": "production"}))
    api.make("ReplicaSet", deployment("web-1", 3, [gpus(1)], owner("apps/v1", "Deployment", "web")))
    make_pod(api, "web-1-a", owner("apps/v1", "ReplicaSet", "web-1"))
    api.make("StatefulSet", scaled("db", 1, [gpus(1)], annotations=notes))
    make_pod(api, "db-0", owner("apps/v1", "StatefulSet", "db"))
    job = {"template": template([gpus(1)], restartPolicy="Never")}
    cron = {"schedule": "0 1 * * *", "jobTemplate": {"spec": job}}
    api.make("CronJob", {"metadata": metadata("nightly", labels={"team": "ml"}), "spec": cron})
    nightly = owner("batch/v1", "CronJob", "nightly")
    api.make("Job", {"metadata": metadata("nightly-1", nightly), "spec": job})
    make_pod(api, "nightly-1-x", owner("batch/v1", "Job", "nightly-1"))
    make_pod(api, "bare")


def test_owner_chains_lead_from_pods_to_what_people_deployed(api: Caller) -> None:
    make_chains(api)
    found = facts(api)
    chains = {
        "web-1-a": [("ReplicaSet", "web-1"), ("Deployment", "web")],
        "db-0": [("StatefulSet", "db")],
        "nightly-1-x": [("Job", "nightly-1"), ("CronJob", "nightly")],
        "bare": [],
    }
    for pod, expected in chains.items():
        walked, at = [], ref(api, "Pod", pod)
        while at in found.owners:
            at = found.owners[at]
            walked.append((at.kind, at.name))
            assert at in found.workloads
        assert walked == expected
    web = found.workloads[ref(api, "Deployment", "web")]
    assert web.labels == {"environment": "production"}
    assert web.pod_labels == {"app": "x", "tier": "from-template"}
    assert web.replicas == 3
    assert web.ref.api_version == "apps/v1"
    assert found.workloads[ref(api, "StatefulSet", "db")].annotations == {
        "gpu-thrift.io/exclude": "demo"
    }
    assert found.workloads[ref(api, "CronJob", "nightly")].labels == {"team": "ml"}
    assert found.owners[ref(api, "Pod", "db-0")].api_version == "apps/v1"
    assert [one.code for one in found.warnings] == []


def test_owners_of_unknown_kinds_are_discovered_and_followed(api: Caller) -> None:
    group = f"{api.namespace}.example.com"
    rollouts = api.define(group, "Rollout", scale=True)
    services = api.define(group, "Service", scale=False)
    version = f"{group}/v1"
    head = {"apiVersion": version}
    api.make(
        "",
        {**head, "kind": "Service", "metadata": metadata("top", labels={"env": "dev"})},
        services,
    )
    rollout = scaled("roll", 4, [gpus(1)], owner(version, "Service", "top"))
    api.make("", {**head, "kind": "Rollout", **rollout}, rollouts)
    api.make("ReplicaSet", deployment("roll-1", 4, [gpus(1)], owner(version, "Rollout", "roll")))
    make_pod(api, "p", owner("apps/v1", "ReplicaSet", "roll-1"))
    found = facts(api)
    assert found.owners[ref(api, "ReplicaSet", "roll-1")] == ref(api, "Rollout", "roll")
    assert found.owners[ref(api, "Rollout", "roll")] == ref(api, "Service", "top")
    roll = found.workloads[ref(api, "Rollout", "roll")]
    assert (roll.replicas, roll.pod_labels["tier"]) == (4, "from-template")
    assert found.workloads[ref(api, "Service", "top")].labels == {"env": "dev"}
    assert found.warnings == ()


def test_owners_that_are_gone_or_of_kinds_not_served_are_left_out(api: Caller) -> None:
    make_pod(api, "a", owner("none.example.com/v1", "Ghost", "g"))
    make_pod(api, "b", owner("apps/v1", "ReplicaSet", "gone"))
    make_pod(api, "c", owner("v1", "Node", "n1"))
    make_pod(api, "d", owner("apps/v1", "ReplicaSet", "no-controller", controller=False))
    found = facts(api)
    assert found.owners[ref(api, "Pod", "a")] == ref(api, "Ghost", "g")
    assert found.owners[ref(api, "Pod", "b")] == ref(api, "ReplicaSet", "gone")
    assert ref(api, "Pod", "c") not in found.owners
    assert ref(api, "Pod", "d") not in found.owners
    assert not [one for one in found.workloads if one.namespace == api.namespace]
    assert found.warnings == ()


def test_an_owner_that_is_nowhere_is_looked_for_once(standin_api: Caller) -> None:
    make_pod(standin_api, "a", owner("none.example.com/v1", "Ghost", "g"))
    facts(standin_api)
    assert standin_api.standin
    asked = [one.path for one in standin_api.standin.requests if "none.example.com" in one.path]
    assert asked == ["/apis/none.example.com/v1", "/apis/none.example.com"]


def test_an_owner_of_a_version_that_is_no_longer_served_is_found_in_the_present_one(
    api: Caller,
) -> None:
    make_pod(api, "p", owner("batch/v1beta1", "Job", "old"))
    group = f"{api.namespace}.example.com"
    rollouts = api.define(group, "Rollout", scale=True)
    roll = {"apiVersion": f"{group}/v1", "kind": "Rollout", **scaled("roll", 1, [gpus(1)])}
    api.make("", roll, rollouts)
    make_pod(api, "q", owner(f"{group}/v1alpha1", "Rollout", "roll"))
    assert facts(api).workloads[ref(api, "Rollout", "roll")].replicas == 1


def test_owners_in_a_circle_come_to_an_end(api: Caller) -> None:
    group = f"{api.namespace}.example.com"
    path = api.define(group, "Ring", scale=False)
    for name, next_one in {"a": "b", "b": "a"}.items():
        up = owner(f"{group}/v1", "Ring", next_one)
        api.make(
            "", {"apiVersion": f"{group}/v1", "kind": "Ring", "metadata": metadata(name, up)}, path
        )
    make_pod(api, "p", owner(f"{group}/v1", "Ring", "a"))
    found = facts(api)
    assert {ref(api, "Ring", "a"), ref(api, "Ring", "b")} <= set(found.workloads)


def test_controllers_at_zero_are_kept_if_their_pods_would_ask_for_gpus(api: Caller) -> None:
    applied = "kubectl.kubernetes.io/last-applied-configuration"
    notes = {applied: '{"spec": "password"}', "gpu-thrift.io/replicas": "3"}
    api.make("Deployment", deployment("asleep", 0, [gpus(2)], annotations=notes))
    api.make("StatefulSet", scaled("asleep", 0, [gpus(1, "amd.com/gpu")]))
    api.make("Deployment", deployment("cpu", 2, [{"name": "main", "image": "i"}]))
    found = {k: w for k, w in facts(api).workloads.items() if k.namespace == api.namespace}
    assert set(found) == {ref(api, "Deployment", "asleep"), ref(api, "StatefulSet", "asleep")}
    asleep = found[ref(api, "Deployment", "asleep")]
    assert asleep.replicas == 0
    assert asleep.annotations == {"gpu-thrift.io/replicas": "3"}


def test_ready_replicas_are_those_of_the_status(api: Caller) -> None:
    status = {"replicas": 3, "readyReplicas": 2}
    api.make("Deployment", deployment("web", 3, [gpus(1)]) | {"status": status})
    assert facts(api).workloads[ref(api, "Deployment", "web")].ready == 2


def terminated(at: str) -> dict[str, Any]:
    state = {"terminated": {"exitCode": 0, "startedAt": "2026-03-01T09:00:00Z", "finishedAt": at}}
    return {"name": f"c{at[14:16]}", "state": state, "image": "i", "imageID": "i"} | {
        "ready": False,
        "restartCount": 0,
    }


SCHEDULED = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-03-01T08:00:00Z"}


def test_pods_know_when_they_got_and_gave_back_their_gpus(api: Caller) -> None:
    on = {"spec": {"containers": [gpus(1)], "nodeName": "n1"}}
    done = {
        "phase": "Succeeded",
        "startTime": "2026-03-01T08:00:05Z",
        "conditions": [SCHEDULED],
        "containerStatuses": [
            terminated("2026-03-01T10:30:00Z"),
            terminated("2026-03-01T10:10:00Z"),
        ],
    }
    make_pod(api, "done", **on, status=done)
    make_pod(api, "running", **on, status={**done, "phase": "Running"})
    ready = {"type": "Ready", "status": "False", "lastTransitionTime": "2026-03-01T10:30:00Z"}
    evicted = {"phase": "Failed", "reason": "Evicted", "conditions": [SCHEDULED, ready]}
    make_pod(api, "evicted", **on, status=evicted)
    unscheduled = {**SCHEDULED, "status": "False"}
    make_pod(api, "pending", status={"phase": "Pending", "conditions": [unscheduled]})
    started = {"phase": "Running", "startTime": "2026-03-01T08:00:05Z"}
    make_pod(api, "started", **on, status=started)
    found = {pod.name: pod for pod in facts(api).pods if pod.namespace == api.namespace}
    scheduled = datetime(2026, 3, 1, 8, tzinfo=UTC)
    times = {name: (pod.scheduled_at, pod.ended_at) for name, pod in found.items()}
    assert times == {
        "done": (scheduled, ENDED),
        "running": (scheduled, None),
        "evicted": (scheduled, ENDED),
        "pending": (None, None),
        "started": (scheduled.replace(second=5), None),
    }


def test_nodes_and_namespaces_keep_what_prices_and_environments_need(api: Caller) -> None:
    name = f"node-{api.namespace}"
    status = {
        "allocatable": {"nvidia.com/gpu": "8", "nvidia.com/mig-1g.10gb": "0", "cpu": "96"},
        "addresses": [
            {"type": "InternalIP", "address": "10.0.0.9"},
            {"type": "Hostname", "address": "n9"},
        ],
    }
    labels = {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}
    api.make("Node", {"metadata": {"name": name, "labels": labels}, "status": status})
    api.patch(
        f"/api/v1/namespaces/{api.namespace}", {"metadata": {"labels": {"env": "dev"}}}, MERGE
    )
    found = facts(api)
    node = found.nodes[name]
    assert node.allocatable == {"nvidia.com/gpu": 8, "cpu": 96}
    assert node.addresses == ("10.0.0.9", "n9")
    assert node.labels["nvidia.com/gpu.product"] == "NVIDIA-H100-80GB-HBM3"
    assert found.namespace_labels[api.namespace]["env"] == "dev"


def test_permissions_and_version(api: Caller) -> None:
    client = connect(str(api.kubeconfig), "", 20)
    assert client.version().startswith("v1.")
    found = client.permissions()
    assert ("list", "pods", True) in found
    assert ("list", "apps/deployments", True) in found
    assert all(one.allowed for one in found)


# From here on the server misbehaves, which only the stand-in does on demand.


def test_1200_pods_are_read_in_pages_of_500(standin_api: Caller) -> None:
    for number in range(1200):
        make_pod(standin_api, f"p{number:04d}")
    assert standin_api.standin
    standin_api.standin.requests.clear()
    assert len(facts(standin_api).pods) == 1200
    pages = [one for one in standin_api.standin.requests if one.path == "/api/v1/pods"]
    assert [one.query["limit"] for one in pages] == ["500", "500", "500"]
    assert ["continue" in one.query for one in pages] == [False, True, True]


@pytest.fixture
def standin() -> Iterator[KubeStandIn]:
    with KubeStandIn(tokens={"s3cret-token": "admin"}) as server:
        yield server


def read(standin: KubeStandIn, directory: Path, timeout_s: float = 10) -> KubeFacts:
    path = standin.kubeconfig(directory / "kubeconfig")
    return connect(str(path), "", timeout_s).facts("blue")


def quick(standin: KubeStandIn, directory: Path) -> tuple[KubeApi, list[float]]:
    """An API whose waits between tries are noted and not waited."""
    waits: list[float] = []
    path = standin.kubeconfig(directory / "kubeconfig")
    return KubeApi(str(path), "", 5, pause=waits.append), waits


def test_a_forbidden_part_is_named_and_the_rest_goes_on(standin_api: Caller) -> None:
    assert standin_api.standin
    make_chains(standin_api)
    standin_api.standin.allow(lambda attempt: attempt.resource not in ("nodes", "replicasets"))
    found = facts(standin_api)
    assert found.nodes == {}
    assert len(found.pods) == 4
    assert ref(standin_api, "StatefulSet", "db") in found.workloads
    notices = {one.subject: one for one in found.warnings}
    assert set(notices) == {"nodes", "replicasets.apps"}
    assert {(one.code, one.cluster) for one in notices.values()} == {("forbidden", "blue")}
    assert "prices" in notices["nodes"].message
    assert "Deployment" in notices["replicasets.apps"].message
    permissions = connect(str(standin_api.kubeconfig), "", 5).permissions()
    denied = {one.resource for one in permissions if not one.allowed}
    assert denied == {"nodes", "apps/replicasets"}


def test_a_forbidden_owner_kind_is_a_notice(standin_api: Caller) -> None:
    assert standin_api.standin
    make_pod(standin_api, "p", owner("batch/v1", "CronJob", "c"))
    standin_api.standin.allow(lambda attempt: attempt.resource != "cronjobs")
    assert [one.subject for one in facts(standin_api).warnings] == ["cronjobs.batch"]


def test_without_pods_there_are_no_facts(standin: KubeStandIn, tmp_path: Path) -> None:
    standin.allow(lambda attempt: attempt.resource != "pods")
    with pytest.raises(Denied, match=r"list pods in all namespaces.*ClusterRole.*verbs \[list\]"):
        read(standin, tmp_path)


def test_a_refused_token_is_denied_and_not_shown(standin: KubeStandIn, tmp_path: Path) -> None:
    path = standin.kubeconfig(tmp_path / "kubeconfig", token="0ld-token")
    with pytest.raises(Denied, match="refused the credentials") as caught:
        connect(str(path), "", 5).facts("blue")
    assert "0ld-token" not in str(caught.value)


def test_nobody_at_the_address_is_unreachable(standin: KubeStandIn, tmp_path: Path) -> None:
    path = standin.kubeconfig(tmp_path / "kubeconfig")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        path.write_text(path.read_text().replace(standin.url, address))
        with pytest.raises(
            Unreachable, match=r"127\.0\.0\.1:\d+ cannot be reached: Connection refused"
        ):
            connect(str(path), "", 5).version()


def test_an_unknown_name_is_unreachable(standin: KubeStandIn, tmp_path: Path) -> None:
    path = standin.kubeconfig(tmp_path / "kubeconfig")
    path.write_text(path.read_text().replace(standin.url, "http://user:pw@none.invalid:1"))
    with pytest.raises(Unreachable, match=r"none\.invalid:1 cannot be reached") as caught:
        connect(str(path), "", 5).version()
    assert "pw" not in str(caught.value)


def test_a_server_that_never_answers_is_unreachable_in_time(
    standin: KubeStandIn, tmp_path: Path
) -> None:
    standin.inject(lambda request: Hang(30))
    with pytest.raises(Unreachable, match=r"no answer within 0\.3 s"):
        read(standin, tmp_path, timeout_s=0.3)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(200, b"<html>log in</html>", {}, "text/html; charset=utf-8"), "text/html"),
        (Reply(200, b'{"items": [{"meta'), "not valid JSON"),
        (Reply(200, ["pods"]), "no object"),
        (Reply(200, {"kind": "PodList"}), "not a list of Kubernetes objects"),
        (Reply(200, {"items": [{"metadata": {}}, None]}), "not a list of Kubernetes objects"),
        (Reply(200, {"items": "pods"}), "not a list of Kubernetes objects"),
        (Reply(302, b"", {"Location": "http://127.0.0.1:1/login"}), "answered 302"),
        (Reply(400, {"kind": "Status", "message": "no\nsuch field"}), "400.*: no such field"),
    ],
)
def test_an_answer_that_makes_no_sense_is_a_bad_answer(
    standin: KubeStandIn, tmp_path: Path, reply: Reply, said: str
) -> None:
    standin.inject(lambda request: reply if request.path == "/api/v1/pods" else None)
    with pytest.raises(BadAnswer, match=said) as caught:
        read(standin, tmp_path)
    assert "\n" not in str(caught.value)
    assert [one.path for one in standin.requests] == ["/api/v1/nodes", "/api/v1/pods"]


def test_a_list_that_never_ends_is_cut(standin: KubeStandIn, tmp_path: Path) -> None:
    page = {"metadata": {"continue": "again"}, "items": []}
    standin.inject(lambda request: Reply(200, page))
    with pytest.raises(BadAnswer, match="repeats a page"):
        read(standin, tmp_path)


def test_passing_trouble_is_tried_again_with_the_wait_asked_for(
    standin: KubeStandIn, tmp_path: Path
) -> None:
    troubles: list[Any] = [
        Reply(429, b"", {"Retry-After": "3"}),
        Close(),
        Reply(503, b"", {"Retry-After": "900"}),
    ]
    standin.inject(lambda request: troubles.pop(0) if troubles else None)
    api, waits = quick(standin, tmp_path)
    assert read_facts(api, "blue").pods == ()
    assert waits == [3.0, 1.0, 10.0]


def test_lasting_trouble_is_given_up(standin: KubeStandIn, tmp_path: Path) -> None:
    standin.inject(lambda request: Reply(503, {"kind": "Status", "message": "etcd is away"}))
    api, waits = quick(standin, tmp_path)
    with pytest.raises(BadAnswer, match=r"answered 503 .*etcd is away"):
        read_facts(api, "blue")
    assert len(standin.requests) == 4
    assert waits == [0.5, 1.0, 2.0]


def test_a_connection_that_is_always_cut_is_unreachable(
    standin: KubeStandIn, tmp_path: Path
) -> None:
    standin.inject(lambda request: Close())
    api, _ = quick(standin, tmp_path)
    with pytest.raises(Unreachable, match="cut the connection"):
        read_facts(api, "blue")


def test_a_list_whose_pages_expire_is_started_again_once(
    standin_api: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analyzer.collect.cluster.api.PAGE_ITEMS", 2)
    server = standin_api.standin
    assert server
    for number in range(5):
        make_pod(standin_api, f"p{number}")
    expiries = [1]

    def expire_once(request: Request) -> None:
        if "continue" in request.query and expiries:
            expiries.pop()
            server.expire()

    server.inject(expire_once)
    assert sorted(pod.name for pod in facts(standin_api).pods) == [f"p{n}" for n in range(5)]
    server.inject(lambda request: server.expire() if "continue" in request.query else None)
    with pytest.raises(BadAnswer, match="answered 410"):
        facts(standin_api)


def test_a_kind_that_is_not_served_is_skipped(standin: KubeStandIn, tmp_path: Path) -> None:
    gone = Reply(404, b"404 page not found", {}, "text/plain")
    standin.inject(lambda request: gone if "/batch/" in request.path else None)
    assert read(standin, tmp_path).warnings == ()


def kubeconfig(directory: Path, **user: Any) -> Path:
    path = directory / "config"
    document = {
        "current-context": "one",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [
            {"name": name, "context": {"cluster": "c", "user": "u"}} for name in ("one", "two")
        ],
    }
    path.write_text(json.dumps(document))
    return path


def failure(path: Path | str, context: str = "") -> GpuThriftError:
    """What a kubeconfig fails with: always one line, and only when something is asked."""
    client = connect(str(path), context, 2)
    with pytest.raises(GpuThriftError) as caught:
        client.version()
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)
    return caught.value


def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path) -> None:
    error = failure(tmp_path / "none")
    assert isinstance(error, ConfigError)
    assert str(tmp_path / "none") in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "just text",
        "[1, 2]",
        "a: [b",
        "contexts: 5",
        "users: [{user: {token: s3cret}}]",
        "contexts: [{name: a, context: {cluster: none, user: u}}]\nclusters: []\nusers: []\n"
        "current-context: a",
        "contexts: [{name: a}]\nclusters: []\nusers: []\ncurrent-context: a",
    ],
)
def test_a_file_that_is_no_kubeconfig_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    error = failure(path)
    assert isinstance(error, ConfigError)
    assert str(path) in str(error)


def test_an_unknown_context_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    error = failure(kubeconfig(tmp_path, token="s3cret"), "three")
    assert isinstance(error, ConfigError)
    assert "'three'; it has: one, two" in str(error)


def test_no_context_at_all_is_said(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path)
    path.write_text(path.read_text().replace('"current-context": "one", ', ""))
    assert "name one of: one, two" in str(failure(path))


def test_several_files_are_merged_as_in_the_variable(standin: KubeStandIn, tmp_path: Path) -> None:
    one = kubeconfig(tmp_path)
    other = standin.kubeconfig(tmp_path / "other")
    assert connect(f"{one}:{other}:/none", "stand-in", 5).version() == "v1.36.2"


def plugin(command: str, *args: str) -> dict[str, Any]:
    version = "client.authentication.k8s.io/v1"
    return {"exec": {"apiVersion": version, "command": command, "args": list(args)}}


def test_an_absent_credential_plugin_is_named(tmp_path: Path) -> None:
    error = failure(kubeconfig(tmp_path, **plugin("no-such-plugin")))
    assert isinstance(error, ConfigError)
    assert "'no-such-plugin' is not on PATH" in str(error)


def test_a_failing_credential_plugin_says_why_and_nothing_spills(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    script = "echo s3cret; echo session expired >&2; exit 3"
    error = failure(kubeconfig(tmp_path, **plugin("sh", "-c", script)))
    assert isinstance(error, Denied)
    assert "session expired" in str(error)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_a_credential_plugin_lets_us_in(standin: KubeStandIn, tmp_path: Path) -> None:
    status = {"token": "s3cret-token", "expirationTimestamp": "2001-01-01T00:00:00Z"}
    version = "client.authentication.k8s.io/v1"
    said = json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status})
    path = kubeconfig(tmp_path, **plugin("echo", said))
    path.write_text(path.read_text().replace("http://127.0.0.1:1", standin.url))
    standin.allow(lambda attempt: attempt.user == "admin")
    assert connect(str(path), "", 5).facts("blue").warnings == ()


def test_without_any_configuration_no_cluster_can_be_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert isinstance(failure(""), Unreachable)
    assert isinstance(failure("", "somewhere"), ConfigError)


def test_importing_the_reader_does_not_load_the_client_library() -> None:
    code = "import sys, analyzer.collect.cluster; sys.exit('kubernetes' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_nothing_but_reads_and_reviews_is_ever_asked(standin_api: Caller) -> None:
    server = standin_api.standin
    assert server
    make_chains(standin_api)
    attempts: list[Attempt] = []
    server.allow(lambda attempt: attempts.append(attempt) or True)
    server.requests.clear()
    facts(standin_api)
    assert {attempt.verb for attempt in attempts} == {"list"}
    assert {request.method for request in server.requests} == {"GET"}
