"""What a run asks of the API server, and what it does when that answers badly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from analyzer.errors import SourceError
from analyzer.sleep.model import Leave, Sleep, Wake
from jobs.ledger.errors import LedgerError
from jobs.sleeping.tick import run_once
from jobs.sleeping.view import Site
from tests.e2e.sleepers import DEPLOYMENT, make, ours, read
from tests.fakes.kube import Attempt, Close, Hang, Reply, Request
from tests.fakes.kubeapi.caller import Caller
from tests.jobs.sleeping.runs import MORNING, NIGHT, once_each, outcomes, standin


def calls(api: Caller) -> Counter[str]:
    """Requests by verb and kind since the last time."""
    seen = standin(api).requests
    found = Counter(f"{one.method} {one.path.rstrip('/')}" for one in seen)
    seen.clear()
    return found


def shape(found: Counter[str]) -> Counter[str]:
    """The same with names of workloads left out."""
    shaped: Counter[str] = Counter()
    for call, n in found.items():
        verb, _, path = call.partition(" ")
        steps = path.split("/")
        if verb == "PATCH":
            steps[-1] = "NAME"
        shaped[f"{verb} {'/'.join(steps)}"] += n
    return shaped


def test_a_sweep_costs_a_patch_and_an_event_each_and_the_lists(api: Caller, site: Site) -> None:
    for n in range(1203):
        make(api, DEPLOYMENT, f"w{n}", spec={"replicas": 1})
    calls(api)
    assert outcomes(run_once(site, NIGHT)) == {"done": 1203}
    found = shape(calls(api))
    ns = api.namespace
    assert found.pop(f"PATCH /apis/apps/v1/namespaces/{ns}/deployments/NAME") == 1203
    assert found.pop(f"POST /api/v1/namespaces/{ns}/events") == 1203
    assert found.pop("GET /apis/apps/v1/deployments") == 3
    assert all(call.startswith("GET") and n == 1 for call, n in found.items()), found
    # A minute later there is nothing to do: only the lists, of all namespaces at once.
    assert outcomes(run_once(site, NIGHT + timedelta(minutes=1))) == {}
    idle = shape(calls(api))
    assert idle.pop("GET /apis/apps/v1/deployments") == 3
    assert all(n == 1 and "/namespaces/" not in call for call, n in idle.items()), idle
    assert not any("pods" in call or "nodes" in call for call in idle)
    assert outcomes(run_once(site, MORNING)) == {"done": 1203}
    found = shape(calls(api))
    assert found[f"PATCH /apis/apps/v1/namespaces/{ns}/deployments/NAME"] == 1203
    assert found[f"POST /api/v1/namespaces/{ns}/events"] == 1203


@pytest.mark.parametrize(
    "answer",
    [
        lambda: Reply(429, {"message": "slow down"}, {"Retry-After": "1"}),
        lambda: Reply(500, {"message": "broken"}),
        lambda: Reply(409, {"message": "the object has been modified"}),
        Close,
    ],
    ids=["429", "500", "409", "cut"],
)
def test_what_fails_once_is_done_all_the_same(
    api: Caller, site: Site, answer: Callable[[], Any]
) -> None:
    for n in range(5):
        make(api, DEPLOYMENT, f"w{n}")
    standin(api).inject(once_each(answer))
    assert outcomes(run_once(site, NIGHT)) == {"done": 5}
    standin(api).clear_faults()
    standin(api).inject(once_each(answer))
    assert outcomes(run_once(site, MORNING)) == {"done": 5}
    assert all(read(api, DEPLOYMENT, f"w{n}")["spec"]["replicas"] == 4 for n in range(5))


def test_one_that_always_fails_stops_no_other_and_is_named(api: Caller, site: Site) -> None:
    for n in range(5):
        make(api, DEPLOYMENT, f"w{n}")

    def fault(request: Request) -> Any:
        broken = request.method == "PATCH" and request.path.endswith("w2")
        return Reply(403, {"message": "may not patch"}) if broken else None

    standin(api).inject(fault)
    report = run_once(site, NIGHT)
    assert outcomes(report) == {"done": 4, "failed": 1}
    [line] = report.failures
    assert "w2" in line
    assert "may not patch" in line
    standin(api).clear_faults()
    assert outcomes(run_once(site, NIGHT + timedelta(minutes=1))) == {"done": 1}


def test_a_hanging_answer_is_given_up_and_found_out_later(api: Caller, site: Site) -> None:
    make(api, DEPLOYMENT, "w0")
    impatient = replace(site, api=replace(site.api, timeout_s=0.3))
    standin(api).inject(once_each(lambda: Hang(2)))
    report = run_once(impatient, NIGHT)
    assert outcomes(report) == {"unknown": 1}
    assert outcomes(run_once(site, NIGHT + timedelta(minutes=1))) == {"done": 1}
    assert outcomes(run_once(site, MORNING)) == {"done": 1}
    assert read(api, DEPLOYMENT, "w0")["spec"]["replicas"] == 4


def test_deleted_between_list_and_patch_is_skipped(api: Caller, site: Site) -> None:
    for n in range(3):
        make(api, DEPLOYMENT, f"w{n}")

    def fault(request: Request) -> None:
        if request.method == "PATCH" and request.path.endswith("w1"):
            api.call("DELETE", f"{DEPLOYMENT.path}/w1")

    standin(api).inject(fault)
    report = run_once(site, NIGHT)
    assert outcomes(report) == {"done": 2, "skipped": 1}
    assert report.failures == []
    assert outcomes(run_once(site, NIGHT + timedelta(minutes=1))) == {}


def test_a_person_between_list_and_patch_wins(api: Caller, site: Site) -> None:
    make(api, DEPLOYMENT, "w0")
    fault = once_each(
        lambda: api.patch(f"{DEPLOYMENT.path}/w0/scale", {"spec": {"replicas": 9}}) and None
    )

    def meddle(request: Request) -> Any:
        return fault(request) if not request.path.endswith("/scale") else None

    standin(api).inject(meddle)
    assert outcomes(run_once(site, NIGHT)) == {"done": 1}
    assert ours(read(api, DEPLOYMENT, "w0"))["gpu-thrift.io/replicas"] == "9"
    standin(api).clear_faults()
    run_once(site, MORNING)
    assert read(api, DEPLOYMENT, "w0")["spec"]["replicas"] == 9


def test_a_forbidden_namespace_and_a_missing_one_are_named_and_the_rest_is_done(
    api: Caller, site: Site
) -> None:
    api.make("Namespace", {"metadata": {"name": "closed"}})
    make(api, DEPLOYMENT, "w0")
    standin(api).allow(_open)
    spaces = (api.namespace, "closed", "nowhere")
    narrow = replace(site, config=replace(site.config, namespaces=spaces))
    report = run_once(narrow, NIGHT)
    assert outcomes(report) == {"done": 1}
    told = "; ".join(report.failures)
    assert "deployments.apps in namespace closed" in told
    assert "namespace nowhere: does not exist" in told


def _open(attempt: Attempt) -> bool:
    return attempt.namespace != "closed"


def test_no_list_at_all_is_an_error_of_one_line(api: Caller, site: Site) -> None:
    for status in (401, 500):
        standin(api).clear_faults()
        standin(api).inject(lambda _, status=status: Reply(status, {"message": "no"}))
        with pytest.raises(SourceError) as refused:
            run_once(site, NIGHT)
        assert str(refused.value).isprintable()
        assert str(status) in str(refused.value)


def test_without_a_ledger_nothing_sleeps_and_everything_wakes(api: Caller, site: Site) -> None:
    make(api, DEPLOYMENT, "w0")
    run_once(site, NIGHT)
    make(api, DEPLOYMENT, "w1")

    def lost() -> Any:
        raise LedgerError("ledger: gone")

    without = replace(site, open_ledger=lost)
    report = run_once(without, NIGHT + timedelta(minutes=1))
    assert outcomes(report) == {"failed": 1}
    assert "gone" in "; ".join(report.failures)
    assert outcomes(run_once(without, MORNING)) == {"done": 1}
    assert read(api, DEPLOYMENT, "w0")["spec"]["replicas"] == 4


def test_a_fleet_that_changed_too_much_is_not_put_to_sleep(api: Caller, site: Site) -> None:
    for n in range(6):
        make(api, DEPLOYMENT, f"p{n}", {"environment": "production"})
        make(api, DEPLOYMENT, f"w{n}")
    run_once(site, MORNING - timedelta(days=1))
    for n in range(6):
        labels = {"metadata": {"labels": {"environment": "development"}}}
        api.patch(f"{DEPLOYMENT.path}/p{n}", labels)
    report = run_once(site, NIGHT)
    assert outcomes(report) == {}
    assert "production" in report.refused
    reasons = Counter(one.decision.reason for one in report.decided)
    assert reasons == {"run-refused": 12}
    assert outcomes(run_once(site, NIGHT, accept_change=True)) == {"done": 12}
    # Half of them gone: that stops sleep, not waking.
    for n in range(6):
        api.call("DELETE", f"{DEPLOYMENT.path}/p{n}")
    report = run_once(site, MORNING)
    assert "6 workloads are listed, 12 were before" in report.refused
    assert outcomes(report) == {"done": 6}


def test_the_limits_of_one_run(api: Caller, site: Site) -> None:
    for n in range(5):
        make(api, DEPLOYMENT, f"w{n}")
    few = replace(site, config=replace(site.config, max_workloads=2))
    report = run_once(few, NIGHT)
    sorts = Counter(type(one.decision) for one in report.decided)
    assert sorts == {Sleep: 2, Leave: 3}
    narrow = replace(site, config=replace(site.config, max_gpus=9.0))
    assert outcomes(run_once(narrow, NIGHT + timedelta(minutes=1))) == {"done": 2}
    report = run_once(few, MORNING)
    assert Counter(type(one.decision) for one in report.decided)[Wake] == 4


def test_waves_wake_within_the_gpu_budget(api: Caller, site: Site) -> None:
    for n in range(3):
        annotations = {"gpu-thrift.io/wake-priority": str(n)}
        make(api, DEPLOYMENT, f"model-7b-{n}", annotations=annotations)
    run_once(site, NIGHT)
    budget = replace(site, config=replace(site.config, wake_gpus=8.0))
    woken = {}
    for minute in range(25):
        now = MORNING.replace(hour=7, minute=35) + timedelta(minutes=minute)
        for one in run_once(budget, now).results:
            woken[one.decided.target.key.name] = now.strftime("%H:%M")
    # 7B takes 10 minutes: two of 4 GPUs at 07:50, and the most important one a wave before.
    assert woken["model-7b-2"] == "07:40"
