"""Log lines on stderr: text for people, or one JSON object a line."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

LOG_FORMATS = ("text", "json")


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"gpu-thrift: {record.levelname.lower()}: {record.getMessage()}"


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        return json.dumps(line, ensure_ascii=False)


def set_up_logging(form: str, verbose: int) -> None:
    """``verbose`` 0 shows warnings, 1 also what is done, 2 everything of ours."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
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
