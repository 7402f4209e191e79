"""The document for programs: figures, schema, CSV."""

from __future__ import annotations

import copy
import csv
import io
import json
import math

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from reports.export import csv_columns, document, schema, to_csv, to_json
from tests.builders import NOW, analysis, totals, unknown_use, workload_use
from tests.reports import fleets

VALIDATOR = Draft202012Validator(schema())

WORKLOAD_KEYS = [
    "cluster",
    "namespace",
    "kind",
    "name",
    "environment",
    "environment_reason",
    "model",
    "team",
    "gpu_model",
    "gpus_per_replica",
    "replicas",
    "gpu_hours",
    "cost_usd",
    "idle_cost_usd",
    "coverage",
    "utilisation",
    "serving",
    "verdict",
    "reason",
    "recommendations",
]


def closed(node):
    """The schema with every object shut, to see that nothing undeclared is written."""
    if isinstance(node, dict):
        shut = {key: closed(value) for key, value in node.items()}
        if "properties" in node and "type" in node:
            shut["additionalProperties"] = False
        return shut
    return [closed(item) for item in node] if isinstance(node, list) else node


def recommended():
    """A document that fills every optional part."""
    made = document(fleets.typical())
    made["failed_clusters"] = [{"cluster": "eu", "reason": "refused"}]
    advised = document(fleets.ALL["advised"]())
    made["savings"] = advised["savings"]
    workload = made["workloads"][0]
    workload["recommendations"] = advised["workloads"][0]["recommendations"][:1]
    workload["refusals"] = document(fleets.ALL["refused"]())["workloads"][2]["refusals"]
    assert workload["refusals"][0]["replay"]
    return made


