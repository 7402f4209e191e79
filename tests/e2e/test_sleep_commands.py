"""Sleep and wake by command and by the job, against the stand-in and, when TEST_KUBECONFIG names
one, a real API server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.run import program
from tests.e2e.sleepers import (
    DEPLOYMENT,
    DEVELOPMENT,
    MODEL_SERVER,
    PRODUCTION,
    SCALED_OBJECT,
    SORTS,
    config,
    define,
    is_stopped,
    make,
    ours,
    read,
    theirs,
)
from tests.fakes.kubeapi.caller import SERVERS, Caller, caller

CUSTOM = """[[sleep.kinds]]
api_version = "example.com/v1"
plural = "modelservers"
kind = "ModelServer"
replicas_path = "spec.size"
"""


@pytest.fixture(params=SERVERS)
def api(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Caller]:
    with caller(request.param, tmp_path) as made:
        yield made


def run(file: Path, *args: str) -> Any:
    return program("--config", file, *args)


def test_every_kind_sleeps_natively_and_comes_back_as_it_was(api: Caller, tmp_path: Path) -> None:
    sorts = (*SORTS, MODEL_SERVER)
    define(api, *sorts, SCALED_OBJECT)
    before = {sort: make(api, sort, f"a-{sort.kind.lower()}") for sort in sorts}
    before[SCALED_OBJECT] = make(api, SCALED_OBJECT, "scaler")
    target = make(api, DEPLOYMENT, "scaled")
    production = make(api, DEPLOYMENT, "live", PRODUCTION)
    unknown = make(api, DEPLOYMENT, "mystery", {})
    names = {sort: item["metadata"]["name"] for sort, item in before.items()}

    night = config(api, tmp_path, awake="never", kinds=CUSTOM)
    told = run(night, "run", "--once", "sleep")
    assert told.returncode == 0, told
    assert "put to sleep 9" in told.stdout
    for sort, name in names.items():
        assert is_stopped(read(api, sort, name), sort), sort.kind
    again = run(night, "run", "--once", "sleep")
    assert "put to sleep 0, woken 0" in again.stdout

    day = config(api, tmp_path, awake="always", kinds=CUSTOM)
    told = run(day, "run", "--once", "sleep")
    assert told.returncode == 0, told
    assert "woken 9" in told.stdout
    for sort, name in names.items():
        after = read(api, sort, name)
        assert theirs(after) == theirs(before[sort]), sort.kind
        assert ours(after) == {}, sort.kind
    for untouched in (production, unknown, target):
        version = read(api, DEPLOYMENT, untouched["metadata"]["name"])["metadata"]
        assert version["resourceVersion"] == untouched["metadata"]["resourceVersion"]
    events = api.call("GET", "/api/v1/namespaces/{ns}/events").body["items"]
    reasons = [event["reason"] for event in events]
    assert (reasons.count("PutToSleep"), reasons.count("Woken")) == (9, 9)


def test_a_person_puts_to_sleep_and_wakes(api: Caller, tmp_path: Path) -> None:
    before = make(api, DEPLOYMENT, "chat")
    make(api, DEPLOYMENT, "other")
    file = config(api, tmp_path, awake="always")
    told = run(file, "scale-down", "chat", "--until", "3h", "--yes")
    assert told.returncode == 0, told
    assert "4 → 0" in told.stdout
    asleep = read(api, DEPLOYMENT, "chat")
    assert asleep["spec"]["replicas"] == 0
    assert ours(asleep)["gpu-thrift.io/replicas"] == "4"
    assert read(api, DEPLOYMENT, "other")["spec"]["replicas"] == 4
    # It is inside its awake window, and still the job leaves it to the person.
    assert "woken 0" in run(file, "run", "--once", "sleep").stdout
    [listed] = json.loads(run(file, "status", "--format", "json").stdout)["asleep"]
    assert (listed["name"], listed["gpus"], listed["restores"]) == ("chat", 4.0, 4)
    assert listed["by"].startswith("person ")
    told = run(file, "scale-up", "chat", "--yes")
    assert told.returncode == 0, told
    after = read(api, DEPLOYMENT, "chat")
    assert theirs(after) == theirs(before)
    assert list(ours(after)) == ["gpu-thrift.io/keep-awake-until"]
    night = config(api, tmp_path, awake="never")
    assert "put to sleep 1" in run(night, "run", "--once", "sleep").stdout
    assert read(api, DEPLOYMENT, "chat")["spec"]["replicas"] == 4


def test_what_a_person_changes_at_night_stands(api: Caller, tmp_path: Path) -> None:
    make(api, DEPLOYMENT, "chat")
    night = config(api, tmp_path, awake="never")
    run(night, "run", "--once", "sleep")
    scale = {"spec": {"replicas": 2}}
    assert api.patch(f"{DEPLOYMENT.path}/chat/scale", scale).status == 200
    told = run(night, "run", "--once", "sleep")
    assert told.returncode == 0, told
    for _ in range(2):
        found = read(api, DEPLOYMENT, "chat")
        assert found["spec"]["replicas"] == 2
        assert list(ours(found)) == ["gpu-thrift.io/keep-awake-until"]
        run(night, "run", "--once", "sleep")


def test_stripped_annotations_are_restored_from_the_ledger(api: Caller, tmp_path: Path) -> None:
    before = make(api, DEPLOYMENT, "chat")
    run(config(api, tmp_path, awake="never"), "run", "--once", "sleep")
    names = dict.fromkeys(ours(read(api, DEPLOYMENT, "chat")))
    assert api.patch(f"{DEPLOYMENT.path}/chat", {"metadata": {"annotations": names}}).status == 200
    told = run(config(api, tmp_path, awake="always"), "run", "--once", "sleep")
    assert "woken 1" in told.stdout, told
    assert theirs(read(api, DEPLOYMENT, "chat")) == theirs(before)


def test_a_lost_ledger_does_not_keep_anything_asleep(api: Caller, tmp_path: Path) -> None:
    before = make(api, DEPLOYMENT, "chat")
    night = config(api, tmp_path, awake="never")
    run(night, "run", "--once", "sleep")
    ledger = tmp_path / "ledger.db"
    for path in tmp_path.glob("ledger.db*"):
        path.unlink()
    ledger.mkdir()
    told = run(config(api, tmp_path, awake="always"), "run", "--once", "sleep")
    assert told.returncode == 4
    assert "woken 1" in told.stdout
    assert "ledger" in told.stderr
    assert theirs(read(api, DEPLOYMENT, "chat")) == theirs(before)
    # And without it nothing is put to sleep.
    run(config(api, tmp_path, awake="never"), "run", "--once", "sleep")
    assert read(api, DEPLOYMENT, "chat")["spec"]["replicas"] == 4


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (("scale-down", "live", "--yes"), "production"),
        (("scale-down", "mystery", "--yes"), "unknown"),
        (("scale-down", "chat", "live", "--yes"), "production"),
        (("scale-down", "caht", "--yes"), "did you mean chat"),
        (("scale-down", "deployment/nothing", "--yes"), "no such workload"),
        (("scale-up", "live", "--yes"), "production"),
        (("keep-awake", "live", "--yes"), "production"),
        (("scale-down", "-l", "environment=production", "--yes"), "production"),
        (("scale-down", "-l", "app=nothing", "--yes"), "matches no workload"),
        (("scale-down", "chat", "--until", "yesterday", "--yes"), "--until"),
        (("scale-down", "chat"), "--yes"),
        (("keep-awake", "--yes"), "NAME"),
    ],
)
def test_what_is_refused_changes_nothing(
    api: Caller, tmp_path: Path, args: tuple[str, ...], reason: str
) -> None:
    made = [
        make(api, DEPLOYMENT, "chat"),
        make(api, DEPLOYMENT, "live", PRODUCTION),
        make(api, DEPLOYMENT, "mystery", {}),
    ]
    told = run(config(api, tmp_path), *args)
    assert told.returncode == 2, told
    assert reason in told.stderr
    assert "Traceback" not in told.stderr
    for one in made:
        now = read(api, DEPLOYMENT, one["metadata"]["name"])
        assert now["metadata"]["resourceVersion"] == one["metadata"]["resourceVersion"]


def test_a_bad_annotation_stops_only_its_own_workload(api: Caller, tmp_path: Path) -> None:
    make(api, DEPLOYMENT, "bad", annotations={"gpu-thrift.io/awake": "Mon-Foo 8-20"})
    make(api, DEPLOYMENT, "good")
    night = config(api, tmp_path, awake="never")
    told = run(night, "run", "--once", "sleep")
    assert told.returncode == 0, told
    assert "Mon-Foo" in told.stderr
    assert read(api, DEPLOYMENT, "bad")["spec"]["replicas"] == 4
    assert read(api, DEPLOYMENT, "good")["spec"]["replicas"] == 0
    [line] = json.loads(run(night, "status", "--format", "json").stdout)["attention"]
    assert "bad" in line
    assert "Mon-Foo" in line


def test_zero_by_someone_else_is_theirs(api: Caller, tmp_path: Path) -> None:
    make(api, DEPLOYMENT, "zero", spec={"replicas": 0})
    night = config(api, tmp_path, awake="never")
    assert "put to sleep 0" in run(night, "run", "--once", "sleep").stdout
    assert "woken 0" in run(config(api, tmp_path, awake="always"), "run", "--once", "sleep").stdout
    found = read(api, DEPLOYMENT, "zero")
    assert (found["spec"]["replicas"], ours(found)) == (0, {})


def test_the_default_configuration_changes_nothing_by_schedule(api: Caller, tmp_path: Path) -> None:
    make(api, DEPLOYMENT, "chat", DEVELOPMENT)
    for keys in ({"enabled": False, "dry_run": False}, {"dry_run": True}):
        told = run(config(api, tmp_path, awake="never", **keys), "run", "--once", "sleep")
        assert told.returncode == 0, told
        assert "put to sleep 0" in told.stdout
        assert read(api, DEPLOYMENT, "chat")["spec"]["replicas"] == 4
    assert "would sleep" in told.stdout


def test_a_revert_by_argo_cd_is_tried_three_times_and_then_left_alone(
    api: Caller, tmp_path: Path
) -> None:
    sign = {"argocd.argoproj.io/tracking-id": "team:apps/Deployment:ml/chat"}
    make(api, DEPLOYMENT, "chat", annotations=sign)
    night = config(api, tmp_path, awake="never")
    headers = {"User-Agent": "argocd-controller/v2"}
    slept = 0
    for _ in range(6):
        told = run(night, "run", "--once", "sleep")
        slept += "put to sleep 1" in told.stdout
        api.patch(f"{DEPLOYMENT.path}/chat", {"spec": {"replicas": 4}}, headers=headers)
    assert slept == 3
    # Each try is told.
    events = api.call("GET", "/api/v1/namespaces/{ns}/events").body["items"]
    assert [event["reason"] for event in events].count("PutToSleep") == 3
    assert read(api, DEPLOYMENT, "chat")["spec"]["replicas"] == 4
    assert "contested" in told.stderr
    doctor = run(night, "doctor").stdout
    assert "RespectIgnoreDifferences=true" in doctor
    assert "/spec/replicas" in doctor


def test_rights_in_one_namespace_suffice_for_a_command(tmp_path: Path) -> None:
    with caller("stand-in", tmp_path) as api:
        make(api, DEPLOYMENT, "chat")
        assert api.standin is not None
        api.standin.allow(
            lambda attempt: attempt.namespace == api.namespace or attempt.resource == "namespaces"
        )
        file = config(api, tmp_path, namespaces=[])
        told = run(file, "scale-down", "chat", "-n", api.namespace, "--yes")
        assert told.returncode == 0, told
        assert read(api, DEPLOYMENT, "chat")["spec"]["replicas"] == 0
        told = run(file, "scale-down", "chat", "--yes")
        assert told.returncode == 1
        assert "403" in told.stderr
