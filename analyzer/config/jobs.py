"""The daemon: when its jobs run, which of several daemons acts, and where it says how it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import time, timedelta
from pathlib import Path

from analyzer.config.kinds import Choice, Choices, Duration, Text, Whole
from analyzer.config.moments import Daily, Weekly, WeekTime
from analyzer.config.reader import Section, about
from analyzer.config.url import Url
from analyzer.config.zone import Zone

JOBS = ("sleep", "flag-underused", "weekly-report", "record-usage", "morning-check")
"""Every job there is."""


@dataclass(frozen=True, slots=True)
class JobsConfig(Section):
    """When the daemon's jobs run. The sleep job runs every minute."""

    run: tuple[str, ...] = field(
        default=JOBS, metadata=about(Choices(JOBS), "The jobs that run at all.")
    )
    timezone: str = field(default="UTC", metadata=about(Zone(), "Zone of the times below."))
    flag_underused: time = field(
        default=time(8),
        metadata=about(Daily(), "When, every day, underused production GPUs are looked for."),
    )
    weekly_report: WeekTime = field(
        default=WeekTime(0, time(9)),
        metadata=about(Weekly(), "When the report of the week before is made."),
    )
    record_usage: timedelta = field(
        default=timedelta(minutes=5),
        metadata=about(
            Duration("0s", "50m", "5m"),
            "How long after each full hour its usage is recorded; the last samples need a moment.",
        ),
    )
    morning_check: time = field(
        default=time(9, 30),
        metadata=about(
            Daily(), "When, every day, it is checked what became of sleep in the 24 hours before."
        ),
    )
    jitter: timedelta = field(
        default=timedelta(0),
        metadata=about(
            Duration("0s", "30m", "5m"),
            "Jobs other than sleep start up to this much later, always by the same amount, so "
            "that many daemons do not ask one Prometheus at once.",
        ),
    )
    catch_up: timedelta = field(
        default=timedelta(days=14),
        metadata=about(
            Duration("0s", "60d", "14d"),
            "How far back jobs are made up for that no daemon was there for.",
        ),
    )
    grace_period: timedelta = field(
        default=timedelta(seconds=25),
        metadata=about(
            Duration("0s", "10m", "25s"),
            "How long after SIGTERM a running job may go on; below Kubernetes' "
            "terminationGracePeriodSeconds.",
        ),
    )


@dataclass(frozen=True, slots=True)
class LeadershipConfig(Section):
    """Which of several daemons acts."""

    by: str = field(
        default="auto",
        metadata=about(
            Choice(("auto", "lease", "file")),
            "A Kubernetes Lease, or a locked file where all daemons run on one machine; `auto`: "
            "a Lease if a Kubernetes API is configured, else a file.",
        ),
    )
    cluster: str = field(
        default="",
        metadata=about(
            Text(), 'Name of the cluster that keeps the Lease; "" = the first with an API.'
        ),
    )
    namespace: str = field(
        default="",
        metadata=about(
            Text(r"[a-z0-9-]*", "name of a namespace"),
            "Namespace of the Lease; \"\" = the pod's own, else the context's, else `default`.",
        ),
    )
    name: str = field(
        default="gpu-thrift",
        metadata=about(
            Text(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", "name of an object"), "Name of the Lease."
        ),
    )
    duration: timedelta = field(
        default=timedelta(seconds=30),
        metadata=about(
            Duration("2s", "5m", "30s"),
            "How long a Lease holds; the next daemon takes over this long after the last word "
            "of the one before.",
        ),
    )
    file: str = field(
        default="",
        metadata=about(Text(range="path"), 'The locked file; "" = beside the SQLite ledger.'),
    )
    lock: Path | None = field(default=None, compare=False)
    """The locked file, once loaded."""


@dataclass(frozen=True, slots=True)
class WebConfig(Section):
    """Where the daemon says how it is."""

    host: str = field(
        default="127.0.0.1",
        metadata=about(
            Text(r"\S+", "address"),
            "Address that is listened on; 0.0.0.0 for probes and Prometheus in a pod.",
        ),
    )
    port: int = field(
        default=9470, metadata=about(Whole(0, 65535), "Port; 0 takes a free one and says which.")
    )
    url: str = field(
        default="",
        metadata=about(
            Url(optional=True),
            'Where people reach this daemon, for links in messages; "" = messages have none.',
        ),
    )
    reports: str = field(
        default="",
        metadata=about(
            Text(range="path"), 'Folder that reports are kept in; "" = beside the SQLite ledger.'
        ),
    )
    folder: Path | None = field(default=None, compare=False)
    """The folder of the reports, once loaded."""
