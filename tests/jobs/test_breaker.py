"""A service that keeps failing is left alone for a while, and tried again."""

from __future__ import annotations

import threading
import time

import pytest

from analyzer.collect.cluster.api import NotFound, ServerFault
from analyzer.errors import Denied, TooMuch, Unreachable
from jobs.breaker import FAILURES, Breaker
from jobs.ledger.errors import LedgerError


def fail(breaker: Breaker, error: Exception) -> None:
    with pytest.raises(type(error)), breaker():
        raise error


def test_it_opens_after_failures_in_a_row_says_so_and_closes_after_a_rest() -> None:
    told: list[tuple[str, str]] = []
    breaker = Breaker(
        "kubernetes", "API x", lambda service, how, _: told.append((service, how)), rest_s=0.3
    )
    for _ in range(FAILURES):
        assert not breaker.is_open
        fail(breaker, Unreachable("API x: connection refused"))
    assert breaker.is_open
    with pytest.raises(Unreachable) as refused, breaker():
        raise AssertionError("never asked")
    said = str(refused.value)
    assert "API x is not asked: it failed 5 times in a row" in said
    assert "connection refused" in said
    assert said.isprintable()
    time.sleep(0.35)
    with breaker():
        pass
    assert (breaker.is_open, breaker.says) == (False, "")
    assert told == [("kubernetes", "error")] * FAILURES + [
        ("kubernetes", "open"),
        ("kubernetes", "ok"),
    ]


def test_a_try_that_fails_after_the_rest_opens_it_at_once() -> None:
    breaker = Breaker("kubernetes", "API x", rest_s=0.2)
    for _ in range(FAILURES):
        fail(breaker, ServerFault("API x answered 503"))
    time.sleep(0.25)
    fail(breaker, ServerFault("API x answered 503"))
    assert breaker.is_open


@pytest.mark.parametrize(
    "error", [NotFound("404"), Denied("403"), TooMuch("too much"), ValueError()]
)
def test_what_is_not_the_service_s_fault_does_not_open_it(error: Exception) -> None:
    breaker = Breaker("kubernetes", "API x")
    for _ in range(3 * FAILURES):
        fail(breaker, error)
    assert not breaker.is_open


def test_a_success_in_between_counts_the_failures_anew() -> None:
    breaker = Breaker("ledger", "ledger", refusal=LedgerError)
    for _ in range(3):
        for _ in range(FAILURES - 1):
            fail(breaker, LedgerError("away"))
        with breaker():
            pass
    assert not breaker.is_open


def test_a_refusal_is_told_where_that_is_asked_for_and_never_opens_it() -> None:
    breaker = Breaker("slack", "Slack")
    assert (breaker.asked, breaker.says) == (False, "")
    breaker.tells = (Denied,)
    for _ in range(2 * FAILURES):
        with pytest.raises(Denied), breaker():
            raise Denied("the token\nwas revoked")
    assert (breaker.asked, breaker.is_open, breaker.says) == (True, False, "the token was revoked")
    with breaker():
        pass
    assert breaker.says == ""


def test_a_slow_call_holds_up_no_other() -> None:
    breaker = Breaker("kubernetes", "API x")
    inside, leave = threading.Event(), threading.Event()

    def slow() -> None:
        with breaker():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=slow)
    thread.start()
    assert inside.wait(5)
    with breaker():
        pass
    leave.set()
    thread.join()
