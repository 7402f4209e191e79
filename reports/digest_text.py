"""What a digest says, as labels, figures and sentences: the same words in Slack, in Markdown and
on the page.

Dollars are to the cent, so that every medium shows the same figure. Sentences hold outside text as
it is: each renderer neutralises it for its own medium.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from analyzer.advice import Recommendation
from analyzer.analysis import PoolUse, WorkloadUse
from analyzer.followed import Followed
from analyzer.nights import Late, Left
from analyzer.sleep.model import NotDone
from reports.advice_text import change
from reports.digest import Action, Digest, ModelCost, Realised
from reports.headline import history, slept
from reports.sections import (
    Names,
    failed_lines,
    not_judged,
    notice_lines,
    oldest_price,
    pool_name,
    price_sources,
)
from reports.text import cents, counted, hours, per_million, percent, sentence


def name_of(use: WorkloadUse, names: Names) -> str:
    return names.full(use.workload.key)


def what(action: Action) -> str:
    """``reduce-replicas 4 → 2``."""
    return change(action.advised)


def effect(advised: Recommendation) -> str:
    """What it frees, what that is worth, and what of it the bill loses: three different things."""
    saving = advised.saving
    if saving.gpu_hours_per_week == 0 and not saving.worth_usd_per_month and saving.usd_per_month:
        return _bill(advised)
    return f"{_freed(advised)}; {_bill(advised)}"


def _freed(advised: Recommendation) -> str:
    saving = advised.saving
    amount, worth = saving.gpu_hours_per_week, saving.worth_usd_per_month
    usd = "no price known" if worth is None else f"worth {cents(abs(worth))} a month"
    if amount < 0:
        # New GPUs cost what they are worth: once is enough.
        twice = worth is not None and worth == saving.usd_per_month
        return f"takes {hours(-amount)} GPU-h a week more{'' if twice else f', {usd}'}"
    if amount == 0:
        # A lower price frees nothing.
        return (
            f"the same GPU-h for {cents(worth)} a month less" if worth else f"frees no GPU-h, {usd}"
        )
    return f"frees {hours(amount)} GPU-h a week, {usd}"


def _bill(advised: Recommendation) -> str:
    saving = advised.saving
    usd, nodes = saving.usd_per_month, saving.nodes_freed
    if usd is None:
        return "what the bill loses is not known"
    if usd == 0:
        return "the bill stays: no node can leave" if nodes == 0 else "the bill stays"
    leaving = f" ({counted(nodes, 'node')} can leave)" if nodes and nodes > 0 else ""
    return f"the bill {'falls' if usd > 0 else 'rises'} by {cents(abs(usd))} a month{leaving}"


def together(digest: Digest) -> str:
    """What all advice frees together; empty where there is not more than one."""
    savings = digest.analysis.savings
    if savings is None or len(digest.actions) < 2:
        return ""
    worth = (
        "at prices that are not known"
        if savings.worth_usd_per_month is None
        else f"worth {cents(savings.worth_usd_per_month)} a month"
    )
    usd, nodes = savings.usd_per_month, savings.nodes_freed
    if usd is None:
        bill = "what the bill loses is not known: the Kubernetes API was not read everywhere"
    else:
        leaving = f", as {counted(nodes, 'node')} can leave" if nodes and nodes > 0 else ""
        nightly = savings.nodes_freed_at_night
        if leaving and nightly:
            leaving += f" for good and {nightly:,} at night"
        bill = f"the bill would {_moves(usd)} by {cents(abs(usd))} a month{leaving}"
    return (
        f"All {counted(len(digest.actions), 'recommendation')} together free "
        f"{hours(savings.gpu_hours_per_week)} GPU-h a week, {worth}; {bill}."
    )


def _moves(usd: float) -> str:
    """What the bill does that is lowered by so much."""
    return "rise" if usd < 0 and cents(usd) != cents(0) else "fall"


def needed(action: Action, names: Names) -> str:
    """Where more is advised."""
    return f"{name_of(action.use, names)}: {what(action)}: {effect(action.advised)}"


def flagged(use: WorkloadUse, names: Names) -> str:
    """One production workload that is idle or underused."""
    return f"{flagged_briefly(use, names)}. {sentence(use.verdict.reason)}"


def flagged_briefly(use: WorkloadUse, names: Names) -> str:
    """The same without the reason."""
    return f"{name_of(use, names)}: {use.verdict.name}, {_idle(use)}"


def _idle(use: WorkloadUse) -> str:
    measured = f"{percent(use.coverage)} measured"
    if use.cost_usd is None:
        return f"no price known, {measured}"
    if use.idle_cost_usd is None:
        return f"{cents(use.cost_usd)}, {measured}"
    return f"{cents(use.idle_cost_usd)} idle of {cents(use.cost_usd)}, {measured}"


def sleeping(digest: Digest) -> tuple[str, ...]:
    """What was put to sleep and what came of it, a line each."""
    nights = digest.nights
    if nights is None:
        return ("No ledger could tell what slept.",)
    if not nights.workloads and not nights.not_done:
        return ("Nothing was put to sleep.",)
    other = f"ended by others {nights.otherwise:,}×, " if nights.otherwise else ""
    lines = [
        f"{counted(nights.workloads, 'workload')}: slept {nights.slept:,}×, woken "
        f"{nights.woken:,}×, {other}{nights.asleep:,} asleep at the end",
        f"{slept(nights)} not held, worth {cents(nights.usd)}",
        left(nights.left),
    ]
    return tuple(lines)


def left(found: Left | None) -> str:
    """Which nodes really left meanwhile: only those make the bill smaller."""
    if found is None:
        return "whether nodes left meanwhile is not known"
    if found.gpu_hours <= 0:
        return "no node left meanwhile, so the bill is what it was"
    nodes = "nodes" if found.nodes is None else f"up to {counted(found.nodes, 'node')}"
    usd = "no price known" if found.usd is None else cents(found.usd)
    return f"{nodes} left meanwhile: {hours(found.gpu_hours)} GPU-h that nobody paid for, {usd}"


def late(one: Late, names: Names, timezone: str) -> str:
    ready = f"ready {_clock(one.ready_at, timezone)}" if one.ready_at else "not seen ready"
    return f"{names.full(one.key)}: woken {_clock(one.woken_at, timezone)}, {ready}: {one.cause}"


def not_done(one: NotDone, names: Names, timezone: str) -> str:
    why = f": {one.detail}" if one.detail else ""
    return f"{names.full(one.key)}: {one.action} {one.result} {_clock(one.at, timezone)}{why}"


def _clock(at: datetime, timezone: str) -> str:
    return at.astimezone(ZoneInfo(timezone)).strftime("%a %H:%M")


def unallocated(pool: PoolUse, names: Names) -> str:
    """GPUs of one class of node that nobody asked for."""
    return (
        f"{names.cluster(pool.cluster)}{pool_name(pool)}: {hours(pool.unallocated_gpu_hours)} of "
        f"{hours(pool.present_gpu_hours)} GPU-h, {cents(pool.unallocated_cost_usd)}"
    )


def model(one: ModelCost) -> str:
    """What a million tokens cost."""
    if not one.workloads:
        return f"{one.model}: not known (no workload counts tokens)"
    if one.usd_per_million_tokens is None:
        rate = f"not known ({'some GPU has no price' if one.cost_usd is None else 'no tokens'})"
    else:
        rate = f"{per_million(one.usd_per_million_tokens)} a million tokens"
    more = f"; {counted(one.uncounted, 'more workload')} told of no tokens" if one.uncounted else ""
    return (
        f"{one.model}: {rate}; {one.tokens / 1e6:,.1f} million for {cents(one.cost_usd)}, "
        f"{percent(one.coverage)} heard{more}"
    )


def realised(found: Realised | None, names: Names) -> tuple[str, ...]:
    """What followed advice brought; the total first, where there is one."""
    if found is None:
        return ("No ledger could tell what was followed.",)
    if not found.entries:
        return ("No recommendation was followed in the last 13 weeks.",)
    lines = [followed(one, names) for one in found.entries]
    if found.counted:
        lines.insert(
            0,
            f"{_less(found.realised_usd_per_month)} is held than before, where "
            f"{cents(found.predicted_usd_per_month)} were predicted "
            f"({found.counted} of {len(found.entries)} measured)",
        )
    return tuple(lines)


def _less(usd: float) -> str:
    more = usd < 0 and cents(usd) != cents(0)
    return f"{cents(abs(usd))} a month {'more' if more else 'less'}"


def followed(one: Followed, names: Names) -> str:
    """What one piece of advice promised, and what came of it."""
    accepted = one.accepted
    predicted = cents(one.predicted.worth_usd_per_month)
    if accepted is None or accepted.usd_per_month is None:
        brought = f"not known: {accepted.note if accepted and accepted.note else 'not yet'}"
    else:
        brought = f"{cents(accepted.usd_per_month)} a month"
    return (
        f"{names.full(one.key)}: {change(one)}: predicted {predicted} a month, realised {brought}"
    )


def unknowns(digest: Digest, names: Names) -> tuple[str, ...]:
    """What is not known, and why."""
    compared = history(digest)
    return (
        *failed_lines(digest.analysis),
        *digest.problems,
        *((sentence(compared),) if compared else ()),
        *not_judged(digest.analysis, names),
        *notice_lines(digest.analysis, names),
    )


def prices(digest: Digest) -> str:
    """Date and source of the prices behind the dollars."""
    used = digest.analysis.prices
    if not used:
        return "No price is known for these GPUs."
    oldest = oldest_price(used)
    dated = f"of {oldest} or later" if oldest else "without a date"
    some = ", some without a date" if oldest and any(p.as_of is None for p in used) else ""
    return f"Prices {dated}{some}: {price_sources(used)}."
