"""What failed, was interrupted or changed hands is done or told all the same."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from sqlalchemy import create_engine, text

from tests.e2e.daemons.clock import wait_until
from tests.e2e.daemons.conftest import AFTER, BEFORE, FACTOR
from tests.e2e.daemons.world import REPORT, World, workloads
from tests.fakes.chaos import ChaosProxy

LEASE = "/apis/coordination.k8s.io/v1/namespaces/{ns}/leases/gpu-thrift"


def test_what_was_given_up_is_told_also_by_the_next_process(home: World) -> None:
    workloads(home)
    away = {"clusters.prometheus": {"url": "http://127.0.0.1:9"}, "slack": {"url": home.slack.url}}
    # Nothing can be posted while the first process lives.
    silent = {**away, "slack": {"url": "http://127.0.0.1:9/api"}}
    first = home.start("first", silent)
    wait_until(lambda: home.replicas()["late"] == 0, 60, first.said)
    home.clock.set(AFTER, FACTOR)
    wait_until(lambda: "record-usage of 2026-11-23T08:00Z failed" in first.said(), 60, first.said)
    home.clock.set(AFTER + timedelta(minutes=70), FACTOR)
    given_up = "record-usage of 2026-11-23T08:00Z was not done"
    wait_until(lambda: given_up in first.said(), 60, first.said)
    first.kill()
    second = home.start("second", away)
    key = "job-failed record-usage 2026-11-23T08:00Z"
    wait_until(lambda: key in home.slack.posted(), 60, second.said)
    assert second.end() == 0
    keys = home.slack.posted()
    assert keys.count(key) == 1
    [message] = [one for one in home.slack.messages if key in str(one["metadata"])]
    assert "connection refused" in message["text"]
    # That Slack could not be reached is no news to whoever reads it there.
    assert not [one for one in keys if "post-notices" in one]


def test_who_leads_again_looks_at_what_was_left_open_meanwhile(home: World) -> None:
    awake = workloads(home)
    daemon = home.start()
    wait_until(lambda: home.replicas()["late"] == 0, 60, daemon.said)
    home.clock.set(AFTER, FACTOR)
    wait_until(lambda: REPORT[-1] in home.slack.posted(), 60, daemon.said)
    lease = home.api.call("GET", LEASE).body
    lease["spec"]["holderIdentity"] = "another"
    assert home.api.call("PUT", LEASE, lease).status in (200, 409)
    wait_until(lambda: daemon.metric("gpu_thrift_leader") == 0, 20, daemon.said)
    # The other one began the period anew, and did not live to finish it.
    engine = create_engine(f"sqlite:///{home.home / 'ledger.db'}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE runs SET outcome = '' WHERE job = 'weekly-report'"))
        connection.execute(
            text("UPDATE jobs SET settled = :at WHERE job = 'weekly-report'"),
            {"at": BEFORE.isoformat(timespec="microseconds")},
        )
    wait_until(lambda: daemon.metric("gpu_thrift_leader") == 1, 30, daemon.said)

    def attempts() -> int:
        with engine.connect() as connection:
            found = "SELECT attempts FROM runs WHERE job = 'weekly-report' AND outcome = 'done'"
            return int(connection.execute(text(found)).scalar() or 0)

    wait_until(lambda: attempts() == 2, 30, daemon.said)
    engine.dispose()
    assert [home.slack.posted().count(key) for key in REPORT] == [1, 1]
    assert home.replicas() == {**awake, "early": 0}


def test_a_job_that_reads_for_long_ends_when_it_is_told(home: World, metrics: str) -> None:
    workloads(home)
    port = urlsplit(metrics).port
    assert port
    with ChaosProxy(port, delay_s=2.5) as proxy:
        slow = {"clusters.prometheus": {"url": proxy.url, "timeout": "10s"}}
        daemon = home.start("slow", slow)
        wait_until(lambda: home.replicas()["late"] == 0, 60, daemon.said)
        proxy.mode = "slow"
        home.clock.set(AFTER, FACTOR)
        # That it is looked at is not enough: a look may find nothing due.
        wait_until(lambda: "weekly-report of 2026-W47 begins" in daemon.said(), 30, daemon.said)
        assert daemon.end() == 0
    # One answer that is under way is waited for, the questions after it are not put any more.
    assert "is left for the next leader: the daemon ends" in daemon.said()
