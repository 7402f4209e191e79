"""One run of the sleep job on one cluster: should each workload be asleep now? Then make it so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from analyzer.model import WorkloadKey
from analyzer.sleep import wake
from analyzer.sleep.busy import BusyRules, defer
from analyzer.sleep.case import Case
from analyzer.sleep.decision import decide
from analyzer.sleep.limits import Census, Limits, cap, refusal
from analyzer.sleep.model import SCHEDULE, Decided, Leave, Sleep, Wake
from jobs.actuator import Result
from jobs.ledger.errors import LedgerError
from jobs.ledger.scoped import ClusterLedger
from jobs.sleeping.act import act, acts
from jobs.sleeping.adopt import adopt
from jobs.sleeping.fleet import Fleet, Problem
from jobs.sleeping.survey import Activity, Survey, survey
from jobs.sleeping.view import Site, View, look
from jobs.sleeping.watch import Followed, follow_up, settle

KEPT = timedelta(days=400)
"""How long the ledger keeps what ended: a year, and what a report of it compares with."""

ASKED = frozenset({"person", "excluded", "keep-awake"})
"""Why something is woken because a person said so."""


class _Workload(Protocol):
    @property
    def key(self) -> WorkloadKey: ...


Of = TypeVar("Of", bound=_Workload)
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Report:
    """What a run decided and did. ``decided`` is everything, ``results`` what was to be done;
    ``ledger`` is the cluster's part of it, None when it could not be used."""

    cluster: str
    decided: tuple[Decided, ...] = ()
    results: tuple[Result, ...] = ()
    problems: tuple[Problem, ...] = ()
    refused: str = ""
    followed: Followed = field(default_factory=Followed)
    ledger: ClusterLedger | None = None

    @property
    def failures(self) -> list[str]:
        """One line for each part that was not done."""
        failed = [
            f"{one.decided.target.key}: {one.detail}"
            for one in self.results
            if one.outcome in ("failed", "unknown")
        ]
        problems = [f"{one.subject}: {one.message}" for one in self.problems]
        late = [f"{name}: not ready in time: {cause}" for name, cause in self.followed.late]
        refused = [f"nothing was put to sleep: {self.refused}"] if self.refused else []
        return problems + refused + failed + late + list(self.followed.orphans)


def run_once(site: Site, now: datetime, accept_change: bool = False) -> Report:
    """Puts to sleep and wakes what is due at ``now`` (aware UTC).

    ``accept_change`` takes a suddenly different fleet for the new normal. Raises ``SourceError``
    when the cluster cannot be read at all.
    """
    view = look(site, now)
    settle(view)
    problems = list(view.problems)
    found = cases(view, problems)
    adopt(view, found)
    by_uid = {case.target.uid: case for case in found}
    decided = each(found, lambda case: decide(case, site.rules), problems)
    census = census_of(view.fleet, decided, site.config.gpus_only)
    refused = "" if accept_change else refusal(view.state.baseline, census, limits(site))
    decided = [_refuse(one, refused) for one in decided]
    decided = _admit(view, decided, by_uid)
    falling = [one.target for one in decided if isinstance(one.decision, Sleep)]
    surveyed = survey(site.api, view.fleet, falling, site.prices) if falling else Survey()
    decided = cap(_defer(view, decided, surveyed, by_uid), limits(site))
    results = act(view, [one for one in decided if acts(one)], surveyed, SCHEDULE)
    if refused:
        # A list that shrank all at once says nothing of what was deleted.
        view = replace(view, fleet=replace(view.fleet, scopes={}))
    followed = follow_up(view, by_uid, {one.decided.target.uid for one in results})
    if not refused:
        _remember(view, census)
    return Report(
        site.name,
        tuple(decided),
        tuple(results),
        tuple(problems),
        refused,
        followed,
        view.ledger,
    )


def each(many: Iterable[Of], what: Callable[[Of], Made], problems: list[Problem]) -> list[Made]:
    """What becomes of each workload. One that nobody foresaw is named among the problems, and
    keeps no other from waking."""
    made = []
    for one in many:
        try:
            made.append(what(one))
        except Exception as error:  # noqa: BLE001 - see above
            told = f"cannot be decided on, and is left alone: {type(error).__name__}: {error}"
            problems.append(Problem(str(one.key), told))
    return made


def cases(view: View, problems: list[Problem]) -> list[Case]:
    """Every workload's case; ``problems`` are added to. Those that sleep by schedule are woken as
    their wave is planned."""
    own = each(view.fleet.targets.values(), view.case, problems)
    starts = wake.plan(_sleeping(own, view), view.site.config.wake_gpus)
    planned = []
    for case in own:
        lead = case.known.lead
        following = case.schedule.next_awake(view.now) if case.target.uid in starts else None
        if following is not None:
            lead = max(lead, following - starts[case.target.uid])
        planned.append(replace(case, known=replace(case.known, lead=lead)))
    return planned


