"""``gpu-thrift demo``: four simulated weeks through the whole pipeline."""

from __future__ import annotations

import io
from pathlib import Path

import click
from rich.console import Console

from analyzer.analysis import Analysis
from analyzer.collect import recording
from analyzer.config import Config
from analyzer.model import Snapshot
from jobs.commands.options import console
from jobs.demo import Demo, last_week
from jobs.periods import WEEK, Period
from jobs.reading import Looked
from jobs.weekly.keep import keep
from jobs.weekly.make import files, payloads, report_of
from jobs.wiring import analysed
from reports.export import to_csv, to_json
from reports.markdown import to_markdown
from reports.terminal import render


@click.command("demo")
@click.option("--seed", type=click.IntRange(0, 2**31), default=1, help="Another fleet's noise.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("out"),
    metavar="DIR",
    help="Folder for the report files [out].",
)
def command(seed: int, output: Path) -> None:
    """Run everything on a simulated fleet of 54 GPUs over four weeks.

    Needs no Prometheus, no cluster and no configuration. Prints the table of the four weeks and
    writes it as JSON, CSV, Markdown and text, with the recording behind it; and the report of the
    last week, as a page, as files and as the messages that Slack would get.
    """
    demo = Demo(seed)
    month = demo.snapshot(demo.whole)
    analysis = analysed(Config(), month, month.taken_at)
    render(analysis, console())
    click.echo("\nA simulated fleet: no cluster was read. Four weeks, written:")
    for path in keep(output, _texts(analysis)):
        click.echo(f"  {path}")
    recording.save(month, output / "recording.json.gz")
    click.echo(f"  {output / 'recording.json.gz'}")
    click.echo("The report of the last week; open the first in a browser:")
    for path in keep(output, weekly_files(demo, month)):
        click.echo(f"  {path}")


def _texts(analysis: Analysis) -> dict[str, bytes]:
    text = io.StringIO()
    render(analysis, Console(file=text, width=10_000))
    return {
        "analysis.json": to_json(analysis).encode(),
        "analysis.csv": to_csv(analysis).encode(),
        "analysis.md": to_markdown(analysis).encode(),
        "analysis.txt": text.getvalue().encode(),
    }


def weekly_files(demo: Demo, month: Snapshot) -> dict[str, bytes]:
    """The last week's report, as ``gpu-thrift report`` writes it."""
    config, (name, window) = Config(), last_week()
    snapshot = demo.snapshot(window)
    looked = Looked(snapshot, analysed(config, snapshot, snapshot.taken_at))
    past = demo.past(month, looked.analysis)
    period = Period(name, window.start, window.end, window.end, WEEK)
    report = report_of(period, looked, lambda _: past, (), config)
    return files(report) | {"slack.json": payloads(report, "")}
