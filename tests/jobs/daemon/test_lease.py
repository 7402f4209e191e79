"""Leadership by a Lease, on the stand-in and, when TEST_KUBECONFIG names one, a real server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from analyzer.collect.cluster.api import KubeApi
from analyzer.errors import GpuThriftError
from jobs.daemon.leadership import FileLeadership, NotLeader
from jobs.daemon.lease import LeaseLeadership, LeaseName
from tests.fakes.kube import Close, Hang, Reply, Request
from tests.fakes.kubeapi.caller import SERVERS, Caller, caller

LEASES = "/apis/coordination.k8s.io/v1/namespaces/{ns}/leases"
SHORT_S = 1.5


@pytest.fixture(params=SERVERS)
def api(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Caller]:
    with caller(request.param, tmp_path) as made:
        yield made


def candidate(api: Caller, me: str, duration_s: float = SHORT_S) -> LeaseLeadership:
    kube = KubeApi(str(api.kubeconfig), "", duration_s / 4, attempts=1)
    lease = LeaseName(api.namespace, "gpu-thrift", duration_s)
    return LeaseLeadership(kube, lease, me, lambda _: None)


def until(holds: Callable[[], Any], within_s: float = 10) -> float:
    """Waits until it holds; returns the seconds that took."""
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < within_s
        time.sleep(0.01)
    return time.monotonic() - begun


def spec(api: Caller) -> dict[str, Any]:
    found = api.call("GET", f"{LEASES}/gpu-thrift")
    assert found.status == 200, found
    answer: dict[str, Any] = found.body["spec"]
    return answer


def test_the_first_leads_and_the_second_takes_over_when_it_lets_go(api: Caller) -> None:
    one, other = candidate(api, "one"), candidate(api, "other")
    one.start()
    other.start()
    try:
        until(lambda: one.leads)
        assert (other.leads, other.holder, other.says) == (False, "one", "")
        with pytest.raises(NotLeader):
            other.left()
        assert 0 < one.left() <= SHORT_S
        first = spec(api)
        until(lambda: spec(api)["renewTime"] != first["renewTime"])
        one.release()
        assert not one.leads
        # Released: it need not wait for the whole duration of a lost one.
        until(lambda: other.leads)
        assert spec(api)["holderIdentity"] == "other"
        assert spec(api)["leaseTransitions"] >= first["leaseTransitions"] + 1
    finally:
        one.release()
        other.release()


def test_two_that_come_at_once_never_both_lead(api: Caller) -> None:
    many = [candidate(api, f"c{n}") for n in range(6)]
    starts = [threading.Thread(target=one.start) for one in many]
    for one in starts:
        one.start()
    for one in starts:
        one.join()
    try:
        end = time.monotonic() + 2 * SHORT_S
        seen = 0
        while time.monotonic() < end:
            leading = sum(one.leads for one in many)
            assert leading <= 1
            seen += leading
        assert seen
    finally:
        for one in many:
            one.release()


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[Caller]:
    with caller("stand-in", tmp_path) as made:
        yield made


@pytest.mark.parametrize("fault", [Hang(5), Close(), Reply(500, {}), Reply(409, {})])
def test_who_cannot_renew_stops_before_another_may_begin(standin: Caller, fault: Any) -> None:
    one = candidate(standin, "one")
    one.start()
    until(lambda: one.leads)
    assert standin.standin is not None
    written = time.monotonic()

    def broken(request: Request) -> Any:
        return fault if request.method == "PUT" else None

    standin.standin.inject(broken)
    stopped = until(lambda: not one.leads)
    # Nothing is changed from two thirds of the duration on.
    assert stopped <= SHORT_S * 2 / 3 + 0.2
    standin.standin.clear_faults()
    other = candidate(standin, "other")
    try:
        until(lambda: one.leads)
        assert one.says == ""
    finally:
        one.release()
        other.release()
    assert time.monotonic() - written < 10


def test_a_process_that_was_stopped_does_not_lead_when_it_goes_on(
    standin: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = candidate(standin, "one")
    one.start()
    until(lambda: one.leads)
    real = time.monotonic
    # The monotonic clock goes on while a process is stopped.
    monkeypatch.setattr("jobs.daemon.lease.time.monotonic", lambda: real() + SHORT_S)
    assert not one.leads
    with pytest.raises(NotLeader):
        one.left()
    monkeypatch.undo()
    one.release()


def test_another_machine_with_another_clock_waits_the_whole_duration(standin: Caller) -> None:
    old = {
        "holderIdentity": "gone",
        "leaseDurationSeconds": 2,
        "renewTime": "2001-01-01T00:00:00.000000Z",
        "leaseTransitions": 7,
    }
    body = {"metadata": {"name": "gpu-thrift"}, "spec": old}
    assert standin.call("POST", LEASES, body).status == 201
    one = candidate(standin, "one")
    one.start()
    assert not one.leads
    assert one.holder == "gone"
    took = until(lambda: one.leads)
    assert took >= 1.5
    assert spec(standin)["leaseTransitions"] == 8
    one.release()


def test_without_the_right_it_says_which_and_begins_nothing(standin: Caller) -> None:
    assert standin.standin is not None
    standin.standin.allow(lambda attempt: attempt.resource != "leases")
    kube = KubeApi(str(standin.kubeconfig), "", 1, attempts=1)
    one = LeaseLeadership(
        kube, LeaseName(standin.namespace, "gpu-thrift", 2), "one", lambda _: None
    )
    with pytest.raises(GpuThriftError) as refused:
        one.start()
    said = str(refused.value)
    assert said.isprintable()
    assert f"leases in namespace {standin.namespace}" in said
    assert '[leadership] by = "file"' in said


def test_a_namespace_that_is_not_there_is_named(standin: Caller) -> None:
    kube = KubeApi(str(standin.kubeconfig), "", 1, attempts=1)
    lease = LeaseName("nowhere", "gpu-thrift", SHORT_S)
    with pytest.raises(GpuThriftError, match="create namespace nowhere, or name another one"):
        LeaseLeadership(kube, lease, "me", lambda _: None).start()


def test_a_right_that_is_taken_away_is_told_with_what_to_do(standin: Caller) -> None:
    assert standin.standin
    one = candidate(standin, "one", 0.6)
    one.start()
    try:
        until(lambda: one.leads)
        standin.standin.allow(lambda attempt: attempt.resource != "leases")
        until(lambda: "allow get, create and update of leases" in one.says)
        until(lambda: not one.leads)
    finally:
        one.release()


def test_a_server_that_is_away_at_the_start_is_waited_for(standin: Caller) -> None:
    assert standin.standin is not None
    standin.standin.inject(lambda _: Close())
    one = candidate(standin, "one")
    one.start()
    assert not one.leads
    assert one.says
    standin.standin.clear_faults()
    until(lambda: one.leads)
    assert one.says == ""
    one.release()


@pytest.mark.parametrize(
    "lie",
    [
        {"kind": "List", "apiVersion": "v1", "items": []},
        {"kind": "Lease", "spec": None},
        {"kind": "Lease", "spec": {"holderIdentity": "other"}},
    ],
)
def test_what_answers_anything_to_anybody_makes_nobody_leader(
    standin: Caller, lie: dict[str, Any]
) -> None:
    assert standin.standin

    def answer(request: Request) -> Reply | None:
        return Reply(200, lie) if request.method in ("PUT", "POST") else None

    standin.standin.inject(answer)
    one = candidate(standin, "one")
    one.start()
    try:
        until(lambda: "answered with something else" in one.says)
        time.sleep(SHORT_S)
        assert not one.leads
        standin.standin.clear_faults()
        until(lambda: one.leads)
        assert one.says == ""
    finally:
        one.release()


def test_a_loop_that_is_dead_is_told_apart_from_a_server_that_is_away(
    standin: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert standin.standin
    one = candidate(standin, "one", 0.3)
    one.start()
    try:
        until(lambda: one.leads)
        standin.standin.inject(lambda _: Close())
        until(lambda: bool(one.says))
        time.sleep(1)
        assert one.is_alive
        monkeypatch.setattr(one, "_step", lambda: time.sleep(2))
        until(lambda: not one.is_alive)
        assert "has not been looked at for" in one.says
        monkeypatch.undo()
        until(lambda: one.is_alive)
    finally:
        one.release()


def test_a_lock_file_lets_one_in_and_the_next_when_it_ends(tmp_path: Path) -> None:
    path = tmp_path / "state" / "leader.lock"
    one, other = FileLeadership(path, "one"), FileLeadership(path, "other")
    one.start()
    other.start()
    assert (one.leads, other.leads, other.holder) == (True, False, "one")
    assert one.left() > 0
    with pytest.raises(NotLeader):
        other.left()
    one.release()
    assert other.leads
    assert not one.leads
    other.release()


@pytest.mark.parametrize("replaced", [True, False])
def test_who_holds_a_lock_that_nobody_else_would_find_does_not_lead(
    tmp_path: Path, replaced: bool
) -> None:
    path = tmp_path / "leader.lock"
    one, other = FileLeadership(path, "one"), FileLeadership(path, "other")
    one.start()
    path.unlink()
    if replaced:
        other.start()
        assert other.leads
        assert not one.leads
        with pytest.raises(NotLeader):
            one.left()
    else:
        # Nobody was quicker: it locks the new file.
        assert one.leads
        assert not other.leads
    one.release()
    other.release()


def test_a_lock_file_that_cannot_be_made_is_one_line() -> None:
    with pytest.raises(GpuThriftError, match=r"leader\.lock.*cannot be opened"):
        FileLeadership(Path("/proc/nowhere/leader.lock"), "one").start()
