"""Text of others stays text in Slack."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.mrkdwn import clip, cut, escaped, link, plain

HOSTILE = st.text(st.sampled_from("ab1 _*~`&<>|:+!@#/\n\u202e\u200b\ud800é日"), max_size=60)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("chat-70b", "chat-70b"),
        ("a & b", "a &amp; b"),
        ("&lt;", "&amp;lt;"),
        ("<!channel>", "&lt;!channel&gt;"),
        ("<https://a.example|b>", "&lt;https://a.example|b&gt;"),
        ("*b* ~s~ `c`", "∗b∗ ∼s∼ ˋcˋ"),
        ("_it_", "ˍitˍ"),
        ("__it__ _", "ˍˍitˍˍ ˍ"),
        ("snake_case_name", "snake_case_name"),
        ("(_it_)", "(ˍitˍ)"),
        (":tada:", "꞉tada꞉"),
        (":piñata: :Fire:", "꞉piñata꞉ ꞉Fire꞉"),
        (":+1::-1::100: :1234:", "꞉+1꞉꞉-1꞉꞉100꞉ ꞉1234꞉"),
        (":wave::skin-tone-2:", "꞉wave꞉꞉skin-tone-2꞉"),
        ("at 12:30:45", "at 12:30:45"),
        ("registry:5000/chat:v1", "registry:5000/chat:v1"),
        ("a\nb\x1b[31m\u202e\u200b", r"a\x0ab\x1b[31m\u202e\u200b"),
        ("", ""),
    ],
)
def test_outside_text_is_shown_as_it_is(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_a_long_text_loses_its_end_and_never_half_an_escape() -> None:
    assert escaped("a" * 300, 10) == "a" * 9 + "…"
    assert escaped("&" * 300, 3) == "&amp;&amp;…"
    assert escaped("&&&", 3) == "&amp;" * 3
    assert escaped("x" * 1000) == "x" * 1000


@given(HOSTILE, st.integers(0, 20))
def test_nothing_in_outside_text_is_markup(text: str, longest: int) -> None:
    shown = escaped(text, longest)
    assert not re.search(r"[<>*~`\n\u202e\u200b\ud800]", shown)
    assert re.fullmatch(r"(?:[^&]|&(?:amp|lt|gt);)*", shown)
    # Slack wants a border beside a mark of style.
    assert not re.search(r"(?<![a-z0-9é日])_|_(?![a-z0-9é日])", shown.lower())
    without = re.sub(r"&\w+;", "", shown)
    assert not re.search(r":(?=[^:\s]*[a-zé日])[a-z0-9_+é日-]+:|:\+1:", without)


def test_a_link_has_one_address_and_one_text() -> None:
    assert link("https://a.example/#w", "b|<c>*") == "<https://a.example/#w|bǀ&lt;c&gt;∗>"
    assert link("https://a.example", "d" * 300, 5) == "<https://a.example|dddd…>"


@given(HOSTILE)
def test_no_text_ends_its_link(text: str) -> None:
    shown = link("https://a.example", text)
    assert shown.count("<") == shown.count(">") == shown.count("|") == 1
    assert shown.endswith(">")


def test_a_terminal_shows_what_a_reader_of_slack_sees() -> None:
    made = f"*Do first*: {link('https://a.example', 'a<b')}, {escaped('&lt; * &')}"
    assert plain(made) == "Do first: a<b (https://a.example), &lt; ∗ &"


@pytest.mark.parametrize(
    ("text", "longest", "shown"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("abcd", 0, "abcd"), ("ab", 1, "…"), ("", 3, "")],
)
def test_clipping_leaves_a_sign(text: str, longest: int, shown: str) -> None:
    assert clip(text, longest) == shown


@pytest.mark.parametrize(
    ("markup", "longest", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("a&amp;b", 4, "a…"),
        ("a&amp;b", 6, "a…"),
        ("a&amp;bc", 7, "a&amp;…"),
        ("a <https://b|c> d", 16, "a <https://b|c>…"),
        ("a <https://b|c> d", 15, "a …"),
    ],
)
def test_a_cut_is_never_within_an_escape_or_a_link(markup: str, longest: int, shown: str) -> None:
    assert cut(markup, longest) == shown


@given(HOSTILE, st.integers(1, 80))
def test_a_cut_is_short_enough_and_whole(text: str, longest: int) -> None:
    found = cut(f"{escaped(text)} {link('https://a.example', text)}", longest)
    assert len(found) <= longest
    assert re.fullmatch(r"(?:[^&<>]|&(?:amp|lt|gt);|<https://a\.example\|[^<>]*>)*", found)
