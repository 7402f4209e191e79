"""Options that several commands share, and the work they share."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from analyzer.analysis import Analysis
from analyzer.collect import recording
from analyzer.collect.snapshot import take_snapshot
from analyzer.config import AnalysisConfig, PrometheusConfig, parse_option
from analyzer.errors import GpuThriftError, PartlyDone, SourceError, each_named
from analyzer.model import Snapshot, Window
from jobs import wiring
from jobs.context import App
from jobs.wiring import Choice, chosen_clusters, read_settings, sources
from reports.export import to_csv, to_json
from reports.terminal import render

log = logging.getLogger("gpu_thrift")

Command = Callable[..., Any]

_CLUSTER_OPTIONS = (
    click.option("--prometheus", metavar="URL", help="Prometheus to read [configured]."),
    click.option("--kubeconfig", metavar="FILE", help="Kubeconfig of the cluster."),
    click.option("--context", metavar="NAME", help="Context of the kubeconfig."),
    click.option("--no-cluster", is_flag=True, help="Use kube-state-metrics alone."),
    click.option(
        "--cluster",
        "clusters",
        multiple=True,
        metavar="NAME",
        help="Only this cluster; repeatable.",
    ),
)
_WINDOW = click.option("--window", metavar="DURATION", help="Time to look at, such as 7d or 24h.")
_RECORDING = click.option(
    "--recording",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Analyse a file that `record` wrote, and read nothing else.",
)
_OUTPUT = (
    click.option(
        "--format",
        "form",
        type=click.Choice(("table", "json", "csv")),
        default="table",
        help="Form of the output.",
    ),
    click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Write to FILE instead of standard output.",
    ),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options of a command say."""

    choice: Choice
    window: timedelta | None
    recording: Path | None = None


def place_options(command: Command) -> Command:
    """Where to read, without for how long."""
    for option in reversed(_CLUSTER_OPTIONS):
        command = option(command)
    return command


def cluster_options(command: Command) -> Command:
    for option in reversed((*_CLUSTER_OPTIONS, _WINDOW)):
        command = option(command)
    return command


def recording_option(command: Command) -> Command:
    return _RECORDING(command)


def output_options(command: Command) -> Command:
    for option in reversed((_RECORDING, *_OUTPUT)):
        command = option(command)
    return command


def asked(given: dict[str, Any]) -> Asked:
    """The shared options, checked as the configuration's own keys are."""
    window, recorded, where = given["window"], given.get("recording"), choice(given)
    length = parse_option(AnalysisConfig, "window", window, "--window") if window else None
    if recorded is not None and (where != Choice() or window):
        raise click.UsageError(
            "--recording holds its own clusters and window: give it without other sources"
        )
    return Asked(where, length, recorded)


def choice(given: dict[str, Any]) -> Choice:
    """The options that say where to read, checked as the configuration's own keys are."""
    url = given["prometheus"]
    if url is not None:
        url = parse_option(PrometheusConfig, "url", url, "--prometheus")
    if given["no_cluster"] and (given["kubeconfig"] or given["context"]):
        raise click.UsageError("--no-cluster contradicts --kubeconfig and --context")
    return Choice(
        url, given["kubeconfig"], given["context"], given["no_cluster"], tuple(given["clusters"])
    )


def read(app: App, wanted: Asked) -> Snapshot:
    """The snapshot that the options ask for. Raises ``SourceError`` when no cluster answered."""
    if wanted.recording is not None:
        return recording.load(wanted.recording)
    clusters = chosen_clusters(app.config, wanted.choice)
    window = Window.ending(app.now, wanted.window or app.config.analysis.window)
    with progress("Reading metrics") as tell:
        found = sources(clusters, wanted.choice, tell)
        snapshot = take_snapshot(found, read_settings(app.config), window, app.now)
    if len(snapshot.failed) == len(clusters):
        reasons = each_named(snapshot.failed)
        raise SourceError(f"no cluster could be read: {reasons}")
    return snapshot


def analysed(app: App, snapshot: Snapshot) -> Analysis:
    return wiring.analysed(app.config, snapshot, snapshot.taken_at)


def check_failed(snapshot: Snapshot) -> None:
    """Raises ``PartlyDone`` when some clusters could not be read, naming each."""
    if snapshot.failed:
        reasons = each_named(snapshot.failed)
        raise PartlyDone(f"not every cluster could be read: {reasons}")


def write(analysis: Analysis, form: str, output: Path | None, *, only_flagged: bool) -> None:
    """The analysis as asked, to a file or standard output."""
    output = None if output == Path("-") else output
    if form == "table":
        if output is None:
            render(analysis, console(), only_flagged=only_flagged)
            return
        with _opened(output) as file:
            render(analysis, Console(file=file, width=10_000), only_flagged=only_flagged)
        return
    text = to_json(analysis) if form == "json" else to_csv(analysis)
    if output is None:
        write_out(text)
    else:
        with _opened(output) as file:
            file.write(text)


def console() -> Console:
    """Standard output: coloured and folded for a terminal, plain and whole for a pipe."""
    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(width=10_000, highlight=False)


def write_out(text: str) -> None:
    """Text as UTF-8 on standard output, whatever the terminal's encoding."""
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        raise GpuThriftError(f"{path}: cannot write: {error.strerror}") from error


@contextmanager
def progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error once the work has taken a second, if that is a terminal."""
    terminal = Console(stderr=True)
    if not terminal.is_terminal:
        yield lambda _done, _total: None
        return
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=terminal,
        transient=True,
    )
    task = bar.add_task(title, total=None)
    started = monotonic()

    def tell(done: int, total: int) -> None:
        if not bar.live.is_started and monotonic() - started > 1:
            bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield tell
    finally:
        bar.stop()


def only_production(analysis: Analysis) -> Analysis:
    """The same analysis with only the production workloads that are idle or underused."""
    flagged = tuple(
        one
        for one in analysis.workloads
        if one.environment == "production" and one.verdict.name in ("idle", "underused")
    )
    return replace(analysis, workloads=flagged)
