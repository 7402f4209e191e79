"""The picture of what weeks cost: a bar a week, a colour an environment, what idled hatched.

A week that is missing has a place and no bar. Only what is priced has a height; what is not is
marked and named.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from analyzer.weeks import Spend, Week
from reports.digest import Digest
from reports.drawing import HEIGHT, MARGIN, TITLE, WIDTH, Sketch, Theme, fitted, place, write
from reports.spend import (
    HEAD,
    ORDER,
    Place,
    alt,
    in_order,
    is_drawable,
    is_unpriced,
    places,
    table,
    title,
)
from reports.text import cents, hours, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_OTHERS = "others"
"""Environments of other names, where there are several."""

_TOP, _BOTTOM, _RIGHT = 100, 615, 760
_BELOW = 75
"""What two more lines below a bar take."""
_KEY = 800
"""Where the key begins, in pixels; ``_LINE`` is the height of one of its lines."""
_LINE = 37
_SWATCH = 44
_INDENT = _SWATCH + 14
_NO_PRICE = "+?"

Looks = dict[str, Any]
_FLAT: Looks = {"linewidth": 0}


@dataclass(frozen=True, slots=True)
class Part:
    """An environment, with its colour and what each place spent on it."""

    name: str
    colour: str
    spent: tuple[Spend, ...]


def sketch(digest: Digest) -> Sketch | None:
    """None where there is nothing to show."""
    if not is_drawable(digest):
        return None
    return Sketch("spend", title(digest), alt(digest), partial(draw, digest), HEAD, table(digest))


def draw(digest: Digest, figure: Figure, theme: Theme) -> None:
    """Fills the figure."""
    found = places(digest)
    parts = _parts(found, theme)
    write(figure, title(digest), (MARGIN, 22), TITLE)
    below = _BELOW if any(one.recorded for one in found) else 0
    axes = place(figure, 130, _TOP, _RIGHT, _BOTTOM - below)
    room = max(0.0, 1.6 - len(found) / 2)
    axes.set_xlim(-0.5 - room, len(found) - 0.5 + room)
    _dollars(axes, max(_height(one.week) for one in found if one.week))
    for at, one in enumerate(found):
        if one.week is not None:
            _Bar(axes, theme, at).draw(one, [(part.colour, part.spent[at]) for part in parts])
    labels = [_below(figure, one) for one in found]
    axes.set_xticks(range(len(found)), labels)
    _key(figure, theme, found, parts)


def _parts(found: list[Place], theme: Theme) -> list[Part]:
    """Those that occur: every week's picture gives an environment the same colour."""
    names = in_order({name for one in found if one.week for name in one.week.environments})
    others = [name for name in names if name not in ORDER]
    called = {name: name if len(others) == 1 else _OTHERS for name in others}
    spent = []
    for one in found:
        sums: dict[str, Spend] = defaultdict(Spend)
        for name, spend in (one.week.environments if one.week else {}).items():
            sums[called.get(name, name)] += spend
        spent.append(sums)
    shown = dict.fromkeys(called.get(name, name) for name in names)
    return [
        Part(name, theme.parts[_slot(name)], tuple(sums[name] for sums in spent)) for name in shown
    ]


def _slot(name: str) -> int:
    return ORDER.index(name) if name in ORDER else len(ORDER)


@dataclass(slots=True)
class _Bar:
    """A week's bar, block by block from the ground up."""

    axes: Axes
    theme: Theme
    at: int
    height: float = 0.0

    def draw(self, place: Place, parts: list[tuple[str, Spend]]) -> None:
        week = place.week
        assert week is not None  # noqa: S101 - asked by the caller
        for colour, spend in parts:
            idle = min(spend.idle_cost_usd, spend.cost_usd)
            self._block(spend.cost_usd - idle, {"facecolor": colour})
            self._block(idle, _idle(self.theme, colour))
        self._block(week.unallocated_cost_usd or 0.0, _free(self.theme))
        if place.recorded:
            frame: Looks = {"fill": False, "edgecolor": self.theme.text, "linewidth": 3}
            self.axes.bar(self.at, self.height, 0.8, linestyle=(0, (3, 2)), **frame)
        sign = _NO_PRICE if _lacks(week) else "" if self.height > 0 else "$0"
        where: Looks = {"xytext": (0, 6), "textcoords": "offset points", "ha": "center"}
        self.axes.annotate(sign, (self.at, self.height), va="bottom", **where)

    def _block(self, usd: float, looks: Looks) -> None:
        if usd > 0:
            self.axes.bar(self.at, usd, 0.68, self.height, **(_FLAT | looks))
            self.height += usd


