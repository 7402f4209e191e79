"""When development sleeps, how much may change at once, and where that is written down."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from analyzer.config.kinds import Choice, Choices, Duration, Flag, Number, Text, Texts, Whole
from analyzer.config.reader import Many, Problem, Section, about
from analyzer.config.secret import Secret
from analyzer.config.zone import Zone

_PATH = Text(r"(?:[A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z][A-Za-z0-9]*)*)?", "field names joined by dots")


@dataclass(frozen=True, slots=True)
class CustomKindConfig(Section):
    """A custom resource with a /scale subresource that may sleep."""

    api_version: str = field(
        metadata=about(
            Text(r"[a-z0-9.-]+/v[a-z0-9]+", "group/version"), "Its API group and version."
        )
    )
    plural: str = field(
        metadata=about(Text(r"[a-z0-9.-]+", "lower case"), "Its plural, as in its URL.")
    )
    kind: str = field(
        metadata=about(Text(r"[A-Z][A-Za-z0-9]*", "starts with a capital"), "Its kind.")
    )
    replicas_path: str = field(
        default="spec.replicas",
        metadata=about(
            Text(r"spec(?:\.[A-Za-z][A-Za-z0-9]*)+", "spec and field names joined by dots"),
            "The field behind /scale: specReplicasPath of its CustomResourceDefinition.",
        ),
    )
    ready_path: str = field(
        default="status.readyReplicas",
        metadata=about(_PATH, 'The field that counts ready replicas; "" = it has none.'),
    )
    template_path: str = field(
        default="spec.template",
        metadata=about(_PATH, "Its pod template, for its GPUs and its pods' labels."),
    )


@dataclass(frozen=True, slots=True)
class SleepConfig(Section):
    """Development at zero outside its awake windows."""

    enabled: bool = field(
        default=False,
        metadata=about(
            Flag(), "Whether the schedule puts anything to sleep; what sleeps wakes either way."
        ),
    )
    dry_run: bool = field(
        default=True,
        metadata=about(
            Flag(),
            "Whether the schedule only says what it would put to sleep; what sleeps wakes either "
            "way.",
        ),
    )
    environments: tuple[str, ...] = field(
        default=("development",),
        metadata=about(
            Choices(("development", "staging")), "Which may sleep. Production never can."
        ),
    )
    awake: str = field(
        default="Mon-Fri 08:00-20:00",
        metadata=about(
            Text(r".*\S.*", "awake windows"),
            "When workloads are awake: `[Days] HH:MM-HH:MM [Zone]`, several separated by commas; "
            "`always`, `never`. Overridden by the annotation `gpu-thrift.io/awake`.",
        ),
    )
    timezone: str = field(
        default="UTC", metadata=about(Zone(), "Zone of the windows that name none.")
    )
    holidays: str = field(
        default="",
        metadata=about(
            Text(r"(?:[A-Z]{2}(?:-[A-Za-z0-9 ]{1,40})?)?", "country or country-region"),
            'Public holidays without weekday windows: "DE", "DE-BY", "US-CA"; "" = none.',
        ),
    )
    namespaces: tuple[str, ...] = field(
        default=(),
        metadata=about(
            Texts(), "Namespaces that are looked at, each listed by itself; [] = all, at once."
        ),
    )
    gpus_only: bool = field(
        default=True, metadata=about(Flag(), "Whether only what asks for GPUs sleeps.")
    )
    grace: timedelta = field(
        default=timedelta(minutes=15),
        metadata=about(Duration("0s", "7d", "15m"), "How long a new workload is left alone."),
    )
    busy_window: timedelta = field(
        default=timedelta(minutes=10),
        metadata=about(
            Duration("2m", "2h", "10m"), "How far back requests or GPU work count as busy."
        ),
    )
    busy_utilisation: float = field(
        default=0.05,
        metadata=about(Number(0, 1), "GPU utilisation above which a replica is busy."),
    )
    defer_limit: timedelta = field(
        default=timedelta(hours=2),
        metadata=about(
            Duration("0s", "24h", "2h"),
            "How long after its window's end a busy workload may stay awake.",
        ),
    )
    when_still_busy: str = field(
        default="stay-awake",
        metadata=about(
            Choice(("stay-awake", "sleep")), "What then: it stays awake for the night, or sleeps."
        ),
    )
    when_metrics_missing: str = field(
        default="stay-awake",
        metadata=about(
            Choice(("stay-awake", "sleep")),
            "What the schedule does with a workload whose metrics are missing or stale.",
        ),
    )
    max_workloads: int = field(
        default=300,
        metadata=about(Whole(1, 100_000), "Most workloads put to sleep in one run."),
    )
    max_gpus: float = field(
        default=600.0,
        metadata=about(Number(0, 1_000_000, above=True), "Most GPUs put to sleep in one run."),
    )
    max_production_drop: float = field(
        default=0.3,
        metadata=about(
            Number(0, 1),
            "Nothing is put to sleep when the share of production among all workloads has fallen "
            "by more than this since the last run.",
        ),
    )
    max_shrink: float = field(
        default=0.5,
        metadata=about(
            Number(0, 1, above=True),
            "Nothing is put to sleep when the number of workloads has fallen by this share or more "
            "since the last run.",
        ),
    )
    wake_gpus: float = field(
        default=0.0,
        metadata=about(
            Number(0, 1_000_000), "Most GPUs starting at the same time when waking; 0 = no limit."
        ),
    )
    ready_deadline: timedelta = field(
        default=timedelta(minutes=30),
        metadata=about(
            Duration("1m", "24h", "30m"),
            "How long after waking a workload may take to be ready before it is reported.",
        ),
    )
    concurrency: int = field(
        default=16, metadata=about(Whole(1, 64), "Changes under way at the same time.")
    )
    rate: float = field(
        default=300.0,
        metadata=about(
            Number(0, 10_000, above=True), "Most requests a second for changes, events included."
        ),
    )
    kinds: tuple[CustomKindConfig, ...] = field(
        default=(),
        metadata=about(Many(CustomKindConfig), "Custom resources that may sleep as well."),
    )


@dataclass(frozen=True, slots=True)
class LedgerConfig(Section):
    """Where it is written down what was done, by whom and why."""

    file: str = field(
        default="",
        metadata=about(
            Text(range="path"),
            'SQLite file; "" = `gpu-thrift/ledger.db` in `$XDG_STATE_HOME`, else in '
            "`~/.local/state`.",
        ),
    )
    url_env: str = field(
        default="",
        metadata=about(
            Text(r"(?:[A-Za-z_][A-Za-z0-9_]*)?", "name of an environment variable", hidden=True),
            "Environment variable that holds a Postgres URL, used in place of the file.",
        ),
    )
    url_file: str = field(
        default="",
        metadata=about(Text(range="path", hidden=True), "File that holds a Postgres URL instead."),
    )
    url: Secret | None = field(default=None, compare=False)
    """The address of the ledger, once loaded: ``sqlite:///…`` or ``postgresql://…``."""

    def problem(self) -> Problem | None:
        given = [key for key in ("file", "url_env", "url_file") if getattr(self, key)]
        if len(given) > 1:
            return Problem(given[1], f"set {given[0]} or this, not both")
        return None
