"""One daemon, from its start to its end: real processes, HTTP and signals."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path

from sqlalchemy import create_engine, text

from tests.e2e.daemons.clock import wait_until
from tests.e2e.daemons.conftest import AFTER, FACTOR
from tests.e2e.daemons.world import REPORT, Daemon, World, workloads
from tests.fakes.kubeapi.requests import Hang

GOOD = "gpu_thrift_config_last_reload_successful"


def test_every_job_happens_once(home: World) -> None:
    awake = workloads(home)
    daemon = home.start()
    wait_until(lambda: home.replicas() == {**awake, "late": 0}, 60, daemon.said)
    assert daemon.get("/healthz").status_code == 200
    wait_until(lambda: daemon.get("/readyz").status_code == 200, 20, daemon.said)
    home.clock.set(AFTER, FACTOR)
    wait_until(lambda: home.replicas() == {**awake, "early": 0}, 60, daemon.said)
    wait_until(lambda: len(home.slack.posted()) == 3, 60, daemon.said)
    done = 'gpu_thrift_job_runs_total{job="record-usage",outcome="done"}'
    wait_until(lambda: daemon.metric(done) == 2, 60, daemon.said)
    flags, *report = sorted(home.slack.posted())
    assert flags.startswith("flag-underused 2026-11-23")
    assert report == REPORT
    assert (home.home / "reports" / "2026-W47" / "report.html").is_file()
    assert daemon.metric("gpu_thrift_leader") == 1
    assert daemon.metric('gpu_thrift_sleeping_workloads{cluster="main"}') == 1
    assert not [path for _, path in home.writes() if "chat" in path]
    page = daemon.get("/").text
    assert "weekly-report" in page
    assert "2026-W47/report.html" in page
    assert daemon.end() == 0
    assert "ended" in daemon.said()
    assert "Traceback" not in daemon.said()


def test_a_running_job_ends_its_object_and_the_lease_is_free_at_once(home: World) -> None:
    awake = workloads(home)
    first = home.start("first", {"leadership": {"duration": "10s"}})
    wait_until(lambda: home.replicas()["late"] == 0, 60, first.said)
    home.standin.latency_s = 0.5
    home.clock.set(AFTER, FACTOR)
    wait_until(lambda: any("PATCH" in write for write in home.writes()[1:]), 60, first.said)
    assert first.end() == 0
    home.standin.latency_s = 0
    lease = home.api.call(
        "GET", "/apis/coordination.k8s.io/v1/namespaces/{ns}/leases/gpu-thrift"
    ).body
    assert lease["spec"]["holderIdentity"] == ""
    # Whatever it had done by then is whole, and the next one does the rest.
    for name, count in home.replicas().items():
        assert count == awake[name] or home.memory(name)["gpu-thrift.io/replicas"]
    second = home.start("second")
    wait_until(lambda: second.metric("gpu_thrift_leader") == 1, 60, second.said)
    wait_until(lambda: home.replicas() == {**awake, "early": 0}, 60, second.said)
    assert second.end(signal.SIGINT) == 0


def hangs(daemon: Daemon) -> bool:
    """Whether the sleep job is busy for longer than a look that finds nothing due."""
    return re.search("sleep: runs since [1-9]", daemon.get("/healthz").text) is not None


def test_a_second_signal_ends_it_at_once(home: World) -> None:
    workloads(home)
    daemon = home.start()
    wait_until(lambda: home.replicas()["late"] == 0, 60, daemon.said)
    home.standin.inject(lambda request: Hang(30) if "deployments" in request.path else None)
    wait_until(lambda: hangs(daemon), 20, daemon.said)
    daemon.kill(signal.SIGTERM)
    wait_until(lambda: "SIGTERM" in daemon.said(), 20, daemon.said)
    daemon.kill(signal.SIGTERM)
    assert daemon.process.wait(20) == 128 + signal.SIGTERM


def test_a_job_that_does_not_end_in_time_is_left_and_the_lease_runs_out(home: World) -> None:
    workloads(home)
    slow = {"jobs": {"grace_period": "0s"}, "clusters.kubernetes": {"timeout": "20s"}}
    daemon = home.start("slow", slow)
    wait_until(lambda: home.replicas()["late"] == 0, 60, daemon.said)
    home.standin.inject(lambda request: Hang(30) if "deployments" in request.path else None)
    wait_until(lambda: hangs(daemon), 20, daemon.said)
    assert daemon.end() == 1
    assert re.search("still busy after 0 s, left to the next daemon: .*sleep", daemon.said())
    home.standin.clear_faults()
    lease = home.api.call(
        "GET", "/apis/coordination.k8s.io/v1/namespaces/{ns}/leases/gpu-thrift"
    ).body
    assert lease["spec"]["holderIdentity"] != ""


def test_what_is_safe_is_reloaded_and_the_rest_is_refused_with_the_reason(home: World) -> None:
    workloads(home)
    daemon = home.start()
    wait_until(lambda: home.replicas()["late"] == 0, 60, daemon.said)
    # A changed file is seen without being told.
    home.config("one", {"sleep": {"awake": "Mon 22:00-23:00"}})
    wait_until(lambda: home.replicas()["early"] == 0, 60, daemon.said)
    assert daemon.metric(GOOD) == 1
    path = home.config("one", {"web": {"port": 12345}, "sleep": {"awake": "Mon 00:00-09:00"}})
    daemon.kill(signal.SIGHUP)
    wait_until(lambda: home.replicas()["early"] == 3, 60, daemon.said)
    wait_until(lambda: daemon.metric(GOOD) == 0, 20, daemon.said)
    assert "needs a restart: [web] port (its port is open)" in daemon.said()
    assert "needs a restart" in daemon.get("/").text
    path.write_text("[sleep]\nawake = 'whenever'\n")
    daemon.kill(signal.SIGHUP)
    wait_until(lambda: "the configuration stays as it was" in daemon.said(), 20, daemon.said)
    assert "awake" in daemon.get("/").text
    assert daemon.metric(GOOD) == 0
    home.config("one")
    wait_until(lambda: daemon.metric(GOOD) == 1, 20, daemon.said)
    assert daemon.end() == 0


def test_a_reload_that_would_make_two_leaders_is_refused(home: World) -> None:
    workloads(home)
    home.sections["leadership"]["by"] = "auto"
    daemon = home.start()
    wait_until(lambda: home.replicas()["late"] == 0, 60, daemon.said)
    other = home.standin.kubeconfig(home.home / "kube-other", "admin-token")
    for more in (
        {"clusters.kubernetes": {"kubeconfig": other}},
        {"clusters.kubernetes": {"enabled": False}},
    ):
        home.config("one", more)
        wait_until(lambda: daemon.metric(GOOD) == 0, 20, daemon.said)
        assert "a second daemon would act as well" in daemon.get("/").text
        home.config("one")
        wait_until(lambda: daemon.metric(GOOD) == 1, 20, daemon.said)
    home.config("one", {"jobs": {"run": ["record-usage"]}})
    wait_until(lambda: "what sleeps is not woken" in daemon.said(), 20, daemon.said)


def test_one_run_has_one_id_in_the_log_and_in_the_ledger(home: World) -> None:
    workloads(home)
    daemon = home.start()
    wait_until(lambda: home.replicas()["late"] == 0, 60, daemon.said)
    wait_until(lambda: "sleep: done" in daemon.said(), 20, daemon.said)
    [line] = [one for one in daemon.said().splitlines() if "Deployment/late done" in one]
    run = line.rpartition("[sleep ")[2].rstrip("]")
    begins = [one for one in daemon.said().splitlines() if "begins" in one and run in one]
    assert len(begins) == 1
    engine = create_engine(f"sqlite:///{home.home / 'ledger.db'}")
    with engine.connect() as connection:
        for table in ("runs", "changes"):
            query = text(f"SELECT count(*) FROM {table} WHERE run_id = :run")
            assert connection.execute(query, {"run": run}).scalar() == 1, table
    engine.dispose()


def test_a_file_that_was_found_and_goes_away_is_not_given_up_for_the_defaults(
    home: World,
) -> None:
    workloads(home)
    home.config("config")
    clean = [sys.executable, "-c", "from jobs.cli import main; main()", "run"]
    place = {"PYTHONPATH": str(Path(__file__).parents[3])}
    daemon = home.run(clean, "implicit", place, cwd=home.home)
    wait_until(lambda: daemon.metric("gpu_thrift_leader") == 1, 60, daemon.said)
    (home.home / "config.toml").unlink()
    wait_until(lambda: daemon.metric(GOOD) == 0, 20, daemon.said)
    assert "stays as it was" in daemon.said()
    home.config("config")
    wait_until(lambda: daemon.metric(GOOD) == 1, 20, daemon.said)
    assert "defaults" not in daemon.said()
    assert daemon.end() == 0


def test_a_follower_does_nothing_and_takes_over_when_the_leader_ends(home: World) -> None:
    awake = workloads(home)
    first = home.start("first")
    wait_until(lambda: home.replicas()["late"] == 0, 60, first.said)
    second = home.start("second")
    wait_until(lambda: second.get("/readyz").status_code == 200, 20, second.said)
    assert second.metric("gpu_thrift_leader") == 0
    assert "follower" in second.get("/").text
    assert "gpu_thrift_sleeping_workloads{" not in second.get("/metrics").text
    assert first.end() == 0
    wait_until(lambda: second.metric("gpu_thrift_leader") == 1, 20, second.said)
    home.clock.set(AFTER, FACTOR)
    wait_until(lambda: home.replicas() == {**awake, "early": 0}, 60, second.said)
    assert "begins" not in second.said().split("leading")[0]


def test_no_secret_is_anywhere_to_be_seen(home: World) -> None:
    workloads(home)
    daemon = home.start()
    wait_until(lambda: home.replicas()["late"] == 0, 60, daemon.said)
    secret = home.home / "slack-token"
    secret.write_text("xoxb-wrong-and-secret")
    home.clock.set(AFTER, FACTOR)
    wait_until(lambda: "renew the token" in daemon.said(), 60, daemon.said)
    seen = daemon.said() + "".join(
        daemon.get(path).text for path in ("/", "/healthz", "/readyz", "/metrics")
    )
    for word in ("xoxb-", "admin-token"):
        assert word not in seen
