"""The sleep job over several clusters: one that is away holds up no other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from analyzer.config import load
from analyzer.errors import PartlyDone
from jobs.daemon.leadership import NotLeader
from jobs.daemon.tasks.sleep import Said, run_once
from jobs.sites import sites
from jobs.sleeping.tick import Report
from jobs.sleeping.view import Site
from jobs.wiring import Choice
from tests.e2e.sleepers import DEPLOYMENT, config, make, read
from tests.fakes.kube import Hang
from tests.fakes.kubeapi.caller import Caller, caller
from tests.jobs.sleeping.runs import MORNING, NIGHT, standin


@pytest.fixture
def clusters(tmp_path: Path) -> Iterator[list[tuple[Caller, Site]]]:
    """Two clusters on one ledger."""
    with ExitStack() as stack:
        made = []
        for name in ("east", "west"):
            folder = tmp_path / name
            folder.mkdir()
            api = stack.enter_context(caller("stand-in", folder))
            file = config(api, folder, awake="08:00-20:00", namespaces=[])
            ledger = f'file = "{tmp_path / "ledger.db"}"'
            text = file.read_text().replace(f'file = "{folder / "ledger.db"}"', ledger)
            file.write_text(text.replace("[[clusters]]", f'[[clusters]]\nname = "{name}"'))
            [site] = sites(load(file, {"HOME": str(folder)}), Choice())
            site.api.pause = lambda _: None
            made.append((api, site))
        yield made


def test_every_cluster_sleeps_and_wakes(clusters: list[tuple[Caller, Site]]) -> None:
    both = [site for _, site in clusters]
    for api, _ in clusters:
        make(api, DEPLOYMENT, "w0")
    heard: list[Report] = []
    run_once(both, NIGHT, Said(), heard.append)
    assert [read(api, DEPLOYMENT, "w0")["spec"]["replicas"] for api, _ in clusters] == [0, 0]
    assert sorted(report.cluster for report in heard) == ["east", "west"]
    run_once(both, MORNING, Said())
    assert [read(api, DEPLOYMENT, "w0")["spec"]["replicas"] for api, _ in clusters] == [4, 4]


def test_one_that_hangs_keeps_no_other_asleep(clusters: list[tuple[Caller, Site]]) -> None:
    (east, east_site), (west, west_site) = clusters
    for api in (east, west):
        make(api, DEPLOYMENT, "w0")
    run_once([east_site, west_site], NIGHT, Said())
    standin(east).inject(lambda request: Hang(30))
    woken: list[float] = []
    begun = time.monotonic()
    east_site = replace(east_site, api=replace(east_site.api, timeout_s=1.0, attempts=2))

    def heard(report: Report) -> None:
        woken.append(time.monotonic() - begun)

    with pytest.raises(PartlyDone, match=r"east: .*no answer within 1 s"):
        run_once([west_site, east_site], MORNING, Said(), heard)
    assert read(west, DEPLOYMENT, "w0")["spec"]["replicas"] == 4
    assert len(woken) == 1


def test_who_does_not_lead_any_more_changes_nothing(clusters: list[tuple[Caller, Site]]) -> None:
    api, site = clusters[0]
    make(api, DEPLOYMENT, "w0")
    before = read(api, DEPLOYMENT, "w0")

    def lost() -> float:
        raise NotLeader("another daemon may act by now")

    guarded = replace(site, api=replace(site.api, guard=lost))
    with pytest.raises(PartlyDone, match="another daemon"):
        run_once([guarded], NIGHT, Said())
    assert read(api, DEPLOYMENT, "w0") == before
    assert not [one for one in standin(api).requests if one.method == "PATCH"]


def test_what_holds_for_long_is_said_when_it_begins(
    clusters: list[tuple[Caller, Site]], caplog: pytest.LogCaptureFixture
) -> None:
    api, site = clusters[0]
    make(api, DEPLOYMENT, "w0", annotations={"gpu-thrift.io/awake": "sometimes"})
    said = Said()
    for _ in range(3):
        run_once([site], NIGHT, said)
    told = [one for one in caplog.records if "bad-annotation" in one.getMessage()]
    assert len(told) == 1
    assert "w0" in told[0].getMessage()


def test_what_sleeps_rightly_and_what_is_to_be_looked_into_is_known_to_others(
    clusters: list[tuple[Caller, Site]],
) -> None:
    api, site = clusters[0]
    make(api, DEPLOYMENT, "w0")
    make(api, DEPLOYMENT, "w1", annotations={"gpu-thrift.io/awake": "sometimes"})
    said = Said()
    for _ in range(2):
        run_once([site], NIGHT, said)
    [line] = said.attention.lines
    assert line.startswith(f"east/{api.namespace}/Deployment/w1: bad-annotation (")
    assert [key.name for key in said.attention.rightly] == ["w0"]
    run_once([site], MORNING, said)
    assert not said.attention.rightly


def test_a_kubeconfig_that_cannot_be_used_keeps_no_other_asleep(
    clusters: list[tuple[Caller, Site]],
) -> None:
    (_, east_site), (west, west_site) = clusters
    make(west, DEPLOYMENT, "w0")
    broken = replace(east_site, api=replace(east_site.api, context="no-such-context"))
    heard: list[Report] = []
    with pytest.raises(PartlyDone, match=r"east: .*no-such-context"):
        run_once([broken, west_site], NIGHT, Said(), heard.append)
    assert read(west, DEPLOYMENT, "w0")["spec"]["replicas"] == 0
    assert [report.cluster for report in heard] == ["west"]
