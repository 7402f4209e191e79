"""Advice as people and programs read it."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from analyzer.advice import (
    Action,
    Advice,
    Confidence,
    Recommendation,
    Refusal,
    Replay,
    Saving,
    Savings,
    Trial,
)
from reports.advice_text import advice_lines, bill, effect, freed, instead, total
from reports.digest import Past, digest
from reports.export import document, schema, to_csv, to_json
from reports.markdown import to_markdown
from reports.sections import sections
from reports.slack import weekly
from tests import builders as make
from tests.builders import analysis, recommendation, workload_use
from tests.reports import advised, fleets
from tests.reports.screens import pipe, plain_screen
from tests.reports.test_export import closed

VALIDATOR = Draft202012Validator(closed(schema()))

FIGURE = st.floats() | st.integers(-(10**6), 10**6).map(float)
COUNT = st.none() | st.integers(-5, 50)
TRIAL = st.builds(
    Trial,
    st.integers(0, 99),
    *[st.floats(min_value=0)] * 5,
    st.none() | st.floats(min_value=0),
    st.none() | st.floats(min_value=0),
    st.sampled_from(("", "p95 of KV-cache use 82%", "\ud800")),
)
REPLAY = st.none() | st.builds(
    Replay, *[st.floats(min_value=0)] * 3, st.lists(TRIAL, max_size=3).map(tuple)
)
TEXT = st.text(min_size=1, max_size=9)
FACT = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
RECOMMENDATION = st.builds(
    Recommendation,
    st.sampled_from(get_args(Action)),
    st.integers(0, 99) | TEXT,
    st.integers(0, 99) | TEXT,
    TEXT,
    st.builds(Saving, FIGURE, st.none() | FIGURE, st.none() | FIGURE, COUNT),
    st.builds(Confidence, st.sampled_from(("high", "medium", "low")), st.tuples(TEXT)),
    st.dictionaries(TEXT, FACT, max_size=3),
    REPLAY,
    st.booleans(),
    st.sampled_from(("", "rejected by gpu-thrift.io/reject", "snoozed until then")),
)
REFUSAL = st.builds(Refusal, st.sampled_from(get_args(Action)), TEXT, TEXT, REPLAY)
SAVINGS = st.none() | st.builds(
    Savings, FIGURE, st.none() | FIGURE, st.none() | FIGURE, COUNT, COUNT
)


@given(st.lists(RECOMMENDATION, max_size=3), st.lists(REFUSAL, max_size=2), SAVINGS)
def test_any_advice_is_a_document_that_satisfies_the_schema_and_can_be_read(
    given, refused, savings
):
    made = analysis(workload_use(advice=Advice(tuple(given), tuple(refused))), savings=savings)
    loaded = json.loads(to_json(made).encode())
    VALIDATOR.validate(loaded)
    workload = loaded["workloads"][0]
    assert len(workload["recommendations"]) == len(given)
    assert [one["plan"] for one in workload["recommendations"]] == sorted(
        (one.plan for one in given), reverse=True
    )
    assert len(workload["refusals"]) == len(refused)
    pipe(made)
    to_csv(made)
    to_markdown(made)
    message_of(made)


def message_of(made):
    found = digest("2026-W47", make.snapshot(), made, Past())
    return weekly(found, lambda _: None).text


def test_every_action_is_in_the_contract():
    assert schema()["$defs"]["action"]["enum"] == list(get_args(Action))
    made = document(fleets.ALL["advised"]())
    told = {one["action"] for use in made["workloads"] for one in use["recommendations"]}
    assert told == set(get_args(Action))


def test_a_recommendation_is_told_whole():
    made = document(analysis(workload_use(advice=Advice((advised.fewer(),)))))
    [told] = made["workloads"][0]["recommendations"]
    replay = told.pop("replay")
    assert told == {
        "action": "reduce-replicas",
        "from": 4,
        "to": 3,
        "gpu_hours_freed_per_week": 1344.0,
        "saves_usd_per_month": 40179.2,
        "nodes_freed": 1,
        "confidence": "medium",
        "evidence": {
            "coverage": 0.99,
            "history_hours": 168.0,
            "preemptions": None,
            "kv_cache_p95_below": 0.8,
        },
        "worth_usd_per_month": 40179.2,
        "plan": True,
        "withheld": None,
        "reason": "3 would have carried 160 h of load; 2 would not: p95 of KV-cache use 82%",
        "confidence_reasons": [
            "99.0% of its time measured (high)",
            "7.0 days of history (medium)",
            "replayed KV-cache p95 32% below its limit (high)",
        ],
    }
    assert (replay["minutes"], replay["gap_minutes"], replay["zero_rate_minutes"]) == (
        9600,
        180,
        300,
    )
    assert replay["trials"][2] == {
        "replicas": 2,
        "kv_cache_p95": 0.821,
        "kv_cache_max": 1.27,
        "saturated_minutes": 214.5,
        "longest_saturated_minutes": 35.0,
        "would_wait": 1833.4,
        "gpu_work_p95": 0.62,
        "itl_p95_s": 0.055,
        "meets": False,
        "broken": "p95 of KV-cache use 82%, to be below 80%",
    }
    assert [trial["meets"] for trial in replay["trials"]] == [True, True, False]


def test_all_plans_together_stand_at_the_top():
    assert document(fleets.ALL["advised"]())["savings"] == {
        "gpu_hours_freed_per_week": 1746.0,
        "worth_usd_per_month": 41207.59,
        "saves_usd_per_month": 41091.55,
        "nodes_freed": 1,
        "nodes_bound": 2,
        "nodes_freed_at_night": None,
        "gpu_hours_added_per_week": 0.0,
        "added_usd_per_month": 0.0,
    }
    assert document(analysis())["savings"] is None


def rows(made):
    return {row["name"]: row for row in csv.DictReader(io.StringIO(to_csv(made), newline=""))}


def test_the_csv_has_the_plan_of_each_workload_in_columns_that_come_last():
    found = rows(fleets.ALL["advised"]())
    last = list(found["chat-70b"])[-8:]
    assert [found["chat-70b"][name] for name in last] == [
        "reduce-replicas",
        "4",
        "3",
        "1344.0",
        "40179.2",
        "40179.2",
        "1",
        "medium",
    ]
    assert [found["vision"][name] for name in last] == [""] * 8
    assert found["rerank"]["recommendation_to"] == "a quarter of an L4"
    assert found["chat-8b"]["recommendation_saves_usd_per_month"] == "-587.65"


def test_an_alternative_without_a_plan_is_no_row_of_the_csv():
    made = analysis(workload_use(advice=Advice((recommendation(plan=False),))))
    assert rows(made)["chat-70b"]["recommendation"] == ""
    assert "not in the totals" in pipe(made)


def test_text_of_advice_is_not_run_as_a_formula():
    made = analysis(workload_use(advice=Advice((recommendation(before="=1+1", after="@x"),))))
    row = rows(made)["chat-70b"]
    assert (row["recommendation_from"], row["recommendation_to"]) == ("'=1+1", "'@x")


@pytest.mark.parametrize(
    ("saving", "said"),
    [
        (
            Saving(1344, 40179.2, 40179.2, 1),
            "frees 1,344 GPU-h a week, worth $40,179 a month;"
            " 1 node can leave: saves $40,179 a month",
        ),
        (
            Saving(336, 1175.3, 0.0, 0),
            "frees 336 GPU-h a week, worth $1,175 a month;"
            " no node can leave, so the bill stays as it is",
        ),
        (
            Saving(336, 1175.3),
            "frees 336 GPU-h a week, worth $1,175 a month; how much the bill falls is not known",
        ),
        (
            Saving(336),
            "frees 336 GPU-h a week, no price known; how much the bill falls is not known",
        ),
        (
            Saving(336, None, None, 2),
            "frees 336 GPU-h a week, no price known; 2 nodes can leave,"
            " what that saves is not known",
        ),
        (Saving(0, 0.0, 1500.0), "saves $1,500 a month"),
        (Saving(0), "frees no GPU-hours; how much the bill falls is not known"),
        (
            Saving(-168, -587.65, -587.65, -1),
            "takes 168 GPU-h a week more, worth $588 a month;"
            " 1 more node is needed: costs $588 more a month",
        ),
        (
            Saving(math.nan, math.inf, math.nan),
            "what it frees is not known; how much the bill falls is not known",
        ),
    ],
)
def test_freed_hours_are_never_taken_for_a_smaller_bill(saving, said):
    assert effect(saving) == said


def test_what_new_gpus_cost_is_said_once():
    saving = Saving(-1344, -20031.0, -20031.0)
    assert effect(saving) == "takes 1,344 GPU-h a week more, costs $20,031 more a month"


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("smaller-gpu", "1 node can leave: saves $624 a month, the A10G paid"),
        ("share-gpu", "1 node can leave: saves $624 a month, its part of the shared GPU paid"),
        ("use-spot", "1 node can leave: saves $624 a month, the spot price paid"),
        ("remove", "1 node can leave: saves $624 a month"),
    ],
)
def test_what_a_saving_has_paid_for_is_told(action, said):
    advised = recommendation(action=action, before="L40S", after="A10G")
    assert bill(Saving(168, 624.0, 624.0, 1), instead(advised)) == said


def test_hours_and_bill_can_be_told_apart():
    saving = Saving(336, 1175.3, 0.0, 0)
    assert freed(saving) == "frees 336 GPU-h a week, worth $1,175 a month"
    assert bill(saving) == "no node can leave, so the bill stays as it is"


@pytest.mark.parametrize(
    ("savings", "said"),
    [
        # 12 GPUs are 12 x 168 = 2,016 GPU-hours a week.
        (
            Savings(2016, 60268.8, 40179.2, 1, 2),
            "12 GPUs freed are worth $60,269 a month; the bill"
            " falls by $40,179 a month, as 1 node can leave (2 at most, whatever is moved).",
        ),
        (
            Savings(2016, 60268.8, 60268.8, 2, 2),
            "12 GPUs freed are worth $60,269 a month; the bill"
            " falls by $60,269 a month, as 2 nodes can leave.",
        ),
        (
            Savings(168, 5022.4, 0.0, 0, 0),
            "1 GPU freed is worth $5,022 a month; the bill does not fall, as no node can leave.",
        ),
        (
            Savings(2016, 60268.8, None, None),
            "12 GPUs freed are worth $60,269 a month; how much"
            " the bill falls is not known: not every cluster's Kubernetes API was read.",
        ),
        (
            Savings(2016, 60268.8, 1500.0, None),
            "12 GPUs freed are worth $60,269 a month; the bill"
            " falls by $1,500 a month; how much more with fewer nodes is not known:"
            " not every cluster's Kubernetes API was read.",
        ),
        (
            Savings(84, None, None, 0, 3),
            "0.5 GPUs freed have no known price; no node can leave,"
            " what that saves is not known (3 at most, whatever is moved).",
        ),
        (
            Savings(0, 0.0, 1500.0, 0, 0),
            "No GPU is freed; the bill falls by $1,500 a month, though no node can leave.",
        ),
        (
            Savings(-168, -5022.4, -5022.4, -1, 0),
            "1 GPU more is worth $5,022 a month; the bill rises by $5,022 a month,"
            " as 1 more node is needed.",
        ),
    ],
)
def test_the_totals_tell_freed_gpus_from_freed_nodes(savings, said):
    assert total(savings) == said


def test_what_is_worth_most_comes_first_and_what_has_no_price_last():
    def line(name, worth, amount=168.0):
        return name, Advice((recommendation(saving=Saving(amount, worth)),))

    given = [line("few", None), line("dear", 900.0), line("many", None, 336.0), line("cheap", 1.0)]
    lines = advice_lines([*given, line("costs", -5.0)], None)
    assert [text.split(":")[0] for text in lines] == ["dear", "costs", "cheap", "many", "few"]


def test_no_section_where_no_rule_was_asked():
    assert "Recommendations" not in [section.title for section in sections(fleets.typical())]


def test_where_nothing_is_advised_one_line_says_why():
    [section] = [s for s in sections(fleets.ALL["refused"]()) if s.title == "Recommendations"]
    assert section.lines == (
        "No advice for 3 workloads: too short a history (2), every replica needed (1).",
    )


def test_refusals_are_no_news_beside_recommendations():
    assert "vision:" not in plain_screen(fleets.ALL["advised"]())
    assert "900 requests" not in pipe(fleets.ALL["advised"]())


def test_flagged_alone_has_advice_for_these_and_no_totals_of_all():
    text = pipe(fleets.ALL["advised"](), only_flagged=True)
    assert "embeddings-v2: remove 2 → 0" in text
    assert "share-gpu" not in text
    assert "GPUs freed" not in text


def test_the_weekly_message_and_markdown_tell_it_too():
    made = fleets.ALL["advised"]()
    text = message_of(made)
    assert "Do first\n1. *inference/" in text
    assert "(medium confidence)\nFrees 1,344 GPU-h a week, worth $40,179" in text
    assert "(high confidence)\nThe bill falls by $1,500.00 a month. The figures" in text
    page = to_markdown(made)
    assert page.index("## Recommendations") < page.index("## Totals")
    assert (
        r"- inference/chat-70b: reduce-replicas 4 → 3: frees 1,344 GPU-h a week, worth \$40,179"
        in page
    )


def test_text_of_advice_cannot_steer_a_terminal():
    hostile = recommendation(reason="\x1b[2Jx\u202e", after="[red]\n1[/red]")
    text = pipe(analysis(workload_use(advice=Advice((hostile,)))))
    assert r"[red]\x0a1[/red]" in text
    assert r"\x1b[2Jx\u202e" in text


def test_a_total_without_end_is_null():
    made = replace(analysis(), savings=Savings(math.inf, math.nan, -math.inf, None))
    assert json.loads(to_json(made))["savings"]["worth_usd_per_month"] is None
    assert "GPUs freed have no known price" in pipe(
        replace(made, workloads=(workload_use(advice=Advice((recommendation(),))),))
    )


def test_what_people_withhold_is_named_and_no_alternative_to_choose():
    no = "rejected by gpu-thrift.io/reject"
    spot = recommendation(action="use-spot", before="on-demand", after="spot")
    fewer = recommendation(plan=False, withheld=no)
    [_, line] = advice_lines([("chat", Advice((spot, fewer)))], Savings(0.0, 0.0, 0.0, 0))
    assert line.endswith(" Alternative: reduce-replicas 8 → 4 (rejected).")
    [_, line] = advice_lines([("chat", Advice((fewer,)))], Savings(0.0, 0.0, 0.0, 0))
    assert f" confidence, {no}, not in the totals)." in line
    made = document(analysis(workload_use(advice=Advice((spot, fewer)))))["workloads"][0]
    assert [one["withheld"] for one in made["recommendations"]] == [None, no]
