"""What the daemon answers over HTTP, and what it never does, against real sockets."""

from __future__ import annotations

import http.client
import logging
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from analyzer.errors import GpuThriftError
from jobs.listen import CONNECTIONS
from jobs.metrics import Metrics
from jobs.web import Check, ClusterLine, JobLine, Page, WebServer, application
from tests.servers import free_port

HOSTILE = "<script>alert(1)</script></td><b>\u202e\n!! faked: line"
EMPTY = Page("0.1.0", "follower", "", "2026-11-24 08:00 UTC", (), (), (), ())
FULL = replace(
    EMPTY,
    role="leader",
    holder="pod-1",
    checks=(Check("ledger", True, "answers"), Check("prod", False, "refused")),
    jobs=(JobLine("sleep", "every 1 min", "15:41", "done", "15:42", "2 asleep"),),
    clusters=(ClusterLine("prod", 1234, 8.5, 4123.4, None, ("no answer",)),),
    reports=("weekly/a b.html",),
)
PATHS = ("/", "/healthz", "/readyz", "/metrics", "/reports", "/reports/", "/reports/good.html",
         "/reports/nothing.html", "/nothing")  # fmt: skip


@dataclass
class Stub:
    """Says what a test told it to."""

    checks: Sequence[Check] = (Check("loop", True, "turns"),)
    shown: Page = FULL
    fails: Exception | None = None
    holds: threading.Event = field(default_factory=threading.Event)

    def alive(self) -> Sequence[Check]:
        if self.fails:
            raise self.fails
        return self.checks

    def ready(self) -> Sequence[Check]:
        return (*self.alive(), Check("ledger", True, "answers"))

    def page(self) -> Page:
        if self.fails:
            raise self.fails
        return self.shown


@dataclass
class Web:
    """A running server: ``web.get("/healthz")``."""

    stub: Stub
    port: int
    reports: Path

    def get(self, path: str, method: str = "GET", **named: Any) -> requests.Response:
        url = f"http://127.0.0.1:{self.port}{path}"
        return requests.request(method, url, timeout=10, allow_redirects=False, **named)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def raw(self, target: bytes, method: bytes = b"GET") -> bytes:
        """The whole answer to a path no client would send."""
        return self.bytes(method + b" " + target + b" HTTP/1.1\r\nHost: x\r\n")

    def bytes(self, head: bytes) -> bytes:
        with self.connect() as link:
            link.sendall(head + b"Connection: close\r\n\r\n")
            return b"".join(iter(lambda: link.recv(65536), b""))


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    reports = tmp_path / "reports"
    (reports / "weekly").mkdir(parents=True)
    (reports / "good.html").write_text("<p>good</p>")
    stub = Stub()
    server = WebServer(application(stub, Metrics(("sleep",)), reports), "127.0.0.1", 0)
    server.start()
    yield Web(stub, server.port, reports)
    server.close()


def guarded(headers: Mapping[str, str]) -> dict[str, str]:
    kept = {name.lower(): value for name, value in headers.items()}
    assert kept["x-content-type-options"] == "nosniff"
    assert kept["referrer-policy"] == "no-referrer"
    assert kept["x-frame-options"] == "DENY"
    assert kept["cache-control"] == "no-store"
    assert kept["cross-origin-resource-policy"] == "same-origin"
    assert kept["content-security-policy"].startswith("default-src 'none'; ")
    assert "frame-ancestors 'none'" in kept["content-security-policy"]
    assert not {"server", "via", "x-powered-by"} & set(kept)
    return kept


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_every_answer_has_the_headers_that_keep_a_browser_in(
    web: Web, path: str, method: str
) -> None:
    guarded(web.get(path, method).headers)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\nBad Header\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * (16 * 1024 - 42) + b"\r\n", b"431"),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: odd\r\n", b"501"),
    ],
)
def test_what_is_refused_before_it_is_read_has_them_too(
    web: Web, head: bytes, status: bytes
) -> None:
    top, _, _ = web.bytes(head).partition(b"\r\n\r\n")
    first, *lines = top.decode().split("\r\n")
    assert first.split()[1].encode() == status
    guarded(dict(line.split(": ", 1) for line in lines))


