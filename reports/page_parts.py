"""The tables of the page of the weekly report, as cells. Pure.

Sentences come from the words that all media share; here are labels, and which cell is a figure.
A list is cut where its rest is in the table of all workloads.
"""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.advice import Recommendation
from analyzer.followed import Followed
from analyzer.model import WorkloadKey
from reports import digest_text
from reports.advice_text import change
from reports.digest import Digest
from reports.links import anchor
from reports.plain import FRACTION, HOURS, RATE, USD, number
from reports.sections import Names, pool_name
from reports.text import cents, hours, local, per_million, percent

LISTED = 12
"""Rows of a list of workloads: more is not read, and all of them are further down."""

MOST = 50
"""Rows of any other list."""

IN_TABLE = ", in the table of all workloads"

Figures = tuple[tuple[str, float | None], ...]
"""Dollars that a sentence holds, each with its key, in the order in which it holds them."""


@dataclass(frozen=True, slots=True)
class Cell:
    """``key`` is the figure's name in the JSON document and ``value`` the number as it has it,
    empty where it is not known; a cell without ``key`` is text. ``at`` is a workload's place."""

    text: str
    key: str = ""
    value: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """``heads`` names the columns and ``figures`` those with numbers; the first cell of a row
    names it. ``more`` says what is left out."""

    caption: str
    heads: tuple[str, ...]
    figures: frozenset[str]
    rows: tuple[tuple[Cell, ...], ...]
    more: str = ""


def usd(key: str, dollars: float | None) -> Cell:
    return Cell(cents(dollars), key, plain(dollars, USD))


def plain(value: float | None, places: int) -> str:
    """A number as the JSON document has it; empty where it is not known."""
    rounded = number(value, places)
    return "" if rounded is None else f"{rounded:.{places}f}"


def share(key: str, part: float | None) -> Cell:
    return Cell(percent(part), key, plain(part, FRACTION))


def gpu_hours(key: str, amount: float | None) -> Cell:
    return Cell(hours(amount), key, plain(amount, HOURS))


def place(key: WorkloadKey, names: Names) -> Cell:
    """A workload as it is called, with its place on the page."""
    return Cell(names.full(key), at=anchor(key))


def worths(advised: Recommendation) -> Figures:
    """The dollars in the sentence of what advice frees. Where it takes GPUs that cost what they are
    worth, the sentence has them once, as what the bill rises by."""
    saving = advised.saving
    worth, saves = saving.worth_usd_per_month, saving.usd_per_month
    once = saving.gpu_hours_per_week < 0 and worth == saves
    bill = ("saves_usd_per_month", saves)
    return (bill,) if once else (("worth_usd_per_month", worth), bill)


def savings_figures(digest: Digest) -> Figures:
    """The dollars in the sentence of what all advice frees together."""
    found = digest.analysis.savings
    if found is None:
        return ()
    return (
        ("savings.worth_usd_per_month", found.worth_usd_per_month),
        ("savings.saves_usd_per_month", found.usd_per_month),
    )


def sleeping(digest: Digest) -> tuple[tuple[str, Figures], ...]:
    """The sentences of what slept, each with the dollars that it holds."""
    nights = digest.nights
    left = nights.left if nights else None
    dollars: tuple[Figures, ...] = (
        (),
        (("week.nights.usd", nights.usd if nights else None),),
        (("week.nights.left.usd", left.usd if left else None),),
    )
    return tuple(zip(digest_text.sleeping(digest), dollars, strict=False))


def late(digest: Digest, names: Names) -> tuple[str, ...]:
    zone = digest.analysis.timezone
    return (
        tuple(digest_text.late(one, names, zone) for one in digest.nights.late)
        if digest.nights
        else ()
    )


def not_done(digest: Digest, names: Names) -> tuple[str, ...]:
    zone = digest.analysis.timezone
    return (
        tuple(digest_text.not_done(one, names, zone) for one in digest.nights.not_done)
        if digest.nights
        else ()
    )


