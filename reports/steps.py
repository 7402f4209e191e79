"""What pictures of a workload's steps share: lines, gaps, and how limits and replicas are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analyzer.model import STEP_S, Window
from analyzer.sizing.story import Story

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]
Values = npt.NDArray[np.floating[Any]]


def edges_of(window: Window) -> Floats:
    """Where steps begin and end, one more than there are steps, in days since 1970 as matplotlib
    counts them."""
    first = window.start.timestamp()
    return (first + STEP_S * np.arange(window.steps + 1, dtype=np.float64)) / 86_400


def line(axes: Axes, values: Values, edges: Floats, **look: Any) -> None:
    """Steps, and nothing at all where a value is not known: a step alone is still seen."""
    shown = np.where(np.isfinite(values), values, np.nan)
    if np.isfinite(shown).any():
        axes.stairs(shown, edges, baseline=None, **look)


def gaps(axes: Axes, values: Values, edges: Floats, **look: Any) -> None:
    """Marks what was not measured, in colours and hatches of ``look``."""
    unknown = np.concatenate(([False], ~np.isfinite(values), [False]))
    borders = np.flatnonzero(unknown[1:] != unknown[:-1])
    spans = [(edges[a], edges[b] - edges[a]) for a, b in borders.reshape(-1, 2)]
    if spans:
        axes.broken_barh(
            spans,
            (0, 1),
            transform=axes.get_xaxis_transform(),
            label="not measured",
            zorder=0,
            **look,
        )
    axes.set_xlim(edges[0], edges[-1])


def threshold(story: Story, key: str) -> float | None:
    """The threshold of the last part of a configuration key, None where it had no say."""
    found = (value for name, value in story.thresholds.items() if name.split(".")[-1] == key)
    value = next(found, None)
    return float(value) if isinstance(value, int | float) and np.isfinite(value) else None


def replicas(number: int | None) -> str:
    if number is None:
        return "replicas not known"
    return f"{number:,} replica{'' if number == 1 else 's'}"


def most(values: Values) -> float:
    known = values[np.isfinite(values)]
    return float(known.max()) if known.size else 0.0