@pytest.mark.parametrize("path", [*PATHS[:7], "/healthz?method=DELETE"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
def test_nothing_but_reading_is_allowed(web: Web, path: str, method: str) -> None:
    answer = web.get(path, method, data=b"x=1")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/nothing", "/healthz/", "/healthz/x", "/index.html", "/%00"])
def test_an_unknown_path_is_not_found(web: Web, path: str) -> None:
    answer = web.get(path)
    assert (answer.status_code, answer.text) == (404, "404 Not Found\n")


@pytest.mark.parametrize("path", PATHS)
def test_head_is_get_without_its_body(web: Web, path: str) -> None:
    got, head = web.get(path), web.get(path, "HEAD")
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["Content-Type"] == got.headers["Content-Type"]


def test_probes_say_one_line_a_check(web: Web) -> None:
    answer = web.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok loop: turns\n")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert web.get("/readyz").text == "ok loop: turns\nok ledger: answers\n"
    web.stub.checks = (Check("loop", False, "stands"), Check(HOSTILE, True, "x"))
    answer = web.get("/healthz")
    assert answer.status_code == web.get("/readyz").status_code == 503
    assert answer.text.splitlines() == [
        "!! loop: stands",
        "ok <script>alert(1)</script></td><b>\\u202e\\x0a!! faked: line: x",
    ]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/json", "application/json"),
        ("text/html, application/json;q=0.9", "application/json"),
        ("*/*", "text/plain; charset=utf-8"),
        ("text/plain, application/json", "text/plain; charset=utf-8"),
        (";;q=,,/", "text/plain; charset=utf-8"),
    ],
)
def test_probes_speak_json_to_whom_asks_for_it(web: Web, accept: str, kind: str) -> None:
    web.stub.checks = (Check("loop", False, HOSTILE),)
    answer = web.get("/healthz", headers={"Accept": accept})
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, kind)
    if kind == "application/json":
        said = {"name": "loop", "ok": False, "says": HOSTILE}
        assert answer.json() == {"ok": False, "checks": [said]}


def test_metrics_are_served_in_both_texts(web: Web) -> None:
    answer = web.get("/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    names = {family.name for family in text_string_to_metric_families(answer.text)}
    assert "gpu_thrift_job_runs" in names
    answer = web.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")


def test_the_page_shows_what_there_is(web: Web) -> None:
    text = web.get("/").text
    for shown in ("leader", "pod-1", "not ok", "1,234", "8.5", "4,123", "every 1 min", "2 asleep"):
        assert shown in text
    assert '<a href="reports/weekly/a%20b.html">weekly/a b.html</a>' in text
    assert '<meta http-equiv="refresh" content="60">' in text
    web.stub.shown = EMPTY
    text = web.get("/").text
    assert "<table" not in text
    assert "nobody" in text


@pytest.mark.parametrize(
    ("usd", "unpriced", "told"),
    [(300, 0, "$300"), (300, 2.5, "at least $300"), (0, 2.5, "no price known"), (0, 0, "$0")],
)
def test_what_has_no_price_is_not_worth_nothing(usd: float, unpriced: float, told: str) -> None:
    assert ClusterLine("main", 1, 1, 9, usd, (), unpriced).saved == told


def test_the_page_loads_nothing_and_runs_nothing(web: Web) -> None:
    for path in ("/", "/reports/"):
        answers = [web.get(path) for _ in range(2)]
        policies = [guarded(answer.headers)["content-security-policy"] for answer in answers]
        nonces = [re.search(r"style-src 'nonce-([^']{20,})'$", policy) for policy in policies]
        assert nonces[0]
        assert nonces[1]
        assert nonces[0][1] != nonces[1][1]
        assert f'<style nonce="{nonces[0][1]}">' in answers[0].text
        assert not re.search(r"<script|<link|<img|<iframe|<form|\bsrc=|\bstyle=|\bon\w+=|url\(",
                             answers[0].text)  # fmt: skip
        for header in re.findall(r"<th\b[^>]*>", answers[0].text):
            assert "scope=" in header


def test_a_hostile_name_stays_text(web: Web) -> None:
    web.stub.shown = Page(
        *(HOSTILE,) * 4,
        (Check(HOSTILE, True, HOSTILE),),
        (JobLine(*(HOSTILE,) * 6),),
        (ClusterLine(HOSTILE, 1, 1, 1, 1, (HOSTILE, '" onclick="x')),),
        (HOSTILE, "javascript:alert(1)", "\udcff"),
    )
    text = web.get("/").text
    assert "<script" not in text
    assert "<b>" not in text
    assert "\u202e" not in text
    assert '" onclick="' not in text
    assert 'href="javascript' not in text
    assert text.count("&lt;script&gt;") == text.count("\\u202e\\x0a!! faked") == 15


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.csv", "text/csv; charset=utf-8"),
        ("a.md", "text/markdown; charset=utf-8"),
        ("a.png", "image/png"),
        ("weekly/ä & b.html", "text/html; charset=utf-8"),
    ],
)
def test_a_report_is_served_as_what_it_is(web: Web, name: str, kind: str) -> None:
    (web.reports / name).write_bytes(b"<p>\xff")
    answer = web.get(f"/reports/{name}")
    assert (answer.status_code, answer.content) == (200, b"<p>\xff")
    assert answer.headers["Content-Type"] == kind
    policy = guarded(answer.headers)["content-security-policy"]
    assert policy.endswith("; img-src data:") == ("html" in kind)
    assert "-src '" not in policy.replace("default-src 'none'", "")


