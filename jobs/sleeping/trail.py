"""What is left behind of every change: a ledger row, a Kubernetes Event and a log line."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from analyzer.collect.cluster.api import Conflict, KubeApi, Request
from analyzer.errors import SourceError
from analyzer.sleep.model import Decided, Leave, Memory, Setting, Sleep, Wake
from analyzer.sleep.words import shown
from jobs.ledger.errors import LedgerError
from jobs.ledger.model import Change, Outcome
from jobs.ledger.scoped import ClusterLedger

log = logging.getLogger("gpu_thrift.changes")


@dataclass(frozen=True, slots=True)
class Worth:
    """What a workload costs while it runs, and where: kept with its sleep for the savings."""

    usd_per_hour: float | None = None
    nodes: tuple[str, ...] = ()


@dataclass
class Trail:
    """The trail of one run on one cluster.

    ``ledger`` is None when it cannot be reached: then nothing is put to sleep, and what sleeps is
    woken all the same. ``who`` did it, ``run`` is the id of the run.
    """

    ledger: ClusterLedger | None
    who: str
    run: str
    clock: Callable[[], datetime]
    worth: Mapping[str, Worth] = field(default_factory=dict)
    """By uid."""
    api_version: Callable[[Decided], str] = lambda _: ""
    problems: list[str] = field(default_factory=list)
    _ids: dict[str, int] = field(default_factory=dict)

    def begin(self, decided: Sequence[Decided]) -> dict[int, str]:
        """Writes down what is about to be done, all at once. Returns, by index, why one may not be
        done: a sleep is never begun unless the ledger has its copy of the memory."""
        try:
            if self.ledger is None:
                raise LedgerError("the ledger cannot be used")
            ids = self.ledger.begin([self._change(one) for one in decided])
        except LedgerError as error:
            self._note(str(error))
            why = f"not begun without the ledger: {error}"
            return {i: why for i, one in enumerate(decided) if isinstance(one.decision, Sleep)}
        self._ids |= {one.target.uid: id_ for one, id_ in zip(decided, ids, strict=True)}
        return {}

    def _change(self, decided: Decided) -> Change:
        decision, target = decided.decision, decided.target
        worth = self.worth.get(target.uid, Worth())
        memory = memory_of(decided)
        return Change(
            key=target.key,
            uid=target.uid,
            action=action_of(decided),
            who=self.who,
            why=f"{decision.reason}: {decision.evidence}",
            from_=target.setting,
            to=after(decided),
            at=self.clock(),
            run_id=self.run,
            memory=memory,
            gpus=target.gpus,
            usd_per_hour=worth.usd_per_hour,
            nodes=worth.nodes,
            # Only a workload that was awake of its own may give the ledger a new memory.
            replace_memory=isinstance(decision, Sleep)
            and decision.reason != "reverted"
            and not target.is_stopped,
        )

    def finish(self, results: Iterable[tuple[Decided, str, str]]) -> None:
        """Writes down what became of it: decision, outcome and detail of each. An unknown outcome
        stays open: the next tick asks the object."""
        at = self.clock()
        outcomes = []
        for decided, result, detail in results:
            level = logging.INFO if result == "done" else logging.WARNING
            self._log(level, decided, result, detail)
            if decided.target.uid in self._ids and result != "unknown":
                outcomes.append(Outcome(self._ids[decided.target.uid], at, result, detail))
        if not outcomes or self.ledger is None:
            return
        try:
            self.ledger.finish(outcomes)
        except LedgerError as error:
            self._note(f"outcomes are not written down: {error}")

    def tell(self, api: KubeApi, decided: Decided, at: datetime) -> None:
        """Posts the Event. A change that was made stands without it."""
        event = event_of(decided, self.api_version(decided), self.who, at)
        path = f"/api/v1/namespaces/{decided.target.key.namespace}/events"
        try:
            api.send(Request(path, method="POST", body=event))
        except Conflict:
            pass  # posted before its answer was lost
        except SourceError as error:
            log.warning("%s: its Event could not be posted: %s", decided.target.key, error)

    def _note(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)

    def _log(self, level: int, decided: Decided, result: str, detail: str) -> None:
        action = action_of(decided)
        told = f": {detail}" if detail else ""
        log.log(
            level,
            "%s %s %s: %s (%s -> %s) by %s, %s%s",
            action,
            decided.target.key,
            result,
            decided.decision.reason,
            text(decided.target.setting),
            text(after(decided)),
            self.who,
            decided.decision.evidence,
            told,
            extra={
                "fields": {
                    "action": action,
                    "workload": str(decided.target.key),
                    "uid": decided.target.uid,
                    "outcome": result,
                    "reason": decided.decision.reason,
                    "evidence": decided.decision.evidence,
                    "from": decided.target.setting,
                    "to": after(decided),
                    "who": self.who,
                    "run": self.run,
                    "detail": detail,
                }
            },
        )


def action_of(decided: Decided) -> str:
    """``sleep``, ``wake``, ``forget`` or ``keep-awake``."""
    if isinstance(decided.decision, Sleep):
        return "sleep"
    if isinstance(decided.decision, Wake):
        return "wake"
    return "forget" if memory_of(decided) else "keep-awake"


def memory_of(decided: Decided) -> Memory | None:
    """The memory that a decision writes, restores or drops."""
    decision = decided.decision
    if isinstance(decision, Leave):
        return decision.forget.memory if decision.forget else None
    return decision.memory


def after(decided: Decided) -> Setting:
    """The setting that the object has once the decision is carried out."""
    decision = decided.decision
    if isinstance(decision, Sleep):
        return decision.memory.slept_to
    return decision.memory.before if isinstance(decision, Wake) else decided.target.setting


def text(setting: Setting) -> str:
    """A setting as people read it."""
    return "unset" if setting is None else str(setting).lower()


_REASONS = {
    "sleep": "PutToSleep",
    "wake": "Woken",
    "forget": "LeftAwake",
    "keep-awake": "KeptAwake",
}


def event_of(decided: Decided, api_version: str, who: str, at: datetime) -> dict[str, Any]:
    """A core/v1 Event. Its name follows from what was done, so that a second try is the same one.

    https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
    """
    target, action = decided.target, action_of(decided)
    memory = memory_of(decided)
    since = memory.since.isoformat() if memory else at.isoformat()
    digest = hashlib.sha256(f"{target.uid} {action} {since}".encode()).hexdigest()[:16]
    stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{target.key.name[:200].rstrip('.-')}.gpu-thrift-{digest}",
            "namespace": target.key.namespace,
        },
        "involvedObject": {
            "apiVersion": api_version,
            "kind": target.key.kind,
            "namespace": target.key.namespace,
            "name": target.key.name,
            "uid": target.uid,
        },
        "reason": _REASONS[action],
        "message": _message(decided, who)[:1024],
        "type": "Normal",
        "source": {"component": "gpu-thrift"},
        "reportingComponent": "gpu-thrift",
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }


def _message(decided: Decided, who: str) -> str:
    decision = decided.decision
    change = f"{text(decided.target.setting)} -> {text(after(decided))}"
    why = f"{decision.reason}: {decision.evidence}"
    if isinstance(decision, Sleep):
        wakes = decision.memory.wake_at
        until = f", wakes by {shown(wakes)}" if wakes else ", until it is woken by hand"
        return f"Put to sleep by {who} ({change}){until}. {why}"
    if isinstance(decision, Wake):
        return f"Woken by {who} ({change}). {why}"
    if memory_of(decided) is None:
        return f"Kept awake by {who}. {why}"
    return f"Left awake by {who}, forgot its sleep. {why}"
