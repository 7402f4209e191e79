"""A cluster as it is now, with what the ledger knows of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from analyzer.collect.cluster.api import KubeApi
from analyzer.collect.pools import NodeClasses
from analyzer.config import SleepConfig
from analyzer.errors import SourceError
from analyzer.pricing import PriceBook
from analyzer.sleep import wake
from analyzer.sleep.annotations import read_wishes
from analyzer.sleep.case import Case, Known, Rules, case_of
from analyzer.sleep.model import Target
from jobs.kinds.kind import Kind
from jobs.ledger.errors import LedgerError
from jobs.ledger.model import TickState
from jobs.ledger.port import Ledger
from jobs.ledger.scoped import ClusterLedger
from jobs.logs import run_id
from jobs.sleeping.fleet import Fleet, Problem
from jobs.sleeping.reading import read_fleet, read_identity
from jobs.sleeping.survey import ReadActivity


@dataclass(frozen=True)
class Site:
    """One cluster and what is needed to work on it.

    ``open_ledger`` may raise ``LedgerError``. ``activity`` reads the last minutes of metrics, None
    without a Prometheus. ``clock`` dates what is written down.
    """

    name: str
    api: KubeApi
    kinds: Sequence[Kind]
    config: SleepConfig
    rules: Rules
    prices: tuple[NodeClasses, PriceBook]
    open_ledger: Callable[[], Ledger]
    activity: ReadActivity | None = None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    dry_run: bool = False
    only: tuple[str, ...] = ()
    """Namespaces that a command is about, read in place of the configured ones."""
    stop: threading.Event = field(default_factory=threading.Event)
    run: str = ""
    """Id of the run that this is part of; empty for one of its own."""

    @property
    def run_id(self) -> str:
        return self.run or run_id()


@dataclass(frozen=True, slots=True)
class View:
    """A cluster as it was read for one run, with what the ledger knows of it.

    ``ledger`` is None when it cannot be used; ``problems`` says why, and what else is missing.
    """

    site: Site
    fleet: Fleet
    state: TickState
    ledger: ClusterLedger | None
    problems: tuple[Problem, ...]
    now: datetime

    def known(self, target: Target) -> Known:
        """What is known of one workload beside the object, with its own lead."""
        namespace = self.fleet.namespaces.get(target.key.namespace)
        wishes = read_wishes(
            target.workload.annotations,
            namespace.annotations if namespace else {},
            self.site.rules.defaults,
        )
        lead = wake.lead_of(target, self.state.ready_times.get(target.key, ()))
        row = self.state.open.get(target.uid)
        return Known(wishes, row, self.state.holds.get(target.uid), lead.time)

    def case(self, target: Target, known: Known | None = None) -> Case:
        return case_of(target, known or self.known(target), self.site.rules, self.now)


def look(site: Site, now: datetime) -> View:
    """Reads the cluster and the ledger. Raises ``SourceError`` when the cluster cannot be read."""
    configured = site.only or site.config.namespaces
    if not configured:
        fleet = read_fleet(site.api, site.name, site.kinds)
        ledger, state, problems = _from_ledger(site, fleet if fleet.namespaces else None, now)
        return View(site, fleet, state, ledger, (*problems, *fleet.problems), now)
    ledger, state, problems = _from_ledger(site, None, now)
    # What was put to sleep in a namespace that is configured no more has to be woken.
    asleep = sorted({row.key.namespace for row in state.open.values()}) if not site.only else []
    fleet = read_fleet(site.api, site.name, site.kinds, [*configured, *asleep])
    return View(site, fleet, state, ledger, (*problems, *fleet.problems), now)


def _from_ledger(
    site: Site, fleet: Fleet | None, now: datetime
) -> tuple[ClusterLedger | None, TickState, list[Problem]]:
    try:
        identity = fleet.identity if fleet else read_identity(site.api)
        ledger = ClusterLedger.of(site.open_ledger(), site.name, identity)
        state = ledger.tick_state(now)
    except (LedgerError, SourceError) as error:
        told = "nothing is put to sleep until it can; what sleeps is woken all the same"
        return None, TickState(), [Problem("ledger", f"{error}; {told}")]
    pending = {change.uid for change in state.unfinished if change.action == "sleep"}
    rows = {uid: replace(row, pending=uid in pending) for uid, row in state.open.items()}
    return ledger, replace(state, open=rows), []
