"""docs/output.md against the schema."""

from __future__ import annotations

import re
from pathlib import Path

from reports.export import csv_columns, schema

DOCUMENTED = set(
    re.findall(
        r"`(?:\w+\.)?(\w[\w-]*)(?:\[\])?`",
        (Path(__file__).parents[2] / "docs" / "output.md").read_text(encoding="utf-8"),
    )
)


def keys(node):
    if isinstance(node, dict):
        properties = node.get("properties", {})
        yield from (key for key in properties if isinstance(properties, dict))
        for value in node.values():
            yield from keys(value)


def test_every_key_of_the_document_is_explained():
    assert set(keys(schema())) - DOCUMENTED == set()


def test_every_column_of_the_csv_alone_is_explained():
    starts = ("window_", "prices_", "recommendation")
    alone = [name for name in csv_columns() if name.startswith(starts)]
    assert len(alone) == 4 + 8
    assert set(alone) - DOCUMENTED == set()