def test_a_page_may_run_what_it_names_by_hash_and_nothing_else(web: Web) -> None:
    style, script = f"'sha256-{'A' * 43}='", f"'sha256-{'b/+' * 14}c='"
    named = f'<meta content="default-src *; style-src {style}; script-src {script} https:">'
    (web.reports / "named.html").write_text(named)
    policy = guarded(web.get("/reports/named.html").headers)["content-security-policy"]
    assert policy.endswith(f"; img-src data:; style-src {style}; script-src {script}")
    for other in (
        "script-src 'unsafe-inline'",
        "script-src 'sha256-short='",
        "script-src *; style-src 'nonce-1'",
        f"{' ' * 4000}script-src {script}",
    ):
        (web.reports / "other.html").write_text(other)
        policy = guarded(web.get("/reports/other.html").headers)["content-security-policy"]
        assert policy.endswith("; frame-ancestors 'none'; img-src data:")


def test_a_folder_leads_to_its_page_wherever_it_is_mounted(web: Web) -> None:
    folder = web.reports / "weekly" / "a:b & c"
    folder.mkdir()
    assert web.get("/reports/weekly/a:b & c/").status_code == 404
    (folder / "report.html").write_text("<p>week")
    for asked, told in (("a:b & c", "a%3Ab%20%26%20c/report.html"), ("a:b & c/", "report.html")):
        answer = web.get(f"/reports/weekly/{asked}")
        assert (answer.status_code, answer.headers["Location"]) == (302, told)
        followed = urljoin(answer.url, answer.headers["Location"])
        assert requests.get(followed, timeout=10).text == "<p>week"
    for outside in ("..", "../weekly/a:b & c", ".hidden", "/weekly/a:b & c"):
        assert web.raw(f"/reports/{quote(outside)}/".encode()).startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("name", ["a.txt", "a.html.gz", "plain", "a.HTML~", ".a.html", "weekly",
                                  ".git/a.html", "a.svg", "pipe.html", "loop.html"])  # fmt: skip
def test_what_is_no_report_is_not_served(web: Web, name: str) -> None:
    path = web.reports / name
    path.parent.mkdir(exist_ok=True)
    if name == "pipe.html":
        os.mkfifo(path)
    elif name == "loop.html":
        path.symlink_to(path)
    elif name != "weekly":
        path.write_text("no")
    assert web.get(f"/reports/{name}").status_code == 404
    assert name not in web.get("/reports/").text.replace("weekly/", "")


@pytest.mark.parametrize(
    "target",
    [
        b"/reports/../secret.html",
        b"/reports/%2e%2e/secret.html",
        b"/reports/%2e%2e%2fsecret.html",
        b"/reports/..%2fsecret.html",
        b"/reports/weekly/../../secret.html",
        b"/reports/weekly/%2e./%2e./secret.html",
        b"/reports/..%5csecret.html",
        b"/reports/%252e%252e/secret.html",
        b"/reports/./../secret.html",
        b"/reports//%(secret)s",
        b"/reports/%%2f%(secret)s",
        b"/reports%(secret)s",
        b"/reports/weekly//%(secret)s",
        b"/reports/secret.html%%00.html",
        b"/reports/good.html%%00",
        b"/reports/%%00/../good.html",
        b"/reports/%%c0%%ae%%c0%%ae/secret.html",
        b"/reports/out.html",
        b"/reports/outside/secret.html",
        b"/reports/hidden.html",
        b"/reports/text.html",
        b"/reports/%%ff.html",
        b"/reports/" + b"a" * 5000 + b".html",
        b"/reports/" + b"a/" * 5000 + b"a.html",
        b"http://127.0.0.1/reports/../secret.html",
        b"/../../secret.html",
        b"//secret.html",
    ],
)
def test_nothing_outside_the_folder_is_served(web: Web, target: bytes) -> None:
    secret = web.reports.parent / "secret.html"
    secret.write_text("SECRET")
    (web.reports / ".hidden.html").write_text("SECRET")
    (web.reports / "text.txt").write_text("SECRET")
    (web.reports / "out.html").symlink_to(secret)
    (web.reports / "outside").symlink_to(web.reports.parent)
    (web.reports / "hidden.html").symlink_to(web.reports / ".hidden.html")
    (web.reports / "text.html").symlink_to(web.reports / "text.txt")
    if b"%%" in target or b"%(" in target:
        target = target % {b"secret": os.fsencode(secret)}
    answer = web.raw(target)
    assert b"SECRET" not in answer
    assert b"<p>good" not in answer
    assert answer.startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 400 "))
    index = web.get("/reports/").text
    assert not re.search("out.html|outside|hidden|text|secret", index.partition("<main>")[2])


