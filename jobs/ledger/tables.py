"""The tables as they are now. ``migrations`` tells how they came about."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    text,
)


class Moment(TypeDecorator[datetime]):
    """An aware time as UTC text of fixed width, which sorts as the times do on every database."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return value.astimezone(UTC).isoformat(timespec="microseconds") if value else None

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return datetime.fromisoformat(value) if value else None


class Json(TypeDecorator[Any]):
    """A setting or a list as JSON text, so that 1, true and "1" stay apart."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:  # noqa: ARG002
        return json.dumps(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        return json.loads(value) if value else None


METADATA = MetaData()
_ID = BigInteger().with_variant(Integer, "sqlite")


def _workload() -> list[Column[Any]]:
    names = ("cluster", "namespace", "kind", "name", "uid")
    return [Column(name, Text, nullable=False) for name in names]


def _named() -> list[Column[Any]]:
    """A workload by its name, as the key of a table."""
    names = ("cluster", "namespace", "kind", "name")
    return [Column(name, Text, primary_key=True) for name in names]


SLEEPS = Table(
    "sleeps",
    METADATA,
    Column("id", _ID, primary_key=True, autoincrement=True),
    *_workload(),
    Column("before", Json, nullable=False),
    Column("slept_to", Json, nullable=False),
    Column("since", Moment, nullable=False),
    Column("by", Text, nullable=False),
    Column("wake_at", Moment),
    Column("gpus", Float, nullable=False),
    Column("usd_per_hour", Float),
    Column("nodes", Json, nullable=False),
    Column("scales", Json, nullable=False),
    Column("reverts", Integer, nullable=False, server_default=text("0")),
    Column("begun_by", _ID),
    Column("closed_at", Moment),
    Column("outcome", Text, nullable=False, server_default=text("''")),
    Column("ready_at", Moment),
    Column("waited_until", Moment),
    Column("cause", Text, nullable=False, server_default=text("''")),
    Index(
        "one_open_sleep",
        "cluster",
        "uid",
        unique=True,
        sqlite_where=text("closed_at IS NULL"),
        postgresql_where=text("closed_at IS NULL"),
    ),
    Index("sleeps_closed", "cluster", "closed_at"),
    Index("sleeps_workload", "cluster", "namespace", "kind", "name"),
)

CHANGES = Table(
    "changes",
    METADATA,
    Column("id", _ID, primary_key=True, autoincrement=True),
    *_workload(),
    Column("at", Moment, nullable=False),
    Column("action", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("from", Json, nullable=False),
    Column("to", Json, nullable=False),
    Column("memory", Json, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("outcome", Text),
    Column("detail", Text, nullable=False, server_default=text("''")),
    Column("finished_at", Moment),
    Index(
        "unfinished_changes",
        "cluster",
        sqlite_where=text("outcome IS NULL"),
        postgresql_where=text("outcome IS NULL"),
    ),
    Index("changes_at", "cluster", "at"),
)

HOLDS = Table(
    "holds",
    METADATA,
    Column("cluster", Text, primary_key=True),
    Column("uid", Text, primary_key=True),
    Column("until", Moment, nullable=False),
    Column("reason", Text, nullable=False),
)

BASELINES = Table(
    "baselines",
    METADATA,
    Column("cluster", Text, primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("workloads", Integer, nullable=False),
    Column("production", Integer, nullable=False),
    Column("seen_at", Moment, nullable=False),
)

READY = Table(
    "ready",
    METADATA,
    *_named(),
    Column("seconds", Json, nullable=False),
    Column("seen_at", Moment, nullable=False),
)
"""The latest times to ready of each workload, by name: a workload made anew starts alike."""

RUNS = Table(
    "runs",
    METADATA,
    Column("job", Text, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("due", Moment, nullable=False),
    Column("holder", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("begun_at", Moment, nullable=False),
    Column("first_begun_at", Moment, nullable=False),
    Column("retry_at", Moment),
    Column("finished_at", Moment),
    Column("outcome", Text, nullable=False, server_default=text("''")),
    Column("detail", Text, nullable=False, server_default=text("''")),
    Index("runs_due", "job", "due"),
)
"""Each period of each job: that it can be there only once is what makes it run only once."""

JOBS = Table(
    "jobs",
    METADATA,
    Column("job", Text, primary_key=True),
    Column("settled", Moment, nullable=False),
)
"""Up to when every period of a job is over; at first, when the job was first known."""

USAGE = Table(
    "usage",
    METADATA,
    Column("cluster", Text, primary_key=True),
    Column("begin", Moment, primary_key=True),
    Column("document", LargeBinary, nullable=False),
)
"""What each hour used, of each cluster."""

FLAGS = Table(
    "flags",
    METADATA,
    *_named(),
    Column("verdict", Text, nullable=False),
    Column("since", Moment, nullable=False),
    Column("told", Text, nullable=False),
    Column("told_usd", Float),
)
"""Production workloads that are idle or underused, and what was told of them."""

ADVICE = Table(
    "advice",
    METADATA,
    *_named(),
    Column("action", Text, primary_key=True),
    Column("first_seen", Moment, primary_key=True),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("last_seen", Moment, nullable=False),
    Column("state", Text, nullable=False),
    Column("state_since", Moment, nullable=False),
    Column("snoozed_until", Moment),
    Column("plan", Boolean, nullable=False),
    Column("predicted_gpu_hours", Float, nullable=False),
    Column("predicted_worth_usd", Float),
    Column("predicted_usd", Float),
    Column("predicted_nodes", Integer),
    Column("accepted_at", Moment),
    Column("baseline_gpu_hours", Float),
    Column("baseline_usd", Float),
    Column("realised_gpu_hours", Float),
    Column("realised_usd", Float),
    Column("note", Text, nullable=False),
    Column("settled", Boolean, nullable=False),
)
"""What becomes of recommendations. GPU-hours and the baseline's dollars are a week's, other dollars
a month's."""

NOTICES = Table(
    "notices",
    METADATA,
    Column("id", _ID, primary_key=True, autoincrement=True),
    Column("key", Text, nullable=False, unique=True),
    Column("channel", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("blocks", Json, nullable=False),
    Column("parent", Text, nullable=False, server_default=text("''")),
    Column("made_at", Moment, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'waiting'")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("try_at", Moment, nullable=False),
    Column("sending_at", Moment),
    Column("sent_at", Moment),
    Column("receipt", Text, nullable=False, server_default=text("''")),
    Column("detail", Text, nullable=False, server_default=text("''")),
    Index("notices_waiting", "state", "try_at"),
)
"""Messages to people: each key once, however often it is asked for. A reply names its parent."""

PICTURES = Table(
    "pictures",
    METADATA,
    Column("notice", Text, primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("alt", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
"""Pictures of messages, in order; empty once nobody will post them any more."""

VERSION = Table("schema_version", MetaData(), Column("version", Integer, nullable=False))
