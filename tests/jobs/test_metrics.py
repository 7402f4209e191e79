"""What Prometheus is told about the daemon."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families as families

from analyzer.model import WorkloadKey
from jobs.metrics import BAD_ANNOTATIONS_LISTED, Metrics
from reports.status import Saved
from tests.servers import need

AT = datetime(2026, 11, 24, 15, 41, tzinfo=UTC)
OPENMETRICS = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.1"


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(("sleep", "analyze"))


def full() -> Metrics:
    """One of everything."""
    metrics = Metrics(("sleep",))
    metrics.run("sleep", "done", 1.5, AT)
    metrics.failure("sleep", "Unreachable")
    metrics.sleeping("prod", 3, 4.5)
    metrics.saved("prod", Saved(7, 120.5, 300.0, 2.5))
    metrics.changes("prod", "sleep", "done", 3)
    metrics.bad_annotations("prod", [key("w")])
    metrics.call("kubernetes", "ok", 0.02)
    metrics.leader(True)
    metrics.breaker("prometheus", "prod", True)
    metrics.config(True, AT)
    return metrics


def key(name: str, namespace: str = "ml") -> WorkloadKey:
    return WorkloadKey("prod", namespace, "Deployment", name)


def text(metrics: Metrics) -> str:
    return metrics.render("")[1].decode()


def value(metrics: Metrics, name: str, /, **labels: str) -> float | None:
    return series(metrics, name).get(frozenset(labels.items()))


def series(metrics: Metrics, name: str) -> Mapping[frozenset[tuple[str, str]], float]:
    samples = [sample for family in families(text(metrics)) for sample in family.samples]
    return {
        frozenset(sample.labels.items()): sample.value
        for sample in samples
        if sample.name == f"gpu_thrift_{name}"
    }


def test_series_of_jobs_and_services_are_there_before_anything_happens(metrics: Metrics) -> None:
    for job in ("sleep", "analyze"):
        for outcome in ("done", "failed"):
            assert value(metrics, "job_runs_total", job=job, outcome=outcome) == 0
        assert value(metrics, "job_duration_seconds_count", job=job) == 0
        assert value(metrics, "job_last_success_timestamp_seconds", job=job) == 0
    for service in ("kubernetes", "prometheus", "ledger", "slack"):
        for outcome in ("ok", "error", "open"):
            assert value(metrics, "api_calls_total", service=service, outcome=outcome) == 0
    assert value(metrics, "leader") == 0


def test_a_run_that_failed_is_no_success(metrics: Metrics) -> None:
    metrics.run("sleep", "done", 0.3, AT)
    metrics.run("sleep", "failed", 700, AT.replace(hour=16))
    success = value(metrics, "job_last_success_timestamp_seconds", job="sleep")
    assert success == AT.timestamp()
    assert value(metrics, "job_runs_total", job="sleep", outcome="done") == 1
    assert value(metrics, "job_runs_total", job="sleep", outcome="failed") == 1
    assert value(metrics, "job_duration_seconds_sum", job="sleep") == 700.3
    buckets = {
        dict(labels)["le"]: count
        for labels, count in series(metrics, "job_duration_seconds_bucket").items()
        if ("job", "sleep") in labels
    }
    assert (buckets["0.1"], buckets["0.5"], buckets["600.0"], buckets["+Inf"]) == (0, 1, 1, 2)


def test_failures_are_told_by_their_reason(metrics: Metrics) -> None:
    for reason in ("Unreachable", "Denied", "Denied"):
        metrics.failure("analyze", reason)
    assert value(metrics, "job_failures_total", job="analyze", reason="Unreachable") == 1
    assert value(metrics, "job_failures_total", job="analyze", reason="Denied") == 2


def test_clusters_tell_what_sleeps_and_what_it_saved(metrics: Metrics) -> None:
    metrics.sleeping("prod", 3, 4.5)
    metrics.sleeping("prod", 2, 3.5)
    metrics.saved("prod", Saved(7, 120.5, 300.0, 2.5))
    metrics.changes("prod", "sleep", "done", 3)
    metrics.changes("prod", "sleep", "done", 2)
    assert value(metrics, "sleeping_workloads", cluster="prod") == 2
    assert value(metrics, "sleeping_gpus", cluster="prod") == 3.5
    assert value(metrics, "saved_gpu_hours", cluster="prod") == 120.5
    assert value(metrics, "saved_usd", cluster="prod") == 300
    assert value(metrics, "saved_unpriced_gpu_hours", cluster="prod") == 2.5
    assert value(metrics, "changes_total", cluster="prod", action="sleep", outcome="done") == 5


def test_an_annotation_that_was_mended_is_not_told_any_more(metrics: Metrics) -> None:
    metrics.bad_annotations("prod", [key("a"), key("b"), key("b")])
    metrics.bad_annotations("dev", [key("a")])
    metrics.bad_annotations("prod", [key("b"), key("c")])
    told = {(dict(s)["cluster"], dict(s)["name"]) for s in series(metrics, "bad_annotation")}
    assert told == {("prod", "b"), ("prod", "c"), ("dev", "a")}
    assert set(series(metrics, "bad_annotation").values()) == {1}
    assert value(metrics, "bad_annotations", cluster="prod") == 2
    metrics.bad_annotations("prod", [])
    assert {dict(s)["cluster"] for s in series(metrics, "bad_annotation")} == {"dev"}
    assert value(metrics, "bad_annotations", cluster="prod") == 0


def test_thousands_of_bad_annotations_are_counted_and_not_all_named(metrics: Metrics) -> None:
    many = [key(f"w{number:04}") for number in range(3000)]
    for workloads in (many, many[::-1]):
        metrics.bad_annotations("prod", iter(workloads))
        told = sorted(dict(labels)["name"] for labels in series(metrics, "bad_annotation"))
        assert told == [one.name for one in many[:BAD_ANNOTATIONS_LISTED]]
        assert value(metrics, "bad_annotations", cluster="prod") == 3000


def test_a_call_that_was_not_sent_has_no_duration(metrics: Metrics) -> None:
    metrics.call("slack", "ok", 0.2)
    metrics.call("slack", "error", 15)
    metrics.call("slack", "open", 0)
    assert value(metrics, "api_call_duration_seconds_count", service="slack") == 2
    assert value(metrics, "api_call_duration_seconds_sum", service="slack") == 15.2
    assert value(metrics, "api_calls_total", service="slack", outcome="open") == 1


def test_leadership_and_circuits_go_on_and_off(metrics: Metrics) -> None:
    for state in (True, False):
        metrics.leader(state)
        metrics.breaker("prometheus", "prod", state)
        assert value(metrics, "leader") == state
        assert value(metrics, "circuit_open", service="prometheus", name="prod") == state


def test_a_bad_configuration_leaves_the_time_of_the_good_one(metrics: Metrics) -> None:
    metrics.config(True, AT)
    metrics.config(False, AT.replace(hour=16))
    assert value(metrics, "config_last_reload_successful") == 0
    at = value(metrics, "config_last_reload_success_timestamp_seconds")
    assert at == AT.timestamp()


def test_two_do_not_meet_and_tell_nothing_of_the_platform(metrics: Metrics) -> None:
    Metrics(("sleep",)).run("sleep", "done", 1, AT)
    assert value(metrics, "job_runs_total", job="sleep", outcome="done") == 0
    names = {family.name for family in families(text(full()))}
    assert all(name.startswith(("gpu_thrift_", "process_")) for name in names)
    assert {"process_open_fds", "process_cpu_seconds"} <= names


def test_openmetrics_is_spoken_to_whom_asks_for_it() -> None:
    metrics = full()
    kind, answer = metrics.render(OPENMETRICS)
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    assert answer.endswith(b"# EOF\n")
    names = {family.name for family in openmetrics_families(answer.decode())}
    assert {"gpu_thrift_job_runs", "gpu_thrift_leader"} <= names
    for accept in ("", "*/*", "text/plain", "text/html;q=x;;,"):
        kind, answer = metrics.render(accept)
        assert kind.startswith("text/plain; version=0.0.4")
        assert b"# EOF" not in answer


def test_a_hostile_name_stays_one_label() -> None:
    metrics = full()
    names = ['"} 7\ngpu_thrift_leader 9\n', "back\\slash", "\udcff", "<script>"]
    metrics.bad_annotations("prod", [key(name) for name in names])
    told = {dict(labels)["name"] for labels in series(metrics, "bad_annotation")}
    assert told == {names[0], names[1], "\ufffd", names[3]}
    assert value(metrics, "leader") == 1


def test_promtool_has_nothing_to_say_but_that_hours_are_not_seconds() -> None:
    need("promtool", package="prometheus")
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=full().render("")[1], capture_output=True, check=False,
    )  # fmt: skip
    said = (done.stdout + done.stderr).decode().splitlines()
    assert [line for line in said if "gpu_hours use base unit" not in line] == []
