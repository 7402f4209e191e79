"""What a server finds too much, asked for in parts, is the same answer."""

import threading
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import requests

from analyzer.collect.prometheus import PrometheusStore
from analyzer.collect.prometheus.transport import Endpoint
from analyzer.collect.store import Query
from analyzer.errors import BadAnswer, TooMuch, Unreachable
from analyzer.model import Window
from tests.analyzer.collect.hostile import Reply, serving, success
from tests.openmetrics import RawSeries
from tests.servers import prometheus, victoria_metrics

START_S = 1_699_999_800
STEPS = 96
WINDOW = Window(
    datetime.fromtimestamp(START_S, UTC), datetime.fromtimestamp(START_S + STEPS * 300, UTC)
)
TIMES = np.arange(START_S + 30, START_S + STEPS * 300 + 1, 30.0)
LIMITS = {
    "prometheus": (prometheus, "--query.max-samples=500"),
    "victoria-metrics": (victoria_metrics, "-search.maxSamplesPerSeries=500"),
}
# 9 series of 960 samples, and one that ends in the first half and is highest there
SERIES = [
    RawSeries("DCGM_X", {"gpu": str(gpu), "pod": str(gpu % 2)}, TIMES, (gpu + 1) * (TIMES % 7000))
    for gpu in range(9)
] + [RawSeries("DCGM_X", {"gpu": "9", "pod": "1"}, TIMES[:200], np.full(200, 1e6))]
COUNTER = [
    RawSeries("vllm:x_total", {"gpu": str(gpu)}, TIMES, (TIMES - START_S) * gpu) for gpu in range(9)
]


@pytest.fixture(scope="module", params=sorted(LIMITS))
def urls(request):
    """The same samples behind a generous server and behind one that refuses most questions."""
    start, flag = LIMITS[request.param]
    with start(SERIES + COUNTER) as generous, start(SERIES + COUNTER, flag) as stingy:
        yield generous, stingy


def answers(url, query, whole):
    with PrometheusStore(Endpoint(url, retries=0), "c", {}) as store:
        if whole:
            return {tuple(s.labels.items()): s.value for s in store.whole(query, WINDOW)}
        return {tuple(s.labels.items()): s.values for s in store.steps(query, WINDOW)}


@pytest.mark.parametrize("whole", [False, True], ids=["steps", "whole"])
@pytest.mark.parametrize("across", ["sum", "max", "avg"])
@pytest.mark.parametrize("over", ["avg", "count", "max", "last", "increase"])
def test_a_split_answer_equals_the_unsplit_one(urls, over, across, whole):
    name = "vllm:x_total" if over == "increase" else "DCGM_X"
    query = Query(name, over, ("pod",), across)
    generous, stingy = (answers(url, query, whole) for url in urls)
    assert generous
    assert generous.keys() == stingy.keys()
    for labels, expected in generous.items():
        # increase() extrapolates to the ends of its range, which are others in the halves
        np.testing.assert_allclose(
            stingy[labels], expected, rtol=0.01 if over == "increase" and whole else 1e-6
        )


@pytest.mark.parametrize("whole", [False, True], ids=["steps", "whole"])
def test_parts_that_are_summed_are_summed_when_split(urls, whole):
    query = Query("DCGM_X", "max", ("gpu", "pod"), summed=("gpu",))
    generous, stingy = (answers(url, query, whole) for url in urls)
    assert {labels[0] for labels in generous} == {("pod", "0"), ("pod", "1")}
    assert generous.keys() == stingy.keys()
    for labels, expected in generous.items():
        np.testing.assert_allclose(stingy[labels], expected, rtol=1e-6)


def test_the_stingy_server_does_refuse_the_unsplit_question(urls):
    question = {"query": "max(max_over_time(DCGM_X[28799999ms]))", "time": WINDOW.end.timestamp()}
    whole = [requests.get(f"{url}/api/v1/query", question, timeout=30) for url in urls]
    question = {"query": "max(max_over_time(DCGM_X[5m]))", "step": 300}
    question |= {"start": START_S + 300, "end": WINDOW.end.timestamp()}
    steps = [requests.get(f"{url}/api/v1/query_range", question, timeout=30) for url in urls]
    assert [answer.status_code for answer in (*whole, *steps)] == [200, 422, 200, 422]


