"""Joins everything read of one cluster into facts about its workloads and pools."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from analyzer.collect.attribution import Attribution, Attributor, Use
from analyzer.collect.facts import DeviceReading, KubeFacts, NodeFact, ObjectRef, ServingReading
from analyzer.collect.holdings import (
    Holding,
    PodName,
    Request,
    Shares,
    holdings,
    most_asked,
    requests_from_metrics,
    requests_from_pods,
)
from analyzer.collect.layout import gpu_nodes, placed, server
from analyzer.collect.merge import ONE_SERVER_A_POD, merge_serving
from analyzer.collect.models import other_classes, present_model
from analyzer.collect.places import device_nodes
from analyzer.collect.pools import NodeClasses, pools
from analyzer.collect.readings import Readings, heard_hours
from analyzer.collect.sampling import covered, samples_per_step
from analyzer.model import (
    STEP_S,
    GpuUse,
    Node,
    NodeClass,
    Notice,
    Placed,
    Pool,
    Serving,
    StepArray,
    Workload,
    WorkloadKey,
)

_LONGEST_CHAIN = 10
"""Owners followed upwards from a pod; no real chain has more than four."""


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """One cluster's part of a snapshot."""

    workloads: tuple[Workload, ...] = ()
    use: tuple[GpuUse, ...] = ()
    pools: tuple[Pool, ...] = ()
    serving: tuple[Serving, ...] = ()
    notices: tuple[Notice, ...] = ()
    nodes: tuple[Node, ...] = ()
    placed: tuple[Placed, ...] = ()
    heard_hours: float = 0.0


@dataclass(frozen=True, slots=True)
class JoinSettings:
    """What the join needs of the configuration. ``is_exporter`` tells an exporter by its pod's
    name where no request says which pods are workloads; ``classes`` prices and names nodes."""

    classes: NodeClasses
    is_exporter: Callable[[str], bool]


