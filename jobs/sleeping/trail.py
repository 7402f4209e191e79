"""What is left behind of every change: a ledger row, a Kubernetes Event and a log line."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from analyzer.collect.cluster.api import Conflict, KubeApi, Request
from analyzer.errors import SourceError
from analyzer.sleep.model import Decided, Hold, Leave, Memory, Setting, Sleep, Wake
from analyzer.sleep.words import shown
from jobs.ledger.errors import LedgerError
from jobs.ledger.model import Change, Outcome
from jobs.ledger.scoped import ClusterLedger

log = logging.getLogger("gpu_thrift.changes")

CONTESTED = timedelta(days=7)
"""How long a workload is left alone after a GitOps tool undid its sleep too often."""


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
    _ids: dict[str, list[int]] = field(default_factory=dict)
    """Of each workload the intents of this run, by uid; the last one is meant."""

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
        for one, id_ in zip(decided, ids, strict=True):
            self._ids.setdefault(one.target.uid, []).append(id_)
        return {}

    def resume(self, change: Change) -> None:
        """Goes on with what another run began."""
        self.who = change.who
        self._ids[change.uid] = [change.id]

    def _change(self, decided: Decided) -> Change:
        decision, target, at = decided.decision, decided.target, self.clock()
        worth = self.worth.get(target.uid, Worth())
        memory = memory_of(decided)
        freed = target.freed(memory) if memory else 0.0
        return Change(
            key=target.key,
            uid=target.uid,
            action=action_of(decided),
            who=self.who,
            why=f"{decision.reason}: {decision.evidence}",
            from_=target.setting,
            to=after(decided),
            at=at,
            run_id=self.run,
            memory=memory,
            gpus=freed,
            usd_per_hour=_share(worth.usd_per_hour, freed, target.gpus),
            nodes=worth.nodes,
            scales=target.scales,
            # Only a workload that was awake of its own may give the ledger a new memory.
            replace_memory=isinstance(decision, Sleep)
            and decision.reason != "reverted"
            and target.setting != decision.memory.slept_to,
            reverted=decision.reason == "reverted",
            hold=hold_of(decided, at),
        )

    def finish(self, results: Iterable[tuple[Decided, str, str]]) -> None:
        """Writes down what became of it: decision, outcome and detail of each. An unknown outcome
        stays open: the next tick asks the object."""
        at = self.clock()
        outcomes = []
        for decided, result, detail in results:
            level = logging.INFO if result == "done" else logging.WARNING
            self._log(level, decided, result, detail)
            ids = self._ids.get(decided.target.uid, [])
            outcomes += [Outcome(id_, at, "superseded") for id_ in ids[:-1]]
            if ids and result != "unknown":
                outcomes.append(Outcome(ids[-1], at, result, detail))
        if not outcomes or self.ledger is None:
            return
        try:
            self.ledger.finish(outcomes)
        except LedgerError as error:
            self._note(f"outcomes are not written down: {error}")

    def tell(self, api: KubeApi, decided: Decided, at: datetime) -> None:
        """Posts the Event. A change that was made stands without it."""
        ids = self._ids.get(decided.target.uid, [])
        event = event_of(decided, self.api_version(decided), self.who, at, ids[-1] if ids else 0)
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


def hold_of(decided: Decided, now: datetime) -> Hold | None:
    """The hold that a decision means, written down with its intent."""
    uid, decision = decided.target.uid, decided.decision
    if isinstance(decision, Sleep):
        # A person's word ends what held before.
        return Hold(uid, now, "person") if decision.reason == "person" else None
    if isinstance(decision, Wake):
        if decision.keep_awake is not None:
            return Hold(uid, decision.keep_awake, "person")
        return Hold(uid, decision.early_until, "woken-early") if decision.early_until else None
    forget = decision.forget
    if forget is not None and forget.contested:
        return Hold(uid, now + CONTESTED, "reverted")
    until = forget.keep_awake if forget else None
    return Hold(uid, until, "person") if until else None


def _share(usd_per_hour: float | None, freed: float, held: float) -> float | None:
    """What a part of the GPUs costs."""
    return usd_per_hour * min(1.0, freed / held) if usd_per_hour is not None and held else None


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


def event_of(
    decided: Decided, api_version: str, who: str, at: datetime, change: int
) -> dict[str, Any]:
    """A core/v1 Event. Its name follows from the change's number in the ledger, else from its
    time, so that posting it twice makes one.

    https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
    """
    target, action = decided.target, action_of(decided)
    number = f"{target.uid} {action} {change or at.isoformat()}"
    digest = hashlib.sha256(number.encode()).hexdigest()[:16]
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
