"""Sources of facts that are given up at once when they keep failing, or when the daemon ends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from analyzer.collect.facts import KubeFacts
from analyzer.collect.snapshot import ClusterSource, KubeSource
from analyzer.collect.store import MetricStore, Query, Sample, Series
from analyzer.model import Notice, Window

Around = Callable[[], AbstractContextManager[None]]


def guarded(source: ClusterSource, prometheus: Around, kubernetes: Around) -> ClusterSource:
    """The same source; each is entered around every call to that server."""
    return replace(
        source,
        open_store=lambda: GuardedStore(source.open_store(), prometheus),
        kube=GuardedKube(source.kube, kubernetes) if source.kube is not None else None,
    )


@dataclass(frozen=True, slots=True)
class GuardedStore:
    """A metric store."""

    store: MetricStore
    around: Around

    def names(self, window: Window) -> frozenset[str]:
        with self.around():
            return self.store.names(window)

    def steps(self, query: Query, window: Window) -> list[Series]:
        with self.around():
            return self.store.steps(query, window)

    def whole(self, query: Query, window: Window) -> list[Sample]:
        with self.around():
            return self.store.whole(query, window)

    def warnings(self) -> list[Notice]:
        return self.store.warnings()

    def close(self) -> None:
        self.store.close()


@dataclass(frozen=True, slots=True)
class GuardedKube:
    """A cluster's objects."""

    kube: KubeSource
    around: Around

    def facts(self, cluster_name: str) -> KubeFacts:
        with self.around():
            return self.kube.facts(cluster_name)
