"""What the pictures of the weekly report share: themes, sizes, text that fits, and small files.

A picture is 1200 pixels wide and Slack shows it 360 wide, so that 30 pixels are the smallest text
that is still read there. matplotlib is imported only when something is drawn: it takes a second.
Whatever a person set for their own drawings has no say here.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from reports.text import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 1200, 675
TEXT, TITLE = 30, 38
"""Heights of letters, in pixels."""

MARGIN = 30
_DPI = 72
"""So that a point is a pixel."""

_COLOURS = 128
"""In a file. Flat areas and the edges of letters need no more."""

_LONGEST = 120
"""Characters of outside text, before it is made to fit."""


@dataclass(frozen=True, slots=True)
class Theme:
    """``parts`` are a colour an environment, in their order, and one for any other. All are Okabe
    and Ito's, apart for every kind of colour vision, the lighter ones on dark ground. ``heat``
    goes from nothing to all."""

    ground: str
    text: str
    line: str
    gap: str
    parts: tuple[str, ...]
    nobody: str
    now: str
    then: str
    heat: tuple[str, ...]

    def pale(self, colour: str) -> str:
        """``colour`` towards the ground."""
        back, front = _rgb(self.ground), _rgb(colour)
        return "#" + "".join(f"{round(b + 0.3 * (f - b)):02x}" for b, f in _pairs(back, front))


LIGHT = Theme(
    ground="#ffffff",
    text="#1d1c1d",
    line="#c8c8c8",
    gap="#767676",
    parts=("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9"),
    nobody="#666666",
    now="#0072b2",
    then="#d55e00",
    heat=("#eaf2f8", "#7fb8d8", "#0072b2", "#002f4a"),
)
DARK = Theme(
    ground="#1a1d21",
    text="#e8e8e8",
    line="#4a4d51",
    gap="#9a9a9a",
    parts=("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442"),
    nobody="#dcdcdc",
    now="#56b4e9",
    then="#e69f00",
    heat=("#22313c", "#005f94", "#56b4e9", "#eaf6fd"),
)


Name = Literal["spend", "rhythm", "replay"]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture for both themes, as PNG files, with what it shows in words (``alt``) and the same
    data as a table: ``head`` names the columns of ``rows``. All of it is text made visible, which
    its renderer has still to escape."""

    name: Name
    title: str
    alt: str
    light: bytes = field(repr=False)
    dark: bytes = field(repr=False)
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Draw = Callable[["Figure", Theme], None]


@dataclass(frozen=True, slots=True)
class Sketch:
    """A drawing that is not painted yet: ``draw`` fills an empty figure."""

    name: Name
    title: str
    alt: str
    draw: Draw
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def painted(self) -> Drawing:
        light, dark = paint(self.draw, LIGHT), paint(self.draw, DARK)
        return Drawing(self.name, self.title, self.alt, light, dark, self.head, self.rows)


def paint(draw: Draw, theme: Theme) -> bytes:
    """What ``draw`` puts on an empty figure, as a PNG file. The same is the same, byte by byte."""
    with looks(theme):
        figure = blank()
        draw(figure, theme)
        figure.canvas.draw()
        pixels = np.asarray(figure.canvas.buffer_rgba())[:, :, :3]  # type: ignore[attr-defined]
    return _png(pixels)


@contextmanager
def looks(theme: Theme) -> Iterator[None]:
    """Within it matplotlib draws in ``theme``."""
    with plain(
        {
            "figure.facecolor": theme.ground,
            "axes.facecolor": theme.ground,
            "axes.edgecolor": theme.line,
            "axes.labelcolor": theme.text,
            "axes.linewidth": 2,
            "axes.spines.left": False,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "font.size": TEXT,
            "grid.color": theme.line,
            "grid.linewidth": 1,
            "hatch.linewidth": 3,
            "text.color": theme.text,
            "xtick.color": theme.line,
            "xtick.labelcolor": theme.text,
            "ytick.color": theme.line,
            "ytick.labelcolor": theme.text,
        }
    ):
        yield


@contextmanager
def plain(settings: dict[str, Any]) -> Iterator[None]:
    """matplotlib as it comes, with ``settings``, and silent: what it says of fonts and caches is
    nothing that a person can act on."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    import matplotlib  # noqa: PLC0415

    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        matplotlib.rcdefaults()
        # Names come from outside, and may hold a $.
        matplotlib.rcParams.update({"text.parse_math": False} | settings)
        yield


def blank() -> Figure:
    """A figure of a picture's size, to be filled in pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(WIDTH / _DPI, HEIGHT / _DPI), dpi=_DPI)
    FigureCanvasAgg(figure)
    return figure


def place(figure: Figure, left: float, top: float, right: float, bottom: float) -> Axes:
    """Axes between these pixels, counted from the upper left corner."""
    box = (
        left / WIDTH,
        1 - bottom / HEIGHT,
        (right - left) / WIDTH,
        (bottom - top) / HEIGHT,
    )
    axes = figure.add_axes(box)
    axes.tick_params(length=0, pad=8)
    axes.set_axisbelow(True)
    return axes


def write(figure: Figure, text: str, at: tuple[float, float], size: int = TEXT) -> None:
    """``text`` with its upper left corner at these pixels, cut to what is right of it."""
    bold = "bold" if size > TEXT else "normal"
    shown = fitted(figure, text, WIDTH - at[0] - MARGIN, size)
    where = (at[0] / WIDTH, 1 - at[1] / HEIGHT)
    figure.text(*where, shown, size=size, weight=bold, ha="left", va="top")


def fitted(figure: Figure, text: str, width: float, size: int = TEXT) -> str:
    """Outside ``text`` on one line of at most ``width`` pixels; what is too long keeps both
    ends."""
    from matplotlib.font_manager import FontProperties  # noqa: PLC0415

    font = FontProperties(size=size, weight="bold" if size > TEXT else "normal")
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    shown = whole = visible(text)
    length = min(len(whole), _LONGEST)
    while length > 1:
        shown = shortened(whole, length)
        if renderer.get_text_width_height_descent(shown, font, False)[0] <= width:
            break
        length -= 1
    return shown


def shortened(text: str, length: int) -> str:
    """At most ``length`` characters, of both ends."""
    if len(text) <= length:
        return text
    end = (length - 1) // 2
    return f"{text[: length - 1 - end]}…{text[len(text) - end :]}"


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """A PNG file with a palette: the most frequent colours stay as they are, every other becomes
    the nearest of them."""
    from PIL import Image  # noqa: PLC0415

    flat = (pixels.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)).ravel()
    found, where, counts = np.unique(flat, return_inverse=True, return_counts=True)
    kept = found[np.argsort(-counts, kind="stable")[:_COLOURS]]
    away = ((_channels(found)[:, None] - _channels(kept)[None]) ** 2).sum(axis=2)
    nearest = away.argmin(axis=1).astype(np.uint8)
    image = Image.fromarray(nearest[where].reshape(pixels.shape[:2]), "P")
    image.putpalette(_channels(kept).astype(np.uint8).tobytes())
    out = io.BytesIO()
    image.save(out, format="PNG", optimize=True)
    return out.getvalue()


def _channels(colours: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
    return np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1).astype(np.int64)


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))


def _pairs(one: tuple[int, ...], other: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    return zip(one, other, strict=True)