def test_a_link_inside_the_folder_is_a_report(web: Web) -> None:
    (web.reports / "latest.html").symlink_to("good.html")
    assert web.get("/reports/latest.html").text == "<p>good</p>"


def test_the_index_names_reports_newest_first(web: Web) -> None:
    names = ["weekly/old.html", "good.html", "weekly/javascript:x & <b>.csv"]
    for day, name in enumerate(names):
        (web.reports / name).write_text("x" * 3000 * day)
        os.utime(web.reports / name, (day * 86400, day * 86400))
    (web.reports / ".draft").mkdir()
    (web.reports / ".draft" / "a.html").write_text("x")
    text = web.get("/reports/").text
    links = re.findall('<a href="([^"]*)">', text.partition("<main>")[2])
    assert links == ["weekly/javascript%3Ax%20%26%20%3Cb%3E.csv", "good.html", "weekly/old.html"]
    assert "1970-01-03 00:00 UTC" in text
    assert "6 KiB" in text
    assert "0 bytes" in text
    assert "weekly/javascript:x &amp; &lt;b&gt;.csv" in text
    for link in links:
        assert web.get(f"/reports/{link}").status_code == 200


def test_reports_without_a_slash_leads_to_the_index_wherever_it_is_mounted(web: Web) -> None:
    answer = web.get("/reports", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.headers["Location"]) == (308, "reports/")


@pytest.mark.parametrize(("reports", "status"), [(None, 404), (Path("/nowhere"), 200)])
def test_without_a_folder_there_are_no_reports(reports: Path | None, status: int) -> None:
    server = WebServer(application(Stub(), Metrics(()), reports), "127.0.0.1", 0)
    server.start()
    try:
        url = f"http://127.0.0.1:{server.port}/reports/"
        assert requests.get(url, timeout=10).status_code == status
        assert requests.get(f"{url}a.html", timeout=10).status_code == 404
    finally:
        server.close()


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz"])
def test_what_goes_wrong_inside_is_logged_and_not_shown(
    web: Web, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    web.stub.fails = RuntimeError("the password is 1234")
    answer = web.get(path)
    assert (answer.status_code, answer.text) == (500, "500 Internal Server Error\n")
    guarded(answer.headers)
    logged = [record for record in caplog.records if record.name == "gpu_thrift"]
    assert [record.levelno for record in logged] == [logging.ERROR]
    assert "the password is 1234" in logged[0].getMessage()
    assert logged[0].exc_info


def test_a_query_has_no_effect(web: Web) -> None:
    assert web.get("/metrics?name[]=gpu_thrift_leader").text.count("# TYPE") > 10
    assert web.get("/reports/good.html?download=1").text == "<p>good</p>"


def test_any_host_is_answered(web: Web) -> None:
    for host in ("evil.example", "x y", "<b>", "[::1", "a" * 3000):
        assert web.get("/healthz", headers={"Host": host}).status_code == 200


IDLERS: dict[str, bytes] = {
    "say nothing": b"",
    "never end their header": b"GET / HTTP/1.1\r\nHost: x\r\nX-",
    "never send their body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n",
    "never read": b"GET /reports/large.json HTTP/1.1\r\nHost: x\r\n\r\n",
    "send much ahead": b"GET /reports/large.json HTTP/1.1\r\nHost: x\r\n\r\n" * 150,
}


@pytest.mark.parametrize("count", [30, CONNECTIONS + 40])
@pytest.mark.parametrize("sent", IDLERS.values(), ids=IDLERS)
def test_clients_that_wait_starve_no_probe(web: Web, sent: bytes, count: int) -> None:
    with (web.reports / "large.json").open("wb") as large:
        large.truncate(40_000_000)
    with ExitStack() as held:
        for _ in range(count):
            held.enter_context(web.connect()).sendall(sent)
        for _ in range(3):
            began = time.monotonic()
            assert web.get("/healthz").status_code == 200
            assert time.monotonic() - began < 2


def test_of_requests_sent_ahead_one_is_answered(web: Web) -> None:
    with web.connect() as link:
        link.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 150)
        answers = b"".join(iter(lambda: link.recv(65536), b""))
    assert answers.count(b"HTTP/1.1 200 OK") == 1
    assert b"\r\nConnection: close\r\n" in answers


