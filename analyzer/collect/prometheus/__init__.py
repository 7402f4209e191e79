"""The metric store over HTTP: Prometheus, and whatever else speaks PromQL."""

from analyzer.collect.prometheus.endpoint import Endpoint
from analyzer.collect.prometheus.store import PrometheusStore

__all__ = ["Endpoint", "PrometheusStore"]
