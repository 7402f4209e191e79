"""Prices by node, clusters that do not answer, samples and labels that are not as they should."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest

from tests.conftest import Engine
from tests.e2e.run import Told, analyse, check, close, config_for, program
from tests.e2e.scenes import A10G, A100, L4, T4, USD, Scene, Span
from tests.servers import free_port

OPTIONS = ("--no-cluster", "--window", "2d", "--format", "json")
PRICES = """
[[pricing.prices]]
gpu = "L4"
on_demand = 0.5
as_of = 2026-10-01

[[pricing.prices]]
instance_type = "g5.12xlarge"
on_demand = 0.9
as_of = 2026-10-01

[[pricing.prices]]
node_labels = { "example.com/contract" = "reserved" }
on_demand = 1.11
as_of = 2026-10-01
"""
PRICED = {
    "by-gpu": (L4, {}, 0.5),
    "by-instance": (A10G, {"node_kubernetes_io_instance_type": "g5.12xlarge"}, 0.9),
    "by-label": (
        L4,
        {"example_com_contract": "reserved", "node_kubernetes_io_instance_type": "g6.xlarge"},
        1.11,
    ),
    "catalogue": (A100, {"node_kubernetes_io_instance_type": "p4de.24xlarge"}, 3.43),
    "spot": (A100, {"karpenter_sh_capacity_type": "spot"}, 0.68),
    "spot-t4": (T4, {"kubernetes_azure_com_scalesetpriority": "spot"}, 0.149),
}
HOSTILE = 'we"ird{}\\</script>'


def priced(span: Span, name: str) -> Scene:
    model, labels, usd = PRICED[name]
    scene = Scene(name, span)
    scene.node("node-1", 2, **labels)
    scene.workload("chat-production", usd)
    scene.gpu("GPU-p", [scene.pod("chat-production", "node-1")], 0.3, model=model)
    scene.gpu("GPU-q", [], 0.0, node="node-1", model=model, index="1")
    return scene


def not_numbers(span: Span) -> Scene:
    """Now and then a step of NaN or of infinity: 1 % of the time."""
    scene = Scene("not-numbers", span)
    scene.node("a100-1", 1)
    scene.workload("chat-production", USD[A100])
    times_s = span.times()
    use = scene.load(times_s, 0.3)
    step = ((times_s - span.start_s) // 300).astype(int)
    use[step % 200 == 50] = np.nan
    use[step % 200 == 150] = np.inf
    scene.gpu("GPU-n", [scene.pod("chat-production", "a100-1")], use)
    return scene


def hostile(span: Span) -> Scene:
    """Label values that break whoever pastes them into a query, a page or a pattern."""
    scene = Scene("hostile", span)
    scene.node("a100-1", 1)
    scene.workload(HOSTILE, USD[A100], namespace=HOSTILE, team=HOSTILE)
    pod = scene.pod(HOSTILE, "a100-1", namespace=HOSTILE)
    scene.gpu("GPU-h", [pod], 0.3)
    return scene


@dataclass(frozen=True)
class Fleet:
    told: Told
    scenes: dict[str, Scene]
    url: str

    def check(self, cluster: str, name: str) -> dict[str, object]:
        return check(self.told, self.scenes[cluster], name)


@pytest.fixture(scope="module")
def fleet(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    span = Span.until_now()
    scenes = [priced(span, name) for name in PRICED] + [not_numbers(span), hostile(span)]
    url = engine(series for scene in scenes for series in scene.series)
    told = analyse(scenes, url, tmp_path_factory.mktemp("clusters"), PRICES)
    return Fleet(told, {scene.cluster: scene for scene in scenes}, url)


@pytest.mark.parametrize("name", PRICED)
def test_the_most_specific_price_of_the_node_counts(fleet: Fleet, name: str) -> None:
    usd = PRICED[name][2]
    assert fleet.check(name, "chat-production")["cost_usd"] == close(48 * usd, 0.006)
    assert fleet.told.pool(name)["unallocated_cost_usd"] == close(48 * usd, 0.006)


def test_nan_and_infinity_are_missing_samples(fleet: Fleet) -> None:
    one = fleet.check("not-numbers", "chat-production")
    assert one["coverage"] < 1
    assert one["verdict"] == "underused"


def test_hostile_names_come_through_unharmed(fleet: Fleet) -> None:
    one = fleet.check("hostile", HOSTILE)
    assert (one["namespace"], one["team"]) == (HOSTILE, HOSTILE)
    assert one["kind"] == "Deployment"


@pytest.mark.parametrize("form", ["table", "csv"])
def test_hostile_names_break_no_other_output(fleet: Fleet, form: str) -> None:
    done = program(
        "--config", fleet.told.config, "analyze", *OPTIONS[:-1], form, "--cluster", "hostile"
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_two_clusters_in_one_server_are_told_apart(fleet: Fleet) -> None:
    assert len(fleet.told.workloads("spot")) == len(fleet.told.workloads("catalogue")) == 1
    assert fleet.told.document["failed_clusters"] == []


def test_a_cluster_that_does_not_answer_is_named_and_the_others_go_on(
    fleet: Fleet, tmp_path: object
) -> None:
    config = config_for(["spot", "catalogue"], fleet.url, fleet.told.config.parent / "dead.toml")
    dead = f"http://127.0.0.1:{free_port()}"
    more = f'[[clusters]]\nname = "dead"\n[clusters.prometheus]\nurl = "{dead}"\nretries = 0\n'
    config.write_text(config.read_text() + more)
    done = program("--config", config, "analyze", *OPTIONS)
    assert done.returncode == 4, done.stderr
    document = json.loads(done.stdout)
    assert {w["cluster"] for w in document["workloads"]} == {"spot", "catalogue"}
    (failed,) = document["failed_clusters"]
    assert failed["cluster"] == "dead"
    assert dead.removeprefix("http://") in failed["reason"]
    assert "dead" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_empty_server_gives_an_empty_honest_document(engine: Engine) -> None:
    done = program("analyze", "--prometheus", engine([]), *OPTIONS)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["workloads"] == []
    assert document["totals"]["coverage"] is None
    assert "no-gpu-metrics" in {w["code"] for w in document["warnings"]}
