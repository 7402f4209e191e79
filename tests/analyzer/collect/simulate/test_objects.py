"""The demo's Kubernetes API: one word with its kube-state-metrics, and nodes that add up."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from analyzer.analysis import Analysis
from analyzer.collect.cluster.quantities import is_gpu
from analyzer.collect.facts import KubeFacts, ObjectRef
from analyzer.collect.simulate import Fleet, FleetObjects, MemoryStore, demo_fleet, exposition
from analyzer.collect.simulate.kube import sanitised
from analyzer.collect.snapshot import ClusterSource, take_snapshot
from analyzer.config import Config
from analyzer.model import Snapshot, Window
from jobs.demo import Demo
from jobs.wiring import analysed, read_settings

END = datetime(2026, 11, 23, tzinfo=UTC)
WINDOW = Window.ending(END, timedelta(days=28))
SINGLE = {f"gpu-l4-{number}" for number in range(3, 8)} | {"gpu-l40s-3"}


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return demo_fleet(1, END)


@pytest.fixture(scope="module")
def facts(fleet: Fleet) -> KubeFacts:
    return FleetObjects(fleet).facts("demo")


@pytest.fixture(scope="module")
def told() -> Snapshot:
    demo = Demo(1)
    return demo.snapshot(demo.whole)


@pytest.fixture(scope="module")
def analysis(told: Snapshot) -> Analysis:
    return analysed(Config(), told, told.taken_at)


def test_an_analysis_without_the_api_gives_the_same_figures(
    fleet: Fleet, told: Snapshot, analysis: Analysis
) -> None:
    source = ClusterSource("demo", lambda: MemoryStore(exposition(fleet, WINDOW), "demo"))
    untold = take_snapshot([source], read_settings(Config()), WINDOW, END)
    without = analysed(Config(), untold, untold.taken_at)
    assert [one.workload.key for one in analysis.workloads] == [
        one.workload.key for one in without.workloads
    ]
    for one, other in zip(analysis.workloads, without.workloads, strict=True):
        told_alike = replace(one, workload=other.workload, advice=other.advice)
        assert told_alike == other, one.workload.key
    for mine, theirs in zip(told.workloads, untold.workloads, strict=True):
        for name in ("replicas", "ready", "gpus_per_replica", "exists", "shared"):
            assert getattr(mine, name) == getattr(theirs, name), (mine.key, name)
        for name in ("labels", "pod_labels", "namespace_labels"):
            labels = {sanitised(key): value for key, value in getattr(mine, name).items()}
            assert getattr(theirs, name).items() <= labels.items(), (mine.key, name)
    assert told.notices == untold.notices
    assert (analysis.pools, analysis.notices) == (without.pools, without.notices)
    assert not untold.nodes


def test_pods_and_their_owners_are_those_of_kube_state_metrics(
    fleet: Fleet, facts: KubeFacts
) -> None:
    shown = exposition(fleet, WINDOW)
    last_s = END.timestamp() - 60
    owners = {
        one.labels["uid"]: (one.labels["owner_kind"], one.labels["owner_name"])
        for one in shown.series("kube_pod_owner")
        if one.times_s[-1] >= last_s
    }
    assert {p.uid: (p.owner.kind, p.owner.name) for p in facts.pods if p.owner} == owners
    for one in shown.series("kube_replicaset_owner"):
        if one.times_s[-1] >= last_s:
            child = ObjectRef(one.labels["namespace"], "ReplicaSet", one.labels["replicaset"])
            assert facts.owners[child].name == one.labels["owner_name"]


def test_the_exporter_of_a_node_has_one_name(fleet: Fleet, facts: KubeFacts) -> None:
    named = {
        (one.labels["Hostname"], one.labels["pod"])
        for one in exposition(fleet, WINDOW).series("DCGM_FI_PROF_GR_ENGINE_ACTIVE")
        if one.labels["Hostname"] in facts.nodes
    }
    placed = {(pod.node, pod.name) for pod in facts.residents if "dcgm" in pod.name}
    assert placed == named


def test_no_node_holds_more_than_it_has(facts: KubeFacts) -> None:
    asked: dict[tuple[str, str], float] = defaultdict(float)
    for pod in facts.residents:
        for resource, amount in pod.requests.items():
            asked[pod.node, resource] += amount
    for (node, resource), amount in asked.items():
        assert amount <= facts.nodes[node].allocatable[resource], (node, resource)
    assert {node for node, _ in asked} == set(facts.nodes)


def test_nodes_are_those_that_are_still_there(facts: KubeFacts) -> None:
    assert "gpu-l40s-1" not in facts.nodes
    assert "gpu-l40s-2" in facts.nodes
    assert facts.nodes["gpu-t4-1"].allocatable["nvidia.com/gpu"] == 4
    for node in facts.nodes.values():
        assert node.taints
        assert any(map(is_gpu, node.allocatable))


def test_servers_were_told_what_they_run(facts: KubeFacts) -> None:
    def server(namespace: str, name: str) -> object:
        return facts.workloads[ObjectRef(namespace, "Deployment", name)].server

    assert server("llm-serving", "llama-70b-production") == {
        "model": "meta-llama/Llama-3.1-70B-Instruct",
        "tensor-parallel-size": "2",
        "max-model-len": "16384",
        "gpu-memory-utilization": "0.9",
        "quantization": "fp8",
    }
    assert server("platform-ml", "deepseek-70b-sglang-production") == {
        "model": "deepseek-ai/DeepSeek-R1-Distill-Llama-70B",
        "tensor-parallel-size": "2",
        "max-model-len": "32768",
        "gpu-memory-utilization": "0.9",
        "quantization": "fp8",
    }
    assert server("platform-ml", "recsys-ranker") == {}


@pytest.mark.parametrize(
    ("name", "action", "nodes"),
    [
        ("vicuna-13b-production", "reduce-replicas", 0),
        ("qwen-7b-production", "reduce-replicas", 1),
        ("llama-8b-production", "smaller-gpu", 1),
        ("llama-3b-staging", "share-gpu", 1),
        ("llama-1b-staging", "share-gpu", 1),
        ("notebooks", "sleep-overnight", 1),
        ("mistral-7b-development", "sleep-overnight", 0),
        ("mixtral-8x7b-production", "remove", 0),
        ("qwen-72b-production", "add-replicas", None),
    ],
)
def test_every_kind_of_advice_is_shown(
    analysis: Analysis, name: str, action: str, nodes: int | None
) -> None:
    [advice] = [one.advice for one in analysis.workloads if one.workload.key.name == name]
    assert advice.plan is not None
    assert (advice.plan.action, advice.plan.saving.nodes_freed) == (action, nodes)


def test_other_workloads_are_left_alone(analysis: Analysis) -> None:
    planned = {one.workload.key.name for one in analysis.workloads if one.advice.plan}
    assert len(planned) == 9
    others = [r.action for one in analysis.workloads for r in one.advice.recommendations[1:]]
    assert {"use-spot", "smaller-gpu"} <= set(others)


def test_what_the_plans_save_is_what_the_nodes_that_leave_cost(analysis: Analysis) -> None:
    savings = analysis.savings
    assert savings is not None
    assert (savings.nodes_freed, savings.nodes_freed_at_night) == (3, 1)
    assert savings.usd_per_month is not None
    assert 0 < savings.usd_per_month < (savings.worth_usd_per_month or 0)
