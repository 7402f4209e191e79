"""The picture of the first recommendation: the KV cache as it was and as replayed on other
replicas, else how much of the GPUs' time was at work and how much is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
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
_LONGEST_NAME = 120
_LEFT = 120
_LONGEST_DAYS = 8
"""A window of more days than this has a tick at some of them."""


@dataclass(frozen=True, eq=False, slots=True)
class _Named:
    """A story, what its workload is called, and whose clock is shown."""

    story: Story
    name: str
    timezone: str

    @property
    def shown(self) -> str:
        return shortened(visible(self.name), _LONGEST_NAME) or "the workload"

    def days(self) -> Iterator[tuple[str, slice]]:
        """Each local day with its steps."""
        window = self.story.window
        begins = _midnights(window, self.timezone)
        past = [at.timestamp() - window.start.timestamp() for at in begins]
        steps = [max(0, round(seconds / STEP_S)) for seconds in past]
        for at, first, last in zip(begins, steps, [*steps[1:], window.steps], strict=True):
            yield f"{at:%a %Y-%m-%d}", slice(first, last)


@dataclass(frozen=True, eq=False, slots=True)
class _Replayed:
    """The KV cache (0-1, by step) had there been other replicas, and the two trials."""

    kv: StepArray
    now: Trial
    then: Trial


def sketch(story: Story, name: str, timezone: str) -> Sketch | None:
    """None where nothing was measured that could be drawn."""
    named, replayed = _Named(story, name, timezone), _replayed(story)
    if replayed is not None:
        return _cache(named, replayed)
    return _work(named) if np.isfinite(story.busy).any() else None


def _replayed(story: Story) -> _Replayed | None:
    """The replay of what is advised. One that was only tried says nothing of it."""
    plan = story.use.advice.plan
    if plan is None or plan.replay is None or story.kv_then is None or plan.after != story.then:
        return None
    now = plan.replay.trials[0]
    then = next((one for one in plan.replay.trials if one.replicas == story.then), None)
    return None if then is None else _Replayed(story.kv_then, now, then)


def _cache(named: _Named, replayed: _Replayed) -> Sketch:
    story, now, then = named.story, replayed.now, replayed.then
    on, limit = replicas(then.replicas), threshold(story, "kv_p95")
    text = f"The week of {named.shown} replayed on {on} instead of {now.replicas:,}: "
    text += f"p95 of the fullest replica's KV cache is {percent(now.kv_p95)} now and "
    text += f"{percent(then.kv_p95)} then"
    return Sketch(
        name="replay",
        title=f"Replay on {on}: {named.shown}",
        alt=text + (f", to be below {percent(limit)}." if limit is not None else "."),
        draw=partial(_draw_cache, named, replayed),
        head=("Day", "KV cache now, highest", f"On {on}, highest", "Not measured"),
        rows=tuple(
            (day, _top(story.kv[part]), _top(replayed.kv[part]), _missing(story.kv[part]))
            for day, part in named.days()
        ),
    )


def _work(named: _Named) -> Sketch:
    busy, mean = named.story.busy, _average(named.story)
    return Sketch(
        name="replay",
        title=f"GPU work: {named.shown}",
        alt=f"GPU work of {named.shown}: {percent(mean)} of the measured time on average, "
        f"{percent(1 - mean)} left; {percent(most(_hourly(busy)))} in the busiest hour.",
        draw=partial(_draw_work, named),
        head=("Day", "GPU work, mean", "Left", "Not measured"),
        rows=tuple(
            (day, _mean(busy[part]), _left(busy[part]), _missing(busy[part]))
            for day, part in named.days()
        ),
    )


def _average(story: Story) -> float:
    """The part of the measured time with work, as it is told elsewhere."""
    use = story.use.utilisation
    return float(np.nanmean(story.busy)) if use is None else use.mean


def _draw_cache(named: _Named, replayed: _Replayed, figure: Figure, theme: Theme) -> None:
    story = named.story
    kv, kv_then, edges = _highest(story.kv), _highest(replayed.kv), _hours(story.window)
    now, then = (percent(one.kv_p95) for one in (replayed.now, replayed.then))
    axes = _frame(figure, named, f"KV cache, highest of each hour (p95: {now} now, {then} then)")
    gaps(axes, kv, edges, **_hatched(theme))
    told, top = f"on {replicas(replayed.then.replicas)}", most(kv_then)
    if top > _CUT:
        told += f" (up to {top:.0%})"
    held = replicas(replayed.now.replicas)
    line(axes, kv, edges, color=theme.now, linewidth=5, label=f"now, {held}")
    line(axes, np.minimum(kv_then, _CUT), edges, color=theme.then, linewidth=3, label=told)
    for key, what, style in (
        ("kv_p95", "p95 limit", "dashed"),
        ("saturated_at", "saturated", "dotted"),
    ):
        at = threshold(story, key)
        if at is not None:
            label = f"{what} {percent(at)}"
            axes.axhline(at, color=theme.text, linestyle=style, linewidth=4, label=label)
    _share(axes, min(max(1.0, most(kv), top), _CUT))
    _clock(figure, axes, named)
    _legend(figure, axes)


def _draw_work(named: _Named, figure: Figure, theme: Theme) -> None:
    mean = _average(named.story)
    told = f"GPU work: {percent(mean)} of the time on average, {percent(1 - mean)} left"
    axes = _frame(figure, named, told)
    busy, edges = _hourly(named.story.busy), _hours(named.story.window)
    gaps(axes, busy, edges, **_hatched(theme))
    whole = np.where(np.isfinite(busy), 1.0, np.nan)
    for values, colour, label in (
        (whole, theme.pale(theme.now), "left"),
        (busy, theme.now, "at work"),
    ):
        axes.stairs(values, edges, baseline=0, fill=True, color=colour, label=label)
    _share(axes, 1.0)
    _clock(figure, axes, named)
    _legend(figure, axes)


def _frame(figure: Figure, named: _Named, what: str) -> Axes:
    write(figure, named.shown, (MARGIN, 22), TITLE)
    write(figure, what, (MARGIN, 74))
    return place(figure, _LEFT, 205, WIDTH - MARGIN, 580)


def _hatched(theme: Theme) -> dict[str, object]:
    return {"facecolor": theme.ground, "edgecolor": theme.gap, "hatch": "//", "linewidth": 0}


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


def _clock(figure: Figure, axes: Axes, named: _Named) -> None:
    """Days by name, between marks at their midnights."""
    window = named.story.window
    starts = [at for at in _midnights(window, named.timezone) if window.start <= at]
    every = -(-len(starts) // _LONGEST_DAYS)
    axes.set_xticks([_days_since(at) for at in starts])
    axes.tick_params(axis="x", length=12)
    axes.set_xticklabels(
        [f"{at:%a} {at.day}" if n % every == 0 else "" for n, at in enumerate(starts)], ha="left"
    )
    write(figure, f"Local time ({named.timezone})", (_LEFT, 632))


def _midnights(window: Window, timezone: str) -> list[datetime]:
    zone = ZoneInfo(timezone)
    day = window.start.astimezone(zone).date()
    found = []
    while (at := datetime(day.year, day.month, day.day, tzinfo=zone)) < window.end:
        found.append(at)
        day += timedelta(days=1)
    return found


def _days_since(at: datetime) -> float:
    return at.timestamp() / 86_400


def _hours(window: Window) -> Floats:
    """Where hours begin and end, of which the last may be cut off, in days since 1970."""
    steps = edges_of(window)
    return np.append(steps[:-1:_STEPS_AN_HOUR], steps[-1])


def _by_hour(values: StepArray) -> Floats:
    """What is known, a row an hour; NaN is not."""
    rest = -values.size % _STEPS_AN_HOUR
    whole = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
    return np.pad(whole, (0, rest), constant_values=np.nan).reshape(-1, _STEPS_AN_HOUR)


def _highest(values: StepArray) -> Floats:
    """Of each hour: more points than pixels are noise at Slack's size."""
    hours = _by_hour(values)
    top = np.where(np.isnan(hours), -np.inf, hours).max(axis=1)
    return np.where(np.isfinite(top), top, np.nan)


def _hourly(values: StepArray) -> Floats:
    """The mean of each hour."""
    hours = _by_hour(values)
    known = (~np.isnan(hours)).sum(axis=1)
    return np.where(known > 0, np.nansum(hours, axis=1) / np.maximum(known, 1), np.nan)


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
