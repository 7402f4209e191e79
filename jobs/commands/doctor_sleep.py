"""What ``doctor`` says of sleep: may we write, is there a ledger, who would undo it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from analyzer.errors import GpuThriftError, SourceError
from analyzer.sleep.forbidden import hands_off
from analyzer.sleep.gitops import ignore_rule
from analyzer.sleep.model import Target
from jobs.ledger.errors import LedgerError
from jobs.sleeping.view import Site, View, look


@dataclass(frozen=True, slots=True)
class Finding:
    """One line, with the lines that explain or mend it. ``state`` is ok, missing or failed."""

    state: str
    what: str
    lines: Sequence[str] = ()


def examine(site: Site, view: View | None, error: GpuThriftError | None) -> Iterable[Finding]:
    """Everything about sleep on one cluster; ``view`` is None when it could not be read."""
    yield _ledger(site)
    if view is None:
        yield Finding("failed", "Sleep: the workloads cannot be read", [str(error)])
        return
    absent = set(view.fleet.absent)
    for kind in site.kinds:
        name = kind.resource.name
        if name not in absent:
            yield _permission(site, "patch", kind.resource.group, kind.resource.plural)
    yield _permission(site, "create", "", "events")
    if absent:
        yield Finding("ok", f"Sleep: kinds this cluster does not have: {', '.join(sorted(absent))}")
    for problem in view.fleet.problems:
        yield Finding("failed", f"Sleep: {problem.subject}", [problem.message])
    yield from _gitops(site, view)


def read(site: Site, now: datetime) -> tuple[View | None, GpuThriftError | None]:
    """The cluster as the sleep job sees it, or why it cannot be seen."""
    try:
        return look(site, now), None
    except SourceError as error:
        return None, error


def _ledger(site: Site) -> Finding:
    try:
        site.open_ledger()
    except LedgerError as error:
        return Finding("failed", "Ledger", [f"{error}; nothing can be put to sleep without it"])
    return Finding("ok", "Ledger")


def _permission(site: Site, verb: str, group: str, plural: str) -> Finding:
    name = f"{plural}.{group}" if group else plural
    try:
        allowed = site.api.allowed(verb, group, plural)
    except SourceError as error:
        return Finding("failed", f"may {verb} {name}: cannot be asked", [str(error)])
    if allowed:
        return Finding("ok", f"may {verb} {name}")
    lost = "changes leave no Event" if plural == "events" else "these cannot be put to sleep"
    return Finding("missing", f"may not {verb} {name} in every namespace", [lost])


def _gitops(site: Site, view: View) -> Iterable[Finding]:
    targets = sorted(view.fleet.targets.values(), key=lambda one: one.key)
    for target in targets:
        if target.gitops is None or target.held_by or not target.workload.gpus_per_replica:
            continue
        if hands_off(view.case(target), site.rules) is None:
            yield _owned(view, target)


def _owned(view: View, target: Target) -> Finding:
    owner = target.gitops
    assert owner is not None  # noqa: S101 - asked for only where there is one
    kind = view.fleet.kind_of(target)
    lines = ignore_rule(owner, target.key, kind.resource.group, kind.path)
    what = f"{target.key} is applied by {owner.tool} ({owner.name}), which may undo its sleep; add"
    return Finding("missing", what, lines)
