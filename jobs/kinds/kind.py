"""What gpu-thrift has to know of a workload kind to stop it, restore it and see it ready."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from analyzer.collect.cluster.quantities import Manifest, gpu_request
from analyzer.collect.cluster.resources import Resource
from analyzer.collect.facts import ObjectRef
from analyzer.sleep.model import Setting

MAX_STARTUP = timedelta(hours=1)
"""A longer startup probe is a way of saying "never kill it", not an estimate."""


@dataclass(frozen=True, slots=True)
class PodGroup:
    """Pods from one template. ``pods`` is how many of them one replica has."""

    template: Manifest
    pods: int = 1


def no_refs(_: Manifest) -> Sequence[ObjectRef]:
    return ()


def not_held(_: Manifest) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Kind:
    """One workload kind.

    ``path`` leads to the setting, ``stop`` is its value that stops the workload, ``default`` the
    one that an absent field means. ``pod_label`` is the label whose value on a pod is the
    workload's name, for kinds whose pods are not reached by their owners. ``controls`` are the
    objects that it scales although it does not own them, ``held`` why an object cannot be handled
    as it is, empty when it can.
    """

    resource: Resource
    path: tuple[str, ...]
    stop: Setting
    default: Setting
    groups: Callable[[Manifest], Sequence[PodGroup]]
    is_ready: Callable[[Manifest], bool | None]
    controls: Callable[[Manifest], Sequence[ObjectRef]] = no_refs
    held: Callable[[Manifest], str] = not_held
    pod_label: str = ""

    @property
    def name(self) -> str:
        return self.resource.kind

    @property
    def counts(self) -> bool:
        """Whether the setting is a number of replicas."""
        return self.stop == 0 and not isinstance(self.stop, (bool, str))

    def setting(self, item: Manifest) -> Setting:
        """The setting as it is written, None when the field is absent."""
        value = at(item, self.path)
        return value if isinstance(value, (int, str)) else None

    def is_stopped(self, setting: Setting) -> bool:
        return (self.default if setting is None else setting) == self.stop

    def has_pods(self, item: Manifest) -> bool | None:
        """Whether the status tells of pods, None when it does not say."""
        status = at(item, ("status",))
        if not status:
            return False
        if self.is_ready(item):
            return not self.is_stopped(self.setting(item))
        count = at(item, ("status", "replicas"))
        # Kubernetes leaves a count of zero out.
        return bool(count) if self.counts else None

    def merge(self, setting: Setting, annotations: Mapping[str, str | None]) -> dict[str, Any]:
        """A JSON merge patch (RFC 7386) that gives the object this setting and annotations; None
        removes one."""
        patch: dict[str, Any] = {"metadata": {"annotations": dict(annotations)}}
        here = patch
        for step in self.path[:-1]:
            here = here.setdefault(step, {})
        here[self.path[-1]] = setting
        return patch

    def object_path(self, namespace: str, name: str) -> str:
        """URL path of one object."""
        return f"{self.list_path(namespace)}/{name}"

    def list_path(self, namespace: str) -> str:
        """URL path of the list of one namespace, or of all when it is empty."""
        return self.resource.in_namespace(namespace)


def at(item: Manifest, path: Iterable[str]) -> Any:
    """The value at a path, None where any step is missing or is no object."""
    here: Any = item
    for step in path:
        if not isinstance(here, Mapping):
            return None
        here = here.get(step)
    return here


def template_of(item: Manifest, *path: str) -> Manifest:
    """The pod template at ``path``, empty when there is none."""
    found = at(item, path)
    return found if isinstance(found, Mapping) else {}


def one_template(*path: str) -> Callable[[Manifest], Sequence[PodGroup]]:
    """Groups of a kind whose replicas are one pod each, from the template at ``path``."""
    return lambda item: (PodGroup(template_of(item, *path)),)


def replicas_ready(ready_path: Sequence[str], replicas_path: Sequence[str]) -> Any:
    """Whether the ready replicas are those that are asked for, once the controller has seen the
    object as it is."""

    def is_ready(item: Manifest) -> bool | None:
        wanted = at(item, replicas_path)
        wanted = wanted if isinstance(wanted, int) else 1
        # Argo Rollouts write the generation that they have seen as text.
        seen = str(at(item, ("status", "observedGeneration")))
        generation = at(item, ("metadata", "generation"))
        if seen.isdecimal() and isinstance(generation, int) and int(seen) < generation:
            return False
        ready = at(item, ready_path)
        return (ready if isinstance(ready, int) else 0) >= wanted

    return is_ready


def condition_true(name: str) -> Callable[[Manifest], bool | None]:
    """Whether a condition of the status is True; None when there is no such condition."""

    def is_true(item: Manifest) -> bool | None:
        for condition in at(item, ("status", "conditions")) or ():
            if isinstance(condition, Mapping) and condition.get("type") == name:
                return condition.get("status") == "True"
        return None

    return is_true


def gpus_of(groups: Sequence[PodGroup]) -> float:
    """GPUs that one replica asks for."""
    return sum(
        sum(gpu_request(group.template.get("spec") or {}).values()) * group.pods for group in groups
    )


def labels_of(groups: Sequence[PodGroup]) -> dict[str, str]:
    """Labels of the pod templates, the first template's before the others'."""
    labels: dict[str, str] = {}
    for group in reversed(groups):
        found = (group.template.get("metadata") or {}).get("labels") or {}
        # A custom resource's template may hold what no pod could.
        labels |= {str(name): str(value) for name, value in found.items()}
    return labels


def startup_of(groups: Sequence[PodGroup]) -> timedelta | None:
    """The longest time that a startup probe gives a container, None without such a probe."""
    longest = 0.0
    for group in groups:
        for container in (group.template.get("spec") or {}).get("containers") or ():
            probe = container.get("startupProbe")
            if isinstance(probe, Mapping):
                tries, period = probe.get("failureThreshold", 3), probe.get("periodSeconds", 10)
                longest = max(longest, probe.get("initialDelaySeconds", 0) + tries * period)
    return timedelta(seconds=min(longest, MAX_STARTUP.total_seconds())) if longest else None
