"""One run of the sleep job on one cluster: should each workload be asleep now? Then make it so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from analyzer.sleep import wake
from analyzer.sleep.busy import BusyRules, defer
from analyzer.sleep.case import Case
from analyzer.sleep.decision import decide
from analyzer.sleep.limits import Census, Limits, cap, refusal
from analyzer.sleep.model import SCHEDULE, Decided, Leave, Sleep, Wake
from jobs.actuator import Result
from jobs.ledger.errors import LedgerError
from jobs.sleeping.act import act, acts
from jobs.sleeping.fleet import Fleet, Problem
from jobs.sleeping.survey import Activity, Survey, survey
from jobs.sleeping.view import Site, View, look
from jobs.sleeping.watch import follow_up, settle


@dataclass(frozen=True, slots=True)
class Report:
    """What a run decided and did. ``decided`` is everything, ``results`` what was to be done."""

    cluster: str
    decided: tuple[Decided, ...] = ()
    results: tuple[Result, ...] = ()
    problems: tuple[Problem, ...] = ()
    refused: str = ""
    late: tuple[tuple[str, str], ...] = ()
    """Workloads that are not ready past their deadline, each with the cause."""

    @property
    def failures(self) -> list[str]:
        """One line for each part that was not done."""
        failed = [
            f"{one.decided.target.key}: {one.detail}"
            for one in self.results
            if one.outcome in ("failed", "unknown")
        ]
        problems = [f"{one.subject}: {one.message}" for one in self.problems]
        late = [f"{name}: not ready in time: {cause}" for name, cause in self.late]
        refused = [f"nothing was put to sleep: {self.refused}"] if self.refused else []
        return problems + refused + failed + late


def run_once(site: Site, now: datetime, accept_change: bool = False) -> Report:
    """Puts to sleep and wakes what is due at ``now`` (aware UTC).

    ``accept_change`` takes a suddenly different fleet for the new normal. Raises ``SourceError``
    when the cluster cannot be read at all.
    """
    view = look(site, now)
    settle(view)
    found = cases(view)
    by_uid = {case.target.uid: case for case in found}
    decided = [decide(case, site.rules) for case in found]
    census = census_of(view.fleet, decided, site.config.gpus_only)
    refused = "" if accept_change else refusal(view.state.baseline, census, limits(site))
    decided = [_refuse(one, refused) for one in decided]
    decided = _admit(view, decided, by_uid)
    falling = [one.target for one in decided if isinstance(one.decision, Sleep)]
    surveyed = survey(site.api, view.fleet, falling, site.prices) if falling else Survey()
    decided = cap(_defer(view, decided, surveyed, by_uid), limits(site))
    results = act(view, [one for one in decided if acts(one)], surveyed, SCHEDULE)
    late = follow_up(view, results, by_uid)
    if not refused and view.ledger is not None:
        _remember(view, census)
    return Report(site.name, tuple(decided), tuple(results), view.problems, refused, late)


def cases(view: View) -> list[Case]:
    """Every workload's case. Those that sleep by schedule are woken as their wave is planned."""
    own = [view.case(target) for target in view.fleet.targets.values()]
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
    before = case.memory.before if case.memory else case.target.setting
    return wake.Waking(
        uid=case.target.uid,
        ready_by=ready_by,
        gpus=case.target.gpus_at(before),
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
    asked for is not held back."""
    budget, since = view.site.config.wake_gpus, view.now - view.site.config.ready_deadline
    if not budget:
        return list(decided)
    starting = sum(
        row.gpus for row in view.state.waiting if row.woken_at is not None and row.woken_at > since
    )
    due = [
        waking_of(by_uid[one.target.uid], view.now)
        for one in decided
        if isinstance(one.decision, Wake)
    ]
    admitted = wake.admit(due, starting, budget)
    return [
        replace(one, decision=Leave("waiting-for-gpus", f"at most {budget:g} GPUs start at a time"))
        if isinstance(one.decision, Wake) and one.target.uid not in admitted
        else one
        for one in decided
    ]


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
        if isinstance(one.decision, Sleep) and one.decision.reason != "reverted":
            busy = surveyed.busy(one.target, activity, config.busy_utilisation)
            schedule = by_uid[one.target.uid].schedule
            one = defer(one, busy, schedule, rules, view.now)  # noqa: PLW2901
        deferred.append(one)
    return deferred


def _remember(view: View, census: Mapping[str, Census]) -> None:
    try:
        if view.ledger is not None:
            view.ledger.set_baseline(census, view.now)
    except LedgerError:
        pass  # the older one stands
