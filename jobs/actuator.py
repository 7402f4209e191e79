"""The only writer to workloads: one guarded patch for each decision, and its trail.

A sleep is first written to the ledger, then done by one merge patch that carries the replica
memory and the stop together, guarded by the object's resourceVersion: there is no moment at which
a crash forgets a count. Whatever the object has become meanwhile is read and decided upon anew.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from analyzer.collect.cluster.api import MERGE_PATCH, Conflict, KubeApi, NotFound, Request
from analyzer.errors import Denied, SourceError
from analyzer.sleep.annotations import (
    ASLEEP_SINCE,
    KEEP_AWAKE_UNTIL,
    forget_memory,
    has_memory,
    keep_awake,
    write_memory,
)
from analyzer.sleep.model import FIELD_MANAGER, Decided, Leave, Memory, Sleep, Target, Wake
from jobs.kinds.kind import Kind
from jobs.logs import with_context
from jobs.sleeping.fleet import Fleet
from jobs.sleeping.trail import Trail, after, memory_of, text
from jobs.throttle import TokenBucket

TRIES = 5
"""How often an object that keeps changing is decided upon anew before the next tick has it."""

FLUSH_S = 0.5
"""Outcomes are written to the ledger together, this often in seconds: a crash loses no more, and
the next tick settles those from the objects themselves."""

Outcome = Literal["done", "skipped", "failed", "unknown"]
"""``unknown``: the server did not say whether it was done, and could not be asked."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one decision. ``detail`` says why it was not done."""

    decided: Decided
    outcome: Outcome
    detail: str = ""


class Actor(Protocol):
    """Carries decisions out, or only says what it would do."""

    def apply(self, decided: Sequence[Decided]) -> list[Result]: ...


class DryRun:
    """The twin that changes nothing."""

    def apply(self, decided: Sequence[Decided]) -> list[Result]:
        return [Result(one, "skipped", "dry run") for one in decided]


@dataclass
class Actuator:
    """Carries decisions out on one cluster.

    ``decide_again`` is asked when an object is not what it was any more. ``stop`` ends the work
    after the objects under way.
    """

    api: KubeApi
    fleet: Fleet
    trail: Trail
    decide_again: Callable[[Target], Decided]
    concurrency: int = 16
    rate: float = 300.0
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._bucket = TokenBucket(self.rate, self.concurrency)

    def apply(self, decided: Sequence[Decided]) -> list[Result]:
        """What became of each, in order. One object's failure never stops the others."""
        refused = self.trail.begin(decided)
        results: dict[int, Result] = {
            index: Result(decided[index], "failed", why) for index, why in refused.items()
        }
        todo = [index for index in range(len(decided)) if index not in results]
        with ThreadPoolExecutor(self.concurrency, "actuator") as pool:
            act = with_context(self._guarded)
            running = {pool.submit(act, decided[index]): index for index in todo}
            while running:
                done, _ = wait(running, FLUSH_S, FIRST_COMPLETED)
                finished = {running.pop(one): one.result() for one in _all_done(running, done)}
                results |= finished
                self.trail.finish(
                    (one.decided, one.outcome, one.detail) for one in finished.values()
                )
        return [results[index] for index in range(len(decided))]

    def _guarded(self, decided: Decided) -> Result:
        if self.stop.is_set():
            return Result(decided, "skipped", "stopping")
        try:
            result = self._act(decided)
        except SourceError as error:
            result = Result(
                decided, "failed" if isinstance(error, Denied) else "unknown", str(error)
            )
        except Exception as error:  # noqa: BLE001 - one object never stops the others
            result = Result(decided, "unknown", f"{type(error).__name__}: {error}")
        if result.outcome == "done":
            self._tell(result.decided)
        return result

    def _act(self, decided: Decided) -> Result:
        intended = decided
        begun = memory_of(decided)
        for _ in range(TRIES):
            target = decided.target
            kind = self.fleet.kind_of(target)
            patch = patch_of(decided, kind)
            if patch is None:
                return Result(intended, "done")
            path = kind.object_path(target.key.namespace, target.key.name)
            try:
                answer = self._send(path, patch)
            except NotFound:
                return Result(intended, "skipped", "deleted meanwhile")
            except Conflict:
                pass
            else:
                return self._checked(decided, kind, answer)
            decided_or_result = self._again(intended, path)
            if isinstance(decided_or_result, Result):
                return decided_or_result
            decided = decided_or_result
            if memory_of(decided) != begun:
                why = self.trail.begin([decided]).get(0)
                if why:
                    return Result(intended, "failed", why)
                begun = memory_of(decided)
        return Result(intended, "skipped", f"changed {TRIES} times meanwhile")

    def _send(self, path: str, patch: dict[str, Any]) -> dict[str, Any]:
        self._bucket.take()
        return self.api.send(
            Request(
                path,
                method="PATCH",
                query=(("fieldManager", FIELD_MANAGER),),
                body=patch,
                content_type=MERGE_PATCH,
            )
        )

    def _again(self, intended: Decided, path: str) -> Decided | Result:
        """The same kind of decision on the object as it is now, or why there is none."""
        self._bucket.take()
        try:
            manifest = self.api.get(path)
        except NotFound:
            return Result(intended, "skipped", "deleted meanwhile")
        fresh = self.fleet.refreshed(intended.target, manifest)
        if fresh.uid != intended.target.uid:
            return Result(intended, "skipped", "deleted and made anew meanwhile")
        if is_done(intended, fresh):
            return Result(intended, "done")
        decided = self.decide_again(fresh)
        if type(decided.decision) is not type(intended.decision):
            return Result(intended, "skipped", f"changed meanwhile: {_told(decided)}")
        if isinstance(decided.decision, Leave) and decided.decision.forget is None:
            return Result(intended, "skipped", f"changed meanwhile: {_told(decided)}")
        return decided

    def _checked(self, decided: Decided, kind: Kind, answer: dict[str, Any]) -> Result:
        """The server drops fields that it does not know without a word, and its webhooks change
        what they like."""
        wanted, got = after(decided), kind.setting(answer)
        if isinstance(decided.decision, Leave) or got == wanted:
            return Result(decided, "done")
        where = ".".join(kind.path)
        told = f"the server made {where} {text(got)}, not {text(wanted)}"
        if isinstance(decided.decision, Wake):
            return Result(decided, "failed", told)
        why = f"this cluster's {kind.name} has no {where}" if got is None else told
        undone = self._undo(decided, kind, answer)
        return Result(decided, "failed" if undone else "unknown", why if undone else told)

    def _undo(self, decided: Decided, kind: Kind, answer: dict[str, Any]) -> bool:
        """Gives back what it was before, as long as it is what the server made of our sleep."""
        memory = memory_of(decided)
        assert memory is not None  # noqa: S101 - a sleep has one
        path, got = (
            kind.object_path(decided.target.key.namespace, decided.target.key.name),
            kind.setting(answer),
        )
        for _ in range(TRIES):
            patch = kind.merge(memory.before, forget_memory())
            patch["metadata"]["resourceVersion"] = answer["metadata"]["resourceVersion"]
            try:
                self._send(path, patch)
            except Conflict:
                answer = self.api.get(path)
                since = (answer["metadata"].get("annotations") or {}).get(ASLEEP_SINCE)
                if kind.setting(answer) != got or since != _stamp(memory):
                    return False
            else:
                return True
        return False

    def _tell(self, decided: Decided) -> None:
        """The Event and the log line; a change that was made stands without them."""
        self._bucket.take()
        self.trail.tell(self.api, decided, self.clock())


