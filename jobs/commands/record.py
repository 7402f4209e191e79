"""``gpu-thrift record``: what was read, in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from analyzer.collect import recording
from jobs.commands.options import asked, check_failed, cluster_options, read
from jobs.context import App


@click.command("record")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@cluster_options
@click.pass_obj
def command(app: App, /, file: Path, **given: Any) -> None:
    """Write what was read to FILE, for `analyze --recording FILE` here or elsewhere.

    The file holds names, labels and figures of workloads and nodes; no address and no secret.
    """
    snapshot = read(app, asked(given))
    recording.save(snapshot, file)
    click.echo(
        f"{file}: {len(snapshot.workloads)} workloads, {snapshot.window.hours:g} h "
        f"until {snapshot.window.end:%Y-%m-%d %H:%M} UTC"
    )
    check_failed(snapshot)
