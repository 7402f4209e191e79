"""What the workloads that are about to change run on, cost and do: read only when one is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from analyzer.collect.cluster.api import KubeApi
from analyzer.collect.cluster.objects import node_fact
from analyzer.collect.cluster.resources import NODES
from analyzer.collect.facts import NodeFact
from analyzer.collect.holdings import Shares
from analyzer.collect.pools import NodeClasses
from analyzer.errors import SourceError
from analyzer.pricing import PriceBook
from analyzer.sleep.activity import HeldBy, PodActivity, judge
from analyzer.sleep.model import Busy, Target
from jobs.sleeping.fleet import Fleet
from jobs.sleeping.pods import Pod, read_pods
from jobs.sleeping.trail import Worth

log = logging.getLogger("gpu_thrift")

Activities = Mapping[tuple[str, str], PodActivity]
ReadActivity = Callable[[datetime], Activities]


@dataclass(frozen=True, slots=True)
class Activity:
    """Recent metrics of every pod, or why there are none."""

    pods: Activities = field(default_factory=dict)
    missing: str = ""

    @classmethod
    def read(cls, reader: ReadActivity | None, now: datetime) -> Activity:
        if reader is None:
            return cls(missing="no metrics are configured")
        try:
            return cls(reader(now))
        except SourceError as error:
            # Where that keeps something awake, the decision's evidence says it.
            log.info("metrics cannot be read: %s", error)
            return cls(missing=f"metrics cannot be read: {error}")

    def of(self, pods: Sequence[Pod], busy_above: float) -> Busy:
        """Whether a workload with these pods is busy. Pods that are not ready serve nobody and are
        not waited for, unless they do work all the same."""
        if self.missing:
            return Busy("unknown", self.missing)
        heard = [(pod.namespace, pod.name) in self.pods for pod in pods]
        counted = [
            HeldBy((pod.namespace, pod.name), sum(pod.resources.values()))
            for pod, is_heard in zip(pods, heard, strict=True)
            if pod.is_ready or is_heard
        ]
        return judge(counted, self.pods, busy_above)


@dataclass(frozen=True, slots=True)
class Survey:
    """By uid of the workload: its pods and what they cost. ``problems`` are what could not be
    read."""

    pods: Mapping[str, Sequence[Pod]] = field(default_factory=dict)
    worth: Mapping[str, Worth] = field(default_factory=dict)
    pods_known: bool = False
    problems: tuple[str, ...] = ()

    def busy(self, target: Target, activity: Activity, busy_above: float) -> Busy:
        """What the last minutes say of one workload."""
        if not self.pods_known:
            return Busy("unknown", "; ".join(self.problems) or "its pods were not read")
        pods = self.pods.get(target.uid, ())
        if not pods and target.has_pods is not False:
            return Busy("unknown", "its pods were not found")
        return activity.of(pods, busy_above)


def survey(
    api: KubeApi, fleet: Fleet, targets: Iterable[Target], prices: tuple[NodeClasses, PriceBook]
) -> Survey:
    """The pods of ``targets`` and their price. Nothing that fails here stops a sleep or a wake."""
    targets = list(targets)
    namespaces = sorted({target.key.namespace for target in targets})
    problems: list[str] = []
    try:
        # One list of everything is cheaper for the server than a list for each of many namespaces.
        pods = read_pods(api, fleet, targets, namespaces if len(namespaces) == 1 else ())
    except SourceError as error:
        return Survey(problems=(f"pods cannot be read: {error}",))
    nodes: dict[str, NodeFact] = {}
    try:
        nodes = {node.name: node for node in api.read_list(NODES.path, node_fact)}
    except SourceError as error:
        problems.append(f"nodes cannot be read, so prices are unknown: {error}")
    worth = {uid: _worth(of_one, nodes, prices) for uid, of_one in pods.items()}
    return Survey(pods, worth, True, tuple(problems))


def _worth(
    pods: Sequence[Pod], nodes: Mapping[str, NodeFact], prices: tuple[NodeClasses, PriceBook]
) -> Worth:
    """USD an hour of pods that are on nodes; None when any of them has no price."""
    classes, book = prices
    shares = Shares(nodes, {}, (), {})
    total, priced = 0.0, True
    for pod in pods:
        if not pod.node or not pod.resources:
            continue
        quote = book.quote(classes.of(nodes.get(pod.node), shares.model(pod.node)))
        gpus = sum(n * shares.of(pod.node, name).of_device for name, n in pod.resources.items())
        priced = priced and quote is not None
        total += gpus * quote.price.usd_per_gpu_hour if quote else 0.0
    on_nodes = tuple(sorted({pod.node for pod in pods if pod.node}))
    return Worth(total if priced and on_nodes else None, on_nodes)
