"""The messages of a report on a terminal, as their readers would see them."""

from __future__ import annotations

import textwrap

import click

from jobs.weekly.make import Report, messages
from reports.mrkdwn import plain
from reports.text import visible

_WIDTH = 78


def show(report: Report, base_url: str) -> None:
    """Prints the message and the reply in its thread."""
    message, reply = messages(report, base_url)
    to = report.channel or "nobody: no channel is configured under [slack]"
    for heading, one in ((f"Message to {to}", message), ("Reply in its thread", reply)):
        click.echo(f"\n--- {visible(heading)} ---")
        for line in plain(one.text).splitlines():
            click.echo(textwrap.fill(visible(line), _WIDTH, subsequent_indent="  "))
