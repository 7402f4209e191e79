"""Any history of ticks, crashes, people, faults and lost databases: what we stopped comes back as
it was, what people did stands, and production is never written to.

``HYPOTHESIS_PROFILE=nightly`` runs fifty times as many histories.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from jobs.ledger.ledger import open_ledger
from tests.jobs.sleeping.history import MEMORY, SORTS, Expected, History, remembered
from tests.jobs.sleeping.world import cluster

EXAMPLES = 50_000 if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else 1_000
FAULTS = st.sampled_from(
    [
        "crash",
        "crash-after",
        "500-before",
        "500-after",
        "timeout-before",
        "timeout-after",
    ]
)
PLANS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 6), FAULTS),
        st.tuples(st.just("write"), st.integers(1, 6), st.sampled_from(["conflict", "person"])),
        st.tuples(st.just("ledger"), st.integers(1, 6), FAULTS),
        st.tuples(st.just("read"), st.integers(1, 20), FAULTS),
    ),
    max_size=3,
)
INDEX = st.integers(0, len(SORTS) - 1)
STEPS = st.one_of(
    st.tuples(st.just("tick"), PLANS),
    st.tuples(st.just("tick"), PLANS),
    st.tuples(st.just("tick"), st.just([])),
    st.tuples(st.just("sleep"), PLANS),
    st.tuples(st.just("night")),
    st.tuples(st.just("day")),
    st.tuples(st.just("later"), st.integers(1, 600)),
    st.tuples(st.just("scale"), INDEX, st.integers(0, 6)),
    st.tuples(st.just("strip"), INDEX),
    st.tuples(st.just("strip_all")),
    st.tuples(st.just("recreate"), INDEX, st.integers(0, 6)),
    st.tuples(st.just("label"), INDEX, st.sampled_from(["production", "development", None, "odd"])),
    st.tuples(
        st.just("annotate"),
        INDEX,
        st.sampled_from(["awake", "exclude", "keep-awake-until", "sleep-replicas"]),
        st.sampled_from([None, "nonsense", "true", "1", "2026-11-26T10:00:00Z", "always"]),
    ),
    st.tuples(st.just("command"), INDEX, st.sampled_from([None, 2, 30]), st.booleans(), PLANS),
    st.tuples(st.just("lose")),
)
TEMPLATE = Path(tempfile.mkdtemp(prefix="gpu-thrift-"))


@pytest.fixture(scope="module", autouse=True)
def empty_ledger() -> Iterator[None]:
    ledger = open_ledger(f"sqlite:///{TEMPLATE / 'empty.db'}")
    ledger.close()
    yield
    shutil.rmtree(TEMPLATE)


def play(history: History, steps: list[tuple[Any, ...]]) -> None:
    for name, *args in steps:
        if name == "night":
            history.now = at_hour(history.now, 21)
        elif name == "day":
            history.now = at_hour(history.now, 9)
        elif name == "sleep":
            history.now = at_hour(history.now, 22)
            history.tick(args[0])
        elif name == "later":
            history.now += timedelta(minutes=args[0])
        else:
            getattr(history, name)(*args)


def at_hour(now: datetime, hour: int) -> datetime:
    found = now.replace(hour=hour, minute=0)
    return found if found > now else found + timedelta(days=1)


def is_production(item: dict[str, Any]) -> bool:
    """By the test's own reading: only what says development may be touched."""
    return (item["metadata"].get("labels") or {}).get("environment") != "development"


def is_for_a_person_to_wake(told: dict[str, str]) -> bool:
    """A person put it to sleep for no time, and no window of its schedule ever begins."""
    by = told.get("gpu-thrift.io/asleep-by", "")
    return by.startswith("person ") and not told.get("gpu-thrift.io/wake-at")


def check(history: History) -> None:
    """Two weeks later at noon all is well again: three ticks have to do."""
    history.now = datetime(2026, 12, 30, 12, 0, tzinfo=UTC)
    for _ in range(3):
        history.tick([])
        history.now += timedelta(minutes=3)
    for one in history.workloads:
        item = history.read(one)
        assert item is not None, one
        if one.production or one.unknowable:
            continue
        found, told = one.sort.setting(item), history.annotations(item)
        if is_for_a_person_to_wake(told):
            memory = told.get("gpu-thrift.io/replicas") or told["gpu-thrift.io/previous"]
            assert one.sort.same(found, one.sort.stop), (one, found, told)
            assert one.sort.same(remembered(memory), one.truth), (one, told)
            continue
        assert one.sort.same(found, one.truth), (one, found, told)
        left = [name for name in MEMORY if f"gpu-thrift.io/{name}" in told]
        assert not left, (one, left)
    for path, before in history.world.writes:
        assert before is None or not is_production(before), path
    writes = len(history.world.writes)
    history.tick([])
    assert len(history.world.writes) == writes, "a tick with nothing to do wrote something"


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    print_blob=True,
)
@given(steps=st.lists(STEPS, min_size=4, max_size=16))
def test_everything_comes_back_as_it_was(steps: list[tuple[Any, ...]]) -> None:
    workloads = [Expected(sort, f"w{i}", sort.others[0]) for i, sort in enumerate(SORTS)]
    objects = [(one.sort.list_path, one.sort.manifest(one.name, one.truth)) for one in workloads]
    with cluster(objects) as world, tempfile.TemporaryDirectory(dir=TEMPLATE) as name:
        history = History(world, Path(name), [replace(one) for one in workloads])
        try:
            play(history, steps)
            check(history)
        finally:
            history.close()