class Join:
    """One cluster's join; ``facts()`` does it."""

    def __init__(self, readings: Readings, settings: JoinSettings) -> None:
        self._read, self._settings = readings, settings
        state, kube = readings.state.kube, readings.kube or KubeFacts()
        self._nodes = {**state.nodes, **kube.nodes}
        self._owners = {**state.owners, **kube.owners}
        self._owners |= {
            ObjectRef(pod.namespace, "Pod", pod.name): pod.owner
            for pod in kube.pods
            if pod.owner is not None
        }
        self._servers = {(pod.namespace, pod.name): pod.server for pod in kube.pods if pod.server}
        self._objects = {**state.workloads, **kube.workloads}
        self._namespaces = {**state.namespace_labels, **kube.namespace_labels}
        self._pod_labels = {
            **state.pod_labels,
            **{(p.namespace, p.name): p.labels for p in kube.pods},
        }
        said = (*state.warnings, *kube.warnings)
        self._notices = [replace(notice, cluster=readings.cluster) for notice in said]

    def facts(self) -> ClusterFacts:
        requests = self._requests()
        nodes = {name: NodeFact(name) for name in self._capacity_nodes()}
        nodes |= {request.node: NodeFact(request.node) for request in requests}
        on: dict[PodName, set[str]] = defaultdict(set)
        for request in requests:
            on[request.name].add(request.node)
        settled = {pod: min(names) for pod, names in on.items() if len(names) == 1}
        places = device_nodes(
            self._read.devices, settled, {**nodes, **self._nodes}, self._read.state
        )
        requests = requests or self._inferred(places)
        by_node: dict[str, list[DeviceReading]] = defaultdict(list)
        for device in self._read.devices:
            by_node[places.get(device.uuid, "")].append(device)
        asked = most_asked(requests, self._read.window)
        shares = Shares(self._nodes, by_node, self._read.state.capacities, asked)
        held = holdings(requests, shares, self._read.window)
        found = Attributor(held, places, self._owner_of, self._read.window).attribute(
            self._read.devices
        )
        self._note(found)
        classes = {
            node: self._class_of(node, shares.model(node))
            for node in {*by_node, *(h.node for h in held), *self._capacity_nodes()}
        }
        own = other_classes(held, by_node, shares, self._class_of)
        use = self._use(held, found.use, {(h.name, h.node): classes[h.node] for h in held} | own)
        kube = self._read.kube or KubeFacts()

        def present(node: str) -> NodeClass:
            return self._class_of(node, present_model(node, by_node, shares))

        return ClusterFacts(
            workloads=tuple(self._workloads(held)),
            use=tuple(use),
            pools=tuple(pools(self._read, shares, by_node, held, classes)),
            serving=tuple(self._serving({one.workload for one in use}, held)),
            notices=tuple(self._notices),
            nodes=tuple(gpu_nodes(self._read.cluster, kube, shares, present)),
            placed=tuple(placed(kube, self._owner_of)),
            heard_hours=heard_hours(self._read),
        )

    def _class_of(self, node: str, model: str) -> NodeClass:
        return self._settings.classes.of(self._nodes.get(node), model)

    def _capacity_nodes(self) -> set[str]:
        return {reading.node for reading in self._read.state.capacities}

    def _requests(self) -> list[Request]:
        state, window = self._read.state, self._read.window
        if state.requests:
            self._note_silence()
            pods = self._read.kube.pods if self._read.kube else ()
            scheduled = {
                (pod.namespace, pod.name, pod.uid): pod.scheduled_at.timestamp()
                for pod in pods
                if pod.scheduled_at is not None
            }
            return requests_from_metrics(
                replace(state, started={**state.started, **scheduled}), window, self._named()
            )
        if self._read.kube is not None and self._read.kube.pods:
            self._say(
                "no-request-history",
                "kube-state-metrics has no GPU requests: pods that are gone do not count, those "
                "that run count since they were scheduled",
            )
            return requests_from_pods(self._read.kube.pods, window)
        return []

    def _named(self) -> dict[PodName, StepArray]:
        """The part of each step (0-1) in which a GPU exporter named a pod."""
        named: dict[PodName, StepArray] = {}
        for device in self._read.devices:
            part = covered(device.samples, samples_per_step([device.samples]))
            for pod in device.pods:
                known = named.get(pod)
                named[pod] = part if known is None else np.maximum(known, part)
        return named

    def _note_silence(self) -> None:
        """GPU-hours outside the time that kube-state-metrics was heard are not all known."""
        state, window = self._read.state, self._read.window
        counts = [*(r.samples for r in state.requests), *(c.samples for c in state.capacities)]
        steps = np.flatnonzero(np.any([samples > 0 for samples in counts], axis=0))
        before = float(steps[0]) * STEP_S / 3600
        after = float(window.steps - 1 - steps[-1]) * STEP_S / 3600
        for hours, where in ((before, "first"), (after, "last")):
            if hours > max(0.25, 0.01 * window.hours):
                self._say(
                    "no-requests-heard",
                    f"kube-state-metrics is silent for the {where} {hours:.1f} h of the window: "
                    "pods of that time may be missing",
                )

    def _inferred(self, places: Mapping[str, str]) -> list[Request]:
        """Without any word on requests, a pod holds the GPUs whose exporter names it, from the
        first to the last time it does."""
        requests = []
        for device in self._read.devices:
            if not device.names_pods:
                continue
            pod = next((p for p in device.pods if not self._settings.is_exporter(p[1])), None)
            if pod is None or pod != device.pods[0]:
                continue
            part = self._span(device)
            resource = f"nvidia_com_mig_{device.mig_profile}" if device.mig_id else "device"
            requests.append(Request(pod, places.get(device.uuid, ""), resource, 1.0, part))
        if requests:
            self._say(
                "no-requests",
                "neither kube-state-metrics nor the Kubernetes API told who requests GPUs: "
                "GPU-hours are counted from the pods that the GPU exporter names",
            )
        return requests

    def _span(self, device: DeviceReading) -> StepArray:
        part = np.zeros_like(device.samples)
        seen = np.flatnonzero(device.samples > 0)
        if seen.size:
            whole = samples_per_step([device.samples])
            part[seen[0] : seen[-1] + 1] = 1
            for edge in (seen[0], seen[-1]):
                part[edge] = min(1.0, float(device.samples[edge]) / whole)
        return part

    def _owner_of(self, pod: PodName) -> WorkloadKey:
        """The top of the pod's chain of controllers; the pod itself where it has none."""
        ref = ObjectRef(pod[0], "Pod", pod[1])
        for _ in range(_LONGEST_CHAIN):
            owner = self._owners.get(ref)
            if owner is None or owner.kind == "Node":
                break
            ref = owner
        return WorkloadKey(self._read.cluster, ref.namespace, ref.kind, ref.name)

    def _use(
        self,
        held: Iterable[Holding],
        use: Mapping[PodName, Use],
        classes: Mapping[tuple[PodName, str], NodeClass],
    ) -> list[GpuUse]:
        totals: dict[PodName, StepArray] = defaultdict(self._read.window.zeros)
        for holding in held:
            totals[holding.name] += holding.allocated
        grouped: dict[tuple[WorkloadKey, NodeClass], tuple[StepArray, StepArray, StepArray]] = {}
        for holding in held:
            key = self._owner_of(holding.name), classes[holding.name, holding.node]
            if key not in grouped:
                zeros = self._read.window.zeros
                grouped[key] = zeros(), zeros(), zeros()
            allocated, observed, work = grouped[key]
            allocated += holding.allocated
            mine = use.get(holding.name)
            if mine is not None:
                total = totals[holding.name]
                part = np.divide(
                    holding.allocated, total, out=np.zeros_like(total), where=total > 0
                )
                observed += mine.observed * part
                work += mine.work * part
        return [GpuUse(*key, *arrays) for key, arrays in sorted(grouped.items())]

    def _workloads(self, held: Iterable[Holding]) -> list[Workload]:
        by_key: dict[WorkloadKey, list[Holding]] = defaultdict(list)
        for holding in held:
            by_key[self._owner_of(holding.name)].append(holding)
        return [self._workload(key, mine) for key, mine in sorted(by_key.items())]

    def _workload(self, key: WorkloadKey, held: list[Holding]) -> Workload:
        fact = self._objects.get(ObjectRef(key.namespace, key.kind, key.name))
        # The pod that ran last speaks for the template.
        latest = max(
            held, key=lambda h: (int(np.flatnonzero(h.allocated > 0).max(initial=-1)), h.pod)
        )
        running = sum(bool(h.allocated[-1] > 0) for h in held)
        replicas = fact.replicas if fact else None
        if replicas is None and key.kind == "Pod":
            replicas = running
        return Workload(
            key=key,
            labels=fact.labels if fact else {},
            pod_labels=(fact.pod_labels if fact else {}) or self._pod_labels.get(latest.name, {}),
            namespace_labels=self._namespaces.get(key.namespace, {}),
            annotations=fact.annotations if fact else {},
            replicas=replicas,
            ready=fact.ready if fact else None,
            gpus_per_replica=latest.per_pod,
            exists=bool(running) or (fact is not None and fact.replicas is not None),
            shared=any(h.shared for h in held),
            server=server(fact, held, self._servers),
        )

    def _serving(self, known: set[WorkloadKey], held: list[Holding]) -> list[Serving]:
        by_key: dict[WorkloadKey, list[ServingReading]] = defaultdict(list)
        strays = []
        for reading in self._read.serving:
            key = self._owner_of((reading.namespace, reading.pod))
            if key in known:
                by_key[key].append(reading)
            else:
                strays.append(f"{reading.namespace}/{reading.pod}")
        strays += self._read.unplaced
        if strays:
            self._say(
                "inference-unplaced",
                f"{len(set(strays))} inference server(s) belong to no pod that holds a GPU, so "
                f"their queues count nowhere: {_few(strays)}",
            )
        pods = self._pods_at_once(held)
        return [
            merge_serving(key, readings, pods[key] if key.kind in ONE_SERVER_A_POD else None)
            for key, readings in sorted(by_key.items())
        ]

    def _pods_at_once(self, held: Iterable[Holding]) -> dict[WorkloadKey, StepArray]:
        """How many pods of each workload held GPUs in each step."""
        pods: dict[WorkloadKey, StepArray] = defaultdict(self._read.window.zeros)
        for holding in held:
            pods[self._owner_of(holding.name)] += holding.allocated > 0
        return pods

    def _note(self, found: Attribution) -> None:
        if found.unowned:
            self._say(
                "unowned-work",
                f"{len(set(found.unowned))} GPU(s) worked while no pod that requests a GPU held "
                f"them (DRA, or a device mounted past the scheduler?): {_few(found.unowned)}",
            )
        if found.unsplit:
            self._say(
                "unsplit-node",
                "the GPU exporter names no pods, and several workloads share (or one only partly "
                f"holds) these nodes, so whose work it is cannot be told: {_few(found.unsplit)}",
            )

    def _say(self, code: str, message: str) -> None:
        self._notices.append(Notice(self._read.cluster, code, message))


def _few(names: Iterable[str]) -> str:
    names = sorted(set(names))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
