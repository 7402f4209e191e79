"""Whatever is said, Slack takes it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block as SlackBlock

from reports.blocks import Message, context, fields, header, message, picture, section, table
from reports.mrkdwn import escaped
from tests.fakes.slack import limits

# Pieces, not characters: what is long has to be made quickly.
PIECES = ("", " ", "a", "&", "<!channel>", "|", "\u202e", "\ud800", "ß", "🎉", "x" * 119, "&" * 900)
TEXT = st.lists(st.sampled_from((*PIECES, "y" * 2500, "\n")), max_size=5).map("".join)
MARKUP = TEXT.map(escaped)
LINES = st.lists(MARKUP, min_size=1, max_size=8)
ROWS = st.lists(st.lists(TEXT, min_size=3, max_size=3), max_size=120)
BLOCK = st.one_of(
    TEXT.map(header),
    LINES.map(section),
    st.lists(MARKUP, min_size=1, max_size=12).map(fields),
    st.lists(MARKUP, min_size=1, max_size=12).map(context),
    st.builds(picture, st.just("spend"), TEXT, TEXT),
)


def refused(made: Message) -> str:
    """The code that Slack answers, by the limits it documents and by its own library's."""
    SlackBlock.parse_all(json.loads(json.dumps(made.blocks)))
    for one in SlackBlock.parse_all(json.loads(json.dumps(made.blocks))):
        one.validate_json()
    return limits.problem({"text": made.text, "blocks": list(made.blocks)})


@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(LINES, st.lists(BLOCK, min_size=1, max_size=60), ROWS)
def test_whatever_is_given_slack_takes_it(
    lines: list[str], given_: list[Any], rows: list[list[str]]
) -> None:
    made = message(["title", *lines], [*given_, table(("a", "b", "c"), rows)])
    assert refused(made) == ""
    assert len(made.text) <= 9000
    markup = [text for one in made.blocks for text in marked(one)]
    assert not any(re.search(r"&(?!amp;|lt;|gt;)", text) for text in [made.text, *markup])


