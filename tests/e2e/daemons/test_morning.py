"""The check of the morning, by a daemon that slept and woke what it is about."""

from __future__ import annotations

import re
from datetime import timedelta

from tests.e2e.daemons.clock import wait_until
from tests.e2e.daemons.conftest import BEFORE, FACTOR
from tests.e2e.daemons.test_once import once
from tests.e2e.daemons.world import MONDAY, Daemon, World
from tests.e2e.sleepers import DEPLOYMENT, DEVELOPMENT, make
from tests.fakes.kubeapi.caller import Caller

KEY = "morning-check 2026-11-23"
WOKEN = re.compile(r"wake \S+/Deployment/lab done")
SOON = MONDAY + timedelta(hours=9, minutes=28)
MORE = {
    "sleep": {"awake": "Mon 08:00-23:00", "ready_deadline": "30m"},
    "jobs": {"run": ["sleep", "morning-check"], "morning_check": "09:30"},
}


def told(home: World) -> list[str]:
    return [one["text"] for one in home.slack.messages]


def sleeps_and_wakes(home: World) -> Daemon:
    """One that is woken at 07:40 or soon after, until 08:00."""
    make(home.api, DEPLOYMENT, "lab", DEVELOPMENT, spec={"replicas": 3})
    home.clock.set(BEFORE - timedelta(hours=1), FACTOR)
    daemon = home.start("one", MORE)
    wait_until(lambda: home.replicas()["lab"] == 0, 60, daemon.said)
    home.clock.set(BEFORE + timedelta(minutes=15), FACTOR)
    wait_until(lambda: home.replicas()["lab"] == 3, 60, daemon.said)
    # When that was is written down; only then may the clock be set forward.
    wait_until(lambda: WOKEN.search(daemon.said()) is not None, 60, daemon.said)
    return daemon


def set_ready(api: Caller, replicas: int) -> None:
    status = {"status": {"readyReplicas": replicas, "replicas": 3}}
    api.patch(f"{DEPLOYMENT.path}/lab/status", status)


def done(daemon: Daemon) -> bool:
    return daemon.metric('gpu_thrift_job_runs_total{job="morning-check",outcome="done"}') == 1


def test_a_workload_that_is_not_ready_is_told_once_also_after_a_restart(home: World) -> None:
    odd = {"gpu-thrift.io/awake": "sometimes"}
    make(home.api, DEPLOYMENT, "odd", DEVELOPMENT, annotations=odd, spec={"replicas": 1})
    first = sleeps_and_wakes(home)
    home.clock.set(SOON, FACTOR)
    wait_until(lambda: "not ready in time" in first.said(), 60, first.said)
    wait_until(lambda: KEY in home.slack.posted(), 60, first.said)
    assert first.end() == 0
    second = home.start("two", MORE)
    wait_until(lambda: second.metric("gpu_thrift_leader") == 1, 30, second.said)
    runs = 'gpu_thrift_job_runs_total{job="sleep",outcome="done"}'
    wait_until(lambda: second.metric(runs) >= 3, 60, second.said)
    code, said, errors = once(home, "morning-check", MORE)
    assert code == 0, errors
    assert said.splitlines()[-1] == "0 messages posted"
    assert home.slack.posted() == [KEY]
    [message] = told(home)
    lines = message.splitlines()
    assert lines[0] == "Sleep on the morning of 2026-11-23: 1 not ready, 1 to look into"
    assert "/Deployment/lab: woken 07:4" in lines[2]
    assert lines[2].endswith("it has no pods yet")
    assert lines[3] == "To look into now"
    assert "/Deployment/odd: bad-annotation (" in lines[4]
    assert lines[-1].startswith("1 put to sleep and 1 woken in the 24 hours up to 2026-11-23 09:30")


def test_a_quiet_morning_is_not_told(home: World) -> None:
    daemon = sleeps_and_wakes(home)
    set_ready(home.api, 3)
    home.clock.set(SOON, FACTOR)
    wait_until(lambda: done(daemon), 60, daemon.said)
    posting = 'gpu_thrift_job_runs_total{job="post-notices",outcome="done"}'
    before = daemon.metric(posting)
    wait_until(lambda: daemon.metric(posting) > before, 60, daemon.said)
    assert told(home) == []
    assert "Sleep on the morning of 2026-11-23: nothing wrong" in daemon.said()
