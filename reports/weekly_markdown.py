"""The weekly report as Markdown, for a wiki, a pull request or a mail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reports import digest_text as say
from reports.digest import Action, Digest
from reports.headline import about, headline, title
from reports.markdown import escape, workload_table
from reports.sections import Names, price_lines
from reports.text import cents, local, percent, sentence


def weekly_markdown(digest: Digest) -> str:
    """It reads well as text and rendered; all outside text is escaped."""
    names, analysis = Names(digest.analysis), digest.analysis
    made = local(analysis.generated_at, analysis.timezone)
    figures = [
        f"**{one.label}**: {one.value}{f' ({escape(one.note)})' if one.note else ''}"
        for one in headline(digest)
    ]
    blocks = [
        f"# {escape(title(digest))}",
        f"{escape(about(digest))}; made {made}. {escape(say.prices(digest))}",
        _listed(figures),
    ]
    for heading, lines in _sections(digest, names):
        blocks += [f"## {heading}", _listed(lines)]
    blocks += ["## Weeks", _weeks(digest), "## Workloads", workload_table(analysis, names)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _sections(digest: Digest, names: Names) -> list[tuple[str, list[str]]]:
    nights, zone = digest.nights, digest.analysis.timezone
    late = [f"late: {say.late(one, names, zone)}" for one in nights.late] if nights else []
    wrong = [say.not_done(one, names, zone) for one in nights.not_done] if nights else []
    together = say.together(digest)
    listed = (
        ("What to do", [*_actions(digest.actions, names), *([together] if together else [])]),
        ("Short of room", list(_actions(digest.needs, names))),
        ("Production, idle or underused", [say.flagged(one, names) for one in digest.flagged]),
        ("Sleep", [*say.sleeping(digest), *late, *(f"not done: {one}" for one in wrong)]),
        ("Asked for by nobody", [say.unallocated(one, names) for one in digest.unallocated]),
        ("Cost per million tokens", [say.model(one) for one in digest.models]),
        ("Predicted and realised", list(say.realised(digest.realised, names))),
        ("Not known", list(say.unknowns(digest, names))),
        ("Prices per GPU-hour", list(price_lines(digest.analysis.prices))),
    )
    return [(heading, [escape(line) for line in lines]) for heading, lines in listed if lines]


def _actions(actions: Iterable[Action], names: Names) -> Iterable[str]:
    for one in actions:
        advised = one.advised
        yield (
            f"{say.name_of(one.use, names)}: {say.what(one)}: {say.effect(advised)} "
            f"({advised.confidence.level} confidence). {sentence(advised.reason)}"
        )


def _weeks(digest: Digest) -> str:
    head = ("Week", "Known", "Cost", "Idle cost", "Asked for by nobody", "Coverage")
    rows = [
        (
            week.name,
            f"{week.hours:g} of {week.of_hours:g} h",
            cents(week.total.cost_usd if week.hours else None),
            cents(week.total.idle_cost_usd if week.hours else None),
            cents(week.unallocated_cost_usd),
            percent(week.coverage),
        )
        for week in (*digest.before, digest.this)
    ]
    return _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join(['---', *['---:'] * (len(head) - 1)])} |"]
    lines += [f"| {' | '.join(escape(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines)


def _listed(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
