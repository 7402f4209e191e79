"""From decisions to their being done: the actuator with all that it needs, or its dry twin."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from analyzer.sleep.decision import decide
from analyzer.sleep.model import SCHEDULE, Decided, Leave, Sleep, Target, Wake
from jobs.actuator import Actor, Actuator, DryRun, Result
from jobs.sleeping.survey import Survey
from jobs.sleeping.trail import Trail
from jobs.sleeping.view import View

Decide = Callable[[Target], Decided]


def acts(decided: Decided) -> bool:
    """Whether a decision changes anything, on the object or in the ledger."""
    decision = decided.decision
    return not isinstance(decision, Leave) or decision.forget is not None


def act(
    view: View,
    decided: Sequence[Decided],
    surveyed: Survey,
    who: str,
    decide_again: Decide | None = None,
) -> list[Result]:
    """Carries out what there is to do, waking before putting to sleep.

    Where the configuration says dry run, the schedule only wakes.
    """
    said = who == SCHEDULE and view.site.config.dry_run
    doing = [one for one in decided if not (said and isinstance(one.decision, Sleep))]
    saying = [one for one in decided if said and isinstance(one.decision, Sleep)]
    doing.sort(key=lambda one: not isinstance(one.decision, Wake))
    results = DryRun().apply(saying)
    if doing:
        results += actor(view, surveyed, who, decide_again).apply(doing)
    return results


def actor(view: View, surveyed: Survey, who: str, decide_again: Decide | None = None) -> Actor:
    """The actuator of one run, or its twin where nothing at all is to be changed."""
    site = view.site
    if site.dry_run:
        return DryRun()

    def again(target: Target) -> Decided:
        return decide(view.case(target), site.rules)

    trail = Trail(
        ledger=view.ledger,
        who=who,
        run=site.run_id,
        clock=site.clock,
        worth=surveyed.worth,
        api_version=lambda one: view.fleet.kind_of(one.target).resource.api_version,
    )
    return Actuator(
        api=site.api,
        fleet=view.fleet,
        trail=trail,
        decide_again=decide_again or again,
        concurrency=site.config.concurrency,
        rate=site.config.rate,
        clock=site.clock,
        stop=site.stop,
    )
