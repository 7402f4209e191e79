"""Pictures taken apart: what stands where, and how colours look to whom."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image

from reports.drawing import LIGHT, Sketch, Theme, blank, looks

# Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision
# Deficiency" (2009), severity 1.0, on linear RGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}
# Linear sRGB to CIE XYZ, and its white, D65.
XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]], np.float64
)
WHITE = XYZ.sum(axis=1)


def drawn(sketch: Sketch | None, theme: Theme = LIGHT) -> Figure:
    assert sketch is not None
    with looks(theme):
        figure = blank()
        sketch.draw(figure, theme)
        figure.canvas.draw()
    return figure


def pixels(png: bytes) -> np.ndarray:
    """Rows of colours, as numbers of 24 bits."""
    found = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(np.int64)
    return found @ np.array([65536, 256, 1])


def texts(figure: Figure) -> list[tuple[Text, Bbox]]:
    """Every text that is seen, with its place in pixels."""
    with looks(LIGHT):
        renderer = figure.canvas.get_renderer()
        found = [one for one in figure.findobj(Text) if one.get_visible() and one.get_text()]
        shown = [one for one in found if one not in beyond(figure)]
        return [(one, Text.get_window_extent(one, renderer)) for one in shown]


def beyond(figure: Figure) -> list[Text]:
    """Labels of ticks that are out of view."""
    axes = [axis for one in figure.axes for axis in (one.xaxis, one.yaxis)]
    ticks = [(axis.get_view_interval(), tick) for axis in axes for tick in axis.get_major_ticks()]
    return [t.label1 for ends, t in ticks if not min(ends) <= t.get_loc() <= max(ends)]


def words(figure: Figure) -> list[str]:
    return [one.get_text() for one, _ in texts(figure)]


def linear(colour: str) -> np.ndarray:
    value = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """WCAG 2's ratio."""
    dark, bright = sorted(float(XYZ[1] @ linear(colour)) for colour in (one, other))
    return (bright + 0.05) / (dark + 0.05)


def lab(colour: str, vision: str = "normal") -> np.ndarray:
    """CIE L*a*b*, as somebody of this vision sees it."""
    seen = np.clip(VISION[vision] @ linear(colour), 0, 1)
    f = np.cbrt(XYZ @ seen / WHITE)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def apart(one: str, other: str, vision: str) -> float:
    """CIE 1976's distance: 2.3 is just seen."""
    return float(np.linalg.norm(lab(one, vision) - lab(other, vision)))


def rises(values: list[float], by: float) -> bool:
    return all(b - a >= by for a, b in pairwise(values))


def bars(figure: Figure, at: int) -> list[float]:
    """Heights of the blocks of one place, from the ground up."""
    blocks = [p for p in figure.axes[0].patches if p.get_fill() and p.get_height() > 0]
    mine = [p for p in blocks if abs(p.get_x() + p.get_width() / 2 - at) < 0.01]
    return [p.get_height() for p in sorted(mine, key=lambda p: p.get_y())]


def below(figure: Figure) -> list[str]:
    return [label.get_text().strip() for label in figure.axes[0].get_xticklabels()]


def frames(figure: Figure) -> list[int]:
    found = [p for p in figure.axes[0].patches if not p.get_fill()]
    return [round(p.get_x() + p.get_width() / 2) for p in found]