def test_more_than_11_000_points_are_asked_for_in_pieces(prometheus):
    start = datetime(2023, 1, 1, tzinfo=UTC)
    window = Window(start, start + timedelta(seconds=300 * 11_500))
    ends = np.array([start.timestamp() + 300, window.end.timestamp()])
    url = prometheus([RawSeries("DCGM_X", {}, ends, np.array([1.0, 2.0]))])
    with PrometheusStore(Endpoint(url, retries=0), "c", {}, chunk=timedelta(days=365)) as store:
        (series,) = store.steps(Query("DCGM_X", "avg", ()), window)
    assert series.values[0] == 1
    assert series.values[-1] == 2
    assert np.isnan(series.values[1:-1]).all()


def refusing(limit_steps, status=422, said="would load too many samples"):
    """A server that answers range queries of at most ``limit_steps`` with 1 in every step."""

    def reply(handler):
        from urllib.parse import parse_qs, urlsplit

        params = parse_qs(urlsplit(handler.path).query)
        first, last = int(params["start"][0]), int(params["end"][0])
        if (last - first) // 300 + 1 > limit_steps:
            Reply(status, {"status": "error", "errorType": "x", "error": said})(handler)
        else:
            points = [[at, "1"] for at in range(first, last + 1, 300)]
            success([{"metric": {}, "values": points}])(handler)

    return reply


def read(server, chunk=timedelta(days=1), concurrency=1, **options):
    options.setdefault("retries", 0)
    with PrometheusStore(
        Endpoint(server.url, **options), "c", {}, concurrency=concurrency, chunk=chunk
    ) as store:
        return store.steps(Query("x", "avg", ()), WINDOW)


def test_halving_goes_down_to_one_step():
    with serving(refusing(1)) as server:
        (series,) = read(server)
    assert series.values.tolist() == [1.0] * STEPS


def test_what_is_too_much_for_one_step_is_an_error_with_the_servers_words():
    with serving(refusing(0)) as server:
        with pytest.raises(TooMuch, match="would load too many samples"):
            read(server)
        assert len(server.requests) < 12, "one step refused is enough to know"


def test_a_size_once_refused_is_not_tried_again():
    with serving(refusing(12)) as server:
        (series,) = read(server, chunk=timedelta(hours=4))
    assert series.values.tolist() == [1.0] * STEPS
    # 48 and 24 are refused once, and 8 pieces of 12 answered
    assert len(server.requests) == 10


def test_each_step_is_asked_for_exactly_once():
    asked = []

    def note(handler):
        from urllib.parse import parse_qs, urlsplit

        params = parse_qs(urlsplit(handler.path).query)
        first, last = int(params["start"][0]), int(params["end"][0])
        asked.extend(range(first, last + 1, 300))
        refusing(STEPS)(handler)

    with serving(note) as server:
        read(server, chunk=timedelta(minutes=35))
    assert asked == [START_S + 300 * (step + 1) for step in range(STEPS)]


def test_a_query_out_of_the_servers_time_is_halved_a_few_times_only():
    said = "query timed out in expression evaluation"
    with serving(refusing(12, 503, said)) as server:
        (series,) = read(server)
        assert series.values.tolist() == [1.0] * STEPS
    with serving(refusing(0, 503, said)) as server:
        with pytest.raises(TooMuch, match="timed out"):
            read(server)
        assert len(server.requests) == 4


def test_a_query_out_of_our_time_is_halved_once():
    closing = threading.Event()

    def never(handler):
        closing.wait(20)
        handler.close_connection = True

    began = time.monotonic()
    with serving(never) as server:
        try:
            with pytest.raises(Unreachable, match=r"0\.3 s"):
                read(server, timeout_s=0.3, retries=3)
        finally:
            closing.set()
        assert len(server.requests) == 2
    assert time.monotonic() - began < 5


def test_after_an_error_the_rest_is_not_asked_for():
    with serving(Reply(400, {"status": "error", "error": "parse error"})) as server:
        with pytest.raises(BadAnswer, match="parse error"):
            read(server, chunk=timedelta(minutes=5))
        assert len(server.requests) <= 3


def test_no_more_requests_are_under_way_than_allowed():
    under_way, most = [], []

    def reply(handler):
        under_way.append(1)
        most.append(len(under_way))
        time.sleep(0.005)
        refusing(STEPS)(handler)
        under_way.pop()

    with serving(reply) as server:
        read(server, chunk=timedelta(minutes=10), concurrency=3)
        assert len(server.requests) == STEPS / 2
    assert 1 < max(most) <= 3
