"""The analysis for programs: JSON, and the same figures as CSV."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from analyzer.analysis import Analysis, WorkloadUse
from reports.advice_json import COLUMNS, plan_cells
from reports.document import SERVING, UTILISATION, document, schema, workload_object

__all__ = ["as_json", "csv_columns", "document", "schema", "to_csv", "to_json", "workload_json"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A cell that begins so is run as a formula by spreadsheets."""


def to_json(analysis: Analysis) -> str:
    """The document, indented, with one newline at its end. Text is UTF-8, not ASCII escapes.

    Raises ValueError for a figure that is not finite where the contract wants a number.
    """
    return as_json(document(analysis))


def workload_json(use: WorkloadUse) -> str:
    """One of the document's ``workloads`` as a document of its own, written likewise."""
    return as_json(workload_object(use))


def as_json(made: dict[str, Any]) -> str:
    """A document as text: indented, UTF-8, one newline at its end. Raises ValueError for a figure
    that is not finite."""
    return json.dumps(made, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def to_csv(analysis: Analysis) -> str:
    """One row a workload, by RFC 4180 (lines end with CR LF), unknown figures empty.

    Nested keys are joined with ``_``. Window and prices are repeated in every row, so that the
    dollars never part from their date. Of the recommendations there is the plan.
    """
    made = document(analysis)
    context = {
        "window_start": made["window"]["start"],
        "window_end": made["window"]["end"],
        "prices_as_of": made["prices"]["as_of"],
        "prices_source": made["prices"]["source"],
    }
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, csv_columns())
    writer.writeheader()
    for workload in made["workloads"]:
        row = _flat(workload) | context | plan_cells(workload)
        writer.writerow({key: _cell(value) for key, value in row.items()})
    return out.getvalue()


def csv_columns() -> list[str]:
    """The header of the CSV."""
    names: list[str] = []
    for key in schema()["$defs"]["workload"]["properties"]:
        if key == "utilisation":
            names += (f"utilisation_{name}" for name in UTILISATION)
        elif key == "serving":
            names += (f"serving_{name}" for name in SERVING)
        elif key not in ("recommendations", "refusals"):
            names.append(key)
    # A new column goes last: some readers go by position.
    return [*names, "window_start", "window_end", "prices_as_of", "prices_source", *COLUMNS]


def _flat(workload: dict[str, Any]) -> dict[str, Any]:
    row = {key: workload[key] for key in workload if not isinstance(workload[key], dict | list)}
    for group, names in (("utilisation", UTILISATION), ("serving", tuple(SERVING))):
        figures = workload[group] or {}
        row |= {f"{group}_{name}": figures.get(name) for name in names}
        row.pop(group, None)
    return row


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
