"""The analysis as Markdown, for a pull request, a wiki or a mail."""

from __future__ import annotations

import re
from collections.abc import Callable

from analyzer.analysis import Analysis, WorkloadUse
from reports.sections import Names, in_order, period, price_basis, sections
from reports.text import UNKNOWN, cents, hours, money, percent, visible

_SPECIAL = re.compile(r"[\\`*_\[\]<>|~#@$]|&(?=#?\w+;)|:(?=//)|(?<=www)\.|!(?=\[)", re.IGNORECASE)
"""What could open markup, a link, a mention, a formula or a cell. Hyphens and dots stay: names
are full of them, and inside a line they mean nothing."""

_HEADER = (
    ("Workload", False),
    ("Environment", False),
    ("GPU", False),
    ("GPU-h", True),
    ("Mean", True),
    ("p95", True),
    ("Coverage", True),
    ("Cost", True),
    ("Idle cost", True),
    ("Verdict", False),
)


def to_markdown(analysis: Analysis) -> str:
    """A report that reads well as text and rendered; all outside text is escaped."""
    names = Names(analysis)
    intro = f"{period(analysis)}."
    if analysis.workloads or analysis.prices:
        intro += f" {price_basis(analysis)}"
    blocks = ["# GPU use", escape(intro)]
    for section in sections(analysis):
        blocks.append(f"## {section.title}")
        blocks.append("\n".join(f"- {escape(line)}" for line in section.lines))
        if section.title == "Totals":
            blocks += ["## Workloads", workload_table(analysis, names, money)]
    return "\n\n".join(blocks) + "\n"


def escape(text: str) -> str:
    """``text`` that renders as itself anywhere inside a line of Markdown."""
    return _SPECIAL.sub(lambda found: f"\\{found.group()}", visible(text))


def workload_table(
    analysis: Analysis, names: Names, dollars: Callable[[float | None], str] = cents
) -> str:
    """A row a workload; ``dollars`` writes money."""
    if not analysis.workloads:
        return "No workload asked for a GPU in this window."
    lines = [
        "| " + " | ".join(title for title, _ in _HEADER) + " |",
        "| " + " | ".join("---:" if right else "---" for _, right in _HEADER) + " |",
    ]
    lines += [
        "| " + " | ".join(_row(use, names, dollars)) + " |" for use in in_order(analysis.workloads)
    ]
    return "\n".join(lines)


def _row(use: WorkloadUse, names: Names, dollars: Callable[[float | None], str]) -> list[str]:
    spread = use.utilisation
    return [
        escape(names.full(use.workload.key)),
        use.environment,
        escape(use.gpu_model or UNKNOWN),
        hours(use.gpu_hours),
        percent(spread.mean if spread else None),
        percent(spread.p95 if spread else None),
        percent(use.coverage),
        dollars(use.cost_usd),
        dollars(use.idle_cost_usd),
        use.verdict.name,
    ]
