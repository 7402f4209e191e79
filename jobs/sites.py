"""From the configuration to the clusters that sleep is arranged on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from analyzer.collect.activity import read_activity
from analyzer.collect.cluster.api import KubeApi
from analyzer.collect.pools import NodeClasses
from analyzer.config import ClusterConfig, Config
from analyzer.errors import ConfigError, UsageError
from analyzer.sleep.annotations import Defaults
from analyzer.sleep.case import Rules
from analyzer.sleep.schedule import BadSchedule, parse_schedule
from jobs.kinds import kinds
from jobs.ledger.port import Ledger
from jobs.sleeping.survey import Activities, ReadActivity
from jobs.sleeping.view import Site
from jobs.wiring import Choice, chosen_clusters, open_store, prices

PATIENCE = timedelta(seconds=15)
"""Longest wait for one answer about the last minutes."""


def sites(
    config: Config,
    choice: Choice,
    only_wake: bool = False,
    open_ledger: Callable[[], Ledger] | None = None,
) -> list[Site]:
    """One site a cluster whose Kubernetes API is configured. ``open_ledger`` takes the place of
    opening the configured ledger.

    Raises ``ConfigError`` for a schedule that cannot be read, ``UsageError`` without a cluster.
    """
    check_schedule(config)
    clusters = [one for one in chosen_clusters(config, choice) if one.kubernetes.enabled]
    if not clusters:
        raise UsageError("no cluster to work on: kubernetes.enabled is false for each")
    opener = open_ledger or _Opener(config)
    return [_site(config, cluster, opener, only_wake) for cluster in clusters]


def check_schedule(config: Config) -> None:
    """Raises ``ConfigError`` when ``[sleep]`` holds no schedule."""
    sleep = config.sleep
    try:
        parse_schedule(sleep.awake, sleep.timezone, sleep.holidays)
    except BadSchedule as error:
        path = config.path or "defaults"
        raise ConfigError(f"{path}: [sleep] awake, timezone or holidays: {error}") from error


def _site(
    config: Config, cluster: ClusterConfig, opener: Callable[[], Ledger], only_wake: bool
) -> Site:
    kubernetes, sleep = cluster.kubernetes, config.sleep
    book = prices(config)
    rules = Rules(
        signs=config.environment,
        environments=frozenset(sleep.environments),
        defaults=Defaults(sleep.awake, sleep.timezone, sleep.holidays),
        gpus_only=sleep.gpus_only,
        grace=sleep.grace,
        may_sleep=not only_wake,
        carries_out=not (only_wake or sleep.dry_run),
    )
    return Site(
        name=cluster.name,
        api=KubeApi(kubernetes.kubeconfig, kubernetes.context, kubernetes.timeout.total_seconds()),
        kinds=kinds(sleep.kinds),
        config=sleep,
        rules=rules,
        prices=(NodeClasses(config.analysis.pool_labels, book.rules), book),
        open_ledger=opener,
        activity=_activity(config, cluster),
    )


class _Opener:
    """Opens the ledger at its first use and keeps it; tried anew after it could not be opened."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._ledger: Ledger | None = None

    def __call__(self) -> Ledger:
        if self._ledger is None or self._ledger.is_damaged:
            from jobs.ledger.ledger import open_ledger  # noqa: PLC0415 - loads SQLAlchemy

            url = self._config.ledger.url
            assert url is not None  # noqa: S101 - load() fills it in
            self._ledger = open_ledger(url.reveal())
        return self._ledger


def _activity(config: Config, cluster: ClusterConfig) -> ReadActivity:
    patterns = config.metrics.exporter_pods

    def is_exporter(pod: str) -> bool:
        return any(pattern.matches(pod) for pattern in patterns)

    # A schedule or a person waits for it: the last minutes are a small question.
    asked = replace(
        cluster.prometheus, timeout=min(cluster.prometheus.timeout, PATIENCE), retries=1
    )
    store = replace(cluster, prometheus=asked)

    def read(now: datetime) -> Activities:
        return read_activity(open_store(store), config.sleep.busy_window, now, is_exporter)

    return read


def dry(site: Site) -> Site:
    """The same site, where nothing is changed."""
    return replace(site, dry_run=True)