def _sleeping(cases_: Sequence[Case], view: View) -> list[wake.Waking]:
    waking = []
    for case in cases_:
        if not case.asleep or case.memory is None or case.memory.by_person:
            continue
        following = case.schedule.next_awake(view.now)
        if following is not None and not case.schedule.awake(view.now):
            waking.append(waking_of(case, following))
    return waking


def waking_of(case: Case, ready_by: datetime) -> wake.Waking:
    """A sleeping workload as the planning of waves sees it."""
    row = case.known.row
    freed = case.target.freed(case.memory) if case.memory else case.target.gpus
    return wake.Waking(
        uid=case.target.uid,
        ready_by=ready_by,
        # What an autoscaler had scaled is known only from when it fell asleep.
        gpus=row.gpus if row else freed,
        lead=case.known.lead,
        priority=case.known.wishes.wake_priority,
        name=str(case.target.key),
    )


def limits(site: Site) -> Limits:
    config = site.config
    return Limits(
        config.max_workloads, config.max_gpus, config.max_production_drop, config.max_shrink
    )


def census_of(fleet: Fleet, decided: Sequence[Decided], gpus_only: bool) -> dict[str, Census]:
    """Of each list, how many of its workloads could matter, and how many are production."""
    counted = {
        one.target.uid: one.environment.environment
        for one in decided
        if not one.target.held_by and (one.target.workload.gpus_per_replica or not gpus_only)
    }
    return {
        scope: Census(
            sum(uid in counted for uid in uids),
            sum(counted.get(uid) == "production" for uid in uids),
        )
        for scope, uids in fleet.scopes.items()
    }


def _refuse(one: Decided, why: str) -> Decided:
    if not why or not isinstance(one.decision, Sleep):
        return one
    return replace(one, decision=Leave("run-refused", why))


def _admit(view: View, decided: Sequence[Decided], by_uid: Mapping[str, Case]) -> list[Decided]:
    """The decisions with the Wakes beyond the GPU budget left for a later tick. What a person
    asks for is not held back."""
    budget = view.site.config.wake_gpus
    if not budget:
        return list(decided)
    waking = {one.target.uid: one for one in decided if isinstance(one.decision, Wake)}
    asked = {uid for uid, one in waking.items() if one.decision.reason in ASKED}
    starting = _starting(view, by_uid) + sum(_waking(by_uid[uid]).gpus for uid in asked)
    due = [_waking(by_uid[uid]) for uid in waking.keys() - asked]
    admitted = asked | wake.admit(due, starting, budget)
    leave = Leave("waiting-for-gpus", f"at most {budget:g} GPUs start at a time")
    return [
        replace(one, decision=leave)
        if one.target.uid in waking and one.target.uid not in admitted
        else one
        for one in decided
    ]


def _waking(case: Case) -> wake.Waking:
    """A workload that is due; by when it is to be ready, now at the latest."""
    following = None if case.schedule.awake(case.now) else case.schedule.next_awake(case.now)
    return waking_of(case, following or case.now)


def _starting(view: View, by_uid: Mapping[str, Case]) -> float:
    """GPUs of workloads that were woken and are not ready yet, as far as anybody can tell."""
    gpus = 0.0
    for row in view.state.waiting:
        case = by_uid.get(row.uid)
        patience = view.site.config.ready_deadline
        if case is not None and case.target.is_ready is None:
            patience = min(patience, case.known.lead)
        if row.woken_at is not None and view.now - row.woken_at < patience:
            gpus += row.gpus
    return gpus


def _defer(
    view: View, decided: Sequence[Decided], surveyed: Survey, by_uid: Mapping[str, Case]
) -> list[Decided]:
    if not any(isinstance(one.decision, Sleep) for one in decided):
        return list(decided)
    config = view.site.config
    activity = Activity.read(view.site.activity, view.now)
    rules = BusyRules(
        config.defer_limit,
        config.when_still_busy == "sleep",
        config.when_metrics_missing == "sleep",
    )
    deferred = []
    for one in decided:
        if isinstance(one.decision, Sleep):
            busy = surveyed.busy(one.target, activity, config.busy_utilisation)
            one = defer(one, busy, rules, by_uid[one.target.uid])  # noqa: PLW2901
        deferred.append(one)
    return deferred


def _remember(view: View, census: Mapping[str, Census]) -> None:
    if view.ledger is None or view.site.dry_run:
        return
    try:
        view.ledger.set_baseline(census, view.now)
        view.ledger.prune(view.now - KEPT)
    except LedgerError:
        pass  # the older one stands
