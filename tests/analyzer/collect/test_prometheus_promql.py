"""What is asked, as text."""

import pytest

from analyzer.collect.prometheus.promql import fold_names, render, render_names
from analyzer.collect.store import Matcher, Query


@pytest.mark.parametrize(
    ("query", "span_s", "expected"),
    [
        (
            Query("DCGM_FI_DEV_GPU_UTIL", "avg", ("UUID", "pod"), "avg", (Matcher("a", "b"),)),
            300,
            'avg by (UUID, pod) (avg_over_time(DCGM_FI_DEV_GPU_UTIL{a="b"}[299999ms]))',
        ),
        (
            Query("vllm:prompt_tokens_total", "increase", (), "sum"),
            604_800,
            "sum(increase(vllm:prompt_tokens_total[604799999ms]))",
        ),
        (
            Query("x", "increase", ("pod", "why"), summed=("why",)),
            300,
            "sum without (why) (max by (pod, why) (increase(x[299999ms])))",
        ),
        (
            Query("x", "count", ("pod",)),
            300,
            "max by (pod) (count_over_time(x[299999ms]))",
        ),
        (
            Query("x", "max", (), where=(Matcher("a", "1|2", "=~"), Matcher("b", "", "!="))),
            300,
            'max(max_over_time(x{a=~"1|2",b!=""}[299999ms]))',
        ),
        (
            Query("~vllm[:_]num_requests_running", "last", ()),
            300,
            'max(last_over_time({__name__=~"vllm[:_]num_requests_running"}[299999ms]))',
        ),
        (
            Query("gpu.utilisation", "last", ("host.name",)),
            300,
            'max by ("host.name") (last_over_time({__name__="gpu.utilisation"}[299999ms]))',
        ),
    ],
)
def test_a_query_is_rendered_as_a_person_would_write_it(query, span_s, expected):
    assert render(query, span_s, ()) == expected


def test_extra_conditions_follow_the_querys_own():
    query = Query("x", "avg", (), where=(Matcher("a", "1"),))
    assert render(query, 300, (Matcher("cluster", "eu"),)) == (
        'max(avg_over_time(x{a="1",cluster="eu"}[299999ms]))'
    )


def test_a_label_value_cannot_break_out_of_its_quotes():
    query = Query("x", "avg", (), where=(Matcher("a", 'q"} or up{b="\\\n'),))
    assert render(query, 300) == ('max(avg_over_time(x{a="q\\"} or up{b=\\"\\\\\\n"}[299999ms]))')


def test_several_names_become_one_union_before_they_are_merged():
    query = Query("~a[:_]x", "increase", ("pod",), "sum")
    assert render_names(query, ["a:x", "a_x"], 300) == (
        "sum by (pod) (increase(a:x[299999ms]) or increase(a_x[299999ms]))"
    )


def test_a_bare_fold_merges_nothing():
    query = Query("x", "avg", ("pod",), "avg", (Matcher("a", "1"),))
    assert fold_names("sum_over_time", query, ["x"], 600) == 'sum_over_time(x{a="1"}[599999ms])'
