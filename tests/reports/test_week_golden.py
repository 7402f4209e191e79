"""What readers of the weekly report see, whole, for weeks of every sort."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from reports.digest import Digest
from reports.digest_json import week_object, weekly_json
from reports.export import schema
from reports.links import page_url
from reports.pictures import Drawing
from reports.slack import details, weekly
from reports.weekly_markdown import weekly_markdown
from tests import golden
from tests.reports import weeklies
from tests.reports.test_export import closed

PICTURES = (
    Drawing("spend", "GPU spend by week", "Bars that grow.", b"", b"", (), ()),
    Drawing("rhythm", "When GPUs work", "Busiest on Monday.", b"", b"", (), ()),
)
"""What they show is looked at elsewhere."""


def slack(digest: Digest) -> str:
    """Both messages as they are sent."""

    def locate(key: object) -> str | None:
        return page_url("https://thrift.example.com", digest.week, key)  # type: ignore[arg-type]

    made = (weekly(digest, locate), details(digest, PICTURES))
    told = [{"text": one.text.splitlines(), "blocks": list(one.blocks)} for one in made]
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def digested(digest: Digest) -> str:
    return json.dumps(week_object(digest), indent=1, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("name", sorted(weeklies.ALL))
@pytest.mark.parametrize(
    ("kind", "renderer"),
    [("digest.json", digested), ("slack.json", slack), ("md", weekly_markdown)],
)
def test_it_is_as_it_was_agreed(name: str, kind: str, renderer) -> None:  # type: ignore[no-untyped-def]
    golden.check(f"week/{name}.{kind}", renderer(weeklies.ALL[name]()))


@pytest.mark.parametrize("name", sorted(weeklies.ALL))
def test_the_document_is_as_the_schema_says_and_no_more(name: str) -> None:
    document = json.loads(weekly_json(weeklies.ALL[name]()))
    Draft202012Validator(closed(schema())).validate(document)
