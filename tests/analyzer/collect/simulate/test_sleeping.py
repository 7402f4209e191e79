"""The nights of the simulated fleet, against the pods that it has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from analyzer.collect.simulate import Fleet, demo_fleet, sleeps
from analyzer.sleep.model import Slept

END = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return demo_fleet(1, END)


@pytest.fixture(scope="module")
def found(fleet: Fleet) -> tuple[Slept, ...]:
    return sleeps(fleet, "demo")


def test_there_are_nights_and_they_are_the_same_each_time(
    fleet: Fleet, found: tuple[Slept, ...]
) -> None:
    assert len(found) > 10
    assert found == sleeps(demo_fleet(1, END), "demo")
    assert [one.since for one in found] == sorted(one.since for one in found)
    assert {one.key.cluster for one in found} == {"demo"}
    assert {one.by for one in found} == {"schedule"}


def test_nobody_held_a_gpu_while_it_slept(fleet: Fleet, found: tuple[Slept, ...]) -> None:
    minute = timedelta(minutes=1)
    for one in found:
        until = one.until or END
        pods = fleet.pods_of(one.key.namespace, one.key.name)
        middle = ((one.since + minute).timestamp() + (until - minute).timestamp()) / 2
        assert one.since < until
        assert not [pod for pod in pods if pod.scheduled_s <= middle < pod.ended_s]


def test_what_slept_is_what_ran_before(fleet: Fleet, found: tuple[Slept, ...]) -> None:
    for one in found:
        before = (one.since - timedelta(minutes=10)).timestamp()
        pods = [
            pod
            for pod in fleet.pods_of(one.key.namespace, one.key.name)
            if pod.scheduled_s <= before < pod.ended_s
        ]
        assert one.gpus == sum(pod.app.gpus for pod in pods) > 0
        assert set(one.nodes) == {pod.node.name for pod in pods}


def test_who_woke_became_ready_after_it(found: tuple[Slept, ...]) -> None:
    for one in found:
        assert (one.ready_at is None) == (one.until is None)
        if one.until is not None and one.ready_at is not None:
            assert timedelta(0) < one.ready_at - one.until < timedelta(hours=1)
            assert one.until < END
    assert any(one.until is None for one in found)


def test_only_deployments_that_are_still_there_have_nights(
    fleet: Fleet, found: tuple[Slept, ...]
) -> None:
    there = {
        (app.namespace, app.name)
        for app in fleet.apps
        if app.kind == "Deployment" and app.end_s >= fleet.span[1]
    }
    assert {(one.key.namespace, one.key.name) for one in found} <= there
    begin = datetime.fromtimestamp(fleet.span[0], UTC)
    assert all(begin <= one.since < END for one in found)
