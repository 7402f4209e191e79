"""Which environment a workload belongs to, and how that is known.

Development and production may share a namespace, so only labels and names tell them apart.
Any sign of production wins; no sign at all, or one nobody configured, is ``unknown``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from analyzer.model import Workload

Environment = Literal["production", "staging", "development", "unknown"]
KNOWN: tuple[Environment, ...] = ("production", "staging", "development")


class Pattern(Protocol):
    """A glob or regular expression over a whole name."""

    @property
    def text(self) -> str: ...

    def matches(self, text: str, /) -> bool: ...


class Signs(Protocol):
    """What marks one environment: label values and patterns of names."""

    @property
    def values(self) -> Sequence[str]: ...

    @property
    def namespaces(self) -> Sequence[Pattern]: ...

    @property
    def names(self) -> Sequence[Pattern]: ...


class Rules(Protocol):
    """The ``[environment]`` section."""

    @property
    def labels(self) -> Sequence[str]: ...

    @property
    def production(self) -> Signs: ...

    @property
    def staging(self) -> Signs: ...

    @property
    def development(self) -> Signs: ...


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that speaks for an environment."""

    environment: Environment
    reason: str


NO_SIGN = Sign("unknown", "no label, namespace or name tells")


def metric_label(key: str) -> str:
    """A label key as kube-state-metrics writes it, without its ``label_`` prefix."""
    return re.sub(r"[^a-zA-Z0-9_]", "_", key)


def find_label(labels: Mapping[str, str], key: str) -> str | None:
    """The value of a Kubernetes label, whether its key came from the API or from metrics."""
    value = labels.get(key)
    return value if value is not None else labels.get(metric_label(key))


def classify(workload: Workload, rules: Rules) -> Sign:
    """The environment and the reason, from labels, then namespace patterns, then name patterns.

    Production wins every disagreement. A label whose value is not configured is a doubt, and a
    doubt is ``unknown`` unless something says production.
    """
    signs = [*_label_signs(workload, rules), *_name_signs(workload, rules)]
    for sign in signs:
        if sign.environment == "production":
            others = {s.environment for s in signs} - {"production"}
            against = f", which wins over {' and '.join(sorted(others))}" if others else ""
            return Sign("production", sign.reason + against)
    return signs[0] if signs else NO_SIGN


def classify_all(workloads: Sequence[Workload], rules: Rules) -> Sign:
    """The environment of objects that live and die together, such as an autoscaler's and its
    target: the most careful of theirs. Objects that nothing is known of do not count."""
    signs = [sign for one in workloads if (sign := classify(one, rules)) != NO_SIGN]
    return min(signs, key=lambda sign: _CAREFUL.index(sign.environment), default=NO_SIGN)


_CAREFUL: tuple[Environment, ...] = ("production", "unknown", "staging", "development")


def _label_signs(workload: Workload, rules: Rules) -> list[Sign]:
    signs = []
    sources = (
        ("label", workload.labels),
        ("pod label", workload.pod_labels),
        ("namespace label", workload.namespace_labels),
    )
    for where, labels in sources:
        for key in rules.labels:
            value = find_label(labels, key)
            if value is not None:
                signs.append(_of_value(where, key, value, rules))
    return signs


def _of_value(where: str, key: str, value: str, rules: Rules) -> Sign:
    for environment in KNOWN:
        signs: Signs = getattr(rules, environment)
        if value.strip().lower() in {v.lower() for v in signs.values}:
            return Sign(environment, f"{where} {key}={value}")
    return Sign("unknown", f"{where} {key}={value} is not a configured value")


def _name_signs(workload: Workload, rules: Rules) -> list[Sign]:
    found = []
    texts = (("namespace", workload.key.namespace), ("name", workload.key.name))
    for what, text in texts:
        for environment in KNOWN:
            signs: Signs = getattr(rules, environment)
            patterns = signs.namespaces if what == "namespace" else signs.names
            for pattern in patterns:
                if pattern.matches(text):
                    found.append(Sign(environment, f"{what} {text} matches {pattern.text}"))
                    break
    return found
