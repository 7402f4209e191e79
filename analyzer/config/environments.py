"""How production is told from staging and development."""

from __future__ import annotations

from dataclasses import dataclass, field

from analyzer.config.kinds import Patterns, Texts
from analyzer.config.reader import One, Section, about
from analyzer.config.values import Pattern


@dataclass(frozen=True, slots=True)
class SignsConfig(Section):
    """What makes a workload belong to one environment."""

    values: tuple[str, ...] = field(
        default=(),
        metadata=about(
            Texts(lower=True),
            "Values of the environment labels that mean this environment; case does not matter.",
        ),
    )
    namespaces: tuple[Pattern, ...] = field(
        default=(), metadata=about(Patterns(), "Namespaces of this environment.")
    )
    names: tuple[Pattern, ...] = field(
        default=(), metadata=about(Patterns(), "Names of workloads of this environment.")
    )


def _patterns(*texts: str) -> tuple[Pattern, ...]:
    return tuple(Pattern(text) for text in texts)


def _production() -> SignsConfig:
    return SignsConfig(
        values=("production", "prod", "prd", "live"),
        namespaces=_patterns(
            "production", "prod", "*-production", "*-prod", "production-*", "prod-*"
        ),
        names=_patterns(
            "production",
            "prod",
            "*-production",
            "*-prod",
            "*-production-*",
            "*-prod-*",
            "production-*",
            "prod-*",
        ),
    )


def _staging() -> SignsConfig:
    return SignsConfig(
        values=("staging", "stage", "stg", "preprod", "pre-production", "uat"),
        namespaces=_patterns("staging", "stage", "*-staging", "*-stage", "staging-*", "stage-*"),
        names=_patterns(
            "staging",
            "stage",
            "*-staging",
            "*-stage",
            "*-staging-*",
            "*-stage-*",
            "staging-*",
            "stage-*",
        ),
    )


def _development() -> SignsConfig:
    either = ("development", "dev", "*-development", "*-dev", "development-*", "dev-*")
    return SignsConfig(
        values=("development", "dev", "sandbox", "test"),
        namespaces=_patterns(*either),
        names=_patterns(*either, "*-development-*", "*-dev-*"),
    )


@dataclass(frozen=True, slots=True)
class EnvironmentConfig(Section):
    """How production is told from the rest."""

    labels: tuple[str, ...] = field(
        default=("app.kubernetes.io/environment", "environment"),
        metadata=about(Texts(), "Labels, on the workload or its pods, that name the environment."),
    )
    production: SignsConfig = field(
        default_factory=_production,
        metadata=about(One(SignsConfig), "Signs of production, which wins every disagreement."),
    )
    staging: SignsConfig = field(
        default_factory=_staging, metadata=about(One(SignsConfig), "Signs of staging.")
    )
    development: SignsConfig = field(
        default_factory=_development, metadata=about(One(SignsConfig), "Signs of development.")
    )
