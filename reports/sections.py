"""An analysis put into order and into sentences, for every renderer alike.

Sentences hold outside text as it is: each renderer neutralises it for its own medium.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Literal

from analyzer.analysis import Analysis, PoolUse, PriceUsed, WorkloadUse
from analyzer.model import Notice, WorkloadKey
from reports.advice_text import advice_lines
from reports.text import counted, hours, local, middle, money, percent

MAX_SOURCES = 4
"""Sources of prices named in one line; the rest is counted."""

Tone = Literal["plain", "alert", "quiet"]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and one sentence a line. ``long`` sections may be cut short on a screen."""

    title: str
    lines: tuple[str, ...]
    tone: Tone = "plain"
    long: bool = False


def is_flagged(use: WorkloadUse) -> bool:
    """Production that holds GPUs it does not need."""
    return use.environment == "production" and use.verdict.name in ("idle", "underused")


def in_order(workloads: tuple[WorkloadUse, ...]) -> list[WorkloadUse]:
    """Flagged production by idle cost, then the others by cost; what has no price goes last."""

    def rank(use: WorkloadUse) -> tuple[bool, bool, float, float, WorkloadKey]:
        flagged = is_flagged(use)
        usd = use.idle_cost_usd if flagged else use.cost_usd
        return (not flagged, usd is None, -(usd or 0), -use.gpu_hours, use.workload.key)

    return sorted(workloads, key=rank)


class Names:
    """How workloads of one analysis are called: no longer than it takes to tell them apart."""

    def __init__(self, analysis: Analysis, longest: int = 0) -> None:
        """``longest`` cuts what is longer in the middle, 0 for nothing: a long name must not push
        what is said of it out of a line."""
        self._longest = longest
        keys = [use.workload.key for use in analysis.workloads]
        self.several_clusters = len({*analysis.clusters, *analysis.failed}) > 1
        counts = Counter((key.cluster, key.namespace, key.name) for key in keys)
        self._ambiguous = {name for name, count in counts.items() if count > 1}

    def parts(self, key: WorkloadKey) -> tuple[str, ...]:
        """Namespace and name, with the kind between them where two kinds share a name."""
        if (key.cluster, key.namespace, key.name) in self._ambiguous:
            return (key.namespace, key.kind, key.name)
        return (key.namespace, key.name)

    def full(self, key: WorkloadKey) -> str:
        """The parts in one piece, behind the cluster where there are several."""
        parts = self.parts(key)
        name = "/".join((key.cluster, *parts) if self.several_clusters else parts)
        return middle(name, self._longest)

    def cluster(self, name: str) -> str:
        """A prefix that names the cluster where there are several."""
        return f"{name}: " if self.several_clusters and name else ""


def oldest_price(prices: tuple[PriceUsed, ...]) -> date | None:
    """The date that all dated prices are at least as new as."""
    return min((price.as_of for price in prices if price.as_of), default=None)


def price_sources(prices: tuple[PriceUsed, ...]) -> str | None:
    """Where the prices come from, each source once; None when nothing was priced."""
    sources = list(dict.fromkeys(price.source for price in prices))
    if len(sources) > MAX_SOURCES:
        sources[MAX_SOURCES:] = [f"{len(sources) - MAX_SOURCES} more"]
    return ", ".join(sources) or None


def period(analysis: Analysis) -> str:
    """The window in the report's time zone."""
    start, end = (
        local(at, analysis.timezone) for at in (analysis.window.start, analysis.window.end)
    )
    return f"{start} to {end} {analysis.timezone} ({analysis.window.hours:,.0f} h)"


def price_basis(analysis: Analysis) -> str:
    """Which prices stand behind the dollars, in a few words."""
    oldest = oldest_price(analysis.prices)
    undated = any(price.as_of is None for price in analysis.prices)
    if not analysis.prices:
        return "No dollars: no price is known for these GPUs."
    if oldest is None:
        return "Dollars are for this window, at undated prices."
    also = ", some undated" if undated else ""
    return f"Dollars are for this window, at prices of {oldest} or later{also}."


def sections(analysis: Analysis, *, only_flagged: bool = False) -> list[Section]:
    """Everything beside the table that a reader has to know, the most urgent first."""
    names = Names(analysis)
    made = [
        Section("Clusters that could not be read", failed_lines(analysis), "alert"),
        _flagged(analysis, names),
        Section("Recommendations", _advice(analysis, names, only_flagged), long=True),
        Section("Totals", _flagged_totals(analysis) if only_flagged else _totals(analysis)),
    ]
    if not only_flagged:
        made.append(Section("Unallocated GPUs", _pools(analysis, names), long=True))
    made += [
        Section("Not judged", not_judged(analysis, names, only_flagged), "quiet", long=True),
        Section("Good to know", notice_lines(analysis, names), "quiet", long=True),
        Section("Prices per GPU-hour", price_lines(analysis.prices), "quiet"),
    ]
    return [section for section in made if section.lines]


def failed_lines(analysis: Analysis) -> tuple[str, ...]:
    """Clusters that could not be read, each with the reason."""
    lines = [f"{cluster}: {reason}" for cluster, reason in sorted(analysis.failed.items())]
    return (*lines, "No figure here includes them.") if lines else ()


