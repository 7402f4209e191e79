"""Answers that are a Prometheus' and still no numbers, and servers that allow little."""

from datetime import UTC, datetime

import numpy as np
import pytest

from analyzer.collect.prometheus import PrometheusStore
from analyzer.collect.prometheus.transport import Endpoint
from analyzer.collect.store import Matcher, Query
from analyzer.errors import BadAnswer, Denied
from analyzer.model import Notice, Window
from tests.analyzer.collect.hostile import Reply, serving, success

START_S = 1_700_000_100
WINDOW = Window(datetime.fromtimestamp(START_S, UTC), datetime.fromtimestamp(START_S + 900, UTC))
QUERY = Query("DCGM_X", "avg", ("pod",))
LONG = Query("DCGM_X", "avg", (), where=(Matcher("pod", "x" * 2000),))


def points(*texts):
    return [[START_S + 300 * (number + 1), text] for number, text in enumerate(texts)]


def opened(server):
    return PrometheusStore(Endpoint(server.url, retries=0), "eu", {})


def test_nan_stays_nan_and_infinities_become_nan():
    result = [{"metric": {"pod": "a"}, "values": points("NaN", "+Inf", "1.5")}]
    with serving(success(result)) as server, opened(server) as store:
        (series,) = store.steps(QUERY, WINDOW)
        np.testing.assert_array_equal(series.values, [np.nan, np.nan, 1.5])
        assert [notice.code for notice in store.warnings()] == ["infinite-value"]


def test_a_number_too_big_for_float32_is_infinite_too():
    result = [{"metric": {"pod": "a"}, "values": points("1e300", "-Inf", "-2")}]
    with serving(success(result)) as server, opened(server) as store:
        (series,) = store.steps(QUERY, WINDOW)
    np.testing.assert_array_equal(series.values, [np.nan, np.nan, -2])


def test_a_native_histogram_is_left_out_and_reported():
    histogram = {"count": "1", "sum": "1", "buckets": []}
    result = [
        {"metric": {"pod": "a"}, "histograms": [[START_S + 300, histogram]]},
        {"metric": {"pod": "b"}, "values": points("1")},
    ]
    expected = Notice(
        "eu", "native-histogram", "DCGM_X is a native histogram, which is not read", "DCGM_X"
    )
    with serving(success(result)) as server, opened(server) as store:
        (series,) = store.steps(QUERY, WINDOW)
        assert series.labels == {"pod": "b"}
        assert store.warnings() == [expected]
    instant = [{"metric": {"pod": "a"}, "histogram": [START_S + 900, histogram]}]
    with serving(success(instant)) as server, opened(server) as store:
        assert store.whole(QUERY, WINDOW) == []
        assert store.warnings() == [expected]


@pytest.mark.parametrize(
    "result",
    [
        ["x"],
        [[1, "2"]],
        [{}],
        [{"metric": {}}],
        [{"metric": None, "values": points("1")}],
        [{"metric": {"pod": 5}, "values": points("1")}],
        [{"metric": {}, "values": []}],
        [{"metric": {}, "values": [1, 2]}],
        [{"metric": {}, "values": [[START_S + 300]]}],
        [{"metric": {}, "values": points("a lot")}],
        [{"metric": {}, "values": points(None)}],
        [{"metric": {}, "values": [["noon", "1"]]}],
        [{"metric": {}, "values": [[START_S + 1200, "1"]]}],
        [{"metric": {}, "values": [[START_S, "1"]]}],
        [{"metric": {}, "values": [[START_S + 450, "1"]]}],
        [{"metric": {}, "values": [[1e30, "1"]]}],
    ],
)
def test_results_of_another_shape_are_refused_in_one_line(result):
    with (
        serving(success(result)) as server,
        opened(server) as store,
        pytest.raises(BadAnswer) as caught,
    ):
        store.steps(QUERY, WINDOW)
    assert server.url in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "result", [["x"], [{}], [{"metric": {}}], [{"metric": {}, "value": [1]}],
               [{"metric": {}, "value": [1, "a lot"]}]],
)  # fmt: skip
def test_instants_of_another_shape_are_refused(result):
    with (
        serving(success(result)) as server,
        opened(server) as store,
        pytest.raises(BadAnswer, match="unknown shape"),
    ):
        store.whole(QUERY, WINDOW)


