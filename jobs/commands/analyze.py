"""``gpu-thrift analyze``: what every GPU deployment used, cost and deserves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from jobs.commands.options import (
    analysed,
    asked,
    check_failed,
    cluster_options,
    output_options,
    read,
    write,
)
from jobs.context import App


@click.command("analyze")
@cluster_options
@output_options
@click.pass_obj
def command(app: App, /, form: str, output: Path | None, **given: Any) -> None:
    """Say what every GPU deployment used, what it cost, and how sure that is.

    Reads GPU, inference and kube-state-metrics series from Prometheus, and the cluster's objects
    from the Kubernetes API where it answers. Changes nothing anywhere.
    """
    snapshot = read(app, asked(given))
    write(analysed(app, snapshot), form, output, only_flagged=False)
    check_failed(snapshot)
