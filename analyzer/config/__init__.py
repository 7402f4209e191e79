"""The configuration: one typed, frozen tree, checked once, at the edge.

``load`` is the only reader of the configuration file and of the environment. Everything else is
handed its own section. This package imports no client library, so that ``--help`` stays quick.
"""

from analyzer.config.clusters import ClusterConfig, KubernetesConfig, PrometheusConfig
from analyzer.config.environments import EnvironmentConfig, SignsConfig
from analyzer.config.jobs import JobsConfig, LeadershipConfig, WebConfig
from analyzer.config.load import load
from analyzer.config.moments import WeekTime
from analyzer.config.prices import PriceConfig, PricingConfig
from analyzer.config.reader import parse_option
from analyzer.config.secret import Secret
from analyzer.config.sections import AnalysisConfig, Config, MetricsConfig, VerdictConfig
from analyzer.config.slack import SlackConfig
from analyzer.config.sleep import CustomKindConfig, LedgerConfig, SleepConfig
from analyzer.config.values import Pattern, format_duration, parse_duration

__all__ = [
    "AnalysisConfig",
    "ClusterConfig",
    "Config",
    "CustomKindConfig",
    "EnvironmentConfig",
    "JobsConfig",
    "KubernetesConfig",
    "LeadershipConfig",
    "LedgerConfig",
    "MetricsConfig",
    "Pattern",
    "PriceConfig",
    "PricingConfig",
    "PrometheusConfig",
    "Secret",
    "SignsConfig",
    "SlackConfig",
    "SleepConfig",
    "VerdictConfig",
    "WebConfig",
    "WeekTime",
    "format_duration",
    "load",
    "parse_duration",
    "parse_option",
]
