"""Queries as PromQL text. Pure, so that what is asked can be read in a test.

A range is written one millisecond short. Prometheus 2 takes both ends of a range in, Prometheus 3
and VictoriaMetrics leave out the older one; samples carry whole milliseconds, so the shorter range
counts a sample on a boundary once, in the step that ends there, on all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from analyzer.collect.store import Matcher, Over, Query

FUNCTIONS: dict[Over, str] = {
    "avg": "avg_over_time",
    "count": "count_over_time",
    "max": "max_over_time",
    "last": "last_over_time",
    "increase": "increase",
}

_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def render(query: Query, span_s: int, extra: Sequence[Matcher] = ()) -> str:
    """The query over ``span_s`` seconds, with ``extra`` conditions added to its own.

    A metric that starts with ``~`` is a regex on the name. Servers refuse one that matches
    several names with equal labels, because folding drops the name; ``render_names`` does not
    have that trouble.
    """
    return _across(query, _fold(FUNCTIONS[query.over], query.metric, span_s, query.where, extra))


def render_names(
    query: Query, names: Iterable[str], span_s: int, extra: Sequence[Matcher] = ()
) -> str:
    """The query over every one of ``names`` in place of its metric.

    Of two series that differ in nothing but the name, the first name's is taken: after a rename
    they are the same thing, and must not be counted twice.
    """
    return _across(query, fold_names(FUNCTIONS[query.over], query, names, span_s, extra))


def fold_names(
    function: str, query: Query, names: Iterable[str], span_s: int, extra: Sequence[Matcher] = ()
) -> str:
    """As ``render_names``, but one result a series: nothing is merged."""
    return " or ".join(_fold(function, name, span_s, query.where, extra) for name in names)


def selector(metric: str, matchers: Iterable[Matcher]) -> str:
    """An instant selector: ``name{label="value"}``, or ``{__name__=~"regex"}`` for ``~regex``."""
    conditions = [f"{_label(m.label)}{m.op}{quoted(m.value)}" for m in matchers]
    if metric.startswith("~"):
        conditions.insert(0, f"__name__=~{quoted(metric[1:])}")
    elif not _METRIC.fullmatch(metric):
        conditions.insert(0, f"__name__={quoted(metric)}")
    else:
        return metric + ("{" + ",".join(conditions) + "}" if conditions else "")
    return "{" + ",".join(conditions) + "}"


def quoted(text: str) -> str:
    """A PromQL string literal."""
    return f'"{text.translate(_ESCAPES)}"'


def _fold(
    function: str, metric: str, span_s: int, where: Sequence[Matcher], extra: Sequence[Matcher]
) -> str:
    return f"{function}({selector(metric, (*where, *extra))}[{span_s * 1000 - 1}ms])"


def _across(query: Query, folded: str) -> str:
    by = f" by ({', '.join(map(_label, query.by))}) " if query.by else ""
    merged = f"{query.across}{by}({folded})"
    if not query.summed:
        return merged
    return f"sum without ({', '.join(map(_label, query.summed))}) ({merged})"


def _label(name: str) -> str:
    """Prometheus 3 has label names of any text, which it wants quoted."""
    return name if _LABEL.fullmatch(name) else quoted(name)
