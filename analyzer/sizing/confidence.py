"""How far advice is to be trusted: the least of what coverage, history, steadiness and the replay's
margin allow, each with its figure."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from analyzer.advice import Confidence, Level, Replay
from analyzer.sizing.case import Case
from analyzer.sizing.demand import Demand
from analyzer.sizing.pace import Pace

Reason = tuple[Level, str]

_SLOWER = 2.0
"""Times slower by bandwidth that a server may still make up for."""
_ORDER: tuple[Level, ...] = ("low", "medium", "high")
_WEEK_STEPS = 7 * 288


def combined(reasons: Iterable[Reason]) -> Confidence:
    """The lowest of the levels, with every reason."""
    found = list(reasons)
    levels = [one for one, _ in found]
    level: Level = min(levels, key=_ORDER.index) if levels else "low"
    return Confidence(level, tuple(f"{text} ({one})" for one, text in found))


def of_coverage(case: Case, coverage: float | None = None) -> Reason:
    """``coverage`` is that of inference metrics, where they matter as well."""
    seen = [c for c in (case.figures.coverage, coverage) if c is not None]
    least = min(seen, default=0.0)
    return _level(least, 0.97, 0.9), f"{least:.1%} of its time measured"


def of_history(case: Case) -> Reason:
    days = case.span_h / 24
    return _level(days, 13.9, 6.9), f"{days:.1f} days of history"


def of_steadiness(demand: Demand) -> Reason:
    """Week against week where there are two, else how far the highest days differ."""
    load = demand.replicas * demand.level
    if demand.at.size and int(demand.at[-1] - demand.at[0]) >= 1.9 * _WEEK_STEPS:
        late = demand.at > demand.at[-1] - _WEEK_STEPS
        before = ~late & (demand.at > demand.at[-1] - 2 * _WEEK_STEPS)
        if before.any():
            now, was = (float(np.quantile(load[part], 0.99)) for part in (late, before))
            change = now / was - 1 if was > 0 else np.inf
            return (
                _level(-abs(change), -0.1, -0.3),
                f"load of the last week {change:+.0%} against the week before",
            )
    surge = demand.surge()
    level = _level(-surge, -1.1, -1.3)
    # One week alone cannot show what weeks have in common.
    return "low" if level == "low" else "medium", (
        f"one week only; its highest days let expect {surge:.2f} times its highest load"
    )


def of_margin(replay: Replay, count: int, limit: float) -> Reason:
    """How far below the limit for its KV cache the replayed load stays."""
    trial = next(one for one in replay.trials if one.replicas == count)
    margin = 1 - trial.kv_p95 / limit
    return _level(margin, 0.15, 0.05), f"replayed KV-cache p95 {margin:.0%} below its limit"


def of_reach(demand: Demand, share: float, pace: Pace) -> Reason:
    """How far the busiest step, replayed, lies beyond what a replica was seen to do. ``share`` is
    how much more each would have."""
    known = demand.generated[np.isfinite(demand.generated)] / 300
    busiest = float(np.quantile(known, 0.95, method="higher")) / float(np.median(demand.replicas))
    beyond = busiest * share / pace.most_rate
    if not pace.told and beyond > 1.1:
        return "low", (
            f"{beyond:.2g} times the tokens a replica was seen to make, of a load too even to tell "
            "how requests slow each other down"
        )
    return _level(-beyond, -1.25, -2.0), f"{beyond:.2g} times the tokens a replica was seen to make"


def of_room(multiple: float) -> Reason:
    """How many times the tokens that are needed fit."""
    return _level(multiple, 1.5, 1.0), f"room for {multiple:.1f} times the tokens needed"


def of_pace(expected_s: float, objective_s: float) -> Reason:
    """Never high: the floor is reached by no server, and the time to the first token is not
    known."""
    level: Level = "medium" if expected_s <= 0.9 * objective_s else "low"
    return level, (
        f"at least {expected_s * 1000:.0f} ms a token with the most seen at once, "
        f"{objective_s * 1000:.0f} ms accepted"
    )


def of_slower(seen_s: float, times: float, objective_s: float) -> Reason:
    """What is seen now, were it slower by as much as the bandwidth is smaller: some of it may be
    the server's own, which a smaller GPU does not slow down."""
    level: Level = "medium" if times <= _SLOWER or seen_s * times <= objective_s else "low"
    return level, (
        f"{times:.1f} times slower by bandwidth: up to {seen_s * times * 1000:.0f} ms a token, "
        f"{objective_s * 1000:.0f} ms accepted"
    )


def of_formula(ratio: float) -> Reason:
    """How the cache that the server told compares with what the formula makes of this GPU."""
    level = _level(-abs(ratio - 1), -0.15, -0.3)
    return level, f"its cache now is {ratio:.2f} times what the formula gives"


def of_idleness(case: Case) -> Reason:
    """How sure it is that nothing was asked of it. In production a standby looks the same."""
    use, serving = case.figures.utilisation, case.figures.serving
    told = f"highest GPU work of five minutes {use.max if use else 0.0:.1%}"
    if serving is None:
        return "medium", f"{told}; no inference server tells of requests"
    if serving.requests is None:
        return "medium", f"{told}; 0 requests at work, those that finished are not counted"
    if case.figures.environment == "production":
        return "medium", f"{told}, {serving.requests:,.0f} requests; a standby looks the same"
    return "high", f"{told}, {serving.requests:,.0f} requests"


def of_prices(discount: float, *, one_vendor: bool = True) -> Reason:
    """Spot prices move from hour to hour: a large discount is left after a rise, a small one may
    not be."""
    if not one_vendor:
        return "low", f"spot of another vendor is {discount:.0%} below on-demand"
    return _level(discount, 0.4, 0.15), f"spot is {discount:.0%} below on-demand"


def of_nights(weekdays: float, weekend_days: float) -> Reason:
    """How often the same nights and weekends were seen to be quiet."""
    level = _level(min(weekdays / 5, weekend_days / 2), 1.9, 0.9)
    return level, f"{weekdays:.1f} weekdays and {weekend_days:.1f} days of weekends seen"


def of_sharing(peak: float, limit: float, isolated: bool) -> Reason:
    """How far GPU work stays below what there is of it. Time slices isolate nothing: who shares a
    GPU with others feels their bursts, however little they do on average."""
    level = _level(1 - peak / limit, 0.15, 0.05)
    told = f"highest GPU work {peak:.0%} of a GPU, {limit:.0%} there"
    if not isolated and level == "high":
        return "medium", f"{told}, not isolated"
    return level, told


def _level(value: float, high: float, medium: float) -> Level:
    # NaN, for which every comparison is false, ends as low.
    if value >= high:
        return "high"
    return "medium" if value >= medium else "low"
