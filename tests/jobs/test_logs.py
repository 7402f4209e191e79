"""Log lines: one a fact, with its run, without a secret."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator

import pytest

from analyzer.config.secret import Secret
from jobs.logs import run_logs, set_up_logging, with_context

log = logging.getLogger("gpu_thrift.test")


@pytest.fixture(autouse=True)
def root() -> Iterator[None]:
    """The loggers as they were before."""
    loggers = [logging.getLogger(), logging.getLogger("gpu_thrift")]
    before = [(one.handlers[:], one.level) for one in loggers]
    yield
    for one, (handlers, level) in zip(loggers, before, strict=True):
        one.handlers[:], one.level = handlers, level


def test_every_line_of_a_run_carries_it_also_from_other_threads(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logging("json", 1)
    log.info("before")
    with run_logs("host-1-abc", "sleep"):
        log.warning("slept %d", 3, extra={"fields": {"workload": "ns/Deployment/a"}})
        thread = threading.Thread(target=with_context(log.info), args=("from a pool",))
        thread.start()
        thread.join()
    before, during, pooled = map(json.loads, capsys.readouterr().err.splitlines())
    assert "run" not in before
    assert during["message"] == "slept 3"
    assert during["workload"] == "ns/Deployment/a"
    assert [(one["run"], one["job"]) for one in (during, pooled)] == [("host-1-abc", "sleep")] * 2
    assert {"time", "level", "logger"} <= set(during)


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("timed", [True, False])
def test_a_secret_that_was_used_is_masked_wherever_it_turns_up(
    form: str, timed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = Secret("hunter2-hunter2").reveal()
    url = Secret("postgresql://me:s3cr3t-word@db/ledger").reveal()
    set_up_logging(form, 0, timed)
    log.warning("cannot log in with %s", secret, extra={"fields": {"detail": [f"at {url}"]}})
    log.error("the password s3cr3t-word is wrong")
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 2
    assert "hunter2" not in said
    assert "s3cr3t" not in said
    assert "***" in said


def test_a_path_is_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    Secret("sqlite:////var/lib/gpu-thrift/ledger.db").reveal()
    set_up_logging("text", 0)
    log.warning("ledger /var/lib/gpu-thrift/ledger.db: full")
    assert "/var/lib/gpu-thrift/ledger.db" in capsys.readouterr().err


def test_a_line_break_in_a_message_makes_no_second_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logging("json", 0)
    log.warning("one\ntwo")
    set_up_logging("text", 0, timed=True)
    log.warning("one\ntwo")
    assert len(capsys.readouterr().err.splitlines()) == 2


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_was_raised_is_one_line_with_its_place(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging(form, 0, timed=True)
    try:
        raise RuntimeError("nobody\nforesaw this")
    except RuntimeError:
        log.exception("the job could not be looked at")
    [line] = capsys.readouterr().err.splitlines()
    assert "RuntimeError: nobody foresaw this (test_logs.py:" in line
    assert "Traceback" not in line
    assert "object at 0x" not in line
