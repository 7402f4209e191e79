"""Objects with resource versions, their history and snapshots: what etcd is to the API server."""

from __future__ import annotations

import copy
import threading
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.kubeapi.kinds import Kind

Object = dict[str, Any]
Key = tuple[str, str, str]
"""(full name of the kind, namespace, name)."""


@dataclass(frozen=True)
class Event:
    """One write. ``old`` is None for a new object, ``new`` is None for a deleted one;
    ``last`` is the object as it was when it went, with the version of its deletion."""

    version: int
    key: Key
    old: Object | None
    new: Object | None
    last: Object


@dataclass
class Store:
    """Objects are never changed in place, so a copy of the table is a snapshot."""

    version: int = 1
    objects: dict[Key, Object] = field(default_factory=dict)
    history: list[Event] = field(default_factory=list)
    snapshots: dict[int, dict[Key, Object]] = field(default_factory=dict)
    oldest: int = 0
    """Writes up to this version are forgotten; a watch from before it is too old."""
    changed: threading.Condition = field(
        default_factory=lambda: threading.Condition(threading.RLock())
    )

    def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return copy.deepcopy(self.objects.get((kind.full_name, namespace, name)))

    def put(self, kind: Kind, obj: Object) -> Object:
        """Writes the object and gives it the next version."""
        with self.changed:
            self.version += 1
            written = copy.deepcopy(obj)
            written["metadata"]["resourceVersion"] = str(self.version)
            key = _key(kind, written)
            self._record(Event(self.version, key, self.objects.get(key), written, written))
            self.objects[key] = written
            return copy.deepcopy(written)

    def remove(self, kind: Kind, namespace: str, name: str) -> None:
        with self.changed:
            self.version += 1
            key = (kind.full_name, namespace, name)
            old = self.objects.pop(key)
            last = copy.deepcopy(old)
            last["metadata"]["resourceVersion"] = str(self.version)
            self._record(Event(self.version, key, old, None, last))

    def _record(self, event: Event) -> None:
        self.history.append(event)
        self.changed.notify_all()

    def snapshot(self, version: int = 0) -> tuple[int, dict[Key, Object]] | None:
        """The objects as of a version that was snapshot before, or now; None if forgotten."""
        with self.changed:
            if version:
                found = self.snapshots.get(version)
                return None if found is None else (version, found)
            if self.version not in self.snapshots:
                self.snapshots[self.version] = dict(self.objects)
                while len(self.snapshots) > 20:
                    del self.snapshots[min(self.snapshots)]
            return self.version, self.snapshots[self.version]

    def compact(self) -> None:
        """Forgets every past version, as etcd does after five minutes."""
        with self.changed:
            self.version += 1
            self.snapshots.clear()
            self.history.clear()
            self.oldest = self.version


def _key(kind: Kind, obj: Object) -> Key:
    metadata = obj["metadata"]
    return kind.full_name, metadata.get("namespace", ""), metadata["name"]
