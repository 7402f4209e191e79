"""What a sweep over 1,000 workloads and an idle tick over 5,000 cost.

    python -m benchmarks.sleep [--rounds 3] [--latency-ms 20]

The stand-in API server runs in a process of its own and waits ``latency`` before each answer. The
floor is the same number of patches and events, sent one after another through the same client.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from analyzer.collect.cluster.api import MERGE_PATCH, KubeApi, Request
from analyzer.config import load
from jobs.sites import sites
from jobs.sleeping.tick import run_once
from jobs.wiring import Choice
from tests.e2e.sleepers import DEPLOYMENT, DEVELOPMENT, template
from tests.fakes.kube import KubeStandIn

NIGHT = datetime(2027, 1, 5, 21, 0, tzinfo=UTC)


def serve(pipe: Connection, directory: str, workloads: int) -> None:
    """The stand-in with its workloads, until it is told to end."""
    with KubeStandIn() as standin:
        standin.kubeconfig(Path(directory) / "kubeconfig")
        api = KubeApi(str(Path(directory) / "kubeconfig"), "", 30)
        api.send(Request("/api/v1/namespaces", "POST", body={"metadata": {"name": "ml"}}))
        path = DEPLOYMENT.path.replace("{ns}", "ml")
        for n in range(workloads):
            metadata = {"name": f"w{n}", "labels": DEVELOPMENT}
            spec = {**DEPLOYMENT.spec, "template": template()}
            api.send(Request(path, "POST", body={"metadata": metadata, "spec": spec}))
        standin.requests.clear()
        pipe.send("ready")
        while True:
            told = pipe.recv()
            if told == "end":
                return
            if isinstance(told, float):
                standin.latency_s = told
            pipe.send(len(standin.requests))
            standin.requests.clear()


@contextmanager
def server(workloads: int, directory: Path) -> Iterator[Connection]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, str(directory), workloads))
    process.start()
    try:
        assert ours.recv() == "ready"
        yield ours
    finally:
        ours.send("end")
        process.join()


def site_of(directory: Path) -> Any:
    path = directory / "config.toml"
    path.write_text(
        "[sleep]\nenabled = true\ndry_run = false\ngrace = '0s'\nawake = '08:00-20:00'\n"
        "when_metrics_missing = 'sleep'\nmax_workloads = 9999\nmax_gpus = 99999.0\n"
        f"[ledger]\nfile = '{directory / 'ledger.db'}'\n"
        "[[clusters]]\n[clusters.prometheus]\nurl = 'http://127.0.0.1:9'\nretries = 0\n"
        f"[clusters.kubernetes]\nkubeconfig = '{directory / 'kubeconfig'}'\n"
    )
    [site] = sites(load(path, {"HOME": str(directory)}), Choice())
    return site


def timed(call: Any) -> tuple[float, float, Any]:
    """Seconds on the clock and of our CPU, and what was returned."""
    clock, cpu = time.perf_counter(), time.process_time()
    found = call()
    return time.perf_counter() - clock, time.process_time() - cpu, found


def floor(api: KubeApi, workloads: int) -> None:
    """As many patches and events as a sweep makes, one after another."""
    path = DEPLOYMENT.path.replace("{ns}", "ml")
    events = "/api/v1/namespaces/ml/events"
    for n in range(workloads):
        mark = {"metadata": {"annotations": {"bench": str(time.perf_counter())}}}
        api.send(Request(f"{path}/w{n}", "PATCH", body=mark, content_type=MERGE_PATCH))
        name = {"metadata": {"name": f"e{n}-{time.perf_counter_ns()}", "namespace": "ml"}}
        event = {**name, "involvedObject": {"namespace": "ml"}, "reason": "Bench"}
        api.send(Request(events, "POST", body=event))


def sweep(rounds: int, latency_s: float, workloads: int = 1000) -> None:
    asleep, awake, serial = [], [], []
    with tempfile.TemporaryDirectory() as name, server(workloads, Path(name)) as pipe:
        site = site_of(Path(name))
        pipe.send(latency_s)
        pipe.recv()
        for n in range(rounds):
            night = NIGHT + timedelta(days=n)
            took, cpu, report = timed(lambda night=night: run_once(site, night))
            assert sum(one.outcome == "done" for one in report.results) == workloads
            asleep.append((took, cpu))
            morning = night + timedelta(hours=12)
            took, cpu, report = timed(lambda morning=morning: run_once(site, morning))
            assert sum(one.outcome == "done" for one in report.results) == workloads
            awake.append((took, cpu))
            serial.append(timed(lambda: floor(site.api, workloads))[0])
    base = statistics.median(serial)
    print(f"{workloads} deployments, {latency_s * 1000:.0f} ms a call, medians of {rounds}")
    print(f"  one call after another       {base:6.2f} s")
    for what, rows in (("put to sleep", asleep), ("woken", awake)):
        took = statistics.median(row[0] for row in rows)
        cpu = statistics.median(row[1] for row in rows)
        print(f"  {what:<28} {took:6.2f} s = {took / base:.3f} of that, {cpu:.2f} s of CPU")


def idle(rounds: int, workloads: int = 5000) -> None:
    rows = []
    with tempfile.TemporaryDirectory() as name, server(workloads, Path(name)) as pipe:
        site = site_of(Path(name))
        day = NIGHT - timedelta(hours=9)
        run_once(site, day)
        for n in range(rounds):
            pipe.send("count")
            pipe.recv()
            took, cpu, report = timed(lambda n=n: run_once(site, day + timedelta(minutes=n)))
            assert not report.results
            pipe.send("count")
            rows.append((took, cpu, pipe.recv()))
    took, cpu, calls = (statistics.median(row[i] for row in rows) for i in range(3))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"idle tick over {workloads} deployments, medians of {rounds}")
    print(f"  {took:.2f} s, {cpu:.2f} s of CPU, {calls:.0f} calls, peak {peak:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency-ms", type=float, default=20.0)
    given = parser.parse_args()
    sweep(given.rounds, given.latency_ms / 1000)
    idle(given.rounds)


if __name__ == "__main__":
    main()
