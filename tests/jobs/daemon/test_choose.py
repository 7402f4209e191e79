"""From the configuration to cadences and leadership."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from analyzer.collect.cluster import credentials
from analyzer.config import Config, load
from analyzer.errors import ConfigError
from jobs.daemon.choose import cadences, leadership
from jobs.daemon.leadership import FileLeadership, Leadership
from jobs.daemon.lease import LeaseLeadership
from jobs.periods import next_period
from tests.fakes.kubeapi.caller import Caller, caller

MONDAY = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[Caller]:
    with caller("stand-in", tmp_path) as made:
        yield made


def config(directory: Path, text: str = "") -> Config:
    path = directory / "config.toml"
    path.write_text(text)
    return load(path, {"HOME": str(directory)})


def choose(found: Config) -> Leadership:
    return leadership(found, "me", lambda _: None)


def test_by_default_every_job_has_its_time(tmp_path: Path) -> None:
    due = {
        name: next_period(cadence, MONDAY).due
        for name, cadence in cadences(config(tmp_path)).items()
    }
    assert due == {
        "sleep": MONDAY + timedelta(minutes=1),
        "flag-underused": MONDAY + timedelta(hours=20),
        "weekly-report": MONDAY + timedelta(days=6, hours=21),
        "record-usage": MONDAY + timedelta(minutes=5),
        "morning-check": MONDAY + timedelta(hours=21, minutes=30),
    }


def test_times_are_those_of_the_configured_zone(tmp_path: Path) -> None:
    found = config(
        tmp_path,
        '[jobs]\nrun = ["weekly-report"]\ntimezone = "Asia/Tokyo"\nweekly_report = "Fri 18:30"\n',
    )
    [(name, cadence)] = cadences(found).items()
    assert (name, cadence.text) == ("weekly-report", "Fri 18:30 Asia/Tokyo")
    period = next_period(cadence, MONDAY)
    assert period.due == datetime(2026, 11, 27, 9, 30, tzinfo=UTC)
    assert period.key == "2026-W47"


def test_jitter_is_the_same_each_time_and_differs_between_installations(tmp_path: Path) -> None:
    def due(url: str) -> datetime:
        text = f'[jobs]\njitter = "30m"\n[[clusters]]\n[clusters.prometheus]\nurl = "{url}"\n'
        return next_period(cadences(config(tmp_path, text))["flag-underused"], MONDAY).due

    seen = {due(f"http://prometheus-{n}:9090") for n in range(20)}
    eight = MONDAY + timedelta(hours=20)
    assert len(seen) > 15
    assert all(timedelta(0) <= one - eight <= timedelta(minutes=30) for one in seen)
    assert due("http://a:1") == due("http://a:1")


def test_without_a_cluster_a_file_beside_the_ledger_is_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "DEFAULT_KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    found = config(tmp_path, '[ledger]\nfile = "state/ledger.db"\n')
    chosen = choose(found)
    assert isinstance(chosen, FileLeadership)
    chosen.start()
    assert (tmp_path / "state" / "leader.lock").exists()
    chosen.release()
    off = "[[clusters]]\n[clusters.kubernetes]\nenabled = false\n"
    assert isinstance(choose(config(tmp_path, off)), FileLeadership)


def test_with_a_cluster_a_lease_in_the_context_s_namespace_is_held(
    standin: Caller, tmp_path: Path
) -> None:
    text = standin.kubeconfig.read_text()
    named = text.replace(
        '"user": "stand-in"', f'"user": "stand-in", "namespace": "{standin.namespace}"'
    )
    path = tmp_path / "named"
    path.write_text(named)
    found = config(
        tmp_path,
        f'[[clusters]]\n[clusters.kubernetes]\nkubeconfig = "{path}"\n'
        '[leadership]\nduration = "2s"\nname = "mine"\n',
    )
    chosen = choose(found)
    assert isinstance(chosen, LeaseLeadership)
    chosen.start()
    assert chosen.leads
    where = f"/apis/coordination.k8s.io/v1/namespaces/{standin.namespace}/leases/mine"
    assert standin.call("GET", where).body["spec"]["holderIdentity"] == "me"
    chosen.release()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('cluster = "east"\n', r'\[leadership\] cluster: no cluster "east"'),
        (
            'by = "lease"\n[[clusters]]\n[clusters.kubernetes]\nenabled = false\n',
            r"\[leadership\] by: a Lease needs a cluster",
        ),
    ],
)
def test_what_cannot_be_chosen_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        choose(config(tmp_path, f"[leadership]\n{text}"))


def test_inside_a_pod_it_is_the_pod_s_namespace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(credentials, "DEFAULT_KUBECONFIG", str(tmp_path / "none"))
    own = tmp_path / "namespace"
    monkeypatch.setattr(credentials, "OWN_NAMESPACE", own)
    assert credentials.namespace("", "") == "default"
    own.write_text("tools\n")
    assert credentials.namespace("", "") == "tools"
