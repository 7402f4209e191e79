"""What a run does where the cluster is not as anybody would expect."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from analyzer.sleep.activity import PodActivity
from analyzer.sleep.model import Wake
from jobs.ledger.scoped import ClusterLedger
from jobs.sites import dry
from jobs.sleeping.tick import run_once
from jobs.sleeping.view import Site, look
from tests.e2e.sleepers import (
    DEPLOYMENT,
    SCALED_OBJECT,
    define,
    is_stopped,
    make,
    ours,
    read,
    template,
)
from tests.fakes.kube import Reply, Request
from tests.fakes.kubeapi.caller import Caller
from tests.jobs.sleeping.runs import MORNING, NIGHT, outcomes, standin

MINUTE = timedelta(minutes=1)


def at_least(api: Caller, least: int, times: int) -> Any:
    """A webhook that never lets a Deployment have fewer replicas, and then a rival writer."""
    left = [times]

    def fault(request: Request) -> Any:
        body = request.body() if request.method == "PATCH" else {}
        replicas = (body.get("spec") or {}).get("replicas")
        if replicas is None or replicas >= least:
            return None
        body["spec"]["replicas"] = least
        answer = api.patch(request.path, body)
        if left[0]:
            left[0] -= 1
            api.patch(f"{request.path}/status", {"status": {"observedGeneration": left[0]}})
        return Reply(answer.status, answer.body)

    return fault


@pytest.mark.parametrize("rivals", [0, 1])
def test_what_a_webhook_changed_is_undone(api: Caller, site: Site, rivals: int) -> None:
    before = make(api, DEPLOYMENT, "w0")
    standin(api).inject(at_least(api, 1, rivals))
    report = run_once(site, NIGHT)
    assert outcomes(report) == {"failed": 1}
    assert "the server made spec.replicas 1, not 0" in report.failures[0]
    after = read(api, DEPLOYMENT, "w0")
    assert (after["spec"], ours(after)) == (before["spec"], {})
    assert look(site, NIGHT).state.open == {}


def test_a_person_who_comes_between_a_webhook_and_the_undoing_wins(api: Caller, site: Site) -> None:
    make(api, DEPLOYMENT, "w0")
    webhook = at_least(api, 1, 0)

    def fault(request: Request) -> Any:
        answer = webhook(request)
        if answer is not None:
            api.patch(request.path, {"spec": {"replicas": 7}})
        return answer

    standin(api).inject(fault)
    assert outcomes(run_once(site, NIGHT)) == {"unknown": 1}
    standin(api).clear_faults()
    run_once(site, NIGHT + MINUTE)
    after = read(api, DEPLOYMENT, "w0")
    assert after["spec"]["replicas"] == 7
    assert set(ours(after)) <= {"gpu-thrift.io/keep-awake-until"}


def test_a_cluster_that_does_not_say_who_it_is_is_not_taken_for_another(
    api: Caller, site: Site
) -> None:
    make(api, DEPLOYMENT, "w0")
    run_once(site, NIGHT)
    make(api, DEPLOYMENT, "w1")

    def fault(request: Request) -> Any:
        return Reply(500, {"message": "no"}) if "kube-system" in request.path else None

    standin(api).inject(fault)
    narrow = replace(site, config=replace(site.config, namespaces=(api.namespace,)))
    report = run_once(narrow, NIGHT + MINUTE)
    assert outcomes(report) == {"failed": 1}
    assert "nothing is put to sleep until it can" in report.failures[0]
    assert outcomes(run_once(narrow, MORNING)) == {"done": 1}
    assert read(api, DEPLOYMENT, "w0")["spec"]["replicas"] == 4


def test_who_may_not_ask_which_cluster_it_is_finds_its_rows(api: Caller, site: Site) -> None:
    made = make(api, DEPLOYMENT, "w0")
    run_once(site, NIGHT)
    standin(api).allow(lambda attempt: attempt.name != "kube-system")
    narrow = replace(site, config=replace(site.config, namespaces=(api.namespace,)))
    assert made["metadata"]["uid"] in look(narrow, NIGHT).state.open


@pytest.mark.parametrize(
    ("annotations", "told"),
    [
        ({"autoscaling.keda.sh/paused": "true"}, "paused by a person"),
        ({}, "Deployment scaled, which it scales, cannot be read"),
    ],
)
def test_an_autoscaler_that_is_paused_or_whose_target_is_unknown_is_left(
    api: Caller, site: Site, annotations: dict[str, str], told: str
) -> None:
    define(api, SCALED_OBJECT)
    made = make(api, SCALED_OBJECT, "scaler", annotations=annotations)
    if annotations:
        make(api, DEPLOYMENT, "scaled")
    site = replace(site, rules=replace(site.rules, gpus_only=False))
    report = run_once(site, NIGHT)
    evidence = {one.target.key.name: one.decision.evidence for one in report.decided}
    assert evidence["scaler"] == told
    version = read(api, SCALED_OBJECT, "scaler")["metadata"]["resourceVersion"]
    assert version == made["metadata"]["resourceVersion"]


def test_what_a_deleted_autoscaler_left_at_zero_is_told_until_it_is_started(
    api: Caller, site: Site
) -> None:
    define(api, SCALED_OBJECT)
    make(api, SCALED_OBJECT, "scaler")
    make(api, DEPLOYMENT, "scaled")
    run_once(site, NIGHT)
    assert is_stopped(read(api, SCALED_OBJECT, "scaler"), SCALED_OBJECT)
    [row] = look(site, NIGHT).state.open.values()
    assert row.gpus == 4
    # KEDA does what it was asked to; then the ScaledObject goes.
    api.patch(f"{DEPLOYMENT.path}/scaled/scale", {"spec": {"replicas": 0}})
    api.call("DELETE", f"{SCALED_OBJECT.path}/scaler")
    for minute in (2, 3):
        report = run_once(site, NIGHT + minute * MINUTE)
        assert "Deployment/scaled is at 0 still" in "; ".join(report.failures)
    api.patch(f"{DEPLOYMENT.path}/scaled/scale", {"spec": {"replicas": 4}})
    report = run_once(site, MORNING)
    assert "scaled" not in "; ".join(report.failures)
    assert look(site, MORNING).state.open == {}


def test_an_autoscaler_whose_target_idles_at_zero_is_left(api: Caller, site: Site) -> None:
    define(api, SCALED_OBJECT)
    make(api, SCALED_OBJECT, "scaler")
    make(api, DEPLOYMENT, "scaled", spec={"replicas": 0})
    assert outcomes(run_once(site, NIGHT)) == {}


def test_a_refused_run_takes_nothing_for_deleted(api: Caller, site: Site) -> None:
    for n in range(5):
        make(api, DEPLOYMENT, f"w{n}")
    run_once(site, NIGHT)

    def fault(request: Request) -> Any:
        if request.method == "GET" and request.path.rstrip("/").endswith("/apps/v1/deployments"):
            return Reply(200, {"items": [], "metadata": {"resourceVersion": "1"}})
        return None

    standin(api).inject(fault)
    report = run_once(site, NIGHT + MINUTE)
    assert "0 workloads are listed" in report.refused
    standin(api).clear_faults()
    assert len(look(site, NIGHT).state.open) == 5
    for n in range(5):
        gone = dict.fromkeys(ours(read(api, DEPLOYMENT, f"w{n}")))
        api.patch(f"{DEPLOYMENT.path}/w{n}", {"metadata": {"annotations": gone}})
    assert outcomes(run_once(site, MORNING)) == {"done": 5}


def test_a_dry_run_writes_nothing_anywhere(api: Caller, site: Site) -> None:
    make(api, DEPLOYMENT, "w0")
    view = look(site, NIGHT)
    assert view.ledger is not None
    standin(api).requests.clear()
    report = run_once(dry(site), NIGHT)
    assert [one.detail for one in report.results] == ["dry run"]
    assert {one.method for one in standin(api).requests} == {"GET"}
    after = look(site, NIGHT)
    assert (after.state.baseline, after.state.unfinished) == ({}, [])


def test_a_workload_that_nobody_foresaw_keeps_no_other_from_waking(api: Caller, site: Site) -> None:
    huge = template()
    container = huge["spec"]["containers"][0]
    container["startupProbe"] = {"failureThreshold": 2**31 - 1, "periodSeconds": 2**31 - 1}
    make(api, DEPLOYMENT, "huge", spec={"template": huge})
    make(api, DEPLOYMENT, "w0")
    assert outcomes(run_once(site, NIGHT)) == {"done": 2}
    assert outcomes(run_once(site, MORNING)) == {"done": 2}


def test_a_sleep_that_a_tool_undoes_while_it_works_is_not_repeated_yet(
    api: Caller, site: Site
) -> None:
    tracked = {"argocd.argoproj.io/tracking-id": "team:apps/Deployment:ml/w0"}
    make(api, DEPLOYMENT, "w0", annotations=tracked)
    assert outcomes(run_once(site, NIGHT)) == {"done": 1}
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "w0", "controller": True}
    owner["uid"] = read(api, DEPLOYMENT, "w0")["metadata"]["uid"]
    pod = {
        "metadata": {"name": "w0-a", "ownerReferences": [owner]},
        "spec": template()["spec"] | {"nodeName": "n"},
    }
    made = api.make("Pod", pod)
    api.patch(
        f"/api/v1/namespaces/{{ns}}/pods/{made['metadata']['name']}/status",
        {"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
    )
    standing = {"spec": {"replicas": 4}, "status": {"replicas": 4}}
    api.patch(f"{DEPLOYMENT.path}/w0", standing, query={"fieldManager": "argocd-controller"})
    busy = PodActivity(requests=2.0, requests_fresh=True)
    working = replace(site, activity=lambda _: {(api.namespace, "w0-a"): busy})
    for minute in range(1, 5):
        report = run_once(working, NIGHT + minute * MINUTE)
        assert [one.decision.reason for one in report.decided] == ["busy"]
    # Waiting was no try.
    [row] = look(site, NIGHT).state.open.values()
    assert row.reverts == 0


def test_only_who_watched_measures_the_time_to_ready(api: Caller, site: Site) -> None:
    make(api, DEPLOYMENT, "w0")
    times = []
    for day, away in enumerate((timedelta(minutes=3), timedelta(hours=9))):
        night, morning = NIGHT + timedelta(days=day), MORNING + timedelta(days=day)
        run_once(at(site, night), night)
        run_once(at(site, morning), morning)
        status = {"status": {"readyReplicas": 4, "replicas": 4}}
        api.patch(f"{DEPLOYMENT.path}/w0/status", status)
        run_once(at(site, morning + away), morning + away)
        view = look(site, morning + away)
        assert not view.state.waiting
        times.append([*view.state.ready_times.values()])
        api.patch(f"{DEPLOYMENT.path}/w0/status", {"status": {"readyReplicas": 0, "replicas": 0}})
    assert times == [[[180.0]], [[180.0]]]


def at(site: Site, now: datetime) -> Site:
    return replace(site, clock=lambda: now)


def test_a_slow_start_is_reported_once_and_measured_all_the_same(api: Caller, site: Site) -> None:
    make(api, DEPLOYMENT, "w0")
    run_once(at(site, NIGHT), NIGHT)
    reported = []
    for minute in range(50):
        now = MORNING + minute * MINUTE
        if minute == 45:
            status = {"status": {"readyReplicas": 4, "replicas": 4}}
            api.patch(f"{DEPLOYMENT.path}/w0/status", status)
        report = run_once(at(site, now), now)
        reported += [minute for _ in report.followed.late]
    assert reported == [31]
    [times] = look(site, MORNING).state.ready_times.values()
    assert times == [45 * 60.0]


def test_what_a_person_asks_for_is_not_held_back_by_the_budget(api: Caller, site: Site) -> None:
    for n in range(4):
        make(api, DEPLOYMENT, f"w{n}")
    run_once(at(site, NIGHT), NIGHT)
    for n in (2, 3):
        wish = {"metadata": {"annotations": {"gpu-thrift.io/exclude": "true"}}}
        api.patch(f"{DEPLOYMENT.path}/w{n}", wish)
    tight = at(replace(site, config=replace(site.config, wake_gpus=4.0)), MORNING)
    report = run_once(tight, MORNING)
    woken = {one.target.key.name for one in report.decided if isinstance(one.decision, Wake)}
    assert woken == {"w2", "w3"}


def test_a_sleep_that_nobody_saw_end_is_closed(api: Caller, site: Site) -> None:
    made = make(api, DEPLOYMENT, "w0", annotations={"gpu-thrift.io/sleep-replicas": "1"})
    run_once(site, NIGHT)
    view = look(site, NIGHT)
    [row] = view.state.open.values()
    assert row.gpus == 3
    # Another program, with a ledger of its own, wakes it.
    path = f"{DEPLOYMENT.path}/w0"
    gone = dict.fromkeys(ours(read(api, DEPLOYMENT, "w0")))
    gone |= {"gpu-thrift.io/sleep-replicas": None, "gpu-thrift.io/awake": "always"}
    api.patch(path, {"metadata": {"annotations": gone}, "spec": {"replicas": 4}})
    run_once(site, NIGHT + MINUTE)
    view = look(site, NIGHT + MINUTE)
    assert (view.state.open, view.ledger and type(view.ledger)) == ({}, ClusterLedger)
    assert made["spec"] == read(api, DEPLOYMENT, "w0")["spec"]
