"""Servers that refuse, lie, dawdle and hang up."""

import gzip
import threading
import time

import pytest
import requests

from analyzer.collect.prometheus.answers import Answered
from analyzer.collect.prometheus.transport import Endpoint, PrometheusSession
from analyzer.errors import BadAnswer, Denied, SourceError, TooMuch, Unreachable
from tests.analyzer.collect.hostile import Reply, dribble, serving, success
from tests.servers import free_port

SECRET = "s3cr3t-t0ken-value"
QUERY = "/api/v1/query"
NGINX = "<html>\n<head><title>500 Internal Server Error</title></head><body>nginx</body></html>"


def ask(url, *, remarks=None, pauses=None, max_bytes=1 << 20, **options):
    """One GET of the query path; options are the endpoint's."""
    options.setdefault("retries", 0)
    session = PrometheusSession(
        Endpoint(url, **options),
        lambda kind, text: remarks.append((kind, text)) if remarks is not None else None,
        pause=(pauses if pauses is not None else []).append,
        max_bytes=max_bytes,
    )
    with session:
        return session.request("GET", url + QUERY, params={"query": "up"}).json()


def refused(url, kind=SourceError, **options):
    """The error's text, known to be one line that names the place and gives no secret away."""
    with pytest.raises(kind) as caught:
        ask(url, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert QUERY in text
    assert "query=up" not in text
    assert SECRET not in text
    assert SECRET not in repr(caught.value)
    return text


def error(text, kind="execution"):
    return {"status": "error", "errorType": kind, "error": text}


@pytest.mark.parametrize(
    ("status", "options", "sent"),
    [
        (401, {}, "without credentials"),
        (401, {"bearer_token": SECRET}, "a bearer token"),
        (403, {"basic": ("ada", SECRET)}, "a user name and password"),
        (403, {"headers": {"Authorization": f"Bearer {SECRET}"}}, "an Authorization header"),
    ],
)
def test_a_refusal_says_which_credentials_were_sent_and_not_their_value(status, options, sent):
    with serving(Reply(status, f"go away, {options.get('bearer_token', '')}")) as server:
        text = refused(server.url, Denied, **options)
    assert str(status) in text
    assert sent in text
    assert "go away" in text


def test_404_points_at_a_missing_path_prefix():
    with serving(Reply(404, "404 page not found\n")) as server:
        text = refused(server.url, BadAnswer)
    assert "404 page not found" in text
    assert "path prefix" in text


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(500, NGINX), ["500", "500 Internal Server Error"]),
        (Reply(200, "<!doctype html><title>Grafana</title>"), ["HTML, not JSON", "Grafana"]),
        (Reply(200, '{"status":"success","data":{"resul'), ["broken JSON"]),
        (Reply(200, b""), ["nothing in it"]),
        (Reply(200, "null"), ["null", "is this a Prometheus?"]),
        (Reply(200, "[1, 2]"), ["[1, 2]"]),
        (Reply(200, "OK, all is well"), ["OK, all is well"]),
        (Reply(200, b"\xff\xfe\x00"), ["not JSON"]),
        (Reply(200, {"hits": []}), ["no status and data"]),
        (Reply(200, {"status": "success"}), ["no status and data"]),
        (Reply(200, {"status": "success", "data": []}), ["list of results"]),
        (Reply(200, {"status": "success", "data": {"result": "x"}}), ["list of results"]),
        (Reply(200, error("the ring is on fire")), ["the ring is on fire"]),
        (Reply(400, error("1:5: parse error: unexpected end", "bad_data")), ["1:5: parse error"]),
        (Reply(200, "{}", {"Content-Encoding": "gzip"}), ["decompressed"]),
        (Reply(418, "short\nand\tstout\x1b[31m"), ["418", "short and stout"]),
    ],
)
def test_what_is_no_answer_is_named(reply, words):
    with serving(reply) as server:
        text = refused(server.url, BadAnswer)
    for word in words:
        assert word in text
    assert "\x1b" not in text


