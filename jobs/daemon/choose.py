"""From the configuration to when each job is due, and to how one of several daemons is chosen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import timedelta

from analyzer.collect.cluster import credentials
from analyzer.collect.cluster.api import KubeApi
from analyzer.config import ClusterConfig, Config, KubernetesConfig
from analyzer.config.zone import zone_of
from analyzer.errors import ConfigError, Unreachable
from jobs.daemon.leadership import FileLeadership, Leadership
from jobs.daemon.lease import LeaseLeadership, LeaseName
from jobs.periods import Cadence, Daily, EveryMinute, Hourly, Weekly

LONGEST_S = 10.0
"""Longest wait for an answer about the Lease, however long it lasts."""


def cadences(config: Config) -> Mapping[str, Cadence]:
    """When each job that runs at all is due."""
    jobs = config.jobs
    zone = zone_of(jobs.timezone)
    every: Mapping[str, Cadence] = {
        "sleep": EveryMinute(),
        "flag-underused": Daily(jobs.flag_underused, zone, _delay(config, "flag-underused")),
        "weekly-report": Weekly(jobs.weekly_report, zone, _delay(config, "weekly-report")),
        "record-usage": Hourly(jobs.record_usage + _delay(config, "record-usage")),
        "morning-check": Daily(jobs.morning_check, zone, _delay(config, "morning-check")),
    }
    return {name: cadence for name, cadence in every.items() if name in jobs.run}


def _delay(config: Config, job: str) -> timedelta:
    """How much later than others this installation starts a job: always the same."""
    longest = int(config.jobs.jitter.total_seconds())
    told = [job, *(f"{one.name} {one.prometheus.url}" for one in config.clusters)]
    number = int.from_bytes(hashlib.sha256("\n".join(told).encode()).digest()[:8], "big")
    return timedelta(seconds=number % (longest + 1))


def leadership(config: Config, me: str, on_change: Callable[[bool], None]) -> Leadership:
    """What the configuration chooses. Raises ``ConfigError`` where it cannot be."""
    wanted, cluster = config.leadership, keeper(config)
    if cluster is None:
        return _file(config, me)
    kubernetes, seconds = cluster.kubernetes, wanted.duration.total_seconds()
    where = wanted.namespace or credentials.namespace(kubernetes.kubeconfig, kubernetes.context)
    api = KubeApi(
        kubernetes.kubeconfig, kubernetes.context, min(seconds / 4, LONGEST_S), attempts=1
    )
    return LeaseLeadership(api, LeaseName(where, wanted.name, seconds), me, on_change)


def keeper(config: Config) -> ClusterConfig | None:
    """The cluster whose Lease is held; None where a file is locked. Two daemons that differ in it
    would both lead. Raises ``ConfigError``."""
    wanted = config.leadership
    if wanted.by == "file":
        return None
    cluster = _cluster(config)
    if cluster is None:
        if wanted.by == "lease":
            raise _error(config, "by", "a Lease needs a cluster with a Kubernetes API")
        return None
    return cluster if wanted.by == "lease" or _is_found(cluster.kubernetes) else None


def _file(config: Config, me: str) -> Leadership:
    path = config.leadership.lock
    assert path is not None  # noqa: S101 - load() fills it in
    return FileLeadership(path, me)


def _cluster(config: Config) -> ClusterConfig | None:
    """The cluster that keeps the Lease: the one that is named, else the first with an API."""
    name = config.leadership.cluster
    with_api = [one for one in config.clusters if one.kubernetes.enabled]
    if not name:
        return next(iter(with_api), None)
    found = next((one for one in with_api if one.name == name), None)
    if found is None:
        known = ", ".join(one.name for one in with_api) or "none"
        raise _error(config, "cluster", f'no cluster "{name}" with a Kubernetes API (has: {known})')
    return found


def _is_found(kubernetes: KubernetesConfig) -> bool:
    """Whether anything says where the API is; whether it answers is another matter."""
    try:
        credentials.load(kubernetes.kubeconfig, kubernetes.context)
    except Unreachable:
        return False
    return True


def _error(config: Config, key: str, what: str) -> ConfigError:
    return ConfigError(f"{config.path or 'defaults'}: [leadership] {key}: {what}")
