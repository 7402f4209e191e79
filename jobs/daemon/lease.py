"""Leadership by a Kubernetes Lease.

A holder renews it every third of its duration. It counts what it holds from before it asked, on a
clock that goes on while the process is stopped, and stops acting when two thirds are over without
an answer: what it sent last has ended before anybody else may take over. Another process takes
over when it has seen nothing change for the whole duration, by its own clock: clocks of different
machines are never compared.

https://kubernetes.io/docs/concepts/architecture/leases/
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from analyzer.collect.cluster.api import Conflict, Forbidden, KubeApi, NotFound, Request
from analyzer.errors import BadAnswer, ConfigError, GpuThriftError, SourceError
from jobs.daemon.leadership import NotLeader

log = logging.getLogger("gpu_thrift.leader")

Spec = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LeaseName:
    """Where the Lease is, and how long one word of its holder counts, in seconds."""

    namespace: str
    name: str
    duration_s: float

    @property
    def list_path(self) -> str:
        return f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases"

    @property
    def path(self) -> str:
        return f"{self.list_path}/{self.name}"

    def __str__(self) -> str:
        return f"Lease {self.namespace}/{self.name}"


class LeaseLeadership:
    """Holds the Lease, or waits for it, in a thread of its own.

    ``api`` should wait for answers no longer than a few seconds and has to be this one's alone.
    ``on_change`` is called from the thread when leadership is gained or lost.
    """

    def __init__(
        self, api: KubeApi, lease: LeaseName, me: str, on_change: Callable[[bool], None]
    ) -> None:
        self._api = api
        self._lease = lease
        self._me = me
        self._on_change = on_change
        self._until = 0.0
        """Until when this process may act, on the monotonic clock."""
        self._told = False
        self._holder = ""
        self._seen: tuple[Any, ...] = ()
        self._seen_at = 0.0
        self._problem = "has not been asked for yet"
        self._beat = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="lease", daemon=True)

    @property
    def leads(self) -> bool:
        return time.monotonic() < self._until

    @property
    def holder(self) -> str:
        return self._holder

    @property
    def says(self) -> str:
        if not self.is_alive:
            silent = time.monotonic() - self._beat
            return f"{self._lease}: has not been looked at for {silent:.0f} s"
        return self._problem

    @property
    def is_alive(self) -> bool:
        silent = time.monotonic() - self._beat
        return self._thread.is_alive() and silent <= 3 * self._lease.duration_s

    def left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise NotLeader(f"this process does not hold {self._lease} any more")
        # What is sent now has the last third of the duration to end in.
        return left + self._lease.duration_s / 3

    def start(self) -> None:
        try:
            self._step()
        except (Forbidden, NotFound, ConfigError) as error:
            raise GpuThriftError(f"{self._lease}: {error}{self._mend(error)}") from error
        except SourceError as error:
            self._failed(error)
        self._thread.start()

    def release(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(self._lease.duration_s)
        held = self._until > time.monotonic()
        self._until = 0.0
        if not held:
            return
        try:
            found = self._api.get(self._lease.path)
            spec = found["spec"]
            if spec.get("holderIdentity") == self._me:
                # As client-go does: the next one need not wait.
                self._put(found, {**spec, "holderIdentity": "", "leaseDurationSeconds": 1})
        except (SourceError, KeyError, TypeError) as error:
            log.warning("%s could not be released: %s", self._lease, error)

    def _loop(self) -> None:
        while not self._stop.wait(self._pause()):
            self._beat = time.monotonic()
            try:
                self._step()
            except GpuThriftError as error:
                self._failed(error)
            except Exception as error:  # noqa: BLE001 - the loop must outlive what nobody foresaw
                self._failed(error)
            self._tell()

    def _pause(self) -> float:
        """Seconds to the next look: soon after a failure, or when the Lease may be free."""
        usual = self._lease.duration_s / 3
        return usual / 2 if self._problem or not self.leads else usual

    def _mend(self, error: Exception) -> str:
        """What a person has to do about it, ready to be appended."""
        where = f"namespace {self._lease.namespace}"
        if isinstance(error, NotFound):
            return f"; create {where}, or name another one under [leadership]"
        if isinstance(error, Forbidden):
            allow = f"allow get, create and update of leases in {where}"
            return f'; {allow}, or set [leadership] by = "file"'
        return ""

    def _failed(self, error: Exception) -> None:
        said = f"{error}{self._mend(error)}"
        if not isinstance(error, GpuThriftError):
            said = f"{type(error).__name__}: {said}"
        if said != self._problem:
            log.warning("%s: %s", self._lease, said)
        self._problem = said

    def _step(self) -> None:
        """One look at the Lease: take it, renew it, or see who has it."""
        asked = time.monotonic()
        try:
            found = self._api.get(self._lease.path)
        except NotFound:
            self._create(asked)
            return
        spec: Spec = found.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        seen = (holder, spec.get("renewTime"), spec.get("leaseTransitions"))
        if seen != self._seen:
            self._seen, self._seen_at = seen, time.monotonic()
        if holder == self._me:
            self._take(found, spec, asked)
        elif not holder or time.monotonic() - self._seen_at > _duration(spec, self._lease):
            transitions = int(spec.get("leaseTransitions") or 0) + 1
            acquired = {"acquireTime": _now(), "leaseTransitions": transitions}
            self._take(found, {**spec, **acquired}, asked)
        else:
            self._until = 0.0
            self._holder = holder
            self._problem = ""
        self._tell()

    def _take(self, found: dict[str, Any], spec: Spec, asked: float) -> None:
        """Writes our name and the time, unless somebody was quicker."""
        try:
            self._put(found, {**spec, **self._word()})
        except Conflict:
            # Whoever it was, the next look tells; what we held goes on until it ends.
            return
        self._held(asked)

    def _create(self, asked: float) -> None:
        word = {**self._word(), "acquireTime": _now(), "leaseTransitions": 0}
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._lease.name, "namespace": self._lease.namespace},
            "spec": word,
        }
        try:
            self._written(self._api.send(Request(self._lease.list_path, "POST", body=body)), word)
        except Conflict:
            return
        self._held(asked)

    def _held(self, asked: float) -> None:
        self._until = asked + self._lease.duration_s * 2 / 3
        self._holder = self._me
        self._problem = ""
        self._tell()

    def _put(self, found: dict[str, Any], spec: Spec) -> None:
        # With the resourceVersion that was read: a PUT over somebody else's is a conflict.
        request = Request(self._lease.path, "PUT", body={**found, "spec": spec})
        self._written(self._api.send(request), spec)

    def _written(self, answer: dict[str, Any], spec: Spec) -> None:
        """Raises ``BadAnswer`` unless the server says that it holds what was sent: whatever else
        answers there would answer the next process as well, and both would lead."""
        told = answer.get("spec")
        holder = told.get("holderIdentity") if isinstance(told, dict) else None
        if (holder or "") != spec["holderIdentity"] or not isinstance(told, dict):
            raise BadAnswer(f"{self._api.name} answered with something else than the {self._lease}")

    def _word(self) -> Spec:
        # The API has whole seconds, at least one; ours are never longer than what is written.
        seconds = max(1, -int(-self._lease.duration_s // 1))
        return {
            "holderIdentity": self._me,
            "leaseDurationSeconds": seconds,
            "renewTime": _now(),
        }

    def _tell(self) -> None:
        leads = self.leads
        if leads != self._told:
            self._told = leads
            following = self._holder not in ("", self._me)
            role = f"following {self._holder}" if following else "not leading"
            log.info("%s: %s", self._lease, "leading" if leads else role)
            self._on_change(leads)


def _duration(spec: Spec, lease: LeaseName) -> float:
    """Seconds that the holder's last word counts: what it wrote, else what we would."""
    written = spec.get("leaseDurationSeconds")
    if isinstance(written, int) and written > 0:
        return float(written)
    return lease.duration_s


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
