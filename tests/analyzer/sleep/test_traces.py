"""Whose sleep it is, and until when, where its traces are incomplete or people had a hand in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from analyzer.sleep.manual import scale_down
from analyzer.sleep.model import Hold, Leave, Owner, Sleep, Target, Wake
from tests.analyzer.sleep.cases import (
    ALICE,
    ARGO,
    BY_ALICE,
    DAY,
    HOUR,
    MEMORY,
    MORNING,
    NIGHT,
    RULES,
    case,
    row,
    target,
    told,
)


def without(one: Target, *names: str) -> Target:
    """The same workload, some annotations of its sleep gone."""
    gone = {f"gpu-thrift.io/{name}" for name in names}
    kept = {k: v for k, v in one.workload.annotations.items() if k not in gone}
    return replace(one, workload=replace(one.workload, annotations=kept))


def test_where_it_was_put_is_known_without_its_annotation() -> None:
    partly = replace(MEMORY, slept_to=1)
    one = without(target(1, memory=partly, annotations={"sleep-replicas": "1"}), "slept-to")
    for known in ({}, {"row": row(partly)}):
        decision = told(one, MORNING, **known)
        assert isinstance(decision, Wake)
        assert decision.memory.before == 4
    # The wish may have gone with it; the ledger still knows.
    assert isinstance(told(without(one, "sleep-replicas"), MORNING, row=row(partly)), Wake)


@pytest.mark.parametrize("gone", [("wake-at",), ("wake-at", "asleep-since")])
def test_a_sleep_without_its_time_wakes_with_the_next_window(gone: tuple[str, ...]) -> None:
    one = without(target(0, memory=BY_ALICE), *gone)
    assert told(one, NIGHT).reason == "put-to-sleep-by-person"
    assert isinstance(told(one, MORNING), Wake)
    bad = target(0, memory=BY_ALICE)
    bad = replace(
        bad,
        workload=replace(
            bad.workload, annotations=bad.workload.annotations | {"gpu-thrift.io/wake-at": "soon"}
        ),
    )
    assert isinstance(told(bad, MORNING), Wake)
    assert isinstance(told(bad, MORNING, row=row(BY_ALICE)), Wake)
    # No time at all was asked for: that is a word, not a gap.
    endless = target(0, memory=replace(BY_ALICE, wake_at=None), annotations={"awake": "never"})
    assert isinstance(told(endless, MORNING), Leave)


def test_what_is_older_than_a_persons_command_does_not_undo_it() -> None:
    one = target(0, memory=BY_ALICE)
    hold = Hold("u1", MORNING, "person")
    assert told(one, NIGHT, hold=hold).reason == "put-to-sleep-by-person"
    late = {"gpu-thrift.io/keep-awake-until": "2026-11-30T00:00:00Z"}
    assert told(one, NIGHT, namespace=late).reason == "put-to-sleep-by-person"
    # Its exclusion, or a word about this very workload, is younger.
    assert told(one, NIGHT, namespace={"gpu-thrift.io/exclude": "true"}).reason == "excluded"
    own = target(0, memory=BY_ALICE, annotations=late)
    assert told(own, NIGHT).reason == "keep-awake"


@pytest.mark.parametrize(
    ("client", "owner", "reason"),
    [
        ("argocd-controller", ARGO, "reverted"),
        ("", ARGO, "reverted"),
        ("kustomize-controller", Owner("Flux", "Kustomization a/b", "x"), "reverted"),
        ("kubectl-replace", ARGO, "person-changed"),
        ("Mozilla", ARGO, "person-changed"),
        ("rancher", ARGO, "person-changed"),
        ("argocd-server", ARGO, "person-changed"),
        ("argocd-controller", Owner("Flux", "Kustomization a/b", "x"), "person-changed"),
    ],
)
@pytest.mark.parametrize("traces", [True, False])
def test_only_the_tool_itself_reverts(client: str, owner: Owner, reason: str, traces: bool) -> None:
    memory = {"memory": MEMORY} if traces else {}
    one = target(4, gitops=owner, changed_by=client, **memory)
    assert told(one, NIGHT, row=row()).reason == reason


def test_a_persons_zero_beside_an_old_row_is_theirs() -> None:
    for client, kind in (("kubectl-scale", Leave), ("gpu-thrift", Wake), ("", Wake)):
        decision = told(target(0, changed_by=client), MORNING, row=row())
        assert isinstance(decision, kind)
    assert told(target(0, changed_by="kubectl-scale"), NIGHT, row=row()).reason == "already-at-zero"


def test_a_sleep_until_the_night_is_handed_over_to_the_schedule() -> None:
    until = NIGHT + HOUR
    one = target(0, memory=replace(BY_ALICE, wake_at=until))
    assert told(one, until - HOUR / 2).reason == "put-to-sleep-by-person"
    assert told(one, until).reason == "already-asleep"
    assert told(one, MORNING).reason == "due"
    lead = timedelta(minutes=10)
    assert isinstance(told(one, MORNING - lead, lead=lead), Wake)
    # Where the schedule does not act, nobody would put it to sleep again.
    watching = replace(RULES, carries_out=False)
    assert told(one, until, rules=watching).reason == "due"
    # What holds for the schedule holds once more.
    assert told(one, until, hold=Hold("u1", MORNING, "person")).reason == "due"


def test_what_stands_at_zero_behind_an_autoscaler_is_left() -> None:
    one = target(None, stop="0", counts=False)
    idle: Any = replace(one, workload=replace(one.workload, replicas=0))
    assert told(idle, NIGHT).reason == "already-at-zero"
    assert isinstance(told(one, NIGHT), Sleep)
    assert scale_down(case(idle, DAY), RULES, ALICE).decision.reason == "already-at-zero"
