"""The table of workloads: what stands in each cell, and how cells share a line.

80 columns do not hold eleven figures side by side, so on a narrow screen some stand one above
the other; nothing that matters is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analyzer.analysis import WorkloadUse
from reports.sections import Names, is_flagged
from reports.text import UNKNOWN, hours, money, percent, visible

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

WIDE = 120
"""From here on every figure has a column of its own."""

GPU_WIDTH = 9
"""Of the GPU's column on a narrow screen: "A100 80GB" in one line, "H100 SXM 80GB" in two."""

MAX_CLUSTER = 20
MAX_GPU = 26
"""A GPU's name is cut in its middle beyond this, on a screen only."""

ENVIRONMENT = {"production": "prod", "staging": "stage", "development": "dev", "unknown": UNKNOWN}

VERDICT_STYLE = {
    "idle": "bold red",
    "underused": "bold yellow",
    "right-sized": "green",
    "saturated": "magenta",
    "unknown": "dim",
}

Columns = tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]

NARROW: Columns = (
    (("Workload",), ("name",)),
    (("Env",), ("env",)),
    (("GPUs now",), ("gpu",)),
    (("GPU-h", "cover"), ("hours", "cover")),
    (("Mean", "p95"), ("mean", "p95")),
    (("Cost", "idle"), ("cost", "idle")),
    (("Verdict",), ("verdict",)),
)
"""Header lines and the cells below them, one above the other."""

BROAD: Columns = (
    (("Workload",), ("name",)),
    (("Env",), ("env",)),
    (("GPUs now",), ("gpu",)),
    (("GPU-h",), ("hours",)),
    (("Mean",), ("mean",)),
    (("p95",), ("p95",)),
    (("Cover",), ("cover",)),
    (("Cost",), ("cost",)),
    (("Idle cost",), ("idle",)),
    (("Verdict",), ("verdict",)),
)

_LEFT = frozenset({"name", "env", "gpu", "verdict", "cluster"})


@dataclass(frozen=True, slots=True)
class Cells:
    """One workload as text, safe to print. ``name`` is in parts, the namespace first."""

    cluster: str
    name: tuple[str, ...]
    env: str
    gpu: str
    count: str
    hours: str
    mean: str
    p95: str
    cover: str
    cost: str
    idle: str
    verdict: str
    flagged: bool

    @classmethod
    def of(cls, use: WorkloadUse, names: Names) -> Cells:
        key = use.workload.key
        spread = use.utilisation
        return cls(
            cluster=visible(key.cluster) if names.several_clusters else "",
            name=tuple(visible(part) for part in names.parts(key)),
            env=ENVIRONMENT[use.environment],
            gpu=visible(use.gpu_model or UNKNOWN),
            count=_count(use),
            hours=hours(use.gpu_hours),
            mean=percent(spread.mean if spread else None),
            p95=percent(spread.p95 if spread else None),
            cover=percent(use.coverage),
            cost=money(use.cost_usd),
            idle=money(use.idle_cost_usd),
            verdict=use.verdict.name,
            flagged=is_flagged(use),
        )

    @property
    def figures(self) -> tuple[str, ...]:
        """What stands under a heading of its own in a pipe, after the GPU."""
        return (self.count, self.hours, self.mean, self.p95, self.cover, self.cost, self.idle)


def _count(use: WorkloadUse) -> str:
    """GPUs asked for now: replicas times GPUs a replica."""
    workload = use.workload
    if workload.exists is False:
        return "gone"
    if workload.replicas is None or workload.gpus_per_replica is None:
        return UNKNOWN
    return f"×{workload.replicas * workload.gpus_per_replica:,.4g}"


