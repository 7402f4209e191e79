"""Every code of a refusal is known to who follows advice and to who writes about it."""

from __future__ import annotations

import ast
from pathlib import Path

import analyzer.sizing
from analyzer.followed import JUDGEMENTS
from reports.advice_text import CODES

LACKING = {
    "asleep",
    "cache-unknown",
    "few-weekdays",
    "gpu-unknown",
    "little-load",
    "low-coverage",
    "low-serving-coverage",
    "model-unknown",
    "no-gpu-metrics",
    "no-inference-metrics",
    "no-latency",
    "no-price",
    "no-replicas",
    "no-spot-price",
    "short-history",
    "too-many-replicas",
    "unknown",
}
"""Codes that say that something is not known: they end no advice."""


def used() -> set[str]:
    found = {"unknown"}
    for path in Path(analyzer.sizing.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Refusal":
                code = node.args[1]
                if isinstance(code, ast.Constant):
                    found.add(str(code.value))
    return found | {"in-use", "not-saturated"}


def test_every_code_either_answers_or_lacks_something() -> None:
    assert used() == JUDGEMENTS | LACKING
    assert not JUDGEMENTS & LACKING


def test_every_code_has_its_words() -> None:
    assert used() == CODES.keys()
