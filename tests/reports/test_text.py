"""Figures and outside text as people see them."""

from __future__ import annotations

import math

import pytest

from reports.text import cents, encodable, hours, money, percent, visible


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (0, "$0"),
        (0.001, "<$0.01"),
        (0.149, "$0.15"),
        (99.99, "$99.99"),
        (12345.4, "$12,345"),
        (None, "?"),
        (math.nan, "?"),
    ],
)
def test_money_is_in_units_people_read(usd, text):
    assert money(usd) == text


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (1234.5, "$1,234.50"),
        (0, "$0.00"),
        (-0.0, "$0.00"),
        (-0.004, "$0.00"),
        (0.006, "$0.01"),
        (-5, "-$5.00"),
        (2_000_000, "$2,000,000.00"),
        (None, "?"),
        (math.nan, "?"),
        (-math.inf, "?"),
    ],
)
def test_sums_that_are_compared_are_to_the_cent(usd, text):
    assert cents(usd) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0, "0%"),
        (0.001, "<1%"),
        (0.31, "31%"),
        (0.999, ">99%"),
        (1, "100%"),
        (None, "?"),
        (math.inf, "?"),
    ],
)
def test_only_none_is_0_percent_and_only_all_is_100(fraction, text):
    assert percent(fraction) == text


@pytest.mark.parametrize(
    ("gpu_hours", "text"),
    [(0, "0"), (0.01, "<0.1"), (3.44, "3.4"), (9.96, "10"), (1234.4, "1,234"), (None, "?")],
)
def test_gpu_hours_are_in_units_people_read(gpu_hours, text):
    assert hours(gpu_hours) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("chat-70b", "chat-70b"),
        ("שלום", "שלום"),
        ("\x1b[31m", r"\x1b[31m"),
        ("a\tb\nc", r"a\x09b\x0ac"),
        ("\u202e\u2066\u200b\ufeff", r"\u202e\u2066\u200b\ufeff"),
        ("\u2028", r"\u2028"),
        ("\U000e0041", r"\U000e0041"),
        ("\x9b31m", r"\x9b31m"),
    ],
)
def test_what_steers_a_terminal_is_spelt_out(text, shown):
    assert visible(text) == shown


def test_a_lone_surrogate_becomes_a_replacement_and_the_rest_stays():
    assert encodable("a\ud800b 😀 \u2028") == "a\ufffdb 😀 \u2028"
