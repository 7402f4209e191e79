"""Every workload of a cluster that has a native stop, with what owns, scales and applies it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from analyzer.collect.cluster.quantities import Manifest
from analyzer.collect.facts import ObjectRef
from analyzer.model import Workload, WorkloadKey
from analyzer.sleep.model import Target
from jobs.kinds.kind import Kind
from jobs.sleeping.objects import Item, read_item

SYSTEM = "kube-system"

MAX_CHAIN = 20

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not be read or done, and what that means."""

    subject: str
    message: str


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace's labels and annotations; ``known`` is False when it could not be read."""

    labels: Labels = field(default_factory=dict)
    annotations: Labels = field(default_factory=dict)
    known: bool = True
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The workloads by uid. ``scopes`` maps each list that was read whole to the uids on it;
    ``absent`` are kinds that the cluster does not have."""

    cluster: str
    targets: Mapping[str, Target] = field(default_factory=dict)
    items: Mapping[ObjectRef, Item] = field(default_factory=dict)
    namespaces: Mapping[str, Namespace] = field(default_factory=dict)
    scopes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    absent: tuple[str, ...] = ()
    roots: Mapping[ObjectRef, ObjectRef] = field(default_factory=dict)
    """From an object to the one through which it is handled, where that is another."""

    @property
    def identity(self) -> str:
        """What tells this cluster from any other, empty when that was not read: the uid of the
        namespace that every cluster has from its first minute."""
        namespace = self.namespaces.get(SYSTEM)
        return namespace.uid if namespace else ""

    def kind_of(self, target: Target) -> Kind:
        return self.items[ref_of(target)].kind

    def root(self, ref: ObjectRef) -> ObjectRef:
        """The object through which ``ref`` is handled, itself when nothing owns or scales it."""
        for _ in range(MAX_CHAIN):
            if ref not in self.roots:
                break
            ref = self.roots[ref]
        return ref

    def refreshed(self, target: Target, manifest: Manifest) -> Target:
        """The same workload as one object of it is now; what is around it stays as it was."""
        item = read_item(self.kind_of(target), manifest)
        return replace(
            target,
            workload=replace(
                target.workload,
                labels=item.labels,
                pod_labels=item.pod_labels or target.workload.pod_labels,
                annotations=item.annotations,
                replicas=_replicas(item) if target.counts else target.workload.replicas,
            ),
            uid=item.uid,
            version=item.version,
            setting=item.setting,
            changed_by=item.changed_by,
            is_ready=item.is_ready,
            held_by=item.held or target.held_by,
        )


def ref_of(target: Target) -> ObjectRef:
    """The object of a target."""
    return ObjectRef(target.key.namespace, target.key.kind, target.key.name)


@dataclass(frozen=True, slots=True)
class Lists:
    """What was listed. ``autoscaled`` maps a target to its autoscaler and that one's owner."""

    items: Mapping[ObjectRef, Item]
    autoscaled: Mapping[ObjectRef, tuple[str, ObjectRef | None]]
    namespaces: Mapping[str, Namespace]
    scopes: Mapping[str, frozenset[str]]
    problems: tuple[Problem, ...]
    absent: tuple[str, ...]


def joined(lists: Lists, cluster: str) -> Fleet:
    """The fleet that the lists make up."""
    roots, held = _held(lists)
    members: dict[ObjectRef, list[Item]] = {}
    for child, parent in roots.items():
        ref: ObjectRef | None = parent
        for _ in range(MAX_CHAIN):
            if ref is None:
                break
            if child in lists.items:
                members.setdefault(ref, []).append(lists.items[child])
            ref = roots.get(ref)
    targets = {}
    for ref, item in lists.items.items():
        around = _Around(
            lists.namespaces.get(ref.namespace, Namespace(known=False)),
            tuple(members.get(ref, ())),
            held.get(ref, ""),
            lists.autoscaled.get(ref, ("", None))[0],
        )
        targets[item.uid] = _target(cluster, item, around)
    return Fleet(
        cluster,
        targets,
        lists.items,
        lists.namespaces,
        lists.scopes,
        lists.problems,
        lists.absent,
        roots,
    )


