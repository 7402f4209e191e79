"""The last minutes of metrics, on real servers, against figures worked out by hand."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from analyzer.collect.activity import read_activity
from analyzer.collect.prometheus import PrometheusStore
from analyzer.collect.prometheus.endpoint import Endpoint
from analyzer.errors import SourceError
from analyzer.sleep.activity import PodActivity
from tests.conftest import Engine
from tests.openmetrics import RawSeries

MINUTE = 60
END = int(time.time()) // MINUTE * MINUTE - 5 * MINUTE
NOW = datetime.fromtimestamp(END, UTC)
TEN = timedelta(minutes=10)


def series(name: str, pod: str, values: list[float], end: int = END, **labels: str) -> RawSeries:
    """One sample a minute, the last at ``end``."""
    times = [end - MINUTE * (len(values) - 1 - i) for i in range(len(values))]
    return RawSeries(name, {"namespace": "ml", "pod": pod, **labels}, np.array(times), values)


def server(
    pod: str, running: list[float], end: int = END, done: list[float] | None = None
) -> list[RawSeries]:
    found = [
        series("vllm:num_requests_running", pod, running, end, model_name="m"),
        series("vllm:num_requests_waiting", pod, [0.0] * len(running), end, model_name="m"),
    ]
    if done is not None:
        found.append(series("vllm:request_success_total", pod, done, end, model_name="m"))
    return found


def gpu(pod: str, percent: float, uuid: str, namespace: str = "ml") -> RawSeries:
    """A GPU of a pod, as an exporter that is a pod itself tells it."""
    labels = {"exported_pod": pod, "exported_namespace": namespace, "UUID": uuid, "gpu": uuid}
    return series("DCGM_FI_DEV_GPU_UTIL", "dcgm-1", [percent] * 20, **(labels if pod else {}))


QUIET = [0.0] * 20
FLEET = [
    *server("busy", [0.0] * 15 + [3.0] + [0.0] * 4),
    *server("idle", QUIET, done=[7.0] * 20),
    # Busy only before the window.
    *server("earlier", [5.0] * 8 + [0.0] * 12),
    # A request that began and ended between two scrapes; a restart that loses its counter.
    *server("burst", QUIET, done=[7.0] * 16 + [8.0] * 4),
    *server("restarted", QUIET, done=[7.0] * 15 + [0.0] * 5),
    *server("stale", [0.0] * 20, END - 4 * MINUTE),
    gpu("train", 40, "GPU-1"),
    gpu("train", 2, "GPU-2"),
    gpu("idle", 1, "GPU-3"),
    gpu("idle", 99, "GPU-4", "other"),
    gpu("", 0, "GPU-5"),
]


def is_exporter(pod: str) -> bool:
    return pod.startswith("dcgm")


def test_what_each_pod_did(engine: Engine) -> None:
    url = engine(FLEET)
    store = PrometheusStore(Endpoint(url, timeout_s=20, retries=0), "c", {})
    found = read_activity(store, TEN, NOW, is_exporter)
    assert ("ml", "dcgm-1") not in found
    assert found["ml", "busy"] == PodActivity(requests=3.0, requests_fresh=True)
    idle = found["ml", "idle"]
    assert (idle.requests, idle.requests_fresh, idle.served) == (0.0, True, 0.0)
    assert (idle.utilisation, idle.devices) == (pytest.approx(0.01), 1)
    assert found["ml", "earlier"] == PodActivity(requests=0.0, requests_fresh=True)
    assert found["ml", "burst"].served > 0
    assert found["ml", "restarted"].served == 0
    assert found["ml", "stale"] == PodActivity(requests=0.0, requests_fresh=False)
    train = found["ml", "train"]
    assert (train.requests, train.devices) == (None, 2)
    assert train.utilisation == pytest.approx(0.4)
    assert found["other", "idle"].utilisation == pytest.approx(0.99)


def test_a_server_that_knows_nothing_tells_nothing(engine: Engine) -> None:
    url = engine([series("up", "x", [1.0])])
    store = PrometheusStore(Endpoint(url, timeout_s=20, retries=0), "c", {})
    assert read_activity(store, TEN, NOW, is_exporter) == {}


def test_no_server_is_an_error() -> None:
    store = PrometheusStore(Endpoint("http://127.0.0.1:9", timeout_s=2, retries=0), "c", {})
    with pytest.raises(SourceError):
        read_activity(store, TEN, NOW, is_exporter)
