"""The picture of the first recommendation: the KV cache as it was and as replayed on other
replicas, else how much of the GPUs' time was at work and how much is left."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from analyzer.advice import Trial
from analyzer.model import STEP_S, StepArray, Window
from analyzer.sizing.story import Story
from reports.drawing import (
    HEIGHT,
    MARGIN,
    TITLE,
    WIDTH,
    Sketch,
    Theme,
    fitted,
    place,
    shortened,
    write,
)
from reports.steps import Floats, edges_of, gaps, line, most, replicas, threshold
from reports.text import UNKNOWN, percent, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CUT = 2.0
"""Of the KV cache: what would need more is cut off, and the key says how much it was."""
_STEPS_AN_HOUR = 3600 // STEP_S
_NAME = 120
_LONGEST_DAYS = 8
"""A window of more days than this has a tick at some of them."""


def sketch(story: Story, name: str, timezone: str) -> Sketch | None:
    """None where nothing was measured that could be drawn."""
    trials = _trials(story)
    if trials is not None:
        return _cache(story, name, timezone, trials)
    return _work(story, name, timezone) if np.isfinite(story.busy).any() else None


def _trials(story: Story) -> tuple[Trial, Trial] | None:
    """The replay of what is advised, now and then. One that was only tried says nothing of it."""
    plan = story.use.advice.plan
    if plan is None or plan.replay is None or story.kv_then is None or plan.after != story.then:
        return None
    now = plan.replay.trials[0]
    then = next((one for one in plan.replay.trials if one.replicas == story.then), None)
    return None if then is None else (now, then)


def _cache(story: Story, name: str, timezone: str, trials: tuple[Trial, Trial]) -> Sketch:
    now, then = trials
    shown = shortened(visible(name), _NAME)
    text = f"The week of {shown} replayed on {replicas(then.replicas)} instead of {now.replicas:,}"
    text += f": p95 of the fullest replica's KV cache is {percent(now.kv_p95)} now and "
    text += f"{percent(then.kv_p95)} then"
    limit = threshold(story, "kv_p95")
    assert story.kv_then is not None  # noqa: S101 - there are trials of it
    return Sketch(
        "replay",
        f"Replay on {replicas(then.replicas)}: {shown}",
        text + (f", to be below {percent(limit)}." if limit is not None else "."),
        partial(_draw_cache, story, name, timezone, trials),
        ("Day", "KV cache now, highest", f"On {replicas(then.replicas)}, highest", "Not measured"),
        tuple(
            (day, _top(story.kv[part]), _top(story.kv_then[part]), _missing(story.kv[part]))
            for day, part in _days(story.window, timezone)
        ),
    )


def _work(story: Story, name: str, timezone: str) -> Sketch:
    shown = shortened(visible(name), _NAME)
    mean = _average(story)
    top = most(_hourly(story.busy))
    return Sketch(
        "replay",
        f"GPU work: {shown}",
        f"GPU work of {shown}: {percent(mean)} of the measured time on average, "
        f"{percent(1 - mean)} left; {percent(top)} in the busiest hour.",
        partial(_draw_work, story, name, timezone),
        ("Day", "GPU work, mean", "Left", "Not measured"),
        tuple(
            (day, _mean(story.busy[part]), _left(story.busy[part]), _missing(story.busy[part]))
            for day, part in _days(story.window, timezone)
        ),
    )


def _average(story: Story) -> float:
    """The part of the measured time with work, as it is told elsewhere."""
    use = story.use.utilisation
    return float(np.nanmean(story.busy)) if use is None else use.mean


def _draw_cache(
    story: Story,
    name: str,
    timezone: str,
    trials: tuple[Trial, Trial],
    figure: Figure,
    theme: Theme,
) -> None:
    assert story.kv_then is not None  # noqa: S101 - asked by the caller
    edges = edges_of(story.window)
    now, then = (percent(one.kv_p95) for one in trials)
    axes = _frame(figure, name, f"KV cache of the fullest replica: p95 {now} now, {then} then")
    gaps(axes, story.kv, edges, **_hatched(theme))
    told = f"on {replicas(story.then)}"
    top = most(story.kv_then)
    if top > _CUT:
        told += f" (up to {top:.0%})"
    line(axes, story.kv, edges, color=theme.now, linewidth=4, label=f"now, {_now(story)}")
    line(axes, story.kv_then, edges, color=theme.then, linewidth=2.5, label=told)
    for key, label, style in (
        ("kv_p95", "p95 limit", "dashed"),
        ("saturated_at", "saturated", "dotted"),
    ):
        at = threshold(story, key)
        if at is not None:
            axes.axhline(
                at, color=theme.text, linestyle=style, linewidth=4, label=f"{label} {percent(at)}"
            )
    _share(axes, min(max(1.0, most(story.kv), top), _CUT))
    _clock(figure, axes, story.window, timezone)
    _legend(figure, axes)


def _draw_work(story: Story, name: str, timezone: str, figure: Figure, theme: Theme) -> None:
    mean = _average(story)
    told = f"GPU work: {percent(mean)} of the time on average, {percent(1 - mean)} left"
    axes = _frame(figure, name, told)
    busy = _hourly(story.busy)
    edges = edges_of(story.window)
    hours = edges[0] + np.arange(busy.size + 1) / 24
    hours[-1] = edges[-1]
    gaps(axes, busy, hours, **_hatched(theme))
    axes.stairs(
        np.where(np.isfinite(busy), 1.0, np.nan),
        hours,
        baseline=0,
        fill=True,
        color=theme.pale(theme.now),
        label="left",
    )
    axes.stairs(busy, hours, baseline=0, fill=True, color=theme.now, label="at work")
    _share(axes, 1.0)
    _clock(figure, axes, story.window, timezone)
    _legend(figure, axes)


def _frame(figure: Figure, name: str, what: str) -> Axes:
    write(figure, name or what, (MARGIN, 22), TITLE)
    write(figure, what, (MARGIN, 74))
    return place(figure, 120, 205, WIDTH - MARGIN, 580)


def _hatched(theme: Theme) -> dict[str, object]:
    return {"facecolor": theme.ground, "edgecolor": theme.gap, "hatch": "//", "linewidth": 0}


def _now(story: Story) -> str:
    return replicas(story.use.workload.replicas)


def _share(axes: Axes, top: float) -> None:
    axes.set_ylim(0, top * 1.03)
    axes.set_yticks(np.arange(0, top + 0.01, 0.5))
    axes.yaxis.set_major_formatter(lambda at, _: percent(at))
    axes.grid(axis="y")


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="upper left",
        bbox_to_anchor=(MARGIN / WIDTH, 1 - 112 / HEIGHT),
        ncols=3,
        frameon=False,
        borderpad=0,
        borderaxespad=0,
        labelspacing=0.2,
        handlelength=1.4,
        handletextpad=0.4,
        columnspacing=1.0,
    )


def _clock(figure: Figure, axes: Axes, window: Window, timezone: str) -> None:
    """Days by name, between marks at their midnights."""
    starts = [at for at in _midnights(window, timezone) if window.start <= at < window.end]
    every = -(-len(starts) // _LONGEST_DAYS)
    axes.set_xticks([_days_since(at) for at in starts])
    axes.tick_params(axis="x", length=12)
    axes.set_xticklabels(
        [f"{at:%a} {at.day}" if n % every == 0 else "" for n, at in enumerate(starts)], ha="left"
    )
    write(figure, fitted(figure, f"Local time ({timezone})", 1000), (120, 632))


def _midnights(window: Window, timezone: str) -> list[datetime]:
    zone = ZoneInfo(timezone)
    day = window.start.astimezone(zone).date()
    found = []
    while (at := datetime(day.year, day.month, day.day, tzinfo=zone)) < window.end:
        found.append(at)
        day += timedelta(days=1)
    return found


def _days(window: Window, timezone: str) -> Iterator[tuple[str, slice]]:
    """Each local day with its steps."""
    begins = _midnights(window, timezone)
    steps = [max(0, round((at.timestamp() - window.start.timestamp()) / STEP_S)) for at in begins]
    for at, first, last in zip(begins, steps, [*steps[1:], window.steps], strict=True):
        yield f"{at:%a %Y-%m-%d}", slice(first, last)


def _days_since(at: datetime) -> float:
    return at.timestamp() / 86_400


def _hourly(values: StepArray) -> Floats:
    """The mean of what is known in each hour."""
    rest = -values.size % _STEPS_AN_HOUR
    parts = np.pad(values.astype(np.float64), (0, rest), constant_values=np.nan)
    parts = parts.reshape(-1, _STEPS_AN_HOUR)
    known = np.isfinite(parts)
    sums, counts = np.where(known, parts, 0.0).sum(axis=1), known.sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _top(values: StepArray) -> str:
    return percent(most(values)) if np.isfinite(values).any() else UNKNOWN


def _mean(values: StepArray) -> str:
    known = values[np.isfinite(values)]
    return percent(float(known.mean())) if known.size else UNKNOWN


def _left(values: StepArray) -> str:
    known = values[np.isfinite(values)]
    return percent(1 - float(known.mean())) if known.size else UNKNOWN


def _missing(values: StepArray) -> str:
    return f"{float((~np.isfinite(values)).sum()) * STEP_S / 3600:,.1f} h"
