"""A cluster that does not exist: what runs on it, what its exporters would show, and a store.

``demo_fleet`` says what runs where and how hard, ``exposition`` turns that into raw series, and
``MemoryStore`` answers the readers' queries from them, ``FleetObjects`` for the Kubernetes API, so
that the whole pipeline runs without a Prometheus and a cluster. The same seed and end give the same
bytes.
"""

from __future__ import annotations

from analyzer.collect.simulate.build import demo_fleet
from analyzer.collect.simulate.exposition import Exposition, RawSeries, exposition
from analyzer.collect.simulate.fleet import Fleet
from analyzer.collect.simulate.memory import MemoryStore, Source
from analyzer.collect.simulate.objects import FleetObjects
from analyzer.collect.simulate.sleeping import sleeps

__all__ = [
    "Exposition",
    "Fleet",
    "FleetObjects",
    "MemoryStore",
    "RawSeries",
    "Source",
    "demo_fleet",
    "exposition",
    "sleeps",
]
