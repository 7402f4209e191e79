"""The page of the weekly report: one HTML file that needs nothing else and may load nothing. Pure.

Its policy allows one style and one script by their hashes, and the pictures that it holds. Names
come from clusters: they are text wherever they stand, and no part of the script.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Sequence
from functools import cache, partial
from typing import TYPE_CHECKING

import jinja2
from markupsafe import Markup, escape

from reports import digest_text, headline, page_brief, page_parts, page_weeks, page_workloads
from reports.digest import Digest
from reports.headline import Figure
from reports.links import anchor
from reports.page_parts import LISTED, Cell, Figures, plain
from reports.plain import FRACTION, USD
from reports.sections import Names, price_lines
from reports.templating import environment
from reports.text import UNKNOWN, cents, local, percent, sentence, visible

if TYPE_CHECKING:
    from reports.drawing import Drawing

FIRST = 3
"""Actions that are told before everything else."""


def to_html(digest: Digest, drawings: Sequence[Drawing]) -> str:
    """The whole page; ``drawings`` are shown in their order."""
    names = Names(digest.analysis)
    places = page_workloads.places(digest, names)
    style, script = _asset("report.css"), _asset("report.js")
    templates = _environment()
    page = partial(
        templates.get_template("report.html").render,
        digest=digest,
        names=names,
        style=Markup(style),  # noqa: S704 - these two are ours
        script=Markup(script),  # noqa: S704
        # As it is, for whoever reads it without a browser: it holds no name.
        policy=Markup(policy(style, script)),  # noqa: S704
        drawings=drawings,
        figures=[_figure(one, digest) for one in headline.headline(digest)],
        places=places,
        made=local(digest.analysis.generated_at, digest.analysis.timezone),
    )
    place = templates.get_template("report_place.html")
    # All but the places, with the longest note of what is left out of them.
    rest = page(written="", in_brief=len(places), barely=len(places))
    written = page_brief.fitted(
        places,
        {anchor(one.use.workload.key) for one in digest.actions[:FIRST]},
        page_brief.LARGEST - 1 - len(rest.encode()),
        lambda one: place.render(one=one),
    )
    text = Markup(written.text)  # noqa: S704 - the template has escaped it
    return page(written=text, in_brief=written.in_brief, barely=written.barely)


def policy(style: str, script: str) -> str:
    """What a browser may do with the page: run these two, show what it holds, load nothing."""
    return (
        "default-src 'none'; img-src data:; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _figure(one: Figure, digest: Digest) -> tuple[Figure, Cell]:
    """A headline figure with its number; what is not known has none."""
    if one.value == UNKNOWN:
        return one, Cell(one.value, one.key, "")
    totals, nights = digest.analysis.totals, digest.nights
    dollars = {
        "totals.cost_usd": totals.cost_usd,
        "totals.idle_cost_usd": totals.idle_cost_usd,
        "totals.unallocated_cost_usd": (
            0.0 if totals.unallocated_gpu_hours == 0 else totals.unallocated_cost_usd
        ),
        "week.nights.usd": nights.usd if nights else None,
    }
    if one.key in dollars:
        return one, Cell(one.value, one.key, plain(dollars[one.key], USD))
    return one, Cell(one.value, one.key, plain(totals.coverage, FRACTION))


def marked(sentence: str, figures: Figures) -> Markup:
    """The sentence with its dollars as figures that a program finds. A sentence may leave the sign
    to its words."""
    rest, made = str(escape(visible(sentence))), ""
    for key, usd in figures:
        if usd is None:
            continue
        shown = next((text for text in (cents(usd), cents(abs(usd))) if text in rest), None)
        if shown is not None:
            before, _, rest = rest.partition(shown)
            made += f"{before}<data value={plain(usd, USD)} data-key={key}>{shown}</data>"
    return Markup(made + rest)  # noqa: S704 - escaped above; what is added are figures


def _png(picture: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


def _size(png: bytes) -> tuple[int, int]:
    """Width and height in pixels, which a PNG tells in its first chunk."""
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def _asset(name: str) -> str:
    templates = _environment()
    assert templates.loader is not None  # noqa: S101 - it is given
    return templates.loader.get_source(templates, name)[0]


@cache
def _environment() -> jinja2.Environment:
    made = environment("reports")
    made.filters |= {
        "capitalised": sentence,
        "marked": marked,
        "percent": percent,
        "png": _png,
        "size": _size,
    }
    made.globals |= {
        "FIRST": FIRST,
        "LISTED": LISTED,
        "anchor": anchor,
        "head": headline,
        "parts": page_parts,
        "prices": price_lines,
        "text": digest_text,
        "days": page_weeks.days,
    }
    return made
