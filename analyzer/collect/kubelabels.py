"""Labels of kube-state-metrics, as they are asked for and as they come."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from analyzer.collect.store import Matcher
from analyzer.environment import metric_label


def one_of(label: str, values: tuple[str, ...]) -> tuple[Matcher, ...]:
    """That a label has one of these values; nothing for none."""
    return (Matcher(label, "|".join(re.escape(v) for v in values), "=~"),) if values else ()


def exported(by: Sequence[str]) -> tuple[str, ...]:
    """These labels, and how Prometheus renames them where ``honor_labels`` is off."""
    return (*by, *(f"exported_{label}" for label in by))


def label_of(labels: Mapping[str, str], name: str) -> str:
    """A label, by its own name or as Prometheus renamed it; empty for none."""
    return labels.get(f"exported_{name}") or labels.get(name, "")


def label_names(keys: Iterable[str]) -> tuple[str, ...]:
    """Kubernetes label keys as metrics spell them."""
    return tuple(f"label_{metric_label(key)}" for key in keys)


def plain(labels: Mapping[str, str]) -> dict[str, str]:
    """Kubernetes labels out of metric labels, under their sanitised keys."""
    return {k.removeprefix("label_"): v for k, v in labels.items() if k.startswith("label_")}


def pod_uid(labels: Mapping[str, str]) -> tuple[str, str, str]:
    """Namespace, pod and uid."""
    return label_of(labels, "namespace"), label_of(labels, "pod"), label_of(labels, "uid")
