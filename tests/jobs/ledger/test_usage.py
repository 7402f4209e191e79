"""Usage of past hours, on each sort of database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from analyzer.history import Unused, UsedBy, UsedHour, hours_of
from analyzer.usage import Settings, analyse
from jobs.ledger.database import Database, open_database
from jobs.ledger.usage import SqlUsage
from tests import builders
from tests.builders import H100, NOW

HOUR = timedelta(hours=1)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = open_database(url)
    yield opened
    opened.close()


def used(name: str = "chat-70b", **more: object) -> UsedBy:
    usual = UsedBy(
        builders.key(name), "production", None, "llama-70b", H100, 8.0, 7.5, 2.25, 55.04, None
    )
    return replace(usual, **more)  # type: ignore[arg-type]


def hour(n: int = 0, *workloads: UsedBy) -> UsedHour:
    pools = (Unused(H100, 16.0, 8.0, None), Unused("unknown", 1.0, 0.5, 1.25))
    return UsedHour("main", NOW + n * HOUR, workloads or (used(),), pools)


def test_an_hour_comes_back_as_it_was(database: Database) -> None:
    usage = SqlUsage(database)
    hostile = used("<script>\u202e\U0001f600", team="a\x00b", requests=0.0, prompt_tokens=1e12)
    hours = [hour(0), hour(1, used(), hostile), UsedHour("main", NOW + 2 * HOUR)]
    usage.record(reversed(hours))
    assert usage.hours("main", NOW, NOW + 3 * HOUR) == hours
    assert usage.hours("main", NOW + HOUR, NOW + 2 * HOUR) == hours[1:2]
    assert usage.hours("other", NOW, NOW + 3 * HOUR) == []


def test_an_hour_that_is_recorded_again_takes_the_place_of_the_first(database: Database) -> None:
    usage = SqlUsage(database)
    usage.record([hour()])
    usage.record([hour(0, used("other"))])
    [found] = usage.hours("main", NOW, NOW + HOUR)
    assert [one.key.name for one in found.workloads] == ["other"]


def test_old_hours_are_let_go(database: Database) -> None:
    usage = SqlUsage(database)
    usage.record(hour(n) for n in range(5))
    usage.prune(NOW + 3 * HOUR)
    assert [one.begin for one in usage.hours("main", NOW, NOW + 9 * HOUR)] == [
        NOW + 3 * HOUR,
        NOW + 4 * HOUR,
    ]


def test_five_hundred_workloads_take_little_room(database: Database) -> None:
    usage = SqlUsage(database)
    many = [used(f"model-{n}", work=n * 0.0173, cost_usd=n * 1.37) for n in range(500)]
    usage.record([hour(0, *many)])
    with database.reading() as connection:
        size = connection.exec_driver_sql("SELECT length(document) FROM usage").scalar()
    assert size is not None
    assert size < 25_000
    assert len(usage.hours("main", NOW, NOW + HOUR)[0].workloads) == 500


def test_the_hours_of_a_span_add_up_to_its_analysis() -> None:
    """Eight GPUs, the price of an H100 known, one hour of four without a metric."""
    settings = builders_settings()
    span = builders.window(4)
    observed = [8.0] * 36 + [0.0] * 12
    work = [float(n % 9) for n in range(36)] + [0.0] * 12
    whole = analyse(
        builders.snapshot(
            span,
            workloads=(builders.workload(),),
            use=(builders.gpu_use(observed=observed, work=work, span=span),),
            pools=(builders.pool(span=span),),
        ),
        settings,
        NOW,
    )
    parts = []
    for n in range(4):
        cut = slice(12 * n, 12 * n + 12)
        of_hour = builders.window(1, span.start + (n + 1) * HOUR)
        use = builders.gpu_use(observed=observed[cut], work=work[cut], span=of_hour)
        snapshot = builders.snapshot(
            of_hour,
            workloads=(builders.workload(),),
            use=(use,),
            pools=(builders.pool(span=of_hour),),
        )
        parts += hours_of(analyse(snapshot, settings, NOW))
    [one] = whole.workloads
    assert one.utilisation is not None
    assert [part.begin for part in parts] == [span.start + n * HOUR for n in range(4)]
    of = [part.workloads[0] for part in parts]
    assert sum(part.gpu_hours for part in of) == pytest.approx(one.gpu_hours) == 32
    assert sum(part.observed_gpu_hours for part in of) == pytest.approx(24)
    mean = sum(part.work for part in of) / sum(part.observed_gpu_hours for part in of)
    assert mean == pytest.approx(one.utilisation.mean)
    assert sum(part.cost_usd or 0 for part in of) == pytest.approx(one.cost_usd)
    free = sum(part.pools[0].unallocated_gpu_hours for part in parts)
    assert free == pytest.approx(whole.pools[0].unallocated_gpu_hours)


def builders_settings() -> Settings:
    from analyzer.config import load
    from jobs.wiring import decide_settings

    return decide_settings(load(None, {"HOME": "/nonexistent", "GPU_THRIFT_CONFIG": "config.toml"}))


def test_a_span_that_is_no_hour_is_refused() -> None:
    with pytest.raises(ValueError, match="168"):
        hours_of(builders.analysis())


def test_a_cluster_that_could_not_be_read_has_no_hour() -> None:
    analysis = builders.analysis(
        clusters=("main", "other"), window=builders.window(1), failed={"other": "away"}
    )
    assert [one.cluster for one in hours_of(analysis)] == ["main"]
