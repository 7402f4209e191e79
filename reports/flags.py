"""The message about flags that appeared, worsened or cleared: one a day at most, the dearest first.

Slack's limits (50 blocks, 3,000 characters a section) are kept by showing few and short lines.
https://docs.slack.dev/reference/block-kit/blocks/section-block
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from analyzer.analysis import Analysis
from analyzer.flags import FlagChange
from reports.mrkdwn import code, cut, escaped
from reports.plan import name_of
from reports.text import counted, money

SHOWN = 20
"""Changes that are listed; the rest is counted."""

_LONGEST = 400
"""Characters of a reason."""

_WORDS = {"appeared": "Underused", "worsened": "Worse", "cleared": "Well again"}

Block = Mapping[str, Any]


def flags_message(
    changes: Sequence[FlagChange], analysis: Analysis, span: timedelta
) -> tuple[str, tuple[Block, ...]]:
    """The message as plain text and as Block Kit blocks, which say the same."""
    title = _title(changes)
    clusters = len(analysis.clusters) > 1
    lines = [_line(change, clusters) for change in changes[:SHOWN]]
    more = len(changes) - len(lines)
    if more:
        lines.append(f"and {more:,} more; `gpu-thrift flag` lists all")
    note = f"Production GPUs over the last {_span(span)}. {_prices(analysis)}".strip()
    text = "\n".join([title, *(f"\u2022 {line}" for line in lines), note])
    blocks = (
        _section(f"*{title}*"),
        *(_section(line) for line in lines),
        {"type": "context", "elements": [_markup(cut(note, 2000))]},
    )
    return text, blocks


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
        usd = f": {least}{money(sum(known))} a week for idle GPUs" if known else ""
        parts.append(f"{counted(len(bad), 'production deployment')} underused{usd}")
    if well:
        parts.append(f"{counted(well, 'production deployment')} well again")
    return "; ".join(parts)


def _line(change: FlagChange, clusters: bool) -> str:
    name = code(name_of(change.key, clusters))
    usd = "" if change.usd_per_week is None else f", {money(change.usd_per_week)} a week idle"
    team = f" ({cut(escaped(change.team), 80)})" if change.team else ""
    reason = cut(escaped(change.reason), _LONGEST)
    since = f"; since {change.since:%Y-%m-%d}" if change.what != "appeared" else ""
    return f"{_WORDS[change.what]}: {name}{team}{usd}: {reason}{since}"


def _section(text: str) -> Block:
    return {"type": "section", "text": _markup(text)}


def _markup(text: str) -> Block:
    # Not verbatim, Slack would look for addresses and mentions that are no markup.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _prices(analysis: Analysis) -> str:
    dates = sorted(str(one.as_of) for one in analysis.prices if one.as_of is not None)
    sources = ", ".join(sorted({one.source for one in analysis.prices}))
    if not sources:
        return ""
    as_of = f" as of {dates[0]}" if dates else ", undated"
    return f"Prices: {escaped(sources)}{as_of}."