def test_a_long_refusal_keeps_its_beginning_and_its_end():
    said = "BEGINNING " + "x" * 5000 + " THE REASON"
    with serving(Reply(400, error(said))) as server:
        text = refused(server.url, BadAnswer)
    assert "BEGINNING" in text
    assert "THE REASON" in text
    assert len(text) < 500


@pytest.mark.parametrize(
    ("status", "said"),
    [
        # Prometheus
        (422, "query processing would load too many samples into memory in query execution"),
        (400, "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing"),
        (503, "query timed out in expression evaluation"),
        # VictoriaMetrics 1.79
        (422, "cannot select more than -search.maxSamplesPerQuery=5000 samples; possible"),
        (422, "too many points for the given step=1000: 40001; cannot exceed "
              "-search.maxPointsPerTimeseries=30000"),
        (422, "the number of matching timeseries exceeds 10; either narrow down the search or"),
        (422, "cannot process more than 100 samples per series; either increase "
              "-search.maxSamplesPerSeries or reduce time range for the query"),
        # Mimir, Cortex, Thanos
        (422, "the query time range exceeds the limit (query length: 2160h0m0s, limit: 768h0m0s) "
              "(err-mimir-max-query-length)"),
        (422, "the query exceeded the maximum number of chunks (limit: 30 chunks) "
              "(err-mimir-max-chunks-per-query)"),
        (422, "expanding series: the query hit the max number of series limit (limit: 100000)"),
        (422, "exceeded chunks limit: rpc error: code = Code(422) desc = limit 2000000 violated"),
        (500, "expanding series: exceeded series limit: limit 10 violated (got 11)"),
        # anything before them
        (413, "Request Entity Too Large"),
    ],
)  # fmt: skip
def test_a_refused_size_is_told_from_other_refusals(status, said):
    with serving(Reply(status, error(said))) as server:
        text = refused(server.url, TooMuch, retries=3)
        assert len(server.requests) == 1, "asking for the same again cannot help"
    assert said.split(";")[0][:90] in text


def test_429_is_tried_again_after_the_time_the_server_asked_for():
    pauses = []
    with serving(Reply(429, "slow down", {"Retry-After": "7"}), success([])) as server:
        assert ask(server.url, retries=1, pauses=pauses)["data"]["result"] == []
    assert pauses == [7.0]


def test_a_limit_on_the_rate_is_no_limit_on_the_size():
    said = "the request has been rejected because the tenant exceeded the request rate limit"
    with serving(Reply(429, error(said)), success([])) as server:
        assert ask(server.url, retries=1)["data"]["result"] == []


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"Retry-After": "86400"}, 30, 30),
        ({"Retry-After": "soon"}, 0.25, 0.75),
        ({}, 0.25, 0.75),
        ({"Date": "Wed, 21 Oct 2015 07:28:00 GMT",
          "Retry-After": "Wed, 21 Oct 2015 07:28:09 GMT"}, 9, 9),
    ],
)  # fmt: skip
def test_a_wait_is_bounded_whatever_the_server_asks(headers, least, most):
    def reply(handler):  # the handler's own Date would come first
        body = b"later"
        handler.send_response_only(503)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    pauses = []
    with serving(reply, success([])) as server:
        ask(server.url, retries=1, pauses=pauses)
    assert len(pauses) == 1
    assert least <= pauses[0] <= most


def test_waits_grow_with_each_attempt():
    pauses = []
    with serving(Reply(502, "bad gateway")) as server:
        refused(server.url, retries=4, pauses=pauses)
    assert len(pauses) == 4
    for attempt, pause in enumerate(pauses):
        assert 0.25 * 2**attempt <= pause <= 0.75 * 2**attempt


def test_the_servers_words_survive_every_retry():
    with serving(Reply(503, error("TSDB not ready: replaying WAL", "unavailable"))) as server:
        text = refused(server.url, BadAnswer, retries=2)
        assert len(server.requests) == 3
    assert "TSDB not ready: replaying WAL" in text
    assert "503" in text


def test_errors_that_a_moment_does_not_mend_are_not_tried_again():
    with serving(Reply(500, error("internal"))) as server:
        refused(server.url, BadAnswer, retries=5)
        assert len(server.requests) == 1