def pipe_lines(rows: list[Cells]) -> list[str]:
    """Header and one line a workload; columns are two or more spaces apart, and nothing is cut."""
    if not rows:
        return []
    head = ["WORKLOAD", "ENV", "GPU", "GPUS", "GPU-H", "MEAN", "P95", "COVER", "COST", "IDLE"]
    lines = [[*head, "VERDICT"]]
    lines += [["/".join(row.name), row.env, row.gpu, *row.figures, row.verdict] for row in rows]
    if any(row.cluster for row in rows):
        clusters = ["CLUSTER", *(row.cluster for row in rows)]
        lines = [[cluster, *line] for cluster, line in zip(clusters, lines, strict=True)]
    # Two spaces in a row separate columns, so none may stand inside a cell.
    cells = [[" ".join(cell.split()) or UNKNOWN for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]


def screen_table(rows: list[Cells], width: int) -> Table:
    """The table for a screen ``width`` columns wide, flagged workloads set apart at the top."""
    from rich import box  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    broad = width >= WIDE
    columns = BROAD if broad else NARROW
    if broad and any(row.cluster for row in rows):
        columns = ((("Cluster",), ("cluster",)), *columns)
    # Columns are two apart: one of padding, one where the box would draw its line.
    widths = _widths(rows, columns, width - 2 * (len(columns) - 1), broad)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for (titles, keys), column_width in zip(columns, widths, strict=True):
        table.add_column(
            "\n".join(titles),
            width=column_width,
            justify="left" if keys[0] in _LEFT else "right",
            overflow="fold",
        )
    flags = sum(row.flagged for row in rows)
    for number, row in enumerate(rows, 1):
        cells = (
            _cell(row, keys, column_width, broad)
            for (_, keys), column_width in zip(columns, widths, strict=True)
        )
        table.add_row(*cells, end_section=number == flags < len(rows))
    return table


def _widths(rows: list[Cells], columns: Columns, room: int, broad: bool) -> list[int]:
    """Columns as wide as their widest cell; names take what the others leave of ``room``."""
    from rich.cells import cell_len  # noqa: PLC0415

    limits = {"cluster": MAX_CLUSTER} if broad else {"gpu": GPU_WIDTH}
    widths = []
    for titles, keys in columns:
        texts = [*titles, *(_plain(row, key, broad) for row in rows for key in keys)]
        widest = max(map(cell_len, texts))
        widths.append(min(widest, limits.get(keys[0], widest)))
    at = [keys for _, keys in columns].index(("name",))
    left = room - sum(widths) + widths[at]
    widths[at] = max(min(widths[at], left), len("Workload"))
    return widths


def _plain(row: Cells, key: str, broad: bool) -> str:
    if key == "name":
        return "/".join(_name(row, broad))
    if key == "gpu":
        return f"{shorten(row.gpu, MAX_GPU)} {row.count}"
    return str(getattr(row, key))


def _name(row: Cells, broad: bool) -> tuple[str, ...]:
    return (row.cluster, *row.name) if row.cluster and not broad else row.name


def _cell(row: Cells, keys: tuple[str, ...], width: int, broad: bool) -> Text:
    from rich.text import Text  # noqa: PLC0415

    if keys == ("name",):
        return Text(fold_name(_name(row, broad), width), "bold" if row.flagged else "")
    if keys == ("cluster",):
        return Text(shorten(row.cluster, width))
    if keys == ("verdict",):
        return Text(row.verdict, VERDICT_STYLE[row.verdict])
    cell = Text()
    for number, key in enumerate(keys):
        style = "bold" if row.flagged and key in ("idle", "mean") else ""
        cell.append("\n" if number else "").append(_plain(row, key, broad), style)
    return cell


def fold_name(parts: tuple[str, ...], width: int) -> str:
    """The parts joined with ``/``, broken after a slash where a line is full; a part that fills
    more than a line keeps its beginning and its end."""
    from rich.cells import cell_len  # noqa: PLC0415

    lines = [""]
    for number, part in enumerate(parts):
        slash = "/" if number < len(parts) - 1 else ""
        piece = shorten(part, width - len(slash)) + slash
        if lines[-1] and cell_len(lines[-1] + piece) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(lines)


def shorten(text: str, width: int) -> str:
    """``text`` in at most ``width`` columns, cut in its middle: both ends tell names apart."""
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415

    if cell_len(text) <= width:
        return text
    head = set_cell_size(text, width // 2).rstrip()
    tail = set_cell_size(text[::-1], (width - 1) // 2)[::-1].lstrip()
    return f"{head}…{tail}"