def _idle(theme: Theme, colour: str) -> Looks:
    return {"facecolor": theme.pale(colour), "edgecolor": colour, "hatch": "/"}


def _free(theme: Theme) -> Looks:
    return {"facecolor": theme.ground, "edgecolor": theme.nobody, "hatch": "x"}


def _lacks(week: Week) -> bool:
    """Whether something in it has no price."""
    free = week.unallocated_cost_usd is None and (week.unallocated_gpu_hours or 0.0) > 0
    return free or week.total.unpriced_gpu_hours > 0


def _height(week: Week) -> float:
    return week.total.cost_usd + (week.unallocated_cost_usd or 0.0)


def _dollars(axes: Axes, most: float) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    axes.set_ylim(0, most * 1.12 or 1.0)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    if most <= 0:
        axes.set_yticks([0])
    axes.yaxis.set_major_formatter(lambda usd, _: _short(usd))
    axes.grid(axis="y")


def _short(usd: float) -> str:
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if usd >= size:
            return f"${usd / size:.3g}{letter}"
    return f"${usd:g}"


def _below(figure: Figure, one: Place) -> str:
    """The week, and what is to be known of its record, in the width of a bar."""
    recorded = one.recorded.replace(" of ", " of\n") if one.week else "no\nrecord"
    return f"{_name(figure, one)}\n{recorded}".rstrip()


def _name(figure: Figure, one: Place) -> str:
    iso = re.fullmatch(r"\d{4}-(W\d\d)", one.name)
    return iso[1] if iso else fitted(figure, one.name, 120)


def _key(figure: Figure, theme: Theme, found: list[Place], parts: list[Part]) -> None:
    """What the colours are, from the top of a bar down, with the figures of this week."""
    week, name = found[-1].week, _name(figure, found[-1])
    lines = _Lines(figure, _TOP - 12)
    lines.add(f"{name}: {_sum(week.total) if week else 'no record'}")
    if week and week.unallocated_gpu_hours is not None:
        usd = week.unallocated_cost_usd
        lines.swatch(_free(theme))
        lines.add("unallocated", _INDENT)
        lines.add("no price" if usd is None else f"+ {_money(usd)}", _INDENT)
    for part in reversed(parts):
        lines.swatch({"facecolor": part.colour}, _idle(theme, part.colour))
        lines.add(part.name, _INDENT)
        if week:
            lines.add(_figures(part.spent[-1]), _INDENT)
    if parts:
        seen = week.coverage if week else None
        of = f", {percent(seen)} seen" if seen is not None and seen < 0.995 else ""
        lines.add(f"hatched: idle{of}")
    if any(one.week and _lacks(one.week) for one in found):
        unpriced = week.total.unpriced_gpu_hours if week else 0.0
        lines.add(f"{_NO_PRICE} no price" + (f": {hours(unpriced)} h" if unpriced > 0 else ""))


@dataclass(slots=True)
class _Lines:
    """Lines of the key, downwards from ``top``."""

    figure: Figure
    top: float

    def add(self, text: str, indent: float = 0) -> None:
        write(self.figure, text, (_KEY + indent, self.top))
        self.top += _LINE

    def swatch(self, *looks: Looks) -> None:
        """Beside the next line."""
        from matplotlib.patches import Rectangle  # noqa: PLC0415

        wide = _SWATCH / len(looks)
        for n, one in enumerate(looks):
            corner = ((_KEY + n * wide) / WIDTH, 1 - (self.top + _SWATCH) / HEIGHT)
            shape = Rectangle(
                corner,
                wide / WIDTH,
                (_SWATCH - 8) / HEIGHT,
                transform=self.figure.transFigure,
                **(_FLAT | one),
            )
            self.figure.add_artist(shape)


def _figures(spend: Spend) -> str:
    if is_unpriced(spend):
        return "no price"
    if spend.cost_usd <= 0:
        return _money(0)
    return f"{_money(spend.cost_usd)}, idle {percent(spend.idle_cost_usd / spend.cost_usd)}"


def _sum(spend: Spend) -> str:
    return "no price" if is_unpriced(spend) else _money(spend.cost_usd)


def _money(usd: float) -> str:
    """To the cent, or so short that nobody takes it for the sum."""
    return cents(usd) if usd < 999.5 else _short(usd)