def flagged(digest: Digest, names: Names) -> Table:
    rows = tuple(
        (
            place(use.workload.key, names),
            Cell(f"{use.verdict.name}: {use.verdict.reason}"),
            usd("idle_cost_usd", use.idle_cost_usd),
            usd("cost_usd", use.cost_usd),
            share("coverage", use.coverage),
        )
        for use in digest.flagged[:LISTED]
    )
    return Table(
        "Production that holds more GPUs than it needs, by idle dollars",
        ("Workload", "Why", "Idle", "Cost", "Measured"),
        frozenset({"Idle", "Cost", "Measured"}),
        rows,
        _more(len(digest.flagged) - LISTED, IN_TABLE),
    )


def unallocated(digest: Digest, names: Names) -> Table:
    rows = tuple(
        (
            Cell(f"{names.cluster(pool.cluster)}{pool_name(pool)}"),
            gpu_hours("unallocated_gpu_hours", pool.unallocated_gpu_hours),
            gpu_hours("present_gpu_hours", pool.present_gpu_hours),
            usd("unallocated_cost_usd", pool.unallocated_cost_usd),
        )
        for pool in digest.unallocated[:MOST]
    )
    return Table(
        "GPUs that were there and no workload asked for",
        ("Nodes", "Free GPU-h", "of GPU-h", "Cost"),
        frozenset({"Free GPU-h", "of GPU-h", "Cost"}),
        rows,
        _more(len(digest.unallocated) - MOST),
    )


def models(digest: Digest) -> Table:
    rows = tuple(
        (
            Cell(one.model),
            Cell(
                per_million(one.usd_per_million_tokens),
                "usd_per_million_tokens",
                plain(one.usd_per_million_tokens, RATE),
            ),
            Cell(f"{one.tokens / 1e6:,.1f}", "tokens", plain(one.tokens, 0)),
            usd("cost_usd", one.cost_usd),
            Cell(
                f"{one.workloads:,}{f', {one.uncounted:,} uncounted' if one.uncounted else ''}",
            ),
            share("coverage", one.coverage),
        )
        for one in digest.models[:MOST]
    )
    return Table(
        "What a million tokens cost, prompt and generation together",
        ("Model", "Cost a million", "Million tokens", "Cost", "Workloads", "Heard"),
        frozenset({"Cost a million", "Million tokens", "Cost", "Workloads", "Heard"}),
        rows,
        _more(len(digest.models) - MOST),
    )


def realised(digest: Digest, names: Names) -> Table:
    entries = digest.realised.entries if digest.realised else ()
    return Table(
        "Advice that was followed, the latest first; dollars a month",
        ("Workload", "Followed", "Predicted", "Realised", "Seen"),
        frozenset({"Predicted", "Realised", "Seen"}),
        tuple(_followed(one, digest, names) for one in entries[:MOST]),
        _more(len(entries) - MOST),
    )


def realised_figures(digest: Digest) -> Figures:
    found = digest.realised
    if found is None or not found.counted:
        return ()
    return (
        ("week.realised.realised_usd_per_month", found.realised_usd_per_month),
        ("week.realised.predicted_usd_per_month", found.predicted_usd_per_month),
    )


def _followed(one: Followed, digest: Digest, names: Names) -> tuple[Cell, ...]:
    accepted = one.accepted
    brought = accepted.usd_per_month if accepted else None
    cell = usd("realised_usd_per_month", brought)
    if brought is None:
        cell = Cell((accepted.note if accepted else "") or "not yet", cell.key)
    return (
        # What was removed by it has no place any more.
        place(one.key, names) if one.key in digest.hours else Cell(names.full(one.key)),
        Cell(change(one)),
        usd("predicted_usd_per_month", one.predicted.worth_usd_per_month),
        cell,
        Cell(local(accepted.at, digest.analysis.timezone)[:10] if accepted else ""),
    )


def _more(rest: int, where: str = "") -> str:
    return f"And {rest:,} more{where}." if rest > 0 else ""
