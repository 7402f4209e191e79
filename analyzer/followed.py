"""What becomes of advice: first and last seen, rejected, snoozed, followed, or no longer given.

An entry is one piece of advice for one workload, told from the others by its action. What it asks
for may change from day to day, and it stays the same entry until it is followed; advice after that
makes a new one, so that what the first brought is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Literal

from analyzer.advice import Action, Recommendation, Refusal, Saving
from analyzer.analysis import Analysis, WorkloadUse
from analyzer.done import is_done
from analyzer.model import NO_API, WorkloadKey
from analyzer.sleep.annotations import has_memory
from analyzer.wishes import Wishes, wishes

JUDGEMENTS = frozenset(
    {
        "asleep-already",
        "environment",
        "fewer-already",
        "fewest",
        "gone",
        "in-use",
        "kind",
        "needed",
        "never-used",
        "no-mig-part",
        "no-night",
        "no-partner",
        "not-by-replicas",
        "not-cheaper",
        "not-one-gpu",
        "not-saturated",
        "nothing-freed",
        "nothing-smaller",
        "preemptions",
        "queue",
        "saturated",
        "scheduled",
        "shared-already",
        "spot-already",
        "too-large",
    }
)
"""Codes of refusals that say from data that the advice would be wrong. Any other refusal without a
replay is taken for a lack of data, which ends nothing."""

State = Literal["open", "accepted", "rejected", "snoozed", "gone"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """That the change was seen at ``at``, and what it brought.

    The baseline is what the workload used a week before the change; ``gpu_hours_per_week`` and
    ``usd_per_month`` are what it uses less since, negative for more. ``note`` says why they are
    None; ``settled`` is True once they are known, or never will be.
    """

    at: datetime
    baseline_gpu_hours_per_week: float | None = None
    baseline_usd_per_week: float | None = None
    gpu_hours_per_week: float | None = None
    usd_per_month: float | None = None
    note: str = ""
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Followed:
    """One piece of advice over time (aware UTC).

    ``before``, ``after`` and ``predicted`` are as last given, ``plan`` says whether it was the one
    that counts in totals. ``last_seen`` is when it was given last: the change that followed it is
    later. ``snoozed_until`` is set while ``state`` is ``snoozed``, ``accepted`` while it is that.
    """

    key: WorkloadKey
    action: Action
    before: str
    after: str
    first_seen: datetime
    last_seen: datetime
    state: State
    state_since: datetime
    predicted: Saving
    plan: bool = False
    snoozed_until: datetime | None = None
    accepted: Accepted | None = None

    @property
    def identity(self) -> tuple[WorkloadKey, Action, datetime]:
        return self.key, self.action, self.first_seen


@dataclass(frozen=True, slots=True)
class Outcome:
    """Every entry from now on, those whose state is new, and annotations that cannot be read."""

    entries: tuple[Followed, ...]
    changed: tuple[Followed, ...]
    bad: tuple[str, ...] = ()


def follow(
    known: Iterable[Followed], analysis: Analysis, now: datetime, zone: tzinfo = UTC
) -> Outcome:
    """Compares the advice of ``analysis`` with what was known. Pure; ``now`` is aware UTC.

    Where nothing can be said of a workload, or its cluster was not read, its entries stay as they
    were: missing is not done. ``zone`` is that of snooze dates without an offset.
    """
    known = tuple(known)
    entries = [one for one in known if one.state == "accepted"]
    live: dict[WorkloadKey, dict[Action, Followed]] = {}
    for one in known:
        if one.state != "accepted":
            live.setdefault(one.key, {})[one.action] = one
    bad: list[str] = []
    unannotated = {one.cluster for one in analysis.notices if one.code == NO_API}
    for use in analysis.workloads:
        mine = live.pop(use.workload.key, {})
        cluster = use.workload.key.cluster
        if cluster in analysis.failed or (cluster in unannotated and not _runs(use)):
            entries += mine.values()
            continue
        former = cluster in unannotated
        asks = _former(mine, now) if former else wishes(use.workload, now, zone)
        bad += asks.bad
        asked = analysis.savings is not None or bool(
            use.advice.recommendations or use.advice.refusals
        )
        entries += _of_workload(mine, use, _Look(now, asks, asked))
    for mine in live.values():
        entries += [_absent(one, analysis, now) for one in mine.values()]
    entries.sort(key=lambda one: one.identity)
    states = {one.identity: one.state for one in known}
    changed = [one for one in entries if states.get(one.identity) != one.state]
    return Outcome(tuple(entries), tuple(changed), tuple(bad))


def open_totals(entries: Iterable[Followed]) -> Saving:
    """What the open plans were predicted to free: no alternative, nothing rejected or snoozed.
    Money sums what is priced, None where nothing is; nodes do not add up and are None."""
    plans = [one.predicted for one in entries if one.plan and one.state == "open"]
    worth = [one.worth_usd_per_month for one in plans if one.worth_usd_per_month is not None]
    usd = [one.usd_per_month for one in plans if one.usd_per_month is not None]
    return Saving(
        sum(one.gpu_hours_per_week for one in plans),
        sum(worth) if worth else None,
        sum(usd) if usd else None,
    )


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at a workload: when, what its annotations ask for, and whether rules were asked."""

    now: datetime
    wishes: Wishes
    asked: bool

    def put(self, entry: Followed, state: State) -> Followed:
        """The entry in that state, since now if it is a new one."""
        since = entry.state_since if entry.state == state else self.now
        until = self.wishes.until if state == "snoozed" else None
        return replace(entry, state=state, state_since=since, snoozed_until=until)


