"""``gpu-thrift demo``: four simulated weeks through the whole pipeline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from rich.console import Console

from analyzer.analysis import Analysis
from analyzer.collect import recording
from analyzer.collect.simulate import FleetObjects, MemoryStore, demo_fleet, exposition
from analyzer.collect.snapshot import ClusterSource, take_snapshot
from analyzer.config import Config
from analyzer.errors import GpuThriftError
from analyzer.model import Snapshot, Window
from jobs.commands.options import console
from jobs.wiring import analysed, read_settings
from reports.export import to_csv, to_json
from reports.markdown import to_markdown
from reports.terminal import render

_END = datetime(2026, 11, 23, tzinfo=UTC)
"""The simulated weeks end here, a Monday, so that every run shows the same figures."""
_LENGTH = timedelta(days=28)


def simulated(seed: int) -> Snapshot:
    """A snapshot of the simulated fleet, read as a Prometheus and a Kubernetes API would be."""
    window = Window.ending(_END, _LENGTH)
    fleet = demo_fleet(seed, _END)
    store = MemoryStore(exposition(fleet, window), "demo")
    source = ClusterSource("demo", lambda: store, FleetObjects(fleet))
    return take_snapshot([source], read_settings(Config()), window, _END)


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

    Needs no Prometheus, no cluster and no configuration. Prints the table and writes the report
    as JSON, CSV, Markdown and text, and the recording behind them.
    """
    snapshot = simulated(seed)
    analysis = analysed(Config(), snapshot, snapshot.taken_at)
    render(analysis, console())
    click.echo("\nA simulated fleet: no cluster was read. Written:")
    for path in _write(analysis, snapshot, output):
        click.echo(f"  {path}")


def _write(analysis: Analysis, snapshot: Snapshot, folder: Path) -> list[Path]:
    texts = {
        "report.json": to_json(analysis),
        "report.csv": to_csv(analysis),
        "report.md": to_markdown(analysis),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8", newline="")
        with (folder / "report.txt").open("w", encoding="utf-8") as file:
            render(analysis, Console(file=file, width=10_000))
    except OSError as error:
        raise GpuThriftError(f"{folder}: cannot write the report: {error.strerror}") from error
    recording.save(snapshot, folder / "recording.json.gz")
    return [folder / name for name in (*texts, "report.txt", "recording.json.gz")]