def places(node, path=()):
    """Every (path to an object, key) that the document holds."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield path, key
            yield from places(value, (*path, key))
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from places(value, (*path, number))


def at(node, path):
    for step in path:
        node = node[step]
    return node


FREE = {"evidence", "node_labels"}
MUTABLE = [(path, key) for path, key in places(recommended()) if not FREE & {*path}]


@pytest.mark.parametrize("fleet", sorted(fleets.ALL))
def test_documents_satisfy_the_schema_and_hold_nothing_it_does_not_name(fleet):
    loaded = json.loads(to_json(fleets.ALL[fleet]()))
    Draft202012Validator(closed(schema())).validate(loaded)


def test_the_schema_is_a_schema_and_a_full_document_satisfies_it():
    Draft202012Validator.check_schema(schema())
    VALIDATOR.validate(recommended())


def test_every_required_key_is_required_and_typed():
    """Each key in turn is removed, then given a value of no type the contract knows."""
    base = recommended()
    assert len(MUTABLE) > 200
    for path, key in MUTABLE:
        without = copy.deepcopy(base)
        del at(without, path)[key]
        assert not VALIDATOR.is_valid(without), f"{path} without {key}"
        wrong = copy.deepcopy(base)
        at(wrong, path)[key] = {"wrong": True} if key not in FREE else 5
        assert not VALIDATOR.is_valid(wrong), f"{path} with a wrong {key}"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("workloads", 0, "coverage"), 1.01),
        (("workloads", 0, "utilisation", "mean"), -0.1),
        (("workloads", 0, "utilisation", "p95"), None),
        (("workloads", 0, "serving", "kv_cache_p95"), 93),
        (("workloads", 0, "verdict"), "fine"),
        (("workloads", 0, "environment"), "prod"),
        (("workloads", 0, "cost_usd"), -1),
        (("workloads", 0, "gpu_hours"), None),
        (("workloads", 0, "replicas"), 1.5),
        (("workloads", 0, "recommendations", 0, "confidence"), "certain"),
        (("workloads", 0, "recommendations", 0, "action"), "buy-more"),
        (("workloads", 0, "recommendations", 0, "from"), 2.5),
        (("workloads", 0, "recommendations", 0, "plan"), None),
        (("workloads", 0, "recommendations", 0, "evidence", "coverage"), [1]),
        (("workloads", 0, "recommendations", 0, "replay", "trials", 0, "would_wait"), -1),
        (("workloads", 0, "refusals", 0, "code"), ""),
        (("savings", "nodes_freed"), 1.5),
        (("generated_at",), "2026-11-23 00:02"),
        (("prices", "as_of"), "06.09.2026"),
        (("schema",), 2),
        (("totals", "coverage"), "96%"),
    ],
)
def test_a_value_out_of_range_fails(path, value):
    made = recommended()
    at(made, path[:-1])[path[-1]] = value
    assert not VALIDATOR.is_valid(made)


def test_a_key_of_a_later_version_passes():
    made = recommended()
    made["later"] = made["workloads"][0]["later"] = 1
    VALIDATOR.validate(made)


def test_keys_stand_in_the_order_of_the_contract():
    made = document(fleets.typical())
    head = ["schema", "generated_at", "window", "prices", "totals", "workloads", "warnings"]
    assert list(made)[:7] == head
    assert list(made["workloads"][0])[:20] == WORKLOAD_KEYS
    assert list(made["prices"])[:2] == ["as_of", "source"]


def test_figures_are_those_of_the_analysis_rounded():
    made = document(fleets.typical())
    assert made["totals"] == {
        "gpu_hours": 3792,
        "cost_usd": 13183.87,
        "idle_cost_usd": 8875.1,
        "unallocated_gpu_hours": 1752,
        "unallocated_cost_usd": 8991.96,
        "coverage": 0.9628,  # 3650.88 / 3792 = 0.962785
        "unpriced_gpu_hours": 336,
    }
    chat = made["workloads"][0]
    assert (chat["name"], chat["idle_cost_usd"]) == ("chat-70b", 6380.24)
    assert chat["utilisation"] == {"mean": 0.31, "p50": 0.28, "p95": 0.78, "max": 0.94}
    assert chat["serving"]["requests"] == 1_250_000
    assert chat["serving"]["usd_per_million_tokens"] == 7.7056
    assert made["window"] == {
        "start": "2026-11-16T00:00:00Z",
        "end": "2026-11-23T00:00:00Z",
        "hours": 168,
    }


def test_prices_carry_the_oldest_date_each_source_once_and_what_has_no_date():
    prices = document(fleets.typical())["prices"]
    assert prices["as_of"] == "2026-09-06"
    assert prices["source"] == "AWS on-demand, Azure spot"
    assert prices["undated"] == ["H100 SXM 80GB", "T4"]
    assert [used["usd_per_gpu_hour"] for used in prices["used"]] == [6.88, 3.43, 0.805, 0.149]


def test_no_price_means_null_not_an_empty_text():
    prices = document(fleets.empty())["prices"]
    assert prices == {"as_of": None, "source": None, "used": [], "undated": []}


def test_what_is_not_finite_is_null_where_the_contract_allows_it():
    use = workload_use(cost_usd=math.nan, coverage=math.inf, idle_cost_usd=np.float32("nan"))
    made = json.loads(to_json(analysis(use)))["workloads"][0]
    assert (made["cost_usd"], made["coverage"], made["idle_cost_usd"]) == (None, None, None)


def test_a_total_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="JSON compliant"):
        to_json(analysis(totals=totals(cost_usd=math.nan)))


def test_numpy_figures_and_negative_zero_come_out_as_plain_numbers():
    use = workload_use(gpu_hours=np.float32(0.5), idle_cost_usd=-0.0)
    text = to_json(analysis(use))
    assert '"gpu_hours": 0.5' in text
    assert '"idle_cost_usd": 0.0' in text


def test_hostile_text_comes_back_as_it_was():
    loaded = json.loads(to_json(fleets.hostile()).encode())
    names = {workload["name"] for workload in loaded["workloads"]}
    same = {fleets.LONG, fleets.ANSI, fleets.REVERSED, fleets.SCRIPT, fleets.FORMULA}
    assert same <= names
    assert "half \ufffd pair" in names
    teams = {workload["team"] for workload in loaded["workloads"]}
    assert "line\nbreak\u2028sep" in teams


def test_json_is_utf8_with_one_newline_at_its_end():
    text = to_json(fleets.hostile())
    assert "שלום" in text
    assert text.endswith("}\n")
    assert not text.endswith("\n\n")


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


@pytest.mark.parametrize("fleet", sorted(fleets.ALL))
def test_csv_has_a_header_and_a_row_a_workload(fleet):
    made = fleets.ALL[fleet]()
    text = to_csv(made)
    assert text.split("\r\n")[0].split(",") == csv_columns()
    assert len(rows_of(text)) == len(made.workloads)


def test_csv_holds_the_figures_of_the_json():
    made = document(fleets.typical())
    for row, workload in zip(rows_of(to_csv(fleets.typical())), made["workloads"], strict=True):
        flat = {k: v for k, v in workload.items() if not isinstance(v, dict | list)}
        for group in ("utilisation", "serving"):
            flat.pop(group, None)
            flat |= {f"{group}_{k}": v for k, v in (workload[group] or {}).items()}
        for key, value in flat.items():
            assert row[key] == ("" if value is None else str(value)), key
        assert row["prices_as_of"] == "2026-09-06"
        assert row["window_end"] == NOW.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_csv_leaves_what_is_not_known_empty():
    row = rows_of(to_csv(analysis(unknown_use(coverage=None))))[0]
    empty = ("coverage", "idle_cost_usd", "utilisation_mean", "serving_requests")
    assert [row[key] for key in empty] == ["", "", "", ""]


def test_csv_text_is_not_run_as_a_formula():
    rows = {row["name"]: row for row in rows_of(to_csv(fleets.hostile()))}
    row = rows["'" + fleets.FORMULA]
    assert (row["team"], row["model"]) == ("'+49", "'@SUM(A1)")
    assert row["prices_source"] == "'=HYPERLINK(1)"
    assert row["gpu_hours"] == "1344.0"
