"""The lists that a fleet is made of: one a kind and namespace scope, and nothing a workload, so
that a tick over thousands of workloads costs a handful of requests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from analyzer.collect.cluster.api import Forbidden, KubeApi, NotFound
from analyzer.collect.cluster.objects import owner_of
from analyzer.collect.cluster.resources import NAMESPACES, Resource
from analyzer.collect.facts import ObjectRef
from analyzer.errors import BadAnswer, SourceError
from jobs.kinds.kind import Kind, at
from jobs.sleeping.fleet import SYSTEM, Fleet, Lists, Namespace, Problem, joined
from jobs.sleeping.objects import Item, read_item

AUTOSCALERS = Resource("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")

LISTS_AT_ONCE = 4
"""Lists read at the same time: enough to hide the way to the server, few enough to stay polite."""


@dataclass
class _Reading:
    """What the lists held so far."""

    api: KubeApi
    items: dict[ObjectRef, Item] = field(default_factory=dict)
    autoscaled: dict[ObjectRef, tuple[str, ObjectRef | None]] = field(default_factory=dict)
    scopes: dict[str, frozenset[str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    errors: list[SourceError] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    namespaces: dict[str, Namespace] = field(default_factory=dict)


def read_fleet(
    api: KubeApi, cluster: str, kinds: Sequence[Kind], namespaces: Sequence[str] = ()
) -> Fleet:
    """The fleet of one cluster; of all namespaces when none is named.

    A list that fails is a ``Problem`` and its workloads are missing. Raises ``SourceError`` when
    not one list of workloads could be read.
    """
    reading = _Reading(api)
    scopes = list(dict.fromkeys(namespaces)) or [""]
    jobs: list[Callable[[], None]] = [lambda: _read_namespaces(reading, namespaces)]
    for scope in scopes:
        jobs.append(lambda scope=scope: _read_autoscalers(reading, scope))  # type: ignore[misc]
        jobs += [
            lambda kind=kind, scope=scope: _read_kind(reading, kind, scope)  # type: ignore[misc]
            for kind in kinds
        ]
    with ThreadPoolExecutor(LISTS_AT_ONCE) as pool:
        running = [pool.submit(job) for job in jobs]
        for one in running:
            one.result()
    if reading.errors and not reading.scopes:
        raise reading.errors[0]
    lists = Lists(
        reading.items,
        reading.autoscaled,
        reading.namespaces,
        reading.scopes,
        tuple(reading.problems),
        tuple(dict.fromkeys(reading.absent)),
    )
    return joined(lists, cluster)


def read_identity(api: KubeApi) -> str:
    """``Fleet.identity`` by itself, for those who may not list namespaces; empty for who may not
    ask for it. Raises ``SourceError`` when there is no answer: not to know it just now is no
    reason to take a cluster for another one."""
    try:
        return str(api.get(f"{NAMESPACES.path}/{SYSTEM}")["metadata"]["uid"])
    except (Forbidden, NotFound):
        return ""
    except (KeyError, TypeError) as error:
        raise BadAnswer(f"namespace {SYSTEM} has no uid") from error


def select_uids(
    api: KubeApi, kinds: Sequence[Kind], selector: str, namespaces: Sequence[str] = ()
) -> frozenset[str]:
    """The uids of workloads that a label selector means, as the server understands it.

    Raises ``SourceError``, for a selector that is none as well.
    """
    found: set[str] = set()
    query = (("labelSelector", selector),)
    for kind in kinds:
        for scope in namespaces or ("",):
            try:
                found.update(
                    api.read_list(
                        kind.list_path(scope),
                        lambda item: str(item["metadata"]["uid"]),
                        metadata_only=True,
                        query=query,
                    )
                )
            except (NotFound, Forbidden):
                continue  # the fleet's own list has told about it
    return frozenset(found)


def _read_kind(reading: _Reading, kind: Kind, scope: str) -> None:
    unreadable: list[str] = []

    def keep(manifest: dict[str, Any]) -> Item | None:
        try:
            return read_item(kind, manifest)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
            unreadable.append(str(at(manifest, ("metadata", "name"))))
            return None

    found = _listed(reading, kind.resource, scope, keep)
    for name in unreadable:
        where = f"{scope}/{name}" if scope else name
        reading.problems.append(
            Problem(f"{kind.name} {where}", "is not shaped like its kind; it is left alone")
        )
    if found is None:
        return
    reading.scopes[kind.list_path(scope)] = frozenset(item.uid for item in found)
    reading.items.update({item.ref: item for item in found})


def _listed(
    reading: _Reading,
    resource: Resource,
    scope: str,
    keep: Callable[[dict[str, Any]], Any],
) -> list[Any] | None:
    """The list, None when it could not be read."""
    try:
        return reading.api.read_list(
            resource.in_namespace(scope), keep, metadata_only=resource.metadata_only
        )
    except NotFound:
        reading.absent.append(resource.name)
    except SourceError as error:
        # One kind's broken webhook must not keep the others asleep.
        where = f"{resource.name} in namespace {scope}" if scope else resource.name
        reading.problems.append(Problem(where, str(error)))
        reading.errors.append(error)
    return None


def _read_autoscalers(reading: _Reading, scope: str) -> None:
    def keep(manifest: dict[str, Any]) -> tuple[ObjectRef, tuple[str, ObjectRef | None]] | None:
        metadata, reference = manifest["metadata"], at(manifest, ("spec", "scaleTargetRef")) or {}
        if not reference.get("name"):
            return None
        target = ObjectRef(
            metadata.get("namespace", ""), str(reference.get("kind")), reference["name"]
        )
        return target, (str(metadata["name"]), owner_of(metadata))

    reading.autoscaled.update(_listed(reading, AUTOSCALERS, scope, keep) or ())


def _read_namespaces(reading: _Reading, names: Sequence[str]) -> None:
    def keep(manifest: dict[str, Any]) -> tuple[str, Namespace]:
        metadata = manifest["metadata"]
        labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
        return metadata["name"], Namespace(labels, annotations, uid=metadata.get("uid", ""))

    if not names:
        reading.namespaces.update(_listed(reading, NAMESPACES, "", keep) or ())
        return
    # Rights on named namespaces alone do not let them be listed.
    for name in dict.fromkeys(names):
        try:
            manifest = reading.api.get(f"{NAMESPACES.path}/{name}")
            reading.namespaces.update([keep(manifest)])
        except NotFound:
            reading.problems.append(Problem(f"namespace {name}", "does not exist"))
        except SourceError as error:
            reading.problems.append(Problem(f"namespace {name}", str(error)))
            reading.errors.append(error)
            reading.namespaces[name] = Namespace(known=False)
