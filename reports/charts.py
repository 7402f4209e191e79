"""A workload's load over time, drawn: what was, what the replay makes of it, and what nobody
measured.

matplotlib is imported only when something is drawn: it takes a second. Whatever a person set for
their own drawings has no say here.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

import numpy as np

from analyzer.sizing.story import Story
from reports.drawing import plain
from reports.steps import Floats, edges_of, gaps, line, most, replicas, threshold
from reports.text import local, percent, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Form = Literal["png", "svg"]

FORMS: tuple[Form, ...] = ("png", "svg")

# Okabe and Ito's: apart for every kind of colour vision, and told by their dashes as well.
_BLUE, _VERMILION, _GREEN, _PURPLE, _BLACK = "#0072B2", "#D55E00", "#009E73", "#882255", "#333333"
_GAP: Any = {"facecolor": "#dddddd", "edgecolor": "none"}
_SIZE = (12.0, 8.0)
_DPI = 100
_TOP = 2.0
"""Of the KV cache: what would need more is cut off, and the legend says how much it was."""
_LONGEST_TITLE = 90

_NO_XML = re.compile("[\ufffe\uffff\U000e0000-\U000e0fff]")

_SETTINGS: Any = {
    "svg.fonttype": "none",  # text stays text: it can be searched, and any script has its font
    "svg.hashsalt": "gpu-thrift",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
}


def chart(story: Story, name: str, timezone: str, form: Form) -> bytes:
    """The picture as a file's content, 1200 by 800 pixels. ``name`` is what the workload is
    called, ``timezone`` whose clock the axis shows. The same story gives the same bytes."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    out = io.BytesIO()
    with plain(_SETTINGS):
        figure = Figure(figsize=_SIZE, dpi=_DPI, layout="constrained")
        kv, requests, work = figure.subplots(3, 1, sharex=True, height_ratios=(3, 2, 2))
        edges = edges_of(story.window)
        _cache(kv, story, edges)
        _requests(requests, story, edges)
        _work(work, story, edges)
        _clock(work, timezone)
        figure.suptitle(_title(story, name, timezone), x=0.01, ha="left", weight="bold")
        metadata = {"Date": None} if form == "svg" else {"Software": None}
        figure.savefig(out, format=form, metadata=metadata)
    return out.getvalue()


def _title(story: Story, name: str, timezone: str) -> str:
    shown = _NO_XML.sub("?", visible(name))
    if len(shown) > _LONGEST_TITLE:
        shown = f"{shown[: _LONGEST_TITLE // 2]}…{shown[-_LONGEST_TITLE // 2 :]}"
    start, end = (local(at, timezone) for at in (story.window.start, story.window.end))
    return f"{shown}\n{start} to {end} {timezone}"


def _cache(axes: Axes, story: Story, edges: Floats) -> None:
    axes.set_title("KV cache")
    gaps(axes, story.kv, edges, **_GAP)
    now = replicas(story.use.workload.replicas)
    if story.kv_then is not None:
        then = f"replayed on {replicas(story.then)}"
        peak = most(story.kv_then)
        if peak > _TOP:
            then += f" (up to {peak:.0%})"
        line(axes, story.kv_then, edges, color=_VERMILION, label=then, linewidth=1.0)
    line(axes, story.kv, edges, color=_BLUE, label=f"now, {now}", linewidth=1.0)
    for key, label, dashes in (
        ("saturated_at", "saturated above", "dotted"),
        ("kv_p95", "p95 to be below", "dashed"),
    ):
        at = threshold(story, key)
        if at is not None:
            axes.axhline(at, color=_BLACK, linestyle=dashes, label=f"{label} {percent(at)}")
    top = max(1.0, most(story.kv), 0.0 if story.kv_then is None else most(story.kv_then))
    _share(axes, "KV cache, fullest replica (%)", min(top, _TOP) * 1.03)


def _requests(axes: Axes, story: Story, edges: Floats) -> None:
    axes.set_title("Requests")
    gaps(axes, np.where(np.isfinite(story.running), story.running, story.waiting), edges, **_GAP)
    line(axes, story.running, edges, color=_GREEN, label="running", linewidth=1.0)
    line(axes, story.waiting, edges, color=_PURPLE, label="waiting", linewidth=1.6)
    axes.set_ylabel("Requests, all replicas")
    axes.set_ylim(0, max(1.0, most(story.running), most(story.waiting)) * 1.05)
    _legend(axes)


def _work(axes: Axes, story: Story, edges: Floats) -> None:
    axes.set_title("GPU work")
    gaps(axes, story.busy, edges, **_GAP)
    line(axes, story.busy, edges, color=_BLUE, label="share of time with work", linewidth=1.0)
    _share(axes, "GPU work (%)", 1.03)


def _share(axes: Axes, label: str, top: float) -> None:
    from matplotlib.ticker import PercentFormatter  # noqa: PLC0415

    axes.set_ylabel(label)
    axes.set_ylim(0, top)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    _legend(axes)


def _legend(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            ncols=5,
            frameon=False,
            borderaxespad=0.1,
            fontsize=9,
            columnspacing=1.5,
        )
    axes.grid(axis="y", color="#eeeeee")
    axes.set_axisbelow(True)


def _clock(axes: Axes, timezone: str) -> None:
    import matplotlib.dates  # noqa: PLC0415

    dates: Any = matplotlib.dates  # it has no types
    zone = ZoneInfo(timezone)
    locator = dates.AutoDateLocator(tz=zone, minticks=5, maxticks=10)
    formats = ["%Y", "%b %Y", "%a %d %b", "%H:%M", "%H:%M", "%H:%M"]
    at_zero = ["", "%Y", "%b %Y", "%a %d %b", "%H:%M", "%H:%M"]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(
        dates.ConciseDateFormatter(
            locator, tz=zone, formats=formats, zero_formats=at_zero, show_offset=False
        )
    )
    axes.set_xlabel(f"Local time ({timezone})")
