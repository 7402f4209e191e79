"""A ledger that was lost learns from the objects' annotations what sleeps."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from analyzer.config import load
from jobs.sites import sites
from jobs.sleeping.tick import run_once
from jobs.sleeping.view import Site, look
from jobs.wiring import Choice
from tests.e2e.sleepers import DEPLOYMENT, config, make, ours, read
from tests.fakes.kubeapi.caller import Caller
from tests.jobs.sleeping.runs import MORNING, NIGHT, outcomes

MINUTE = timedelta(minutes=1)


def anew(api: Caller, directory: Path) -> Site:
    """The same cluster and configuration, seen by a new process."""
    file = config(api, directory, awake="08:00-20:00", namespaces=[])
    [found] = sites(load(file, {"HOME": str(directory)}), Choice())
    return found


def test_a_damaged_ledger_is_begun_anew_from_what_the_objects_remember(
    api: Caller, site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for n in range(3):
        make(api, DEPLOYMENT, f"w{n}", spec={"replicas": n + 2})
    run_once(site, NIGHT)
    before = look(site, NIGHT).state.open
    assert len(before) == 3
    for file in tmp_path.glob("ledger.db*"):
        file.write_bytes(b"damaged" * 1000)
    caplog.clear()
    found = anew(api, tmp_path)
    run_once(found, NIGHT + MINUTE)
    after = look(found, NIGHT + MINUTE).state.open
    assert {uid: row.memory for uid, row in after.items()} == {
        uid: row.memory for uid, row in before.items()
    }
    assert {uid: row.gpus for uid, row in after.items()} == {
        uid: row.gpus for uid, row in before.items()
    }
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert any("kept as" in line for line in said)
    assert any("3 sleeping workloads" in line for line in said)
    # Both copies are there again: with the annotations stripped the ledger's restores.
    gone = dict.fromkeys(ours(read(api, DEPLOYMENT, "w0")))
    api.patch(f"{DEPLOYMENT.path}/w0", {"metadata": {"annotations": gone}})
    assert outcomes(run_once(found, MORNING)) == {"done": 3}
    replicas = [read(api, DEPLOYMENT, f"w{n}")["spec"]["replicas"] for n in range(3)]
    assert replicas == [2, 3, 4]


def test_a_ledger_that_breaks_while_it_is_open_is_replaced(
    api: Caller, site: Site, tmp_path: Path
) -> None:
    make(api, DEPLOYMENT, "w0")
    run_once(site, NIGHT)
    for file in tmp_path.glob("ledger.db*"):
        file.write_bytes(b"damaged" * 1000)
    for minute in range(1, 4):
        run_once(site, NIGHT + minute * MINUTE)
    assert len(look(site, NIGHT + 4 * MINUTE).state.open) == 1
    assert outcomes(run_once(site, MORNING)) == {"done": 1}


def test_what_is_awake_or_has_no_count_is_not_adopted(
    api: Caller, site: Site, tmp_path: Path
) -> None:
    make(api, DEPLOYMENT, "w0", annotations={"gpu-thrift.io/replicas": "many"})
    make(api, DEPLOYMENT, "w1", spec={"replicas": 0})
    awake = {"gpu-thrift.io/replicas": "3", "gpu-thrift.io/asleep-since": NIGHT.isoformat()}
    make(api, DEPLOYMENT, "w2", annotations=awake)
    run_once(site, MORNING)
    assert look(site, MORNING).state.open == {}
