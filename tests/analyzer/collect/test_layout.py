"""Nodes and the pods on them, read from the stand-in and, under TEST_KUBECONFIG, a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from analyzer.collect.cluster import connect
from analyzer.collect.cluster.placement import NOWHERE, resident_fact, terms
from analyzer.collect.cluster.quantities import pod_request
from analyzer.collect.facts import KubeFacts, ResidentFact
from analyzer.collect.join import ClusterFacts, Join, JoinSettings
from analyzer.collect.pools import NodeClasses
from analyzer.collect.readings import Readings
from analyzer.model import NodeClass, Requirement, Taint, Toleration, WorkloadKey
from tests.analyzer.collect.hand import HOUR
from tests.fakes.kubeapi.caller import SERVERS, Caller, caller

GIB = 1024**3
H100 = "NVIDIA-H100-80GB-HBM3"


@pytest.fixture(params=SERVERS)
def api(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Caller]:
    with caller(request.param, tmp_path) as made:
        yield made


def read(api: Caller) -> KubeFacts:
    return connect(str(api.kubeconfig), "", 20).facts("blue")


def joined(api: Caller) -> ClusterFacts:
    settings = JoinSettings(NodeClasses(("pool",)), lambda name: False)
    return Join(Readings("blue", HOUR, kube=read(api)), settings).facts()


def make_node(api: Caller, name: str, gpus: str = "8", **more: Any) -> str:
    """A node with 8 H100; ``spec`` and ``labels`` may be given. Returns its full name."""
    full = f"{api.namespace}-{name}"
    resources = {"cpu": "191900m", "memory": "2Ti", "pods": "110", "nvidia.com/gpu": gpus}
    labels = {"nvidia.com/gpu.product": H100, "pool": "p", **more.get("labels", {})}
    manifest: dict[str, Any] = {
        "metadata": {"name": full, "labels": labels},
        "spec": more.get("spec", {}),
        "status": {"allocatable": resources | more.get("resources", {})},
    }
    api.make("Node", manifest)
    return full


def owners(kind: str, name: str, api_version: str = "apps/v1") -> list[dict[str, Any]]:
    found = {"apiVersion": api_version, "kind": kind, "name": name, "uid": f"uid-{name}"}
    return [{**found, "controller": True}]


def container(name: str = "main", *, limits: Any = None, requests: Any = None) -> dict[str, Any]:
    resources = {"limits": limits or {}, "requests": requests or {}}
    return {"name": name, "image": "i", "resources": resources}


def pod(name: str, node: str, above: list[dict[str, Any]], **spec: Any) -> dict[str, Any]:
    metadata = {"name": name, **({"ownerReferences": above} if above else {})}
    return {
        "metadata": metadata,
        "spec": {"nodeName": node, "containers": [container()], **spec},
    }


SETS = owners("ReplicaSet", "web-1")


def resident(**more: Any) -> ResidentFact:
    """Of a pod of a ReplicaSet; ``metadata`` and ``spec`` may be given."""
    metadata = {"namespace": "ml", "name": "p", "ownerReferences": SETS, **more.get("metadata", {})}
    spec = {"nodeName": "n1", "containers": [container()], **more.get("spec", {})}
    found = resident_fact({"metadata": metadata, "spec": spec, "status": {"phase": "Running"}})
    assert found
    return found


def test_nodes_with_gpus_keep_everything_that_placing_needs(api: Caller) -> None:
    taints = [
        {"key": "nvidia.com/gpu", "effect": "NoSchedule"},
        {"key": "team", "value": "ml", "effect": "NoExecute"},
        {"key": "soft", "value": "x", "effect": "PreferNoSchedule"},
    ]
    one = make_node(api, "n1", spec={"taints": taints}, labels={"zone": "a"})
    make_node(api, "n2", gpus="0")
    two = make_node(api, "n3", spec={"unschedulable": True})
    nodes = {node.name: node for node in joined(api).nodes if node.name.startswith(api.namespace)}
    assert list(nodes) == [one, two]
    first = nodes[one]
    assert first.cluster == "blue"
    assert first.allocatable == {
        "cpu": 191.9, "memory": 2 * 1024**4, "pods": 110, "nvidia.com/gpu": 8,
    }  # fmt: skip
    assert first.gpus == 8
    assert first.node_class == NodeClass("H100 SXM 80GB", pool="p")
    assert first.labels["zone"] == "a"
    assert first.schedulable
    assert set(first.taints) >= {Taint("nvidia.com/gpu"), Taint("team", "ml", "NoExecute")}
    assert "soft" not in {taint.key for taint in first.taints}
    assert not nodes[two].schedulable


def test_shared_and_cut_gpus_are_counted_as_devices(api: Caller) -> None:
    # 8 time slices of 4 are 2 devices; 14 instances of 1g are two of seven slices each.
    sliced = make_node(api, "n1", labels={"nvidia.com/gpu.replicas": "4"})
    cut = make_node(api, "n2", gpus="0", resources={"nvidia.com/mig-1g.10gb": "14"})
    nodes = {node.name: node for node in joined(api).nodes}
    assert nodes[sliced].gpus == 2
    assert nodes[cut].gpus == pytest.approx(2)
    assert nodes[cut].allocatable["nvidia.com/mig-1g.10gb"] == 14


def test_every_pod_on_a_node_with_gpus_is_there_with_its_workload(api: Caller) -> None:
    gpu, cpu = make_node(api, "n1"), make_node(api, "n2", gpus="0")
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "x"}}}
    template = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [container()]}}
    above = owners("Deployment", "web")
    metadata = {"name": "web-1", "ownerReferences": above}
    api.make("ReplicaSet", {"metadata": metadata, "spec": {**spec, "template": template}})
    asks = container(limits={"nvidia.com/gpu": "2", "memory": "64Gi"}, requests={"cpu": "500m"})
    api.make("Pod", pod("web-1-a", gpu, SETS, containers=[asks]))
    api.make("Pod", pod("web-1-b", gpu, SETS))
    api.make("Pod", pod("agent-x", gpu, owners("DaemonSet", "agent")))
    api.make("Pod", pod("web-1-c", cpu, SETS))
    done = pod("web-1-d", gpu, SETS) | {"status": {"phase": "Succeeded"}}
    api.make("Pod", done)
    found = {one.pod: one for one in joined(api).placed if one.node in (gpu, cpu)}
    assert set(found) == {"web-1-a", "web-1-b", "agent-x"}
    web = WorkloadKey("blue", api.namespace, "Deployment", "web")
    assert found["web-1-a"].workload == found["web-1-b"].workload == web
    assert found["web-1-a"].requests == {
        "cpu": 0.5, "memory": 64 * GIB, "nvidia.com/gpu": 2, "pods": 1,
    }  # fmt: skip
    assert found["web-1-b"].requests == {"pods": 1}
    assert (found["web-1-a"].daemon, found["agent-x"].daemon) == (False, True)
    assert {one.node for one in found.values()} == {gpu}
    assert found["agent-x"].workload.kind == "DaemonSet"


def test_without_nodes_nothing_is_known_to_be_on_one(tmp_path: Path) -> None:
    with caller("stand-in", tmp_path) as api:
        assert api.standin
        api.make("Pod", pod("a", make_node(api, "n1"), SETS))
        api.standin.allow(lambda attempt: attempt.resource != "nodes")
        facts = joined(api)
    assert (facts.nodes, facts.placed) == ((), ())


def test_a_workload_knows_what_its_server_was_told(api: Caller) -> None:
    node = make_node(api, "n1")
    serving = container(limits={"nvidia.com/gpu": "2"}) | {
        "command": ["vllm", "serve", "org/m"],
        "args": ["-tp", "2", "--api-key", "sk-1"],
    }
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "x"}}}
    template = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [serving]}}
    api.make("ReplicaSet", {"metadata": {"name": "rs"}, "spec": {**spec, "template": template}})
    api.make("Deployment", {"metadata": {"name": "web"}, "spec": {**spec, "template": template}})
    running = {"status": {"phase": "Running", "startTime": "2026-01-01T00:00:00Z"}}
    api.make(
        "Pod", pod("web-a", node, owners("Deployment", "web"), containers=[container(
            limits={"nvidia.com/gpu": "2"})]) | running
    )  # fmt: skip
    ghost = owners("Ghost", "g", "none.example.com/v1")
    api.make("Pod", pod("ghost-a", node, ghost, containers=[serving]) | running)
    found = {one.key.name: one for one in joined(api).workloads}
    told = {"model": "org/m", "tensor-parallel-size": "2"}
    assert found["web"].server == told
    assert found["g"].server == told


def test_all_resources_are_asked_for_as_the_scheduler_counts_them() -> None:
    spec = {
        "initContainers": [
            container("load", requests={"cpu": "3", "memory": "1Gi"}),
            container("proxy", requests={"cpu": "100m"}) | {"restartPolicy": "Always"},
        ],
        "containers": [
            container("a", limits={"cpu": "2", "example.com/nic": "1"}, requests={"cpu": "1"}),
            container("b", limits={"memory": "2Gi", "cpu": "500m"}),
        ],
        "overhead": {"cpu": "250m", "memory": "128Mi"},
    }
    # cpu: the greater of 3 (load alone) and 1 + 0.5 + 0.1, then the overhead.
    assert pod_request(spec) == {
        "cpu": 3.25,
        "memory": 2 * GIB + 128 * 1024**2,
        "example.com/nic": 1,
        "pods": 1,
    }


def test_what_a_pod_asks_for_as_a_whole_stands_for_its_containers() -> None:
    asks = container(requests={"cpu": "1"}, limits={"nvidia.com/gpu": "1"})
    spec = {
        "containers": [asks],
        "resources": {"requests": {"cpu": "4"}, "limits": {"memory": "1Gi"}},
    }
    assert pod_request(spec) == {"cpu": 4, "memory": GIB, "nvidia.com/gpu": 1, "pods": 1}


def node_affinity(*node_terms: dict[str, Any]) -> dict[str, Any]:
    required = {"nodeSelectorTerms": list(node_terms)}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


def test_selector_and_affinity_become_terms() -> None:
    assert terms({}) == ()
    assert terms({"nodeSelector": {"b": "2", "a": "1"}}) == (
        (Requirement("a", "In", ("1",)), Requirement("b", "In", ("2",))),
    )
    affinity = node_affinity(
        {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["x", "y"]}]},
        {},
        {
            "matchExpressions": [{"key": "old", "operator": "DoesNotExist"}],
            "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}],
        },
    )
    assert terms({"nodeSelector": {"a": "1"}, "affinity": affinity}) == (
        (Requirement("a", "In", ("1",)), Requirement("zone", "In", ("x", "y"))),
        (
            Requirement("a", "In", ("1",)),
            Requirement("old", "DoesNotExist"),
            Requirement("metadata.name", "In", ("n1",)),
        ),
    )
    assert terms({"affinity": node_affinity({})}) == (NOWHERE,)
    preferred = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{}]}}
    assert terms({"affinity": preferred}) == ()


def test_tolerations_are_kept_as_they_are_meant() -> None:
    tolerations = [
        {"operator": "Exists"},
        {"key": "a", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "b", "value": "1"},
        {"key": "c", "operator": "Equal", "value": "2", "effect": "NoExecute"},
        {"key": "d", "operator": "Gt", "value": "3"},
    ]
    assert resident(spec={"tolerations": tolerations}).tolerations == (
        Toleration(exists=True),
        Toleration("a", effect="NoSchedule", exists=True),
        Toleration("b", "1"),
        Toleration("c", "2", "NoExecute"),
    )


OTHERS = {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone"}]}
PREFERRED = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1}]}
SPREAD = {"maxSkew": 1, "topologyKey": "zone"}


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({}, ""),
        ({"affinity": {"podAffinity": OTHERS}}, "affinity to other pods"),
        ({"affinity": {"podAntiAffinity": OTHERS}}, "affinity to other pods"),
        ({"affinity": {"podAntiAffinity": PREFERRED}}, ""),
        (
            {"topologySpreadConstraints": [SPREAD | {"whenUnsatisfiable": "DoNotSchedule"}]},
            "spread over a topology",
        ),
        ({"topologySpreadConstraints": [SPREAD | {"whenUnsatisfiable": "ScheduleAnyway"}]}, ""),
        (
            {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]},
            "uses a volume claim",
        ),
        ({"volumes": [{"name": "v", "ephemeral": {}}]}, "uses a volume claim"),
        ({"volumes": [{"name": "v", "hostPath": {}}, {"name": "w", "emptyDir": {}}]}, ""),
        ({"resourceClaims": [{"name": "gpu"}]}, "claims devices"),
        ({"nodeSelector": {"kubernetes.io/hostname": "n1"}}, ""),
        (
            {"containers": [container() | {"ports": [{"containerPort": 1, "hostPort": 1}]}]},
            "binds a port of its node",
        ),
        ({"containers": [container() | {"ports": [{"containerPort": 1}]}]}, ""),
    ],
)
def test_what_keeps_a_pod_where_it_is(spec: dict[str, Any], reason: str) -> None:
    assert resident(spec=spec).pinned == reason
    daemon = {"ownerReferences": owners("DaemonSet", "agent")}
    assert resident(spec=spec, metadata=daemon).pinned == ""


@pytest.mark.parametrize(
    ("metadata", "daemon", "reason"),
    [
        ({"ownerReferences": []}, False, "no controller would start it again"),
        (
            {"annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}},
            False,
            "annotation cluster-autoscaler.kubernetes.io/safe-to-evict",
        ),
        ({"annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"}}, False, ""),
        (
            {"annotations": {"karpenter.sh/do-not-disrupt": "true"}},
            False,
            "annotation karpenter.sh/do-not-disrupt",
        ),
        ({"ownerReferences": owners("DaemonSet", "agent")}, True, ""),
        ({"ownerReferences": owners("Node", "n1", "v1")}, True, ""),
        ({"ownerReferences": [], "annotations": {"kubernetes.io/config.mirror": "x"}}, True, ""),
    ],
)
def test_who_a_pod_belongs_to(metadata: dict[str, Any], daemon: bool, reason: str) -> None:
    found = resident(metadata=metadata)
    assert (found.daemon, found.pinned) == (daemon, reason)


def test_a_pod_that_is_not_placed_holds_no_room() -> None:
    metadata = {"namespace": "ml", "name": "p"}
    assert resident_fact({"metadata": metadata, "spec": {"containers": [container()]}}) is None