def _former(mine: Mapping[Action, Followed], now: datetime) -> Wishes:
    """What annotations asked for when they were read last."""
    rejected = frozenset(action for action, one in mine.items() if one.state == "rejected")
    ends = [one.snoozed_until for one in mine.values() if one.snoozed_until is not None]
    return Wishes(rejected, max((end for end in ends if now < end), default=None))


def _runs(use: WorkloadUse) -> bool:
    """Without annotations, what does not run may as well be asleep as removed."""
    return use.workload.replicas != 0 and use.workload.exists is not False


def _of_workload(
    mine: Mapping[Action, Followed], use: WorkloadUse, look: _Look
) -> Sequence[Followed]:
    made: dict[Action, Recommendation] = {}
    for one in use.advice.recommendations:
        # The window may still hold days before a change that is there by now.
        if not is_done(one.action, str(one.before), str(one.after), use):
            made.setdefault(one.action, one)
    found = []
    for action, entry in mine.items():
        if _is_accepted(entry, use, look):
            found.append(replace(look.put(entry, "accepted"), accepted=Accepted(look.now)))
        elif action in made:
            found.append(_given(entry, made.pop(action), look))
        else:
            found.append(_not_given(entry, use, look))
    for one in made.values():
        new = Followed(
            use.workload.key, one.action, "", "", look.now, look.now, "open", look.now, one.saving
        )
        found.append(_given(new, one, look))
    return found


def _given(entry: Followed, one: Recommendation, look: _Look) -> Followed:
    entry = look.put(entry, look.wishes.state_of(one.action))
    return replace(
        entry,
        before=str(one.before),
        after=str(one.after),
        last_seen=look.now,
        predicted=one.saving,
        plan=one.plan,
    )


def _not_given(entry: Followed, use: WorkloadUse, look: _Look) -> Followed:
    if entry.state == "gone":
        return entry
    state: State = look.wishes.state_of(entry.action)
    if state != "rejected" and _is_judged(entry.action, use, look.asked):
        state = "gone"
    return look.put(entry, state)


def _absent(entry: Followed, analysis: Analysis, now: datetime) -> Followed:
    """A workload of which the whole window has nothing holds no GPUs that could be saved."""
    cluster = entry.key.cluster
    if cluster not in analysis.clusters or cluster in analysis.failed or entry.state == "gone":
        return entry
    return replace(entry, state="gone", state_since=now, snoozed_until=None)


def _is_accepted(entry: Followed, use: WorkloadUse, look: _Look) -> bool:
    if entry.action in look.wishes.rejected or entry.state == "gone":
        return False
    done = is_done(entry.action, entry.before, entry.after, use)
    return done and entry.last_seen < look.now


def _is_judged(action: Action, use: WorkloadUse, asked: bool) -> bool:
    """Whether the rule had what it needs, so that its silence is an answer."""
    if has_memory(use.workload.annotations):
        return False
    if use.workload.exists is False:
        return True
    if not asked or use.coverage is None or use.verdict.name == "unknown":
        return False
    return all(_is_judgement(one) for one in use.advice.refusals if one.action == action)


def _is_judgement(refusal: Refusal) -> bool:
    return refusal.replay is not None or refusal.code in JUDGEMENTS
