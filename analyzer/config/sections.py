"""The whole configuration, and its smaller sections.

A key's default, range and meaning stand in one place: on the field."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta, tzinfo
from pathlib import Path

from analyzer.config.clusters import ClusterConfig
from analyzer.config.environments import EnvironmentConfig
from analyzer.config.jobs import JobsConfig, LeadershipConfig, WebConfig
from analyzer.config.kinds import Duration, Number, Patterns, Texts
from analyzer.config.prices import PricingConfig
from analyzer.config.reader import Many, One, Problem, Section, about
from analyzer.config.sizing import SizingConfig
from analyzer.config.slack import SlackConfig
from analyzer.config.sleep import LedgerConfig, SleepConfig
from analyzer.config.values import Pattern
from analyzer.config.zone import Zone, zone_of

_FRACTION = Number(0, 1)


@dataclass(frozen=True, slots=True)
class AnalysisConfig(Section):
    """What is looked at, and whose it is."""

    window: timedelta = field(
        default=timedelta(days=7),
        metadata=about(
            Duration("1h", "90d", "7d"),
            "How far back `analyze` looks. A week holds every weekday and the weekend once.",
        ),
    )
    timezone: str = field(
        default="UTC", metadata=about(Zone(), "Zone of the times that people read.")
    )
    team_labels: tuple[str, ...] = field(
        default=("team", "app.kubernetes.io/team", "owner"),
        metadata=about(
            Texts(),
            "Labels that name the owning team, on the workload, its pods or its namespace; "
            "the first that is set counts.",
        ),
    )
    pool_labels: tuple[str, ...] = field(
        default=(
            "cloud.google.com/gke-nodepool",
            "eks.amazonaws.com/nodegroup",
            "karpenter.sh/nodepool",
            "kubernetes.azure.com/agentpool",
            "agentpool",
        ),
        metadata=about(
            Texts(), "Node labels that name the node pool; the first that is set counts."
        ),
    )

    @property
    def zone(self) -> tzinfo:
        """``timezone``, opened."""
        return zone_of(self.timezone)


@dataclass(frozen=True, slots=True)
class VerdictConfig(Section):
    """Where the lines between the verdicts run."""

    underused_below: float = field(
        default=0.5, metadata=about(_FRACTION, "Mean utilisation below which a GPU is underused.")
    )
    idle_below: float = field(
        default=0.01, metadata=about(_FRACTION, "Mean utilisation below which a GPU is idle.")
    )
    saturated_above: float = field(
        default=0.95,
        metadata=about(
            _FRACTION,
            "Mean utilisation above which a GPU is saturated, where no inference server speaks.",
        ),
    )
    kv_cache_saturated: float = field(
        default=0.9, metadata=about(_FRACTION, "p95 of KV-cache use above which it is saturated.")
    )
    kv_cache_busy: float = field(
        default=0.8,
        metadata=about(_FRACTION, "p95 of KV-cache use above which it is never underused."),
    )
    waiting_saturated: float = field(
        default=1.0,
        metadata=about(Number(0, 10_000), "p95 of waiting requests above which it is saturated."),
    )
    queue_share: float = field(
        default=0.001,
        metadata=about(
            _FRACTION,
            "Share of five-minute steps with a request waiting above which it is never underused.",
        ),
    )
    ttft_p95: timedelta = field(
        default=timedelta(seconds=2),
        metadata=about(
            Duration("0s", "10m", "2s"),
            'p95 time to first token above which it is never underused; "0s" = off.',
        ),
    )
    itl_p95: timedelta = field(
        default=timedelta(milliseconds=200),
        metadata=about(
            Duration("0s", "1m", "200ms"),
            'p95 time between tokens above which it is never underused; "0s" = off.',
        ),
    )
    coverage_floor: float = field(
        default=0.9,
        metadata=about(_FRACTION, "Share of the window that must be measured; less is `unknown`."),
    )
    min_history: timedelta = field(
        default=timedelta(hours=24),
        metadata=about(
            Duration("5m", "90d", "24h"),
            "Time that must be measured; less is `unknown`, so a shorter window always is.",
        ),
    )

    def problem(self) -> Problem | None:
        for low, high in (
            ("idle_below", "underused_below"),
            ("underused_below", "saturated_above"),
            ("kv_cache_busy", "kv_cache_saturated"),
        ):
            if getattr(self, low) > getattr(self, high):
                values = f"got {getattr(self, low):g} and {getattr(self, high):g}"
                return Problem(low, f"expected at most {high}, {values}")
        return None


@dataclass(frozen=True, slots=True)
class MetricsConfig(Section):
    """How series are read."""

    exporter_pods: tuple[Pattern, ...] = field(
        default=(Pattern("re:.*(dcgm|(gpu|nvidia|amd|metrics).*exporter).*"),),
        metadata=about(
            Patterns(),
            "Names of pods that export metrics and so are never workloads: exporters label idle "
            "GPUs with their own pod.",
        ),
    )


@dataclass(frozen=True, slots=True)
class Config(Section):
    """The whole configuration. ``path`` is the file it came from, None without one."""

    analysis: AnalysisConfig = field(
        default_factory=AnalysisConfig,
        metadata=about(One(AnalysisConfig), "What is looked at, and whose it is."),
    )
    clusters: tuple[ClusterConfig, ...] = field(
        default=(ClusterConfig(),),
        metadata=about(
            Many(ClusterConfig, may_be_empty=False), "The clusters, each with its Prometheus."
        ),
    )
    environment: EnvironmentConfig = field(
        default_factory=EnvironmentConfig,
        metadata=about(One(EnvironmentConfig), "How production is told from the rest."),
    )
    pricing: PricingConfig = field(
        default_factory=PricingConfig,
        metadata=about(One(PricingConfig), "What a GPU-hour costs."),
    )
    verdict: VerdictConfig = field(
        default_factory=VerdictConfig,
        metadata=about(One(VerdictConfig), "Where the lines between the verdicts run."),
    )
    sizing: SizingConfig = field(
        default_factory=SizingConfig,
        metadata=about(One(SizingConfig), "Right-sizing: which rules advise, on what evidence."),
    )
    metrics: MetricsConfig = field(
        default_factory=MetricsConfig, metadata=about(One(MetricsConfig), "How series are read.")
    )
    sleep: SleepConfig = field(
        default_factory=SleepConfig,
        metadata=about(One(SleepConfig), "Development at zero outside its awake windows."),
    )
    ledger: LedgerConfig = field(
        default_factory=LedgerConfig,
        metadata=about(
            One(LedgerConfig), "Where it is written down what was done, by whom and why."
        ),
    )
    jobs: JobsConfig = field(
        default_factory=JobsConfig,
        metadata=about(One(JobsConfig), "When the daemon's jobs run."),
    )
    leadership: LeadershipConfig = field(
        default_factory=LeadershipConfig,
        metadata=about(One(LeadershipConfig), "Which of several daemons acts."),
    )
    web: WebConfig = field(
        default_factory=WebConfig,
        metadata=about(One(WebConfig), "Where the daemon says how it is."),
    )
    slack: SlackConfig = field(
        default_factory=SlackConfig,
        metadata=about(One(SlackConfig), "Where notices and reports are posted."),
    )
    path: Path | None = None

    def problem(self) -> Problem | None:
        seen: dict[str, int] = {}
        for index, cluster in enumerate(self.clusters):
            if cluster.name in seen:
                message = f'"{cluster.name}" is also the name of clusters.{seen[cluster.name]}'
                return Problem("name", f"{message}; names must be unique", ("clusters", str(index)))
            seen[cluster.name] = index
        return None