def _flagged(analysis: Analysis, names: Names) -> Section:
    title = "Production, idle or underused"
    lines = tuple(
        f"{names.full(use.workload.key)}: {use.verdict.name}, {_idle(use)}. {use.verdict.reason}"
        for use in in_order(analysis.workloads)
        if is_flagged(use)
    )
    if lines:
        return Section(title, lines, "alert")
    production = [use for use in analysis.workloads if use.environment == "production"]
    unknown = sum(use.verdict.name == "unknown" for use in production)
    if not production:
        return Section(title, ("No production workload held a GPU.",))
    doubt = f" {unknown} of them could not be judged." if unknown else ""
    return Section(title, (f"None of {counted(len(production), 'production workload')}.{doubt}",))


def _advice(analysis: Analysis, names: Names, only_flagged: bool) -> tuple[str, ...]:
    # These are of all workloads.
    savings = None if only_flagged else analysis.savings
    advised = [
        (names.full(use.workload.key), use.advice)
        for use in in_order(analysis.workloads)
        if is_flagged(use) or not only_flagged
    ]
    return advice_lines(advised, savings)


def _idle(use: WorkloadUse) -> str:
    if use.cost_usd is None:
        return "no price known"
    return f"{money(use.idle_cost_usd)} idle of {money(use.cost_usd)}"


def _totals(analysis: Analysis) -> tuple[str, ...]:
    totals = analysis.totals
    lines = []
    if analysis.workloads:
        held_by = counted(len(analysis.workloads), "workload")
        lines.append(
            f"{hours(totals.gpu_hours)} GPU-h allocated to {held_by},"
            f" {percent(totals.coverage)} of them measured"
        )
        lines.append(f"{money(totals.cost_usd)} cost, of which {money(totals.idle_cost_usd)} idle")
    if totals.unpriced_gpu_hours > 0:
        lines.append(
            f"{hours(totals.unpriced_gpu_hours)} GPU-h have no price: no dollar figure"
            " includes them"
        )
    if totals.unallocated_gpu_hours is None:
        lines.append("unallocated GPUs are not known: nothing told how many GPUs the nodes have")
    else:
        lines.append(
            f"{hours(totals.unallocated_gpu_hours)} GPU-h on GPUs that nobody asked for,"
            f" {money(totals.unallocated_cost_usd)}"
        )
    return tuple(lines)


def _flagged_totals(analysis: Analysis) -> tuple[str, ...]:
    flagged = [use for use in analysis.workloads if is_flagged(use)]
    if not flagged:
        return ()
    idle = sum(use.idle_cost_usd or 0 for use in flagged)
    cost = sum(use.cost_usd or 0 for use in flagged)
    held = sum(use.gpu_hours for use in flagged)
    lines = [
        f"{counted(len(flagged), 'production workload')} idle or underused:"
        f" {hours(held)} GPU-h, {money(cost)} cost, of which {money(idle)} idle"
    ]
    unpriced = sum(use.cost_usd is None for use in flagged)
    if unpriced:
        lines.append(f"{unpriced} of them without a price: no dollar figure includes them")
    return tuple(lines)


def _pools(analysis: Analysis, names: Names) -> tuple[str, ...]:
    pools = [pool for pool in analysis.pools if pool.unallocated_gpu_hours > 0]
    pools.sort(key=lambda pool: (-(pool.unallocated_cost_usd or 0), -pool.unallocated_gpu_hours))
    return tuple(
        f"{names.cluster(pool.cluster)}{pool_name(pool)}: {hours(pool.unallocated_gpu_hours)} of"
        f" {hours(pool.present_gpu_hours)} GPU-h, {money(pool.unallocated_cost_usd)}"
        for pool in pools
    )


def pool_name(pool: PoolUse) -> str:
    """What a class of node is called: pool, GPU, instance type, spot, price labels."""
    node = pool.node_class
    labels = [f"{key}={value}" for key, value in node.labels]
    details = [node.instance_type, "spot" if node.spot else "", *labels]
    text = ", ".join(detail for detail in (node.gpu_model, *details) if detail)
    return f"{node.pool} ({text})" if node.pool else text


def not_judged(analysis: Analysis, names: Names, only_production: bool = False) -> tuple[str, ...]:
    """Workloads without a verdict, each with the reason."""
    return tuple(
        f"{names.full(use.workload.key)}: {use.verdict.reason}"
        for use in in_order(analysis.workloads)
        if use.verdict.name == "unknown"
        and (use.environment == "production" or not only_production)
    )


def notice_lines(analysis: Analysis, names: Names) -> tuple[str, ...]:
    """What has to be known to trust the figures."""
    return tuple(dict.fromkeys(_sentence(notice, names) for notice in analysis.notices))


def _sentence(notice: Notice, names: Names) -> str:
    about = f"{notice.subject}: " if notice.subject and notice.subject not in notice.message else ""
    return f"{names.cluster(notice.cluster)}{about}{notice.message}"


def price_lines(prices: tuple[PriceUsed, ...]) -> tuple[str, ...]:
    """Each price with its source and date."""
    return tuple(dict.fromkeys(_price(price) for price in prices))


def _price(price: PriceUsed) -> str:
    where = f" on {price.instance_type}" if price.instance_type else ""
    spot = " spot" if price.spot else ""
    return (
        f"{price.gpu_model}{where}{spot}: ${price.usd_per_gpu_hour:,.3f},"
        f" {price.source}, {price.as_of or 'no date'}"
    )
