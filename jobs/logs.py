"""Log lines on stderr: text for people, or one JSON object a line.

Each line carries the job and the run it belongs to, where there is one. A secret that was ever
used is masked, wherever it turns up.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from analyzer.config.secret import masked

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

LOG_FORMATS = ("text", "json")

_OURS = ("_record", "_from_structlog", "_logger", "_name")


def run_id() -> str:
    """Tells one run's lines from all others': host, process and a random part."""
    return f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"


@contextmanager
def run_logs(run: str, job: str) -> Iterator[None]:
    """Every line within belongs to this run."""
    import structlog  # noqa: PLC0415 - see below

    with structlog.contextvars.bound_contextvars(run=run, job=job):
        yield


def with_context(call: Callable[..., Any]) -> Callable[..., Any]:
    """``call`` for another thread, whose lines belong to the same run as those of this one."""
    context = copy_context()

    def run(*args: Any, **kwargs: Any) -> Any:
        return context.copy().run(call, *args, **kwargs)

    return run


def _told(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """The line as it was logged, with the fields that came along."""
    record: logging.LogRecord = event["_record"]
    told: EventDict = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": " ".join(str(event["event"]).splitlines()),
        **getattr(record, "fields", {}),
    }
    # structlog moves it from the record into the event.
    raised = event.pop("exc_info", None)
    if isinstance(raised, tuple) and raised[1] is not None:
        told["exception"] = _where(raised[1])
    known = {key: value for key, value in event.items() if key not in (*_OURS, "event")}
    for key, value in known.items():
        told.setdefault(key, value)
    return told


def _where(error: BaseException) -> str:
    """What was raised, and the line that raised it: all of a traceback that fits into a line."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = f" ({Path(last[0].filename).name}:{last[0].lineno})" if last else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{place}"


def _masked(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {key: _hide(value) for key, value in event.items()}


def _hide(value: Any) -> Any:
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, list | tuple):
        return [_hide(one) for one in value]
    return {key: _hide(one) for key, one in value.items()} if isinstance(value, dict) else value


def _json(_: WrappedLogger, __: str, event: EventDict) -> str:
    return orjson.dumps(event, default=str).decode()


def _dated(_: WrappedLogger, __: str, event: EventDict) -> str:
    run = f" [{event['job']} {event['run']}]" if "job" in event else ""
    cause = f": {event['exception']}" if "exception" in event else ""
    return f"{event['time']} gpu-thrift: {event['level']}: {event['message']}{cause}{run}"


class _Plain(logging.Formatter):
    """For a person at a terminal, who knows what time it is and what runs."""

    def format(self, record: logging.LogRecord) -> str:
        raised = record.exc_info[1] if record.exc_info else None
        cause = f": {_where(raised)}" if raised else ""
        return masked(f"gpu-thrift: {record.levelname.lower()}: {record.getMessage()}{cause}")


def _structured(render: Processor) -> logging.Formatter:
    import structlog  # noqa: PLC0415 - loads rich, which a short command does not need

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.contextvars.merge_contextvars],
        processors=[_told, _masked, render],
    )


def set_up_logging(form: str, verbose: int, timed: bool = False) -> None:
    """``verbose`` 0 shows warnings, 1 also what is done, 2 everything of ours. ``timed`` dates
    lines of text, and says which run each belongs to."""
    handler = logging.StreamHandler(sys.stderr)
    if form == "json":
        handler.setFormatter(_structured(_json))
    else:
        handler.setFormatter(_structured(_dated) if timed else _Plain())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries log requests with their headers at DEBUG: never below warning.
    root.setLevel(logging.WARNING)
    # Numerical libraries warn with source paths; what matters in it is said as a notice.
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").setLevel(logging.WARNING if verbose > 1 else logging.ERROR)
    ours = logging.getLogger("gpu_thrift")
    ours.setLevel((logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)])
    # Every change of a cluster is told, whatever the level of the rest.
    logging.getLogger("gpu_thrift.changes").setLevel(logging.INFO)
