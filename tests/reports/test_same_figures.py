"""Every dollar is the same to the cent in Slack, on the page, in Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from reports.digest import Digest
from reports.digest_json import weekly_json
from reports.export import to_csv
from reports.html import to_html
from reports.pictures import drawings
from reports.slack import details, weekly
from reports.weekly_markdown import weekly_markdown
from tests.reports import weeklies

DOLLARS = re.compile(r"\$([\d,]+(?:\.\d+)?)")
COLUMNS = {
    "cost_usd": "cost_usd",
    "idle_cost_usd": "idle_cost_usd",
    "worth_usd_per_month": "recommendation_worth_usd_per_month",
    "saves_usd_per_month": "recommendation_saves_usd_per_month",
}
"""Of a workload and its plan: keys of the document, and columns of the CSV."""


def known(node: Any, key: str = "") -> Iterator[float]:
    """Every dollar of the document, and every dollar that its sentences tell."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from known(value, name)
    elif isinstance(node, list):
        for value in node:
            yield from known(value, key)
    elif isinstance(node, str):
        yield from (float(text.replace(",", "")) for text in DOLLARS.findall(node))
    elif isinstance(node, int | float) and "usd" in key:
        yield abs(node)


def slack(digest: Digest) -> list[str]:
    """All texts of both messages: the fallbacks, and those of the blocks."""
    made = (weekly(digest, lambda _: None), details(digest, drawings(digest, None)))
    blocks = [html.unescape(json.dumps(list(one.blocks), ensure_ascii=False)) for one in made]
    return [*(html.unescape(one.text) for one in made), *blocks]


def page(digest: Digest) -> str:
    """What a reader sees of the page, pictures' words included."""
    text = to_html(digest, drawings(digest, None))
    text = re.sub(r"<(style|script)>.*?</\1>", "", text, flags=re.S)
    alts = " ".join(re.findall(r'alt="?([^">]*)', text))
    return html.unescape(re.sub(r"<[^>]*>", " ", text) + alts)


@pytest.mark.parametrize("name", sorted(weeklies.ALL))
def test_no_dollar_is_another_one_elsewhere(name: str) -> None:
    digest = weeklies.ALL[name]()
    document = json.loads(weekly_json(digest))
    figures = {f"{usd:.2f}" for usd in known(document)}
    markdown = weekly_markdown(digest).replace("\\$", "$")
    for medium in (*slack(digest), page(digest), markdown):
        for text in DOLLARS.findall(medium):
            assert re.fullmatch(r"[\d,]+\.\d{2,}", text), f"${text} is not to the cent"
            assert f"{float(text.replace(',', '')):.2f}" in figures, f"${text} is nowhere else"


@pytest.mark.parametrize("name", sorted(weeklies.ALL))
def test_what_matters_most_is_in_all_of_them(name: str) -> None:
    digest = weeklies.ALL[name]()
    document = json.loads(weekly_json(digest))
    totals, week = document["totals"], document["week"]
    wanted = [totals["cost_usd"], totals["idle_cost_usd"], totals["unallocated_cost_usd"]]
    wanted += [week["nights"]["usd"]] if week["nights"] else []
    for one in week["actions"][:3]:
        wanted += [one["worth_usd_per_month"], one["saves_usd_per_month"] or None]
    fallback, _, blocks, _ = slack(digest)
    for medium in (fallback, blocks, page(digest), weekly_markdown(digest).replace("\\$", "$")):
        for usd in wanted:
            assert usd is None or f"${abs(usd):,.2f}" in medium, usd


@pytest.mark.parametrize("name", sorted(weeklies.ALL))
def test_the_csv_has_the_document_s_dollars(name: str) -> None:
    digest = weeklies.ALL[name]()
    document = json.loads(weekly_json(digest))
    rows = list(csv.DictReader(io.StringIO(to_csv(digest.analysis), newline="")))
    assert len(rows) == len(document["workloads"])
    for row, workload in zip(rows, document["workloads"], strict=True):
        plan = next((one for one in workload["recommendations"] if one["plan"]), {})
        for key, column in COLUMNS.items():
            usd = (workload if key in workload else plan).get(key)
            assert row[column] == ("" if usd is None else str(usd)), (column, workload["name"])
    priced = sum(float(row["cost_usd"] or 0) for row in rows)
    # Each row is rounded by itself.
    assert abs(priced - document["totals"]["cost_usd"]) <= 0.005 * (len(rows) + 1)
