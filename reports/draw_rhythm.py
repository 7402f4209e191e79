"""The picture of when GPUs work: hour by weekday, on a local clock."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from analyzer.rhythm import Rhythm
from reports.digest import Digest
from reports.drawing import MARGIN, TITLE, Sketch, Theme, fitted, place, write
from reports.text import counted, percent, visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HEAD = ("Hour", *(day[:3] for day in DAYS))
TITLE_TEXT = "When GPUs work"

_TOPS = (0.1, 0.2, 0.5, 1.0)
"""Where the scale may end: a fleet that works little still shows when it does."""
_SHADES = 25
"""Of the scale: enough for an eye, and few enough for a small file."""
_LEFT, _TOP, _RIGHT, _BOTTOM = 110, 90, 1020, 545


def sketch(digest: Digest) -> Sketch | None:
    """None where nothing was measured."""
    if not _measured(digest.rhythm):
        return None
    return Sketch("rhythm", TITLE_TEXT, _alt(digest), partial(draw, digest), HEAD, _table(digest))


def _alt(digest: Digest) -> str:
    found = _measured(digest.rhythm)
    zone = visible(digest.analysis.timezone)
    text = f"GPU use by hour of the week, local time ({zone})"
    if digest.rhythm.coverage is not None:
        text += f", {percent(digest.rhythm.coverage)} of the GPU-hours measured"
    most, least = max(found.values()), min(found.values())
    if most == least:
        text += f". {percent(most)} in every hour"
    else:
        # Of equal ones the first is named.
        busiest = next(at for at, use in found.items() if use == most)
        quietest = next(at for at, use in found.items() if use == least)
        text += f". Busiest {_hour(*busiest)} with {percent(most)}"
        text += f", quietest {_hour(*quietest)} with {percent(least)}"
    gaps = 7 * 24 - len(found)
    return text + (f"; {counted(gaps, 'hour')} of 168 not measured." if gaps else ".")


def _table(digest: Digest) -> tuple[tuple[str, ...], ...]:
    """A row an hour of the day, in the order of ``HEAD``."""
    use = digest.rhythm.use
    return tuple(
        (f"{hour:02}:00", *(percent(use[day][hour]) for day in range(7))) for hour in range(24)
    )


def draw(digest: Digest, figure: Figure, theme: Theme) -> None:
    """Fills the figure."""
    from matplotlib.colors import LinearSegmentedColormap  # noqa: PLC0415

    use = np.array(digest.rhythm.use, dtype=np.float64)
    most = float(np.nanmax(use))
    top = next(one for one in _TOPS if most <= one)
    heat = LinearSegmentedColormap.from_list("heat", theme.heat, _SHADES)
    write(figure, f"{TITLE_TEXT} (% of measured time)", (MARGIN, 22), TITLE)
    axes = place(figure, _LEFT, _TOP, _RIGHT, _BOTTOM)
    axes.spines["bottom"].set_visible(False)
    image = axes.imshow(use, cmap=heat, vmin=0, vmax=top, aspect="auto", extent=(0, 24, 7, 0))
    axes.vlines(range(1, 24), 0, 7, color=theme.ground, linewidth=2)
    axes.hlines(range(1, 7), 0, 24, color=theme.ground, linewidth=4)
    axes.set_xticks(range(0, 25, 3), [f"{hour:02}:00" for hour in range(0, 25, 3)])
    axes.set_yticks(np.arange(7) + 0.5, HEAD[1:])
    zone = fitted(figure, f"Local time ({digest.analysis.timezone})", 760)
    write(figure, zone, (_LEFT, 610))
    if np.isnan(use).any():
        _gaps(axes, theme, use)
        _gap_key(figure, theme)
    bar = place(figure, _RIGHT + 30, _TOP, _RIGHT + 65, _BOTTOM)
    figure.colorbar(image, cax=bar, ticks=[0, top / 2, top], format=lambda at, _: percent(at))
    bar.tick_params(length=0)


def _measured(rhythm: Rhythm) -> dict[tuple[int, int], float]:
    """Use by weekday and hour."""
    return {
        (day, hour): use
        for day, hours in enumerate(rhythm.use)
        for hour, use in enumerate(hours)
        if use is not None
    }


def _hour(day: int, hour: int) -> str:
    return f"{DAYS[day]} {hour:02}:00"


def _gaps(axes: Axes, theme: Theme, use: np.typing.NDArray[np.float64]) -> None:
    """Hatches every hour that nothing is known of."""
    for day, hours in enumerate(np.isnan(use)):
        spans = [(float(hour), 1.0) for hour in np.flatnonzero(hours)]
        axes.broken_barh(
            spans,
            (day, 1),
            facecolor=theme.ground,
            edgecolor=theme.gap,
            hatch="//",
            linewidth=0,
        )


def _gap_key(figure: Figure, theme: Theme) -> None:
    key = place(figure, 905, 612, 945, 644)
    key.set_axis_off()
    key.bar(0, 1, facecolor=theme.ground, edgecolor=theme.gap, hatch="//", linewidth=0)
    key.margins(0)
    write(figure, "not measured", (958, 610))
