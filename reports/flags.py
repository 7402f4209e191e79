"""The message about flags that appeared, worsened or cleared, the dearest first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from analyzer.analysis import Analysis
from analyzer.flags import FlagChange
from reports.blocks import Message, context, message, sections
from reports.mrkdwn import escaped
from reports.plan import name_of
from reports.text import cents, counted, middle

SHOWN = 20
"""Changes that are listed; the rest is counted."""

_NAME, _TEAM, _REASON, _SOURCES = 90, 60, 200, 300
"""Longest name of a workload, name of a team, reason, and sources of prices, in characters before
they are escaped: so long that all that is listed fits into one message."""

_REST = "`gpu-thrift flag` lists all"

_WORDS = {"appeared": "Underused", "worsened": "Worse", "cleared": "Well again"}


def flags_message(changes: Sequence[FlagChange], analysis: Analysis, span: timedelta) -> Message:
    """The message, whose text and blocks say the same."""
    title = _title(changes)
    clusters = len(analysis.clusters) > 1
    lines = [f"• {_line(change, clusters)}" for change in changes[:SHOWN]]
    more = len(changes) - len(lines)
    if more:
        lines.append(f"and {more:,} more; {_REST}")
    note = f"Production GPUs over the last {_span(span)}. {_prices(analysis)}".strip()
    blocks = [*sections([f"*{title}*", *lines]), context([note])]
    return message([title, *lines, note], blocks, _REST)


def _span(span: timedelta) -> str:
    days, rest = divmod(span, timedelta(days=1))
    return f"{span / timedelta(hours=1):g} hours" if rest or days < 2 else f"{days} days"


def _title(changes: Sequence[FlagChange]) -> str:
    bad = [change for change in changes if change.what != "cleared"]
    well = len(changes) - len(bad)
    known = [change.usd_per_week for change in bad if change.usd_per_week is not None]
    parts = []
    if bad:
        least = "at least " if 0 < len(known) < len(bad) else ""
        usd = f": {least}{cents(sum(known))} a week for idle GPUs" if known else ""
        parts.append(f"{counted(len(bad), 'production deployment')} underused{usd}")
    if well:
        parts.append(f"{counted(well, 'production deployment')} well again")
    return "; ".join(parts) or "No flag changed"


def _line(change: FlagChange, clusters: bool) -> str:
    name = escaped(middle(name_of(change.key, clusters), _NAME))
    usd = "" if change.usd_per_week is None else f", {cents(change.usd_per_week)} a week idle"
    team = f" ({escaped(change.team, _TEAM)})" if change.team else ""
    since = f"; since {change.since:%Y-%m-%d}" if change.what != "appeared" else ""
    reason = escaped(change.reason, _REASON)
    return f"{_WORDS[change.what]}: {name}{team}{usd}: {reason}{since}"


def _prices(analysis: Analysis) -> str:
    dates = sorted(str(one.as_of) for one in analysis.prices if one.as_of is not None)
    sources = ", ".join(sorted({one.source for one in analysis.prices}))
    if not sources:
        return ""
    as_of = f" as of {dates[0]}" if dates else ", undated"
    return f"Prices: {escaped(sources, _SOURCES)}{as_of}."
