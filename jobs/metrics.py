"""What the daemon counts about itself, as Prometheus reads it.

The registry is its own, so that nothing a library registers is told by accident and two daemons in
one process do not meet. Series of jobs and services stand at 0 from the start: a rate over a
series that begins at 1 would miss its first event.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from datetime import datetime

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.openmetrics import exposition as openmetrics

from analyzer.model import WorkloadKey
from reports.status import Saved
from reports.text import encodable

BAD_ANNOTATIONS_LISTED = 200
"""Series of ``bad_annotation`` of one cluster; ``bad_annotations`` counts all of them."""

SERVICES = ("kubernetes", "prometheus", "ledger", "slack")
CALL_OUTCOMES = ("ok", "error", "open")
RUN_OUTCOMES = ("done", "failed")
JOB_BUCKETS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
CALL_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

# In Prometheus' older text each counter and histogram would get a gauge more, which nobody reads.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """Every method may be called from any thread."""

    def __init__(self, jobs: Sequence[str]) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._lock = threading.Lock()
        self._bad: dict[str, set[tuple[str, ...]]] = {}
        self._make_job_metrics(jobs)
        self._make_cluster_metrics()
        self._make_call_metrics()
        self._leader = self._gauge("leader", "1 where this process acts, 0 where it waits.")
        self._config_ok = self._gauge(
            "config_last_reload_successful", "1 when the configuration was good when last read."
        )
        self._config_at = self._gauge(
            "config_last_reload_success_timestamp_seconds",
            "When the configuration that is in force was read.",
        )

    def _make_job_metrics(self, jobs: Sequence[str]) -> None:
        self._runs = self._counter("job_runs", "Runs of a job that ended.", "job", "outcome")
        self._failures = self._counter(
            "job_failures", "Tries of a job that failed, by what was raised.", "job", "reason"
        )
        self._durations = self._histogram(
            "job_duration_seconds", "How long a run of a job took.", "job", JOB_BUCKETS
        )
        self._successes = self._gauge(
            "job_last_success_timestamp_seconds",
            "When a run of the job was last done; 0 when none was in this process.",
            "job",
        )
        for job in jobs:
            for outcome in RUN_OUTCOMES:
                self._runs.labels(job, outcome)
            self._durations.labels(job)
            self._successes.labels(job)

    def _make_cluster_metrics(self) -> None:
        self._asleep = self._gauge("sleeping_workloads", "Workloads asleep now.", "cluster")
        self._gpus = self._gauge("sleeping_gpus", "GPUs that sleeping workloads let go.", "cluster")
        self._hours = self._gauge(
            "saved_gpu_hours", "GPU-hours slept in the last seven days.", "cluster"
        )
        self._usd = self._gauge(
            "saved_usd", "US dollars that the sleep of the last seven days was worth.", "cluster"
        )
        self._unpriced = self._gauge(
            "saved_unpriced_gpu_hours",
            "Those of the saved GPU-hours whose GPU has no known price: the dollars lack them.",
            "cluster",
        )
        self._changes = self._counter(
            "changes", "Changes made to workloads.", "cluster", "action", "outcome"
        )
        self._bad_listed = self._gauge(
            "bad_annotation",
            f"1 for a workload with an annotation that cannot be used; at most "
            f"{BAD_ANNOTATIONS_LISTED} of a cluster.",
            *("cluster", "namespace", "kind", "name"),
        )
        self._bad_counted = self._gauge(
            "bad_annotations", "Workloads with an annotation that cannot be used.", "cluster"
        )

    def _make_call_metrics(self) -> None:
        self._calls = self._counter(
            "api_calls",
            "Calls to a service; open: not sent because its circuit was open.",
            *("service", "outcome"),
        )
        self._call_durations = self._histogram(
            "api_call_duration_seconds", "How long a call took.", "service", CALL_BUCKETS
        )
        self._circuits = self._gauge(
            "circuit_open", "1 while nothing is sent to a failing service.", "service", "name"
        )
        for service in SERVICES:
            for outcome in CALL_OUTCOMES:
                self._calls.labels(service, outcome)
            self._call_durations.labels(service)

    def _gauge(self, name: str, says: str, *labels: str) -> Gauge:
        return Gauge(name, says, labels, namespace="gpu_thrift", registry=self._registry)

    def _counter(self, name: str, says: str, *labels: str) -> Counter:
        return Counter(name, says, labels, namespace="gpu_thrift", registry=self._registry)

    def _histogram(self, name: str, says: str, label: str, buckets: Sequence[float]) -> Histogram:
        return Histogram(
            name, says, (label,), "gpu_thrift", registry=self._registry, buckets=buckets
        )

    def run(self, job: str, outcome: str, seconds: float, at: datetime) -> None:
        """A run of a job ended at ``at``; only ``done`` is a success."""
        self._runs.labels(job, outcome).inc()
        self._durations.labels(job).observe(seconds)
        if outcome == "done":
            self._successes.labels(job).set(at.timestamp())

    def failure(self, job: str, reason: str) -> None:
        """A try of a job failed; ``reason`` is the name of the exception's class."""
        self._failures.labels(job, reason).inc()

    def sleeping(self, cluster: str, workloads: int, gpus: float) -> None:
        """What is asleep in a cluster now."""
        self._asleep.labels(cluster).set(workloads)
        self._gpus.labels(cluster).set(gpus)

    def saved(self, cluster: str, saved: Saved) -> None:
        """What sleep saved in a cluster lately."""
        self._hours.labels(cluster).set(saved.gpu_hours)
        self._usd.labels(cluster).set(saved.usd)
        self._unpriced.labels(cluster).set(saved.unpriced)

    def changes(self, cluster: str, action: str, outcome: str, n: int) -> None:
        """``n`` more changes were made, or were tried."""
        self._changes.labels(cluster, action, outcome).inc(n)

    def bad_annotations(self, cluster: str, workloads: Iterable[WorkloadKey]) -> None:
        """Exactly these workloads of a cluster have an annotation that cannot be used."""
        found = sorted(set(workloads))
        listed = {
            tuple(encodable(part) for part in (cluster, key.namespace, key.kind, key.name))
            for key in found[:BAD_ANNOTATIONS_LISTED]
        }
        with self._lock:
            # One that stays is not touched, so that no scrape finds it missing.
            for gone in self._bad.get(cluster, set()) - listed:
                self._bad_listed.remove(*gone)
            for labels in listed:
                self._bad_listed.labels(*labels).set(1)
            self._bad[cluster] = listed
            self._bad_counted.labels(cluster).set(len(found))

    def forget(self, cluster: str) -> None:
        """Another process tells of this cluster now, or nobody does: two that told of it would
        be added up."""
        self.bad_annotations(cluster, ())
        gauges = (self._asleep, self._gpus, self._hours, self._usd, self._unpriced)
        for gauge in (*gauges, self._bad_counted):
            gauge.remove(cluster)

    def call(self, service: str, outcome: str, seconds: float) -> None:
        """A call ended ``ok`` or in an ``error``, or its circuit was ``open``: then nothing was
        sent, and it says nothing about how long the service takes."""
        self._calls.labels(service, outcome).inc()
        if outcome != "open":
            self._call_durations.labels(service).observe(seconds)

    def leader(self, is_leader: bool) -> None:
        """Whether this process acts."""
        self._leader.set(is_leader)

    def breaker(self, service: str, name: str, is_open: bool) -> None:
        """Whether calls to ``name``, one of a service's servers, are held back."""
        self._circuits.labels(service, name).set(is_open)

    def config(self, ok: bool, at: datetime) -> None:
        """The configuration was read at ``at``; one that is not ok leaves the one before."""
        self._config_ok.set(ok)
        if ok:
            self._config_at.set(at.timestamp())

    def render(self, accept: str) -> tuple[str, bytes]:
        """Content type and text; OpenMetrics when the ``Accept`` header names it."""
        if "application/openmetrics-text" in accept:
            text: bytes = openmetrics.generate_latest(self._registry)  # type: ignore[no-untyped-call]
            return openmetrics.CONTENT_TYPE_LATEST, text
        return CONTENT_TYPE_PLAIN_0_0_4, generate_latest(self._registry)