def _all_done(running: dict[Future[Result], int], done: set[Future[Result]]) -> set[Future[Result]]:
    return done | {one for one in running if one.done()}


def patch_of(decided: Decided, kind: Kind) -> dict[str, Any] | None:
    """The merge patch that a decision means, guarded by the resourceVersion it was made on; None
    when the object needs none."""
    decision = decided.decision
    if isinstance(decision, Leave):
        if decision.forget is None or not decision.forget.on_object:
            return None
        patch: dict[str, Any] = {"metadata": {"annotations": _annotations(decided, kind)}}
    else:
        patch = kind.merge(after(decided), _annotations(decided, kind))
    patch["metadata"]["resourceVersion"] = decided.target.version
    return patch


def _annotations(decided: Decided, kind: Kind) -> dict[str, str | None]:
    decision, present = decided.decision, decided.target.workload.annotations
    if isinstance(decision, Sleep):
        # What kept it awake has ended, or is older than the word of whoever puts it to sleep.
        written = write_memory(decision.memory, kind.counts) | {KEEP_AWAKE_UNTIL: None}
    else:
        written = forget_memory()
        until = _keep_awake(decided)
        if until is not None:
            written |= keep_awake(until)
    # Null for what is not there would be noise in a patch that people may read in an audit log.
    return {name: text for name, text in written.items() if text is not None or name in present}


def _keep_awake(decided: Decided) -> datetime | None:
    decision = decided.decision
    if isinstance(decision, Leave):
        return decision.forget.keep_awake if decision.forget else None
    return decision.keep_awake if isinstance(decision, Wake) else None


def is_done(decided: Decided, fresh: Target) -> bool:
    """Whether the object is as the decision wanted it: an answer that was lost on its way."""
    decision, annotations = decided.decision, fresh.workload.annotations
    if isinstance(decision, Sleep):
        written = write_memory(decision.memory, fresh.counts)
        present = {name: annotations.get(name) for name in written}
        return fresh.setting == decision.memory.slept_to and present == written
    if isinstance(decision, Wake):
        return fresh.setting == decision.memory.before and not has_memory(annotations)
    until = _keep_awake(decided)
    kept = until is None or annotations.get(KEEP_AWAKE_UNTIL) == keep_awake(until)[KEEP_AWAKE_UNTIL]
    return kept and not has_memory(annotations)


def _stamp(memory: Memory) -> str:
    return memory.since.isoformat(timespec="seconds")


def _told(decided: Decided) -> str:
    decision = decided.decision
    return f"{decision.reason} ({decision.evidence})" if decision.evidence else decision.reason
