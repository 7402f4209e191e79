"""From the configuration to sources and settings: where every part is put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from analyzer.analysis import Analysis
from analyzer.collect.cluster import connect
from analyzer.collect.join import JoinSettings
from analyzer.collect.kubeobjects import LabelKeys
from analyzer.collect.pools import NodeClasses
from analyzer.collect.prometheus import PrometheusStore
from analyzer.collect.prometheus.endpoint import Endpoint
from analyzer.collect.snapshot import ClusterSource, ReadSettings
from analyzer.collect.store import MetricStore
from analyzer.config import ClusterConfig, Config, PrometheusConfig
from analyzer.config.zone import zone_of
from analyzer.errors import ConfigError, UsageError
from analyzer.model import Snapshot
from analyzer.pricing import CATALOGUE, Price, PriceBook, PriceRule, find_gpu
from analyzer.sizing.advise import Sizing, advised
from analyzer.sizing.models import Described
from analyzer.usage import Settings, analyse

Progress = Callable[[int, int], None]
"""Told how many requests are done and how many are known of."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a command line says about where to read."""

    prometheus: str | None = None
    kubeconfig: str | None = None
    context: str | None = None
    no_cluster: bool = False
    clusters: tuple[str, ...] = ()

    @property
    def names_api(self) -> bool:
        return self.kubeconfig is not None or self.context is not None


def chosen_clusters(config: Config, choice: Choice) -> tuple[ClusterConfig, ...]:
    """The configured clusters, narrowed and overridden by the command line."""
    clusters = config.clusters
    if choice.clusters:
        known = {cluster.name: cluster for cluster in clusters}
        for name in choice.clusters:
            if name not in known:
                names = ", ".join(sorted(known))
                raise UsageError(
                    f"--cluster {name}: no such cluster is configured (known: {names})"
                )
        clusters = tuple(known[name] for name in dict.fromkeys(choice.clusters))
    if len(clusters) > 1 and (choice.prometheus or choice.names_api):
        raise UsageError(
            "--prometheus, --kubeconfig and --context are about one cluster: name it with --cluster"
        )
    return tuple(_overridden(cluster, choice) for cluster in clusters)


def _overridden(cluster: ClusterConfig, choice: Choice) -> ClusterConfig:
    prometheus, kubernetes = cluster.prometheus, cluster.kubernetes
    if choice.prometheus is not None:
        prometheus = replace(prometheus, url=choice.prometheus)
    if choice.no_cluster:
        kubernetes = replace(kubernetes, enabled=False)
    elif choice.names_api:
        kubernetes = replace(
            kubernetes,
            enabled=True,
            kubeconfig=choice.kubeconfig or kubernetes.kubeconfig,
            context=choice.context or kubernetes.context,
        )
    return replace(cluster, prometheus=prometheus, kubernetes=kubernetes)


def endpoint(config: PrometheusConfig) -> Endpoint:
    """Where one Prometheus is, with its secrets read now: mounted tokens rotate."""

    secret_headers = {name: value.reveal() for name, value in config.secret_headers.items()}
    password = config.password.reveal() if config.password else ""
    certificate = (config.client_cert_file, config.client_key_file or config.client_cert_file)
    return Endpoint(
        url=config.url,
        timeout_s=config.timeout.total_seconds(),
        retries=config.retries,
        bearer_token=config.bearer_token.reveal() if config.bearer_token else None,
        basic=(config.username, password) if config.username else None,
        headers={**config.headers, **secret_headers},
        ca_file=config.ca_file or None,
        client_cert=certificate if config.client_cert_file else None,
        verify_tls=config.verify_tls,
    )


def open_store(cluster: ClusterConfig, on_progress: Progress | None = None) -> MetricStore:
    """A store that reads this cluster's Prometheus."""

    return PrometheusStore(
        endpoint(cluster.prometheus),
        cluster.name,
        cluster.labels,
        concurrency=cluster.prometheus.concurrency,
        chunk=cluster.prometheus.chunk,
        on_progress=on_progress,
    )


def sources(
    clusters: Sequence[ClusterConfig], choice: Choice, on_progress: Progress | None = None
) -> list[ClusterSource]:
    """One source a cluster. An API that the command line or the file names must answer; one that
    is only found lying around (the default kubeconfig) may be absent."""

    made = []
    for cluster in clusters:
        kubernetes = cluster.kubernetes
        kube = None
        if kubernetes.enabled:
            timeout_s = kubernetes.timeout.total_seconds()
            kube = connect(kubernetes.kubeconfig, kubernetes.context, timeout_s)

        def store(cluster: ClusterConfig = cluster) -> MetricStore:
            return open_store(cluster, on_progress)

        made.append(ClusterSource(cluster.name, store, kube, required=choice.names_api))
    return made


def prices(config: Config) -> PriceBook:
    """The configured prices before the catalogue's."""

    rules = tuple(
        PriceRule(
            on_demand=Price(price.on_demand, price.source, price.as_of),
            spot=None if price.spot is None else Price(price.spot, price.source, price.as_of),
            gpu=price.gpu,
            instance_type=price.instance_type,
            node_labels=tuple(sorted(price.node_labels.items())),
        )
        for price in config.pricing.prices
    )
    return PriceBook(rules, config.pricing.spot_discount)


def read_settings(config: Config) -> ReadSettings:

    patterns = config.metrics.exporter_pods
    classes = NodeClasses(config.analysis.pool_labels, prices(config).rules)
    workload = (*config.environment.labels, *config.analysis.team_labels)
    return ReadSettings(
        LabelKeys(workload, classes.label_keys),
        JoinSettings(classes, lambda pod: any(pattern.matches(pod) for pattern in patterns)),
    )


def analysed(config: Config, snapshot: Snapshot, now: datetime) -> Analysis:
    """Figures, verdicts and advice, as the configuration says. ``now`` is aware UTC."""
    analysis = analyse(snapshot, decide_settings(config), now)
    return advised(snapshot, analysis, sizing_settings(config))


def sizing_settings(config: Config) -> Sizing:

    sleep, sizing = config.sleep, config.sizing
    for name in sizing.smaller_gpu.gpus:
        if find_gpu(name) is None:
            known = ", ".join(gpu.name for gpu in CATALOGUE)
            raise ConfigError(
                f"{config.path or 'defaults'}: [sizing.smaller_gpu] gpus: no such GPU in the "
                f'catalogue: "{name}"; known: {known}'
            )
    return Sizing(
        config=sizing,
        prices=prices(config),
        described={one.name: Described(one.document, one.weights) for one in sizing.models},
        itl_p95=config.verdict.itl_p95,
        asleep=frozenset(sleep.environments if sleep.enabled and not sleep.dry_run else ()),
        zone=zone_of(sleep.timezone),
        zone_name=sleep.timezone,
        snooze_zone=zone_of(config.jobs.timezone),
    )


def decide_settings(config: Config) -> Settings:

    return Settings(
        environment=config.environment,
        verdict=config.verdict,
        prices=prices(config),
        team_labels=config.analysis.team_labels,
        timezone=config.analysis.timezone,
    )
