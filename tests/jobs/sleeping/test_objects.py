"""What one object tells about itself, worked out from the documentation of its kind."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from analyzer.config import CustomKindConfig
from analyzer.sleep.model import Busy
from jobs.kinds import kinds
from jobs.sleeping.objects import read_item
from jobs.sleeping.survey import Activity, Survey
from jobs.sleeping.tick import each
from tests.analyzer.sleep.cases import target
from tests.e2e.sleepers import template

SERVER = CustomKindConfig("example.com/v1", "servers", "Server", ready_path="")
KINDS = {kind.name: kind for kind in kinds((SERVER,))}


def item(kind: str, spec: dict[str, Any], status: Any = None, **metadata: Any) -> Any:
    known = {"name": "w", "namespace": "ml", "uid": "u", "resourceVersion": "1", **metadata}
    return read_item(KINDS[kind], {"metadata": known, "spec": spec, "status": status})


def set_by(manager: str) -> list[dict[str, Any]]:
    return [{"manager": manager, "time": "2027", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]


@pytest.mark.parametrize(
    ("labels", "manager", "expected"),
    [
        ({"app.kubernetes.io/instance": "team"}, "argocd-controller", ("Argo CD", "team")),
        ({}, "argocd-application-controller", ("Argo CD", "unknown")),
        # Helm writes that label as well.
        ({"app.kubernetes.io/instance": "team"}, "helm", None),
        ({"kustomize.toolkit.fluxcd.io/name": "apps"}, "x", ("Flux", "Kustomization apps")),
    ],
)
def test_who_applies_it(labels: dict[str, str], manager: str, expected: Any) -> None:
    found = item("Deployment", {"replicas": 4}, labels=labels, managedFields=set_by(manager))
    owner = found.gitops
    assert (owner and (owner.tool, owner.name)) == expected
    # Who set the count matters where a tool may have.
    assert found.changed_by == (manager if expected else "")


@pytest.mark.parametrize(
    ("kind", "spec", "status", "expected"),
    [
        ("Deployment", {"replicas": 4}, None, False),
        ("Deployment", {"replicas": 4}, {"observedGeneration": 1}, False),
        ("Deployment", {"replicas": 4}, {"replicas": 1}, True),
        ("Deployment", {"replicas": 4}, {"readyReplicas": 4}, True),
        ("InferenceService", {"predictor": {}}, {"conditions": []}, None),
        ("InferenceService", {}, {"conditions": [{"type": "Ready", "status": "True"}]}, True),
        ("RayCluster", {}, None, False),
        ("Server", {"replicas": 2}, {"replicas": 2}, True),
    ],
)
def test_whether_there_are_pods(kind: str, spec: Any, status: Any, expected: Any) -> None:
    assert item(kind, spec, status).has_pods is expected


def test_pods_that_are_not_found_are_not_taken_for_idle() -> None:
    survey, activity = Survey(pods_known=True), Activity()
    for has_pods, expected in ((False, "idle"), (True, "unknown"), (None, "unknown")):
        busy: Busy = survey.busy(target(has_pods=has_pods), activity, 0.05)
        assert busy.activity == expected


def test_a_template_may_hold_what_no_pod_could() -> None:
    odd = template()
    odd["metadata"]["labels"] = {"environment": 7, "team": None, "ok": True}
    odd["spec"]["containers"][0]["startupProbe"] = {"failureThreshold": 10**300}
    found = item("Server", {"replicas": 1, "template": odd})
    assert found.pod_labels == {"environment": "7", "team": "None", "ok": "True"}
    assert found.startup == timedelta(hours=1)


def test_one_that_fails_is_named_and_the_others_go_on() -> None:
    problems: list[Any] = []

    def decide(one: Any) -> str:
        if one.key.name == "odd":
            raise AttributeError("no such thing")
        return str(one.key.name)

    made = each([target(name="a"), target(name="odd"), target(name="b")], decide, problems)
    assert made == ["a", "b"]
    [problem] = problems
    assert problem.subject.endswith("odd")
    assert "AttributeError: no such thing" in problem.message
