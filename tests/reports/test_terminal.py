"""The report on a screen and in a pipe."""

from __future__ import annotations

import re
import subprocess
import sys
import unicodedata

import pytest
from rich.cells import cell_len

from reports.table import fold_name, shorten
from tests.builders import analysis, pool_use, price_used, unknown_use, verdict, workload_use
from tests.reports import fleets
from tests.reports.screens import pipe, plain_screen, screen


@pytest.mark.parametrize("fleet", sorted(fleets.ALL))
@pytest.mark.parametrize("width", [72, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_screen(fleet, width):
    for line in plain_screen(fleets.ALL[fleet](), width).split("\n"):
        assert cell_len(line) <= width, line


@pytest.mark.parametrize("width", [72, 80, 120, 160])
def test_no_figure_or_verdict_is_broken(width):
    text = plain_screen(fleets.typical(), width)
    words = text[: text.index("Production, idle")].split()
    for whole in ("$9,247", "$6,380", "1,344", "99%", "78%", "right-sized", "saturated", "stage"):
        assert whole in words


@pytest.mark.parametrize("fleet", sorted(fleets.ALL))
@pytest.mark.parametrize("renderer", [plain_screen, pipe])
def test_nothing_that_steers_a_terminal_gets_through(fleet, renderer):
    text = renderer(fleets.ALL[fleet]())
    bad = {c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl")}
    assert bad == set()


def test_markup_in_a_name_stays_text():
    assert "[bold]loud[/bold] :smile: **star**" in pipe(fleets.hostile())
    assert "[red]x[/red]" in screen(fleets.hostile())


def test_a_pipe_has_one_line_a_workload_in_full_and_no_lines_drawn():
    text = pipe(fleets.hostile())
    rows = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(rows) == 1 + 7
    assert any(line.startswith(f"inference/{fleets.LONG}  ") for line in rows)
    assert not re.search("[\u2500-\u257f]", text)
    assert {len(re.split(r"  +", row)) for row in rows} == {11}


def test_a_pipe_row_splits_into_its_figures():
    row = next(line for line in pipe(fleets.typical()).splitlines() if "embeddings" in line)
    assert re.split(r"  +", row) == [
        "search/embeddings-v2",
        "prod",
        "A100 80GB",
        "×4",
        "672",
        "0%",
        "0%",
        "100%",
        "$2,305",
        "$2,305",
        "idle",
    ]


def test_clusters_show_only_where_there_are_several():
    assert "CLUSTER" not in pipe(fleets.typical())
    rows = [line for line in pipe(fleets.one_failed()).splitlines() if line.startswith("us-east ")]
    assert len(rows) == 1


def test_flagged_production_goes_first_by_idle_cost_then_the_rest_by_cost():
    rows = [line for line in pipe(fleets.typical()).splitlines() if not line.startswith("#")]
    assert [re.split(r"  +", row)[0] for row in rows[1:]] == [
        "inference/chat-70b",  # 6380 idle
        "search/embeddings-v2",  # 2305 idle
        "inference/chat-8b",  # 811
        "batch/nightly-finetune",  # 660
        "inference/rerank",  # 135
        "research/notebook-anna",  # 25, underused, but not production
        "inference/vision-beta",  # no price
    ]


def test_only_flagged_leaves_the_others_out_and_says_what_it_could_not_judge():
    text = pipe(fleets.typical(), only_flagged=True)
    rows = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(rows) == 1 + 2
    # 9246.72 + 2304.96 and 6380.24 + 2304.96
    assert "2 production workloads idle or underused: 2,016 GPU-h, $11,552 cost" in text
    assert "of which $8,685 idle" in text
    assert "vision-beta: Measured for 62%" in text
    assert "Unallocated" not in text


def test_no_flagged_production_is_said_together_with_the_doubt():
    sized = workload_use(verdict=verdict("right-sized"))
    text = pipe(analysis(sized, unknown_use()), only_flagged=True)
    assert "None of 2 production workloads. 1 of them could not be judged." in text


@pytest.mark.parametrize("renderer", [plain_screen, pipe])
def test_dollars_come_with_the_date_and_source_of_their_price(renderer):
    text = renderer(fleets.typical())
    assert "at prices of 2026-09-06 or later, some undated" in text
    assert "A100 80GB: $3.430, AWS on-demand, 2026-11-09" in text
    assert "T4 spot: $0.149, Azure spot, no date" in text


def test_undated_prices_alone_are_called_so():
    assert "at undated prices" in pipe(analysis(prices=(price_used(as_of=None),)))


def test_a_cluster_that_failed_is_named_with_the_reason():
    text = plain_screen(fleets.one_failed())
    assert "ap-south: https://prom.ap.example refused the token (401)" in text


def test_times_are_on_the_configured_clock_and_name_the_zone():
    assert "2026-11-16 01:00 to 2026-11-23 01:00 Europe/Berlin" in pipe(fleets.typical())


def test_what_is_not_known_is_a_question_mark_never_a_zero():
    row = pipe(analysis(unknown_use(coverage=None, replicas=None))).splitlines()[3]
    assert re.split(r"  +", row)[3:] == [
        "?",
        "1,344",
        "?",
        "?",
        "?",
        "$9,247",
        "?",
        "unknown",
    ]


def test_the_kind_shows_where_two_share_a_name():
    text = pipe(analysis(workload_use(), workload_use(kind="StatefulSet")))
    assert "inference/Deployment/chat-70b" in text
    assert "inference/StatefulSet/chat-70b" in text


def test_a_long_list_is_counted_on_a_screen_and_whole_in_a_pipe():
    fleet = analysis(*(unknown_use(f"model-{number}") for number in range(20)))
    assert "and 13 more; a pipe shows all" in plain_screen(fleet)
    assert pipe(fleet).count("No GPU metric carries its name.") == 20


def test_a_full_pool_is_not_listed_as_unallocated():
    text = pipe(analysis(pools=(pool_use(unallocated=0.0, cost=0.0),)))
    assert "Unallocated GPUs" not in text


def test_a_gpu_less_flagged_workload_says_it_has_no_price():
    text = pipe(analysis(workload_use(cost_usd=None, idle_cost_usd=None)))
    assert "chat-70b: underused, no price known." in text


def test_a_screen_too_narrow_for_a_table_gets_lines():
    text = plain_screen(fleets.typical(), 50)
    assert "─" not in text
    assert "WORKLOAD" in text


@pytest.mark.parametrize(
    ("text", "width", "short"),
    [("abcdefghij", 10, "abcdefghij"), ("abcdefghij", 7, "abc…hij"), ("模型一二三", 6, "模…三")],
)
def test_a_cut_keeps_both_ends(text, width, short):
    assert shorten(text, width) == short


def test_names_break_after_a_slash():
    assert fold_name(("inference", "chat"), 20) == "inference/chat"
    assert fold_name(("inference", "chat-70b"), 12) == "inference/\nchat-70b"
    assert fold_name(("eu", "inference", "chat"), 14) == "eu/inference/\nchat"


def test_rich_is_not_imported_before_something_is_rendered():
    code = "import sys, reports.terminal; print('rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_spaces_in_a_name_cannot_make_a_column():
    row = pipe(analysis(workload_use("a   b"))).splitlines()[3]
    assert re.split(r"  +", row)[:2] == ["inference/a b", "prod"]


def test_a_workload_that_is_gone_is_called_so():
    row = pipe(analysis(workload_use(exists=False, replicas=None))).splitlines()[3]
    assert re.split(r"  +", row)[3] == "gone"