def test_a_servers_warning_is_passed_on_once():
    reply = success([], warnings=["a store is down"], infos=["might be no counter"])
    with serving(reply) as server, opened(server) as store:
        store.steps(QUERY, WINDOW)
        store.whole(QUERY, WINDOW)
        assert store.warnings() == [
            Notice("eu", "prometheus-warning", "a store is down"),
            Notice("eu", "prometheus-info", "might be no counter"),
        ]


def test_a_long_query_goes_by_post_and_a_short_one_by_get():
    with serving(success([])) as server, opened(server) as store:
        store.steps(LONG, WINDOW)
        store.steps(QUERY, WINDOW)
        long, short = server.requests
    assert (long.method, short.method) == ("POST", "GET")
    assert long.params["step"] == ["300"]
    assert "x" * 2000 in long.params["query"][0]


def test_a_proxy_that_allows_no_post_is_asked_by_get_from_then_on():
    with serving(Reply(405, "GET only"), success([])) as server, opened(server) as store:
        store.steps(LONG, WINDOW)
        store.steps(LONG, WINDOW)
        methods = [request.method for request in server.requests]
    assert methods == ["POST", "GET", "GET"]


def test_names_a_server_adds_of_its_own_are_left_out():
    listed = Reply(body={"status": "success", "data": ["up", "DCGM_X", "vllm:x", "my_DCGM_Y"]})
    with serving(listed) as server, opened(server) as store:
        assert store.names(WINDOW) == {"DCGM_X", "vllm:x"}
        (request,) = server.requests
    assert request.path == "/api/v1/label/__name__/values"
    assert request.params["start"] == [str(START_S)]
    assert "DCGM_" in request.params["match[]"][0]


def test_names_are_listed_once_a_window():
    listed = Reply(body={"status": "success", "data": ["DCGM_X"]})
    with serving(listed) as server, opened(server) as store:
        assert store.names(WINDOW) == store.names(WINDOW)
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [403, 404, 405])
def test_where_the_list_of_names_is_closed_a_query_finds_them(status):
    found = success([
        {"metric": {"__name__": "DCGM_X"}, "values": points("1")},
        {"metric": {"__name__": "up"}, "values": points("1")},
        {"metric": {}, "values": points("1")},
    ])  # fmt: skip
    with serving(Reply(status, "queries only"), found) as server, opened(server) as store:
        assert store.names(WINDOW) == {"DCGM_X"}
        assert server.requests[1].path == "/api/v1/query_range"
        assert server.requests[1].params["query"][0].startswith("group by (__name__) ({__name__=~")


def test_where_nothing_is_allowed_the_refusal_stands():
    with serving(Reply(403, "no")) as server, opened(server) as store, pytest.raises(Denied):
        store.names(WINDOW)


@pytest.mark.parametrize("data", [{"a": 1}, "x", [1], [None]])
def test_a_list_of_names_that_is_none_is_refused(data):
    with (
        serving(Reply(body={"status": "success", "data": data})) as server,
        opened(server) as store,
        pytest.raises(BadAnswer, match="list of names"),
    ):
        store.names(WINDOW)


def test_no_names_at_all_may_be_null():
    reply = Reply(body={"status": "success", "data": None})
    with serving(reply) as server, opened(server) as store:
        assert store.names(WINDOW) == frozenset()


@pytest.mark.parametrize("reply", [Reply(404), Reply(body={"status": "success", "data": []})])
def test_a_version_that_cannot_be_had_is_empty(reply):
    with serving(reply) as server, opened(server) as store:
        assert store.version() == ""