def _held(lists: Lists) -> tuple[dict[ObjectRef, ObjectRef], dict[ObjectRef, str]]:
    """What each object is handled through, and why it is not handled itself."""
    roots: dict[ObjectRef, ObjectRef] = {}
    held: dict[ObjectRef, str] = {}
    for ref, item in lists.items.items():
        if item.owner is not None:
            roots[ref] = item.owner
            held[ref] = f"owned by {item.owner.kind} {item.owner.name}"
        for controlled in item.controls:
            roots[controlled] = ref
            held[controlled] = f"scaled by {ref.kind} {ref.name}"
        missing = [one for one in item.controls if one not in lists.items]
        if missing:
            # Nobody knows then whether that is production.
            told = f"{missing[0].kind} {missing[0].name}, which it scales, cannot be read"
            held.setdefault(ref, told)
        elif item.held:
            held.setdefault(ref, item.held)
    for ref, (_, owner) in lists.autoscaled.items():
        # KEDA's own autoscaler: the target is KEDA's, also when ScaledObjects cannot be listed.
        if owner is not None and ref not in roots:
            roots[ref] = owner
            held[ref] = f"scaled by {owner.kind} {owner.name}"
    return roots, held


@dataclass(frozen=True, slots=True)
class _Around:
    namespace: Namespace
    members: tuple[Item, ...]
    held_by: str
    autoscaler: str


def _target(cluster: str, item: Item, around: _Around) -> Target:
    # A ScaledObject and a Rollout with a reference have their pods' template elsewhere.
    source = item
    if not item.gpus and item.controls:
        source = next((one for one in around.members if one.ref in item.controls), item)
    gpus, replicas = item.gpus, _replicas(item)
    if source is not item:
        gpus = source.gpus
        replicas = replicas if item.kind.counts else _replicas(source)
    held = around.held_by
    if not held and not around.namespace.known:
        held = f"namespace {item.ref.namespace} cannot be read, so its labels are unknown"
    workload = _workload(cluster, item, around.namespace, source.pod_labels)
    return Target(
        workload=replace(workload, replicas=replicas, gpus_per_replica=gpus or None),
        uid=item.uid,
        version=item.version,
        created_at=item.created_at,
        setting=item.setting,
        stop=item.kind.stop,
        counts=item.kind.counts,
        members=tuple(
            _workload(cluster, one, around.namespace, one.pod_labels) for one in around.members
        ),
        held_by=held,
        autoscaler=f"HorizontalPodAutoscaler {around.autoscaler}" if around.autoscaler else "",
        gitops=item.gitops,
        startup=source.startup,
        changed_by=item.changed_by,
        is_ready=item.is_ready if source is item else _ready_elsewhere(source),
        model=source.model,
        scales=tuple(f"{one.kind}/{one.name}" for one in item.controls),
        has_pods=source.has_pods,
    )


def _ready_elsewhere(source: Item) -> bool | None:
    """Readiness of what an autoscaler scales: at zero, nobody knows whether it has begun."""
    return source.is_ready if _replicas(source) else None


def _workload(cluster: str, item: Item, namespace: Namespace, pod_labels: Labels) -> Workload:
    return Workload(
        key=WorkloadKey(cluster, item.ref.namespace, item.ref.kind, item.ref.name),
        labels=item.labels,
        pod_labels=pod_labels,
        namespace_labels=namespace.labels,
        annotations=item.annotations,
        exists=True,
    )


def _replicas(item: Item) -> int:
    """Replicas asked for; 1 for a kind that is only on or off, as its GPUs are those of all."""
    if not item.kind.counts:
        return 1
    return item.setting if isinstance(item.setting, int) else 1
