"""The stand-in of a cluster, and the sleep job's view of it, awake from 08:00 to 20:00."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from analyzer.config import load
from jobs.sites import sites
from jobs.sleeping.view import Site
from jobs.wiring import Choice
from tests.e2e.sleepers import config
from tests.fakes.kubeapi.caller import Caller, caller


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Caller]:
    with caller("stand-in", tmp_path) as made:
        yield made


@pytest.fixture
def site(api: Caller, tmp_path: Path) -> Site:
    file = config(
        api, tmp_path, awake="08:00-20:00", namespaces=[], max_workloads=5000, max_gpus=9e5
    )
    [found] = sites(load(file, {"HOME": str(tmp_path)}), Choice())
    found.api.pause = lambda _: None
    return found
