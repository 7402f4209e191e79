"""``gpu-thrift explain``: the whole story of one workload."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from analyzer.analysis import Analysis
from analyzer.errors import GpuThriftError, UsageError
from analyzer.model import WorkloadKey
from analyzer.sizing.story import Story
from jobs.commands.options import (
    analysed,
    asked,
    check_failed,
    cluster_options,
    console,
    read,
    recording_option,
    write_out,
)
from jobs.context import App
from jobs.sleeping.select import is_kind
from jobs.story import became_of, story_of
from reports.charts import FORMS, Form, chart
from reports.explain import explain
from reports.export import workload_json
from reports.sections import Names
from reports.text import visible

_SHOWN = 5
"""Workloads named in a message."""


@click.command("explain")
@click.argument("workload")
@click.option(
    "-n",
    "--namespace",
    "namespaces",
    multiple=True,
    metavar="NAME",
    help="Only a workload of this namespace; repeatable.",
)
@cluster_options
@recording_option
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Draw its load over time into FILE, .png or .svg.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "json")),
    default="text",
    help="Form of the output.",
)
@click.pass_obj
def command(
    app: App,
    /,
    workload: str,
    namespaces: tuple[str, ...],
    plot: Path | None,
    form: str,
    **given: Any,
) -> None:
    """Say what WORKLOAD used, what is advised and what is not, and what decided.

    WORKLOAD is called as in the table (NAMESPACE/NAME), or NAME, KIND/NAME, or all of
    CLUSTER/NAMESPACE/KIND/NAME.
    """
    drawn_as = _suffix(plot) if plot else None
    snapshot = read(app, asked(given))
    analysis = analysed(app, snapshot)
    key = chosen(analysis, workload, namespaces)
    story = story_of(app, snapshot, analysis, key)
    if plot and drawn_as:
        _draw(story, analysis, plot, drawn_as)
    if form == "json":
        write_out(workload_json(story.use))
    else:
        explain(story, analysis, console(), became_of(app, analysis, key))
    check_failed(snapshot)


def chosen(analysis: Analysis, text: str, namespaces: tuple[str, ...] = ()) -> WorkloadKey:
    """The workload that ``text`` means. Raises ``UsageError`` when there is none or several."""
    keys = [
        use.workload.key
        for use in analysis.workloads
        if not namespaces or use.workload.key.namespace in namespaces
    ]
    names = Names(analysis)
    found = [key for key in keys if text in (names.full(key), str(key))]
    found = found or [key for key in keys if _is_meant(key, text)]
    if len(found) == 1:
        return found[0]
    shown = visible(text)
    if found:
        several = [visible(str(key)) for key in sorted(found)]
        more = f" and {len(several) - _SHOWN} more" if len(several) > _SHOWN else ""
        listed = f"{', '.join(several[:_SHOWN])}{more}"
        raise UsageError(f"{shown}: several workloads are called so ({listed}); add -n or KIND/")
    lacking = "; not read: " + ", ".join(sorted(analysis.failed)) if analysis.failed else ""
    raise UsageError(f"{shown}: no such workload in the window{_near(text, keys, names)}{lacking}")


def _is_meant(key: WorkloadKey, text: str) -> bool:
    """Whether ``text`` is the name behind any of cluster, namespace and kind, in this order."""
    *where, name = text.split("/")
    places: Iterator[Callable[[str], bool]] = iter(
        (
            lambda part: part == key.cluster,
            lambda part: part == key.namespace,
            lambda part: is_kind(key.kind, part),
        )
    )
    # ``places`` goes on where the part before was found.
    return name == key.name and all(any(fits(part) for fits in places) for part in where)


def _near(text: str, keys: list[WorkloadKey], names: Names) -> str:
    """What may have been meant, by whole names first."""
    full = {names.full(key): names.full(key) for key in keys}
    short = {key.name: names.full(key) for key in keys}
    near = [full[one] for one in difflib.get_close_matches(text, full, 3)]
    name = text.rpartition("/")[2]
    near += [short[one] for one in difflib.get_close_matches(name, short, 3)]
    listed = ", ".join(visible(one) for one in dict.fromkeys(near[:3]))
    return f"; did you mean {listed}?" if listed else ""


def _suffix(path: Path) -> Form:
    for form in FORMS:
        if path.suffix.lower() == f".{form}":
            return form
    raise click.BadParameter(f"{path}: expected .png or .svg at its end", param_hint="--plot")


def _draw(story: Story, analysis: Analysis, path: Path, form: Form) -> None:
    name = Names(analysis).full(story.use.workload.key)
    picture = chart(story, name, analysis.timezone, form)
    try:
        path.write_bytes(picture)
    except OSError as error:
        raise GpuThriftError(f"{path}: cannot write: {error.strerror}") from error