def marked(value: Any) -> Iterator[str]:
    """The texts within a block that Slack reads as markup."""
    if isinstance(value, dict):
        if value.get("type") == "mrkdwn":
            yield value["text"]
        for inner in value.values():
            yield from marked(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from marked(inner)


def test_what_fits_stands_as_it_is() -> None:
    given_ = [header("GPU report"), section(["*a*", "b"])]
    made = message(["one", "two"], given_)
    assert made == Message("one\ntwo", tuple(given_))
    assert refused(made) == ""


@pytest.mark.parametrize(("count", "kept"), [(49, 49), (50, 50), (51, 49), (200, 49)])
def test_fifty_blocks_are_the_most(count: int, kept: int) -> None:
    made = message(["x"], [section(["a"])] * count)
    assert sum(block == section(["a"]) for block in made.blocks) == kept
    assert len(made.blocks) == min(50, count)
    assert ("more than fits" in json.dumps(made.blocks[-1])) is (count > 50)
    assert refused(made) == ""


def test_all_texts_together_have_a_limit_and_the_end_is_left_out() -> None:
    made = message(["x"], [section([letter * 2900]) for letter in "abcde"])
    starts = [next(iter(_texts(block)))[:1] for block in made.blocks]
    # 2,900 characters and 125 for the block, besides what tells its kind: three are below 10,000.
    assert starts == ["a", "b", "c", "_"]
    assert refused(made) == ""


def _texts(block: Any) -> list[str]:
    found = [block["text"]] if "text" in block else block["elements"]
    return [one["text"] for one in found]


def test_a_long_text_ends_with_a_whole_line() -> None:
    made = message([f"{n:03} {'&amp;' * 100}" for n in range(30)], [section(["a"])])
    # Lines of 505 characters with their ends: seventeen are below 9,000.
    lines = made.text.split("\n")
    assert [line[:3] for line in lines] == [*(f"{n:03}" for n in range(17)), "…"]
    assert all(line.endswith("&amp;") for line in lines[:-1])


def test_a_single_line_that_is_too_long_is_cut_and_not_lost() -> None:
    made = message(["&amp;" * 2000], [section(["a"])])
    assert made.text == "&amp;" * 1799 + "…"


def test_lines_that_do_not_fit_a_section_are_left_out_whole() -> None:
    lines = [f"{n} {'x' * 1000}" for n in range(4)]
    assert section(lines)["text"]["text"] == "\n".join([*lines[:2], "…"])
    assert section(["&lt;" * 1000])["text"]["text"] == "&lt;" * 749 + "…"
    exact = ["x" * 1500, "y" * 1496]
    assert section(exact)["text"]["text"] == "\n".join(exact)


def test_a_field_keeps_its_figure_where_its_note_is_too_long() -> None:
    [found] = fields([f"*Spent*\n$1.00\n{'&amp;' * 400}"])["fields"]
    assert found["text"] == "*Spent*\n$1.00\n…"


@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_nothing_is_a_sign(blank: str) -> None:
    made = (section([blank]), fields([blank]), context([blank]))
    assert [json.dumps(one, ensure_ascii=False).count("–") for one in made] == [1, 1, 1]
    empty = message([""], [header(""), picture("a", "", ""), section([])])
    assert limits.problem({"text": "x", "blocks": list(empty.blocks)}) == ""


def test_more_fields_or_notes_than_ten_are_left_out() -> None:
    assert len(fields(["a"] * 12)["fields"]) == 10
    assert len(context(["a"] * 12)["elements"]) == 10


def test_plain_places_show_outside_text_as_it_is() -> None:
    assert header("<a> & :b: \u202e")["text"] == {
        "type": "plain_text",
        "text": r"<a> & :b: \u202e",
        "emoji": False,
    }
    assert len(header("x" * 300)["text"]["text"]) == 150
    made = picture("spend", "t" * 3000, "a\nb" + "c" * 3000)
    assert made["slack_file"] == {"id": "spend"}
    assert made["alt_text"].startswith(r"a\x0ab")
    assert (len(made["alt_text"]), len(made["title"]["text"])) == (2000, 2000)


def test_slack_looks_for_nothing_in_markup() -> None:
    """Else it would make links of addresses and mentions of ``@here`` that are no markup."""
    texts = [section(["a"])["text"], *fields(["a"])["fields"], *context(["a"])["elements"]]
    assert all(one["type"] == "mrkdwn" and one["verbatim"] is True for one in texts)


def cells(made: Any) -> list[list[str]]:
    return [[cell["text"] for cell in row] for row in made["rows"]]


def test_a_table_has_its_figures_to_the_right() -> None:
    made = table(("Model", "Cost"), [("a|b\n", "$1.00"), ("", "?")], right=(1,))
    assert cells(made) == [["Model", "Cost"], [r"a|b\x0a", "$1.00"], ["–", "?"]]
    assert [one["align"] for one in made["column_settings"]] == ["left", "right"]
    assert [one["is_wrapped"] for one in made["column_settings"]] == [True, False]


@pytest.mark.parametrize(
    ("head", "rows", "kept"),
    [
        (("a",), [("b",)] * 500, 100),
        # 20 columns of 120 characters: two rows leave room for the rest of a message.
        (("h" * 120,) * 25, [("x" * 500,) * 25] * 50, 2),
    ],
)
def test_a_table_keeps_to_its_limits(
    head: Sequence[str], rows: list[tuple[str, ...]], kept: int
) -> None:
    made = table(head, rows)
    assert len(made["rows"]) == kept
    assert len(made["column_settings"]) <= 20
    assert max(len(row) for row in made["rows"]) <= 20
    assert limits.problem({"text": "x", "blocks": [made]}) == ""
