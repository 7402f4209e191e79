"""One object of a list, as far as sleeping needs to know it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from analyzer.collect.cluster.objects import moment, owner_of
from analyzer.collect.cluster.quantities import Manifest
from analyzer.collect.facts import ObjectRef
from analyzer.sleep.annotations import has_memory
from analyzer.sleep.gitops import REVERTERS
from analyzer.sleep.model import Owner, Setting
from jobs.kinds.kind import Kind, PodGroup, at, gpus_of, labels_of, startup_of

_UNKEPT = frozenset({"kubectl.kubernetes.io/last-applied-configuration"})
_NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Item:
    """A workload object of a handled kind, not yet seen together with its owners."""

    ref: ObjectRef
    kind: Kind
    uid: str
    version: str
    created_at: datetime | None
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    pod_labels: Mapping[str, str]
    owner: ObjectRef | None
    controls: Sequence[ObjectRef]
    setting: Setting
    gpus: float
    startup: timedelta | None
    model: str
    is_ready: bool | None
    changed_by: str
    gitops: Owner | None
    has_pods: bool | None
    held: str


def read_item(kind: Kind, manifest: Manifest) -> Item:
    """The object. Raises AttributeError, KeyError or TypeError for what is not shaped like one."""
    metadata = manifest["metadata"]
    annotations = metadata.get("annotations") or _NOTHING
    groups = kind.groups(manifest)
    gpus = gpus_of(groups)
    labels = metadata.get("labels") or _NOTHING
    gitops = gitops_of(labels, annotations, managers_of(metadata))
    setting = kind.setting(manifest)
    return Item(
        ref=ObjectRef(
            metadata.get("namespace", ""), kind.name, metadata["name"], kind.resource.api_version
        ),
        kind=kind,
        uid=metadata["uid"],
        version=metadata["resourceVersion"],
        created_at=moment(metadata.get("creationTimestamp")),
        labels=labels,
        annotations={name: text for name, text in annotations.items() if name not in _UNKEPT},
        pod_labels=labels_of(groups),
        owner=owner_of(metadata),
        controls=kind.controls(manifest),
        setting=setting,
        gpus=gpus,
        startup=startup_of(groups) if gpus else None,
        model=_model(groups) if gpus else "",
        is_ready=kind.is_ready(manifest),
        # Asked for only where it matters who did it.
        changed_by=_changed_by(kind, metadata)
        if gitops or has_memory(annotations) or kind.is_stopped(setting)
        else "",
        gitops=gitops,
        has_pods=kind.has_pods(manifest),
        held=kind.held(manifest),
    )


def _model(groups: Sequence[PodGroup]) -> str:
    """The model that a container's arguments name: ``--model X``, ``--model-path X``,
    ``vllm serve X``; empty when none does."""
    for group in groups:
        for container in (group.template.get("spec") or {}).get("containers") or ():
            words = [*(container.get("command") or ()), *(container.get("args") or ())]
            # A shell's script is one word.
            words = [part for word in words if isinstance(word, str) for part in word.split()]
            found = _named(words)
            if found:
                return found
    return ""


def _named(words: Sequence[str]) -> str:
    for word, following in pairwise([*words, ""]):
        option, _, value = word.partition("=")
        if option in ("--model", "--model-path", "--model-id"):
            return value or following
        if word == "serve" and following and not following.startswith("-"):
            return following
    return ""


def _changed_by(kind: Kind, metadata: Manifest) -> str:
    """The client that owns the setting, the latest when several do."""
    fields = [f"f:{step}" for step in kind.path]
    owners = [
        (str(entry.get("time", "")), str(entry.get("manager", "")))
        for entry in metadata.get("managedFields") or ()
        if _has(entry.get("fieldsV1"), fields)
    ]
    return max(owners)[1] if owners else ""


def _has(fields: Any, path: Sequence[str]) -> bool:
    return at(fields, path) is not None if isinstance(fields, Mapping) else False


def managers_of(metadata: Manifest) -> frozenset[str]:
    """The clients that set any field."""
    return frozenset(str(entry.get("manager", "")) for entry in metadata.get("managedFields") or ())


def gitops_of(
    labels: Mapping[str, str], annotations: Mapping[str, str], managers: Collection[str]
) -> Owner | None:
    """The Argo CD application or Flux object that applies this one, None when there is no sign.

    https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/
    https://fluxcd.io/flux/faq/
    """
    tracking = annotations.get("argocd.argoproj.io/tracking-id")
    if tracking:
        return Owner("Argo CD", tracking.partition(":")[0], "argocd.argoproj.io/tracking-id")
    instance = labels.get("argocd.argoproj.io/instance")
    if instance:
        return Owner("Argo CD", instance, "argocd.argoproj.io/instance")
    for prefix, what in (
        ("kustomize.toolkit.fluxcd.io", "Kustomization"),
        ("helm.toolkit.fluxcd.io", "HelmRelease"),
    ):
        name = labels.get(f"{prefix}/name")
        if name:
            namespace = labels.get(f"{prefix}/namespace", "")
            told = f"{what} {namespace}/{name}" if namespace else f"{what} {name}"
            return Owner("Flux", told, f"{prefix}/name")
    if not REVERTERS["Argo CD"].isdisjoint(managers):
        # Argo CD's way of tracking by default; others set that label as well.
        instance = labels.get("app.kubernetes.io/instance", "unknown")
        return Owner("Argo CD", instance, "managedFields")
    return None
