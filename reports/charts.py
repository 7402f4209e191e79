"""A workload's load over time, drawn: what was, what the replay makes of it, and what nobody
measured.

matplotlib is imported only when something is drawn: it takes a second. Whatever a person set for
their own drawings has no say here.
"""

from __future__ import annotations

import io
import logging
import re
import warnings
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from analyzer.model import STEP_S, StepArray
from analyzer.sizing.story import Story
from reports.text import local, percent, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]
Form = Literal["png", "svg"]

FORMS: tuple[Form, ...] = ("png", "svg")

# Okabe and Ito's: apart for every kind of colour vision, and told by their dashes as well.
_BLUE, _VERMILION, _GREEN, _PURPLE, _BLACK = "#0072B2", "#D55E00", "#009E73", "#882255", "#333333"
_GAP = "#dddddd"
_SIZE = (12.0, 8.0)
_DPI = 100
_TOP = 2.0
"""Of the KV cache: what would need more is cut off, and the legend says how much it was."""
_LONGEST_TITLE = 90

_NO_XML = re.compile("[\ufffe\uffff\U000e0000-\U000e0fff]")

_SETTINGS: Any = {
    "text.parse_math": False,  # names come from outside, and may hold a $
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
    # What it says of fonts and caches is nothing that a person can act on.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    import matplotlib  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    out = io.BytesIO()
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        figure = Figure(figsize=_SIZE, dpi=_DPI, layout="constrained")
        kv, requests, work = figure.subplots(3, 1, sharex=True, height_ratios=(3, 2, 2))
        edges = _edges(story)
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


def _edges(story: Story) -> Floats:
    """Where steps begin and end, one more than there are steps, in days since 1970 as matplotlib
    counts them."""
    first = story.window.start.timestamp()
    return (first + STEP_S * np.arange(story.window.steps + 1, dtype=np.float64)) / 86_400


def _cache(axes: Axes, story: Story, edges: Floats) -> None:
    axes.set_title("KV cache")
    _gaps(axes, story.kv, edges)
    now = _replicas(story.use.workload.replicas)
    if story.kv_then is not None:
        then = f"replayed on {_replicas(story.then)}"
        most = _most(story.kv_then)
        if most > _TOP:
            then += f" (up to {most:.0%})"
        _line(axes, story.kv_then, edges, color=_VERMILION, label=then, linewidth=1.0)
    _line(axes, story.kv, edges, color=_BLUE, label=f"now, {now}", linewidth=1.0)
    for key, label, dashes in (
        ("saturated_at", "saturated above", "dotted"),
        ("kv_p95", "p95 to be below", "dashed"),
    ):
        at = _threshold(story, key)
        if at is not None:
            axes.axhline(at, color=_BLACK, linestyle=dashes, label=f"{label} {percent(at)}")
    top = max(1.0, _most(story.kv), 0.0 if story.kv_then is None else _most(story.kv_then))
    _share(axes, "KV cache, fullest replica (%)", min(top, _TOP) * 1.03)


def _requests(axes: Axes, story: Story, edges: Floats) -> None:
    axes.set_title("Requests")
    _gaps(axes, np.where(np.isfinite(story.running), story.running, story.waiting), edges)
    _line(axes, story.running, edges, color=_GREEN, label="running", linewidth=1.0)
    _line(axes, story.waiting, edges, color=_PURPLE, label="waiting", linewidth=1.6)
    axes.set_ylabel("Requests, all replicas")
    axes.set_ylim(0, max(1.0, _most(story.running), _most(story.waiting)) * 1.05)
    _legend(axes)


def _work(axes: Axes, story: Story, edges: Floats) -> None:
    axes.set_title("GPU work")
    _gaps(axes, story.busy, edges)
    _line(axes, story.busy, edges, color=_BLUE, label="share of time with work", linewidth=1.0)
    _share(axes, "GPU work (%)", 1.03)


def _line(axes: Axes, values: StepArray, edges: Floats, **look: Any) -> None:
    """Steps, and nothing at all where a value is not known: a step alone is still seen."""
    shown = np.where(np.isfinite(values), values, np.nan)
    if np.isfinite(shown).any():
        axes.stairs(shown, edges, baseline=None, **look)


def _gaps(axes: Axes, values: StepArray, edges: Floats) -> None:
    """Shades what was not measured."""
    unknown = np.concatenate(([False], ~np.isfinite(values), [False]))
    borders = np.flatnonzero(unknown[1:] != unknown[:-1])
    spans = [(edges[a], edges[b] - edges[a]) for a, b in borders.reshape(-1, 2)]
    if spans:
        axes.broken_barh(
            spans,
            (0, 1),
            transform=axes.get_xaxis_transform(),
            facecolor=_GAP,
            edgecolor="none",
            label="not measured",
            zorder=0,
        )
    axes.set_xlim(edges[0], edges[-1])


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


def _threshold(story: Story, key: str) -> float | None:
    """The threshold of the last part of a configuration key, None where it had no say."""
    found = (value for name, value in story.thresholds.items() if name.split(".")[-1] == key)
    value = next(found, None)
    return float(value) if isinstance(value, int | float) and np.isfinite(value) else None


def _replicas(number: int | None) -> str:
    if number is None:
        return "replicas not known"
    return f"{number:,} replica{'' if number == 1 else 's'}"


def _most(values: StepArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.max()) if known.size else 0.0
