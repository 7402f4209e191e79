"""Sleeps that the ledger does not know, told by the objects' own annotations.

A ledger that was lost or begun anew learns from the cluster what sleeps, so that there are two
copies of every memory again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from analyzer.sleep.case import Case
from jobs.ledger.errors import LedgerError
from jobs.ledger.model import Change, Outcome
from jobs.sleeping.view import View

log = logging.getLogger("gpu_thrift")


def adopt(view: View, cases: Iterable[Case]) -> int:
    """Writes down what sleeps by its annotations alone. Returns how many there were."""
    if view.ledger is None or view.site.dry_run:
        return 0
    run, now = view.site.run_id, view.site.clock()
    changes = [change for case in cases if (change := _change(case, run)) is not None]
    if not changes:
        return 0
    try:
        ids = view.ledger.begin(changes)
        view.ledger.finish(Outcome(id_, now, "done", "read from its annotations") for id_ in ids)
    except LedgerError as error:
        log.warning("%s: %d sleeps are known from their annotations only", error, len(changes))
        return 0
    log.warning(
        "%s: the ledger did not know %d sleeping workload%s; written down from the annotations",
        view.site.name,
        len(changes),
        "" if len(changes) == 1 else "s",
    )
    return len(changes)


def _change(case: Case, run: str) -> Change | None:
    memory = case.memory
    if memory is None or case.known.row is not None or not (case.asleep and case.traces):
        return None
    if case.target.counts and memory.before is None:
        return None
    return Change(
        key=case.target.key,
        uid=case.target.uid,
        action="sleep",
        who=memory.by,
        why="adopted: the object says that it was put to sleep",
        from_=memory.before,
        to=memory.slept_to,
        at=memory.since,
        run_id=run,
        memory=memory,
        gpus=case.target.freed(memory),
        scales=case.target.scales,
    )