def test_nothing_listening_is_said_in_plain_words():
    pauses = []
    text = refused(f"http://127.0.0.1:{free_port()}", Unreachable, retries=2, pauses=pauses)
    assert "connection refused" in text
    assert "urllib3" not in text
    assert "object at 0x" not in text
    assert len(pauses) == 2


def test_an_unknown_name_is_said_in_plain_words():
    text = refused("http://prometheus.invalid:9090", Unreachable)
    assert "cannot be resolved" in text


@pytest.mark.parametrize("url", ["ftp://x", "prometheus:9090", "http://", "http://a:port"])
def test_what_is_no_url_is_said_to_be_none(url):
    assert "not a URL" in refused(url, Unreachable)


def test_the_cause_is_chained():
    with pytest.raises(Unreachable) as caught:
        ask(f"http://127.0.0.1:{free_port()}")
    assert isinstance(caught.value.__cause__, requests.ConnectionError)


def silence(closing):
    def reply(handler):
        closing().wait(20)
        handler.close_connection = True

    return reply


@pytest.mark.parametrize(
    "head",
    [
        None,
        [],
        [b"HTTP/1.1 200 OK\r\n"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n"],
    ],
    ids=["silence", "status line", "headers", "body", "body without length", "chunk"],
)
def test_a_server_that_dawdles_is_left_at_the_deadline(head):
    closing = threading.Event()
    reply = silence(lambda: closing) if head is None else dribble(lambda: closing, head)
    began = time.monotonic()
    with serving(reply) as server:
        try:
            text = refused(server.url, Unreachable, timeout_s=0.5, retries=2)
        finally:
            closing.set()
        assert len(server.requests) == 1, "a slow query is not made faster by asking again"
    assert "0.5 s" in text
    assert 0.4 < time.monotonic() - began < 5


def test_a_deadline_of_one_request_leaves_the_next_alone():
    def slow_then(handler):
        closing.wait(20)

    closing = threading.Event()
    with serving(slow_then, success([1])) as server:
        session = PrometheusSession(Endpoint(server.url, timeout_s=0.3, retries=0), lambda *_: None)
        with session:
            with pytest.raises(Unreachable):
                session.request("GET", server.url + QUERY)
            closing.set()
            for _ in range(3):
                assert session.request("GET", server.url + QUERY).json()["data"]["result"] == [1]


def test_a_connection_closed_in_the_middle_is_tried_again_and_then_said():
    def hang_up(handler):
        handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"status"')
        handler.close_connection = True

    with serving(hang_up) as server:
        text = refused(server.url, Unreachable, retries=1)
        assert len(server.requests) == 2
    assert "closed in the middle" in text


def test_a_connection_closed_without_a_word_is_said():
    def hang_up(handler):
        handler.close_connection = True

    with serving(hang_up) as server:
        assert "closed" in refused(server.url, Unreachable)


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_beyond_the_cap_is_too_much_also_when_it_unpacks_to_that(packed):
    body = b'{"status":"success","data":"' + b"x" * (3 << 20) + b'"}'
    headers = {"Content-Encoding": "gzip"} if packed else {}
    with serving(Reply(200, gzip.compress(body) if packed else body, headers)) as server:
        text = refused(server.url, TooMuch, max_bytes=2 << 20)
    assert "more than 2 MB" in text


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_credentials_do_not_follow_a_redirect_to_another_host(status):
    with serving(success([])) as other:
        location = f"{other.url}/login?next=1"
        with serving(Reply(status, b"", {"Location": location})) as server:
            text = refused(
                server.url, BadAnswer, bearer_token=SECRET, headers={"X-Scope-OrgID": "team"}
            )
        assert other.requests == []
    assert f"{other.url}/login" in text
    assert "another host" in text


def test_a_redirect_within_the_host_is_followed_with_query_and_credentials():
    with serving(Reply(308, b"", {"Location": "/prom" + QUERY}), success([])) as server:
        ask(server.url, bearer_token=SECRET)
        first, second = server.requests
    assert second.path == "/prom" + QUERY
    assert second.params == first.params == {"query": ["up"]}
    assert second.headers["Authorization"] == f"Bearer {SECRET}"


def test_a_circle_of_redirects_ends():
    with serving(Reply(302, b"", {"Location": QUERY})) as server:
        assert "circles" in refused(server.url, BadAnswer)
        assert len(server.requests) < 20


def test_warnings_infos_and_partial_answers_are_passed_on():
    remarks = []
    reply = success([], warnings=["store A\n is down"], infos=["not a counter"], isPartial=True)
    with serving(reply) as server:
        ask(server.url, remarks=remarks)
    assert remarks[:2] == [("warning", "store A is down"), ("info", "not a counter")]
    assert remarks[2][0] == "partial"


def test_null_where_a_list_belongs_is_an_empty_list():
    with serving(Reply(200, {"status": "success", "data": {"result": None}})) as server:
        assert ask(server.url)["data"]["result"] == []


def test_a_bearer_token_and_extra_headers_are_sent():
    with serving(success([])) as server:
        ask(server.url, bearer_token=SECRET, headers={"X-Scope-OrgID": "team-a"})
        sent = server.requests[0].headers
    assert sent["Authorization"] == f"Bearer {SECRET}"
    assert sent["X-Scope-OrgID"] == "team-a"
    assert sent["User-Agent"].startswith("gpu-thrift")


def test_basic_credentials_are_sent_as_utf_8():
    with serving(success([])) as server:
        ask(server.url, basic=("ada", "pässwört"))
        sent = server.requests[0].headers["Authorization"]
    # printf 'ada:pässwört' | base64
    assert sent == "Basic YWRhOnDDpHNzd8O2cnQ="


def test_credentials_in_the_url_are_sent_and_never_shown():
    with serving(Reply(401, "no")) as server:
        url = server.url.replace("http://", f"http://ada:{SECRET}@")
        endpoint = Endpoint(url, retries=0)
        assert SECRET not in repr(endpoint)
        session = PrometheusSession(endpoint, lambda *_: None)
        with session, pytest.raises(Denied) as caught:
            session.request("GET", url + QUERY)
        assert server.requests[0].headers["Authorization"].startswith("Basic ")
    assert SECRET not in str(caught.value)
    assert "ada" not in str(caught.value)


def test_netrc_does_not_overrule_the_configuration(tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login eve password evil\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with serving(success([])) as server:
        ask(server.url)
        ask(server.url, bearer_token=SECRET)
        none, bearer = server.requests
    assert "Authorization" not in none.headers
    assert bearer.headers["Authorization"] == f"Bearer {SECRET}"


def test_a_proxy_of_the_environment_is_used(monkeypatch):
    with serving(success([])) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        ask("http://prometheus.invalid:9090")
        assert len(proxy.requests) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"bearer_token": SECRET + "\n"},
        {"bearer_token": SECRET + "€"},
        {"headers": {"X-Token": f"{SECRET}\r\nEvil: 1"}},
        {"headers": {"X-Token": SECRET + "€"}},
    ],
)
def test_a_secret_that_http_cannot_carry_is_refused_without_being_shown(options):
    with serving(success([])) as server:
        text = refused(server.url, Unreachable, **options)
        assert server.requests == []
    assert "does not allow" in text


def test_a_secret_that_the_server_echoes_is_blotted_out():
    with serving(Reply(400, error(f"bad header X-Key: {SECRET}"))) as server:
        assert "X-Key: ***" in refused(server.url, BadAnswer, headers={"X-Key": SECRET})


def test_an_endpoints_representation_holds_no_secret():
    endpoint = Endpoint(
        f"https://ada:{SECRET}@prometheus:9090/x/",
        bearer_token=SECRET,
        headers={"X-Key": SECRET},
    )
    assert SECRET not in repr(endpoint)
    assert endpoint.url == "https://prometheus:9090/x"


def test_a_refusals_status_can_be_read():
    with serving(Reply(405, "no POST here")) as server, pytest.raises(Answered) as caught:
        ask(server.url)
    assert caught.value.status == 405
