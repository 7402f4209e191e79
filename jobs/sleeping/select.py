"""Which workloads a person means by names, namespaces and labels."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from analyzer.errors import UsageError
from analyzer.sleep.model import Target
from jobs.sleeping.fleet import Fleet, ref_of

_SHORT = {
    "deploy": "deployment",
    "sts": "statefulset",
    "lws": "leaderworkerset",
    "so": "scaledobject",
    "isvc": "inferenceservice",
    "ro": "rollout",
}


@dataclass(frozen=True, slots=True)
class Selection:
    """What the command line says. Names may be ``NAME`` or ``KIND/NAME``; nothing selects all.
    ``uids`` are those that a label selector means, None without one."""

    names: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    uids: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """A workload, and whether it was named (then a refusal is an error)."""

    target: Target
    named: bool


def choose(fleet: Fleet, wanted: Selection) -> list[Chosen]:
    """The workloads that are meant, each once and in order, through what they are handled by.

    Raises ``UsageError`` for a name that matches nothing or more than one workload.
    """
    for namespace in wanted.namespaces:
        if fleet.namespaces and namespace not in fleet.namespaces:
            raise UsageError(f"namespace {namespace}: there is none in cluster {fleet.cluster}")
    pool = [
        target
        for target in fleet.targets.values()
        if (not wanted.namespaces or target.key.namespace in wanted.namespaces)
        and (wanted.uids is None or target.uid in wanted.uids)
    ]
    if not wanted.names:
        return [Chosen(one, False) for one in sorted(pool, key=_order) if not one.held_by]
    chosen: dict[str, Chosen] = {}
    for name in wanted.names:
        one = _named(fleet, pool, name)
        chosen.setdefault(one.uid, Chosen(one, True))
    return list(chosen.values())


def _order(target: Target) -> tuple[str, str, str]:
    return target.key.namespace, target.key.name, target.key.kind


def _named(fleet: Fleet, pool: Sequence[Target], text: str) -> Target:
    kind, _, name = text.rpartition("/")
    found = {
        root.uid: root
        for target in pool
        if target.key.name == name and is_kind(target.key.kind, kind)
        for root in [_root(fleet, target)]
    }
    if not found:
        near = difflib.get_close_matches(name, [one.key.name for one in pool], 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(f"{text}: no such workload in cluster {fleet.cluster}{hint}")
    if len(found) > 1:
        keys = ", ".join(sorted(str(one.key) for one in found.values()))
        raise UsageError(f"{text}: several workloads are called so ({keys}); add -n or KIND/")
    return next(iter(found.values()))


def is_kind(kind: str, wanted: str) -> bool:
    """Whether a kind is what a person called it: ``deployment``, ``deployments.apps``, ``deploy``,
    ``""``."""
    plain = _SHORT.get(wanted.lower(), wanted.lower()).partition(".")[0]
    return not wanted or plain in (kind.lower(), f"{kind.lower()}s")


def _root(fleet: Fleet, target: Target) -> Target:
    """The workload through which one is handled, itself when that is not of a handled kind."""
    item = fleet.items.get(fleet.root(ref_of(target)))
    return fleet.targets[item.uid] if item else target