def test_a_connection_serves_one_request_after_the_other(web: Web) -> None:
    client = http.client.HTTPConnection("127.0.0.1", web.port, timeout=10)
    client.connect()
    link = client.sock
    for path in ("/", "/healthz", "/reports/good.html", "/nothing"):
        client.request("GET", path)
        assert client.getresponse().read()
        assert client.sock is link
    client.close()


def refusal(host: str, port: int) -> str:
    with pytest.raises(GpuThriftError) as raised:
        WebServer(application(Stub(), Metrics(()), None), host, port)
    text = str(raised.value)
    assert "\n" not in text
    return text


def test_a_port_in_use_is_said_in_one_line(web: Web) -> None:
    before = threading.active_count()
    text = refusal("127.0.0.1", web.port)
    assert text == (
        f"cannot listen on 127.0.0.1:{web.port}: the address is in use; "
        "choose another port under [web] in the configuration"
    )
    assert threading.active_count() == before


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "a" * 80, "a\nb"])
def test_an_address_that_is_not_here_is_said_in_one_line(host: str) -> None:
    assert "no such address here; correct host under [web]" in refusal(host, 0)


def test_a_port_that_is_not_permitted_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> socket.socket:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket, "create_server", denied)
    assert "127.0.0.1:80: not permitted; choose a port above 1023" in refusal("127.0.0.1", 80)


@pytest.mark.parametrize(
    ("host", "asked"), [("::1", "[::1]"), ("::", "127.0.0.1"), ("", "127.0.0.1")]
)
def test_other_addresses_can_be_listened_on(host: str, asked: str) -> None:
    if not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists():
        pytest.skip("no IPv6 here")
    server = WebServer(application(Stub(), Metrics(()), None), host, 0)
    server.start()
    try:
        url = f"http://{asked}:{server.port}/healthz"
        assert requests.get(url, timeout=10).status_code == 200
    finally:
        server.close()


def served(started: bool, port: int = 0, stub: Stub | None = None) -> WebServer:
    server = WebServer(application(stub or Stub(), Metrics(()), None), "127.0.0.1", port)
    if started:
        server.start()
    return server


@pytest.mark.parametrize("started", [True, False])
def test_closing_frees_the_port_the_threads_and_the_files(started: bool) -> None:
    served(True).close()
    threads, files = threading.active_count(), open_files()
    port = free_port()
    for _ in range(3):
        server = served(started, port)
        assert server.port == port
        server.close()
        server.close()
    wait_until(lambda: threading.active_count() == threads)
    # Others of this process may close theirs at any time.
    assert open_files() <= files


def test_closing_does_not_wait_for_clients() -> None:
    server = served(True)
    with requests.Session() as session, ExitStack() as held:
        session.get(f"http://127.0.0.1:{server.port}/healthz", timeout=10)
        link = held.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        link.sendall(b"GET / HTTP/1.1\r\n")
        began = time.monotonic()
        server.close()
        assert time.monotonic() - began < 2
        link.settimeout(2)
        # A reset, when what the client sent was not read yet.
        with suppress(ConnectionResetError):
            assert link.recv(100) == b""
        served(True, server.port).close()


@pytest.mark.parametrize(("seconds", "answered"), [(0.4, True), (8, False)])
def test_closing_lets_an_answer_end_if_it_does_soon(seconds: float, answered: bool) -> None:
    class Slow(Stub):
        def alive(self) -> Sequence[Check]:
            self.holds.wait(seconds)
            return self.checks

    slow = Slow()
    server = served(True, stub=slow)
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as link:
        link.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.1)
        began = time.monotonic()
        server.close()
        assert time.monotonic() - began < 2.5
        assert (b"ok loop: turns" in link.recv(65536)) == answered
    slow.holds.set()


def open_files() -> set[str]:
    """What is open, each with the kernel's own number for it."""
    found = set()
    for one in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # such as the folder's own
            found.add(f"{one.name} {one.readlink()}")
    return found


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
