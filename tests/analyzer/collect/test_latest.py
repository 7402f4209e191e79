"""A change that may not be made any more is not sent, however late that turns out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from analyzer.collect.cluster.api import KubeApi, Request
from analyzer.errors import SourceError
from tests.fakes.kubeapi.caller import KINDS, caller


class Lost(SourceError):
    pass


@pytest.mark.parametrize("asked", [0, 1, 2], ids=["at the start", "its head", "its body"])
def test_what_is_refused_while_it_is_sent_never_arrives(tmp_path: Path, asked: int) -> None:
    answers = iter([5.0] * asked)

    def guard() -> float:
        allowed = next(answers, None)
        if allowed is None:
            raise Lost("somebody else acts")
        return allowed

    with caller("stand-in", tmp_path) as api:
        assert api.standin
        path = KINDS["ConfigMap"].replace("{ns}", api.namespace)
        body = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "late"}}
        free = KubeApi(str(api.kubeconfig), "", 5)
        guarded = replace(free, guard=guard)
        with pytest.raises(Lost):
            guarded.send(Request(path, "POST", body=body))
        # Reading is nobody's business, and a connection that was cut short serves nobody else.
        assert guarded.get(path)["items"] == []
        free.send(Request(path, "POST", body=body))
        posts = [one for one in api.standin.requests if one.method == "POST" and one.path == path]
        assert len([one for one in posts if one.raw_body]) == 1


def test_a_change_leaves_within_the_fence_and_reading_needs_none(tmp_path: Path) -> None:
    entered: list[float] = []

    @contextmanager
    def fence(until: float) -> Iterator[None]:
        entered.append(until - time.monotonic())
        yield

    with caller("stand-in", tmp_path) as api:
        path = KINDS["ConfigMap"].replace("{ns}", api.namespace)
        body = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "in-time"}}
        fenced = KubeApi(str(api.kubeconfig), "", 5, guard=lambda: 7.0, fence=fence)
        assert fenced.get(path)["items"] == []
        assert entered == []
        fenced.send(Request(path, "POST", body=body))
        # Never later than what was allowed when it was asked.
        assert entered
        assert all(6.0 < one <= 7.0 for one in entered)
