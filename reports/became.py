"""What became of the advice for one workload: its entries in the ledger, as lines."""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.followed import Accepted, Followed
from reports.advice_text import bill, change, freed, instead
from reports.sections import Section
from reports.text import hours, local, money

TITLE = "What became of it"


def became(entries: Sequence[Followed], timezone: str) -> Section:
    """The latest entry first; times are on the clock of ``timezone``, an IANA name."""
    latest = sorted(entries, key=lambda one: (one.last_seen, one.first_seen), reverse=True)
    return Section(TITLE, tuple(line for one in latest for line in _entry(one, timezone)))


def not_known(why: str) -> Section:
    """In place of the entries, when the ledger that may have them cannot be read."""
    return Section(TITLE, (f"the ledger could not be read: {why}",))


def _entry(one: Followed, timezone: str) -> list[str]:
    first, last = local(one.first_seen, timezone), local(one.last_seen, timezone)
    lines = [
        f"{change(one)}: {_state(one, timezone)}",
        f"- given from {first} to {last}{'' if one.plan else ', as an alternative'}",
        f"- predicted: {freed(one.predicted)}; {bill(one.predicted, instead(one))}",
    ]
    return [*lines, f"- realised: {_realised(one.accepted)}"] if one.accepted else lines


def _state(one: Followed, timezone: str) -> str:
    until = f", until {local(one.snoozed_until, timezone)}" if one.snoozed_until else ""
    return f"{one.state} since {local(one.state_since, timezone)}{until}"


def _realised(accepted: Accepted) -> str:
    amount, usd = accepted.gpu_hours_per_week, accepted.usd_per_month
    if amount is None:
        return accepted.note or "not measured yet"
    said = f"{hours(abs(amount))} GPU-h a week {_less(amount)}"
    if usd is None:
        return f"{said}, in dollars not known{f': {accepted.note}' if accepted.note else ''}"
    return f"{said}, {money(abs(usd))} a month {_less(usd)}"


def _less(amount: float) -> str:
    return "less" if amount >= 0 else "more"
